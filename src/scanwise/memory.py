"""How much memory there is to take, asked before something large is allocated.

Linux gives memory out before it has it and ends a process that then touches too much of it. So what does not fit is
refused beforehand, with an error that says what was wanted.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from scanwise.errors import EngineError

__all__ = ["available_bytes", "gibibytes", "require"]

# What is smaller than this is taken without asking whether there is room: asking takes 50 us.
_WORTH_ASKING = 1 << 26

_SYSTEM = Path("/proc/meminfo")
# Limits of the container that this process runs in: control groups version 2 and version 1. What the container uses is
# not taken off: much of that is file contents that the system gives back when asked.
_CONTAINERS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available_bytes() -> int:
    """Bytes that this process can still take: what the system has left, and its container allows.

    Where neither says, the machine's whole memory; where that is not known either, 2**63.

    >>> available_bytes() > 2**20
    True
    """
    left = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        line = next(line for line in _SYSTEM.read_text().splitlines() if line.startswith("MemAvailable:"))
        left.append(1024 * int(line.split()[1]))
    for limit in _CONTAINERS:
        with contextlib.suppress(OSError, ValueError):  # no such container, or "max"
            left.append(int(limit.read_text()))
    if left:
        return min(left)
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 2**63


def require(needed: int, what: str) -> None:
    """Raise EngineError if `needed` bytes are more than there are.

    >>> require(2**20, "a picture")
    """
    if needed <= _WORTH_ASKING:
        return
    left = available_bytes()
    if needed > left:
        raise EngineError(
            f"memory must hold {what}. Got {gibibytes(needed)} to take, and {gibibytes(left)} available."
        )


def gibibytes(count: int) -> str:
    """A number of bytes for a message.

    >>> gibibytes(3 * 2**29)
    '1.5 GiB'
    """
    if count >= 2**80:  # no machine's; an int of hundreds of digits is too large for a float
        return "more than 2**50 GiB"
    return f"{count / 2**30:,.1f} GiB"
