"""Which processor a thread runs on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

__all__ = ["leave", "this_processor"]

_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None


def this_processor() -> int:
    """The number of the processor that runs this thread, where that can be told; else -1."""
    return -1 if _getcpu is None else int(_getcpu())


def leave(processor: int) -> None:
    """Make this thread go to another processor, if it is on this one.

    Linux often wakes a thread where the one that woke it is running. There it would wait for a caller who does not wait
    for it, go back to sleep, and be woken at the same place again.
    """
    if sys.platform != "linux" or processor < 0 or this_processor() != processor:
        return
    with contextlib.suppress(OSError):
        allowed = os.sched_getaffinity(0)
        others = allowed - {processor}
        if others:
            os.sched_setaffinity(0, others)
            os.sched_setaffinity(0, allowed)
