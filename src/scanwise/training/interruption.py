"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt between any two instructions. If that happens to be within a finalizer, as the compiler
has many, the exception is reported and forgotten. So it is also written down, and the training loop looks.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def remembered() -> Iterator[list[int]]:
    """Gives a list that holds the interruptions so far. Where the program has its own handler, it stays empty."""
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield received
        return
    try:
        signal.signal(signal.SIGINT, interrupt)
    except ValueError:  # not the main thread, which Ctrl-C does not reach either
        yield received
        return
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
