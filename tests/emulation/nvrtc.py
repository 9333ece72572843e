"""NVIDIA's run-time compiler as it comes from the package index; it needs no GPU and no driver."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from pathlib import Path

# What CuPy adds to the options of a RawModule.
FLAGS = ("-std=c++17", "-ftz=true", "--device-as-default-execution-space")


@functools.cache
def library() -> ctypes.CDLL | None:
    """The newest NVRTC of this environment that knows every architecture from sm_70 to sm_100: CUDA 12.8 or 12.9."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for path in sorted(Path(folder).glob("cuda_nvrtc/lib/libnvrtc.so.12")):
            return ctypes.CDLL(str(path))
    return None


def architectures(nvrtc: ctypes.CDLL) -> list[int]:
    """The compute capabilities that it compiles for, times ten."""
    count = ctypes.c_int()
    nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    numbers = (ctypes.c_int * count.value)()
    nvrtc.nvrtcGetSupportedArchs(numbers)
    return list(numbers)


def compile_source(nvrtc: ctypes.CDLL, source: str, architecture: int, options: tuple[str, ...]) -> tuple[bytes, str]:
    """Machine code for one architecture, and what the compiler said.

    Raises
    ------
    AssertionError
        If it does not compile: the compiler's messages.
    """
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    try:
        every = [option.encode() for option in (*FLAGS, f"-arch=sm_{architecture}", *options)]
        error = nvrtc.nvrtcCompileProgram(program, len(every), (ctypes.c_char_p * len(every))(*every))
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        said = log.value.decode(errors="replace").strip()
        if error:
            raise AssertionError(f"sm_{architecture} {options}: {said[:4000]}")
        nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
        machine_code = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetCUBIN(program, machine_code)
        return machine_code.raw, said
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
