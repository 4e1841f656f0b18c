"""How many threads the native engine uses.

The number changes speed alone: inference and training give the same bits for every number of threads.
"""

from __future__ import annotations

import operator
import os

from scanwise.errors import ArgumentError, ArgumentTypeError

_VARIABLE = "SCANWISE_THREADS"
MOST = 1024  # every thread has its own memory for activations: a slip of the keyboard shall not take it all
_threads: int | None = None


def get_threads() -> int:
    """Number of threads in use.

    The number given to `set_threads`, else the environment variable `SCANWISE_THREADS`, else the number of
    processors this process may run on (its affinity, which a container or `taskset` can make smaller than
    the machine).

    Raises `ArgumentError` if `SCANWISE_THREADS` is not a positive whole number.

    >>> import scanwise as sw
    >>> sw.get_threads() >= 1
    True
    """
    global _threads
    if _threads is None:
        _threads = _from_environment()
    return _threads


def set_threads(n: int) -> None:
    """Use `n` threads from the next call on.

    Args:
        n: number of threads, at least 1. More than there are processors is allowed and seldom useful.

    Raises:
        ArgumentTypeError: `n` is not a whole number.
        ArgumentError: `n` is smaller than 1, or larger than 1024.

    >>> import scanwise as sw
    >>> before = sw.get_threads()
    >>> sw.set_threads(1)
    >>> sw.get_threads()
    1
    >>> sw.set_threads(before)
    """
    global _threads
    try:
        number = operator.index(n)
    except TypeError:
        raise ArgumentTypeError(f"n must be a whole number of threads. Got {n!r}.") from None
    if isinstance(n, bool):
        raise ArgumentTypeError(f"n must be a whole number of threads. Got {n!r}.")
    if number < 1:
        raise ArgumentError(f"n must be at least 1 thread. Got {number}.")
    if number > MOST:
        raise ArgumentError(f"n must be at most {MOST} threads. Got {number}.")
    _threads = number


def _from_environment() -> int:
    text = os.environ.get(_VARIABLE, "").strip()
    if not text:
        return _available()
    # Ten digits are enough to be out of range; Python refuses to read thousands.
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    if not 1 <= number <= MOST:
        raise ArgumentError(
            f"environment variable {_VARIABLE} must be a whole number of at least 1 and at most {MOST}. "
            f"Got {text[:40]!r}."
        )
    return number


def _available() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
