"""Which schedule a kernel takes, where timing has found a faster one than the model's choice.

A choice is the number of one of the kernel's candidates, kept under the kernel's name: whatever a file says, it can
only lead to a schedule that computes the same bits. Choices lie in the cache folder, in one file for each kind of
processor; where there is no folder, they last as long as the process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from scanwise.codegen import cache
from scanwise.codegen.jit import Kernel
from scanwise.codegen.target import Target, processor_kind

__all__ = ["Scheduled", "candidates", "chosen", "is_known", "keep"]

# Entries of a file: some hundred networks. What was chosen longest ago is dropped first, so that the choices of older
# versions, whose kernels have other names, do not pile up.
LIMIT = 4096


@runtime_checkable
class Scheduled(Protocol):
    """A kernel with schedules to choose from, all of which compute the same bits."""

    def candidates(self, target: Target) -> Sequence[Kernel]:
        """The schedules that are worth timing: the model's choice, then others."""
        ...


_lock = threading.Lock()
_tables: dict[Path | None, dict[str, int]] = {}  # by cache folder


def candidates(kernel: Kernel, target: Target) -> Sequence[Kernel]:
    """The kernel with the model's choice, then with each other schedule that is worth timing."""
    return kernel.candidates(target) if isinstance(kernel, Scheduled) else (kernel,)


def chosen(kernel: Kernel, target: Target) -> Kernel:
    """The kernel (as the model schedules it) with the schedule that was found to be fastest."""
    with _lock:
        table = _table()
        number = table.get(cache.key(kernel, target), 0) if table and isinstance(kernel, Scheduled) else 0
    found = candidates(kernel, target) if number else (kernel,)
    return found[number] if number < len(found) else kernel


def is_known(kernel: Kernel, target: Target) -> bool:
    """Whether the schedules of the kernel have been timed on such a processor."""
    with _lock:
        return cache.key(kernel, target) in _table()


def keep(found: Mapping[Kernel, int], target: Target) -> None:
    """From now on take these candidates, by their numbers."""
    with _lock:
        table = _read() | _table()  # other processes may have found more since
        _tables[cache.directory()] = table
        for kernel, number in found.items():
            name = cache.key(kernel, target)
            table.pop(name, None)  # the newest stand last
            table[name] = number
        for name in list(table)[:-LIMIT]:
            del table[name]
        cache.write_file(_file_name(), json.dumps(table).encode())


def _table() -> dict[str, int]:
    folder = cache.directory()
    table = _tables.get(folder)
    if table is None:
        table = _tables[folder] = _read()
    return table


def _read() -> dict[str, int]:
    """What the cache folder holds; nothing where it is not what `keep` writes."""
    try:
        found = json.loads(cache.read_file(_file_name()) or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: number for name, number in found.items() if type(number) is int and number >= 0}


def _file_name() -> str:
    return f"choices-{processor_kind()}.json"
