"""Object files of x86-64 Linux -> code in this process.

LLVM can load its objects itself, but its library takes 40 MB of memory and 40 ms, more than everything else that a
process does whose kernels are all in the cache. What it does with them is little: kernels are static code in the large
model, so sections are copied into memory and 64-bit absolute addresses written into them
(docs/decisions/0016-a-process-starts-fast.md).

Format: System V Application Binary Interface, edition 4.1, chapter 4, and its AMD64 supplement, section 4.4.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["UnsupportedError", "load"]

_FILE = struct.Struct(
    "<4sBB10xHH20xQ10xHH2x"
)  # magic, class, byte order, type, machine; sections' place, size, number
_FILE_KIND = (b"\x7fELF", 2, 1, 1, 62)  # 64 bits, little-endian, relocatable, x86-64
_SECTION = struct.Struct(
    "<IIQ8xQQIIQQ"
)  # name, type, flags, place, size, link, info, alignment, entry's size
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_RELOCATION = struct.Struct("<QQq")  # place, symbol and type, addend
_SYMBOLS, _RELOCATIONS, _NO_BITS, _WITHOUT_ADDEND = 2, 4, 8, 9
_WRITABLE, _LOADED = 1, 2
_ABSOLUTE_64 = 1
_RESERVED_SECTIONS = 0xFF00


class UnsupportedError(Exception):
    """An object holds something that is not known here, or the system gives no memory for code."""


@dataclass
class _Section:
    kind: int
    flags: int
    content: bytes
    link: int
    info: int
    alignment: int
    place: int = -1  # in the image, or -1 if it is not loaded


def load(objects: Mapping[str, bytes]) -> dict[str, int]:
    """The address of the function of each object, which has the object's name.

    Raises:
        UnsupportedError: nothing was loaded.
    """
    try:
        files = {name: _sections(content) for name, content in objects.items()}
        size = 0
        for sections in files.values():
            size = _placed(sections, size)
        memory = _allocated(size)
        image = bytearray(size)
        addresses = {name: _linked(sections, name, image, memory) for name, sections in files.items()}
    except (struct.error, IndexError) as error:
        raise UnsupportedError(f"an object is not whole: {error}") from error
    _make_executable(memory, image)
    return addresses


def _sections(content: bytes) -> list[_Section]:
    *kind, start, size, count = _FILE.unpack_from(content)
    if tuple(kind) != _FILE_KIND or size != _SECTION.size:
        raise UnsupportedError("an object is of another kind")
    found = []
    for index in range(count):
        _, kind_, flags, place, length, link, info, alignment, _ = _SECTION.unpack_from(
            content, start + index * size
        )
        if flags & _LOADED and (flags & _WRITABLE or kind_ == _NO_BITS) and length:
            raise UnsupportedError("an object has variables")
        found.append(_Section(kind_, flags, content[place : place + length], link, info, max(1, alignment)))
    return found


def _placed(sections: list[_Section], size: int) -> int:
    """Give what is loaded its place behind the first `size` bytes of the image; the new size."""
    for section in sections:
        if section.flags & _LOADED:
            section.place = -(-size // section.alignment) * section.alignment
            size = section.place + len(section.content)
    return size


def _linked(sections: list[_Section], name: str, image: bytearray, memory: int) -> int:
    """Write an object's sections into the image that will lie at `memory`; the address of its function."""
    for section in sections:
        if section.place >= 0:
            image[section.place : section.place + len(section.content)] = section.content
    for section in sections:
        if section.kind == _WITHOUT_ADDEND:
            raise UnsupportedError("an object has relocations without addend")
        if section.kind == _RELOCATIONS and sections[section.info].place >= 0:
            _relocate(sections, section, image, memory)
    for table in sections:
        if table.kind == _SYMBOLS:
            for index in range(len(table.content) // _SYMBOL.size):
                if _symbol_name(sections, table, index) == name:
                    return _symbol_address(sections, table, index, memory)
    raise UnsupportedError(f"an object has no function {name}")


def _relocate(sections: list[_Section], relocations: _Section, image: bytearray, memory: int) -> None:
    table, goal = sections[relocations.link], sections[relocations.info]
    for place, what, addend in _RELOCATION.iter_unpack(relocations.content):
        if what & 0xFFFFFFFF != _ABSOLUTE_64:
            raise UnsupportedError(f"an object has a relocation of type {what & 0xFFFFFFFF}")
        value = _symbol_address(sections, table, what >> 32, memory) + addend
        struct.pack_into("<Q", image, goal.place + place, value & 0xFFFFFFFFFFFFFFFF)


def _symbol_address(sections: list[_Section], table: _Section, index: int, memory: int) -> int:
    _, _, _, section, value, _ = _SYMBOL.unpack_from(table.content, index * _SYMBOL.size)
    if section == 0:
        return _library_function(_symbol_name(sections, table, index))
    if section >= _RESERVED_SECTIONS or sections[section].place < 0:
        raise UnsupportedError("an object's symbol is in no section that is loaded")
    return int(memory + sections[section].place + value)


def _symbol_name(sections: list[_Section], table: _Section, index: int) -> str:
    start = _SYMBOL.unpack_from(table.content, index * _SYMBOL.size)[0]
    names = sections[table.link].content
    return names[start : names.index(b"\0", start)].decode()


def _library_function(name: str) -> int:
    """The address of a function of the C library, such as `fmaf`."""
    try:
        return int(ctypes.cast(getattr(_process, name), ctypes.c_void_p).value or 0)
    except AttributeError as error:
        raise UnsupportedError(f"an object calls {name}, which is not there") from error


# --- memory -------------------------------------------------------------------------------------------------------

_process = ctypes.CDLL(None, use_errno=True)


def _allocated(size: int) -> int:
    """The address of memory that is never given back: a thread may be running in it when the process ends."""
    map_ = _process.mmap
    map_.restype = ctypes.c_void_p
    map_.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    found = map_(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if found in (None, ctypes.c_void_p(-1).value):
        raise UnsupportedError(f"no memory for code: error {ctypes.get_errno()}")
    return int(found)


def _make_executable(memory: int, image: bytearray) -> None:
    """Fill the memory, then let it be run and no longer be written."""
    ctypes.memmove(memory, bytes(image), len(image))
    protect = _process.mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if protect(memory, len(image), mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise UnsupportedError(f"memory may not be run: error {ctypes.get_errno()}")
