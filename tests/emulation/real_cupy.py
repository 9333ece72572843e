"""The real CuPy on a GPU that is emulated on the CPU: for what no stand-in of ours can tell about CuPy.

CuPy calls the CUDA runtime that is linked into one of its modules; the first instructions of these functions are
overwritten with jumps to cuda_runtime.cpp. The driver it loads by name: cuda_driver.cpp has that name. The compiler
remains NVIDIA's, NVRTC, which needs no GPU. What it has compiled is built for the CPU as well (build.py), and found
again by the bytes of the machine code with which CuPy loads a module.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import importlib.util
import json
import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import build, cubin

HERE = Path(__file__).parent
SOURCES = [HERE / "cuda_runtime.cpp", HERE / "cuda_driver.cpp", HERE / "cuda_on_cpu.h"]
PROGRAMS = build.FOLDER / "programs"  # source and options of all that was compiled
RUNTIME = f"cupy_backends/cuda/api/runtime.cpython-{sys.version_info[0]}{sys.version_info[1]}-x86_64-linux-gnu.so"
WORKING = {"cudaGetErrorName", "cudaGetErrorString", "cudaRuntimeGetVersion"}  # without a GPU, too
JUMP = struct.Struct("<2sQ2s")  # movabs rax, ADDRESS; jmp rax
NOT_SUPPORTED, NO_BINARY, NOT_FOUND = 801, 209, 500  # of CUDA's errors

_kept: list[Any] = []  # what is only known to C
_library: Any = None  # the emulated GPU, once it is there


# What must be installed -----------------------------------------------------------------------------------------------


def _packages() -> Path | None:
    spec = importlib.util.find_spec("cupy_backends")
    return Path(spec.origin).parents[1] if spec and spec.origin else None


def _headers() -> Path | None:
    """The folder of CUDA's headers."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or [] if spec else []:
        include = Path(folder, "cu13", "include")
        if (include / "cuda.h").exists() and (include / "cuda_runtime_api.h").exists():
            return include
    return None


def missing() -> str | None:
    """What this machine lacks, if anything, or has too much."""
    if ctypes.util.find_library("cuda"):
        return "is for machines without NVIDIA's driver: where there is one, test_gpu.py asks the GPU itself"
    packages = _packages()
    if packages is None or not list(packages.glob("cupy_cuda13x-14.*")):
        return "needs CuPy 14 for CUDA 13"
    if "cudaMalloc" not in _symbols(packages / RUNTIME):
        return "needs a CuPy that names the CUDA functions in it, and nm to read the names"
    if _headers() is None or not list((_headers() or HERE).parent.glob("lib/libnvrtc.so.13")):
        return "needs the headers of CUDA 13 and its compiler, as pip installs them"
    return None if build.compiler() else "needs g++"


def _symbols(module: Path) -> dict[str, int]:
    """Where the functions of CUDA, and that which initializes the module, are in its file."""
    if not shutil.which("nm") or not module.exists():
        return {}
    lines = subprocess.run(["nm", str(module)], capture_output=True, text=True, check=True).stdout.splitlines()
    words = (line.split() for line in lines)
    return {w[2]: int(w[0], 16) for w in words if len(w) == 3 and w[1] in "tT" and re.match("cuda[A-Z]|PyInit_", w[2])}


# The runtime and the driver -------------------------------------------------------------------------------------------


def _build() -> ctypes.CDLL:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()[:24]
    path = build.FOLDER / digest / "libcuda.so.1"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{path.name}"]
        command = [build.compiler() or "g++", *flags, f"-I{_headers()}", *map(str, SOURCES[:2]), "-o", str(made)]
        subprocess.run(command, check=True)
        os.replace(made, path)
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _redirect(module: Path, library: ctypes.CDLL) -> None:
    """Lead the calls of CUDA in a module of CuPy to the library."""
    symbols, loaded = _symbols(module), ctypes.CDLL(str(module))
    _kept.append(loaded)
    begin = next(name for name in symbols if name.startswith("PyInit_"))
    base = _address(getattr(loaded, begin)) - symbols[begin]
    functions = {name: base + at for name, at in symbols.items() if re.match("cuda[A-Z]", name) and name not in WORKING}
    start = min(functions.values()) // mmap.PAGESIZE * mmap.PAGESIZE
    size, access = max(functions.values()) + JUMP.size - start, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(start), ctypes.c_size_t(size), access):
        raise OSError("mprotect: the code of CuPy's module cannot be changed")
    for name, at in functions.items():
        ours = _address(getattr(library, name)) if hasattr(library, name) else _refusal(name)
        ctypes.memmove(at, JUMP.pack(b"\x48\xb8", ours, b"\xff\xe0"), JUMP.size)


def _refusal(name: str) -> int:
    def refuse() -> int:
        print(f"the emulated GPU has no {name}", file=sys.stderr)
        return NOT_SUPPORTED

    _kept.append(ctypes.CFUNCTYPE(ctypes.c_int)(refuse))
    return _address(_kept[-1])


# Modules and kernels --------------------------------------------------------------------------------------------------

_modules: dict[int, tuple[cubin.Cubin, str, tuple[str, ...]]] = {}
_functions: dict[tuple[int, str], int] = {}
sizes: dict[int, list[int]] = {}  # of a function's parameters, by its address
found: list[str] = []  # the kernels that CuPy has asked for


def _program(machine_code: bytes) -> Path:
    code = machine_code[: cubin.size(machine_code) - 1]  # CuPy takes the last byte for the end of a string
    return PROGRAMS / f"{hashlib.sha256(code).hexdigest()}.json"


def _remember_programs() -> None:
    from cupy.cuda.compiler import _NVRTCProgram

    compile_program = _NVRTCProgram.compile

    def compile_and_remember(self: Any, options: tuple[str, ...] = (), log_stream: Any = None) -> Any:
        machine_code, names = compile_program(self, options, log_stream)
        if machine_code.startswith(b"\x7fELF"):  # CuPy also asks what the preprocessor makes of nothing
            PROGRAMS.mkdir(parents=True, exist_ok=True)
            _program(machine_code).write_text(json.dumps([self.src, options]))
        return machine_code, names

    _NVRTCProgram.compile = compile_and_remember


def _load(image: int, module: Any) -> None:
    code = cubin.at(image)
    source, options = json.loads(_program(code).read_text())
    module[0] = len(_modules) + 1
    _modules[module[0]] = cubin.Cubin(code), source, tuple(options)


def _find(module: int, name: bytes, function: Any) -> None:
    key = module, name.decode()
    found.append(key[1])
    if key not in _functions:
        code, source, options = _modules[module]
        on_gpu, on_cpu = code.kernel(key[1]), _on_cpu(source, key[1], options)
        if on_gpu.sizes != on_cpu.sizes:
            raise AssertionError(f"{key[1]}: parameters of {on_gpu.sizes} bytes on the GPU, {on_cpu.sizes} on the CPU")
        bytes_of_each = (ctypes.c_uint * len(on_gpu.sizes))(*on_gpu.sizes)
        made = _library.emulation_function(on_cpu.run, on_gpu.most_threads, bytes_of_each, len(bytes_of_each))
        _functions[key], sizes[made] = made, on_gpu.sizes
    function[0] = _functions[key]


def _on_cpu(source: str, name: str, options: tuple[str, ...]) -> build.Kernel:
    if "<cupy/" not in source:
        return build.kernel(source, name, tuple(option for option in options if option.startswith("-D")))
    own = re.sub(r"^#include <.*>$", "", source, flags=re.MULTILINE)
    return build.kernel(own, name, (f"-I{_packages()}/cupy/_core/include", "-w"), HERE / "cupys.h")


def _callback(work: Callable[..., None], error: int, *types: Any) -> Any:
    """A function for C that returns 0, or an error of CUDA if the work fails."""

    def answer(*arguments: Any) -> int:
        try:
            work(*arguments)
        except BaseException:
            traceback.print_exc()
            return error
        return 0

    _kept.append(ctypes.CFUNCTYPE(ctypes.c_int, *types)(answer))
    return _kept[-1]


# For tests ------------------------------------------------------------------------------------------------------------


def start(memory: int = 2**33) -> None:
    """Put the emulated GPU in the place of NVIDIA's driver: before CuPy is imported, for the rest of the process."""
    global _library
    if _library is not None:
        return
    if "cupy_backends" in sys.modules:
        raise RuntimeError("CuPy is already imported")
    packages, out = _packages(), ctypes.POINTER(ctypes.c_void_p)
    assert packages is not None
    os.environ.setdefault("CUPY_CACHE_DIR", str(build.FOLDER / "cupy"))
    os.environ.setdefault("CUPY_ACCELERATORS", "")  # g++ does not compile CUB, with which CuPy would add up
    _library = _build()
    _library.emulation_function.restype, _library.emulation_calls.restype = ctypes.c_void_p, ctypes.c_char_p
    load = _callback(_load, NO_BINARY, ctypes.c_void_p, out)
    find = _callback(_find, NOT_FOUND, ctypes.c_void_p, ctypes.c_char_p, out)
    _library.emulation_begin(load, find, ctypes.c_size_t(memory))
    _redirect(packages / RUNTIME, _library)
    _remember_programs()


@contextlib.contextmanager
def backend() -> Iterator[Any]:
    """Inside the block ``cupy`` is the current backend, on the emulated GPU; gives the driver, a `CupyDriver`."""
    from scratchnet.kernels import cuda

    import scratchnet as sn

    start()
    with sn.use_backend("cupy"):
        yield cuda.driver()


def calls(while_capturing: bool = False) -> dict[str, int]:
    """How often CUDA's functions were called: all, or only while a stream was capturing and other than for a launch."""
    lines = _library.emulation_calls(int(while_capturing)).decode().splitlines()
    return {name: int(count) for name, count in map(str.split, lines)}


def fail(name: str, error: int) -> None:
    """Let the next call of one of CUDA's functions fail with an error."""
    _library.emulation_fail(name.encode(), error)
