"""The kernels' sources as C++ for the CPU: g++ builds each once, with the compiler's own checks in it."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from scratchnet.kernels import cuda

HEADER = Path(__file__).with_name("emulation.h")
# Alignment of vector accesses, bounds of arrays in registers and shared memory, overflow: each traps.
CHECKS = ("-fsanitize=undefined", "-fno-sanitize-recover=all", "-fsanitize-undefined-trap-on-error")
FLAGS = ("-std=c++17", "-O1", "-march=native", "-fPIC", "-shared", "-U_FORTIFY_SOURCE", "-ffp-contract=off",
         "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function", *CHECKS)  # fmt: skip
FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "d" / "emulation"  # where pytest keeps what it can make again


class Kernel(NamedTuple):
    """A kernel that can be run: ``run(dims, order, addresses of the arguments)`` returns an error's text or None.

    ``sizes`` are the bytes of its parameters.
    """

    name: str
    run: Any
    sizes: list[int]


def compiler() -> str | None:
    """The C++ compiler, if there is one."""
    return shutil.which("g++")


_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(([^)]*)\)')
_BETWEEN = re.compile(r",(?![^<>]*>)")  # a comma, but not one among the arguments of a template


def _entries(source: str) -> str:
    """For every kernel a function that takes its arguments as a GPU's driver does: by their addresses."""
    lines = []
    for name, parameters in _KERNEL.findall(source):
        types = [re.sub(r"\s*\w+\s*$", "", parameter.strip()) for parameter in _BETWEEN.split(parameters)]
        arguments = ", ".join(f"*({kind}*)a[{i}]" for i, kind in enumerate(types))
        lines.append(
            f'extern "C" const char* emulate_{name}(const unsigned* dims, int order, void** a) '
            f"{{ return emulation::launch(dims, order, [=] {{ {name}({arguments}); }}); }}"
        )
        sizes = ", ".join(f"sizeof({kind})" for kind in types)
        lines.append(
            f'extern "C" const unsigned* sizes_{name}() '
            f"{{ static const unsigned sizes[] = {{{len(types)}, {sizes}}}; return sizes; }}"
        )
    lines += [f"static_assert(sizeof({name}) == {dtype.itemsize});" for name, dtype in cuda.STRUCTURES.items()
              if f"struct {name} " in source]  # fmt: skip
    return "\n".join(lines)


@functools.cache
def _library(source: str, options: tuple[str, ...], header: Path = HEADER) -> ctypes.CDLL:
    # Inside an unnamed namespace the linker need not merge shared arrays of templates, so they can have a section.
    text = f'#include "{header}"\nnamespace {{\n{source}\n}}\n{_entries(source)}\n'
    text = text.replace('extern "C" __global__', "__global__")
    everything = text, header.read_text(), HEADER.read_text(), options, FLAGS
    digest = hashlib.sha256(repr(everything).encode()).hexdigest()[:24]
    path = FOLDER / f"{digest}.so"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            unit, result = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
            unit.write_text(text)
            done = subprocess.run(
                [compiler() or "g++", *FLAGS, *options, str(unit), "-o", str(result)], capture_output=True, text=True
            )
            if done.returncode:
                raise AssertionError(f"g++ does not compile the kernels with {options}:\n{done.stderr[:6000]}")
            os.replace(result, path)
    return ctypes.CDLL(str(path))


def kernel(source: str, name: str, options: tuple[str, ...], header: Path = HEADER) -> Kernel:
    """A kernel of a source, built if it must be."""
    library = _library(source, options, header)
    run, sizes = getattr(library, f"emulate_{name}"), getattr(library, f"sizes_{name}")
    run.restype = ctypes.c_char_p
    sizes.restype = ctypes.POINTER(ctypes.c_uint)
    found = sizes()
    return Kernel(name, run, found[1 : found[0] + 1])
