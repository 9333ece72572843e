"""What a cubin, NVIDIA's ELF file of machine code, says about its kernels."""

from __future__ import annotations

import ctypes
import struct
from typing import NamedTuple

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
# Attributes in .nv.info, as nvdisasm names them.
MAX_THREADS, KPARAM_INFO = 0x05, 0x17
BY_LENGTH = 4  # the format of an attribute with a length; the others have two bytes
NOBITS = 8  # a section of which the file has no bytes


class Kernel(NamedTuple):
    """The bytes of a kernel's parameters, and how many threads a block may have."""

    sizes: list[int]
    most_threads: int


def size(header: bytes) -> int:
    """The bytes of the cubin that begins with a header."""
    fields = HEADER.unpack_from(header)
    programs, sections, (program_size, program_count, section_size, count) = fields[5], fields[6], fields[9:13]
    return max(programs + program_size * program_count, sections + section_size * count)


def at(address: int) -> bytes:
    """The cubin that begins at an address."""
    return ctypes.string_at(address, size(ctypes.string_at(address, HEADER.size)))


class Cubin:
    """The sections of a cubin by their names."""

    def __init__(self, code: bytes) -> None:
        header = HEADER.unpack_from(code)
        start, size, count, names = header[6], header[11], header[12], header[13]
        sections = [SECTION.unpack_from(code, start + i * size) for i in range(count)]
        text = code[sections[names][4] :]
        self.sections = {
            text[section[0] :].split(b"\0", 1)[0].decode(): code[section[4] : section[4] + section[5]]
            for section in sections
            if section[1] != NOBITS
        }

    def kernel(self, name: str) -> Kernel:
        """What is said about a kernel."""
        parameters, most = {}, 1024
        for attribute, value in self._attributes(f".nv.info.{name}"):
            if attribute == KPARAM_INFO:
                _, ordinal, _, packed = struct.unpack("<IHHI", value)
                parameters[ordinal] = packed >> 18
            elif attribute == MAX_THREADS:
                most = struct.unpack_from("<I", value)[0]
        return Kernel([parameters[i] for i in range(len(parameters))], most)

    def _attributes(self, section: str) -> list[tuple[int, bytes]]:
        found, text, i = [], self.sections[section], 0
        while i < len(text):
            kind, attribute, length = struct.unpack_from("<BBH", text, i)
            i += 4
            if kind == BY_LENGTH:
                found.append((attribute, text[i : i + length]))
                i += length
        return found
