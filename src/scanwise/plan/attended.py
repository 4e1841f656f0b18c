"""A run of the driver that threads take part in which stand by, instead of some that are woken for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scanwise.plan.crew import CREW, LONG, MOST, Prepared, calling
from scanwise.plan.records import RECORD_WORDS, Base

__all__ = ["SHORT", "Attended"]

# Multiply-adds of a run up to which it matters that threads are there at once: 1 ms. Longer ones have threads of their
# own, as many as they like, whoever else computes at the same time.
SHORT = 100_000_000

# Places of the driver's arguments.
_CONTEXT, _BASES = Base(0), Base(1)


class Attended:
    """The driver as a stage of tasks, one for each thread. A task takes shards as long as there are any.

    Args:
        driver: address of the native function.
        context: of the run.
        bases: of each thread.
    """

    def __init__(self, driver: int, context: int, bases: Sequence[NDArray[np.int64]]) -> None:
        self.threads = len(bases)
        records = np.zeros((self.threads, RECORD_WORDS), np.int64)
        records[:, :6] = driver, 2, _CONTEXT, 0, _BASES, 0
        arguments = np.zeros((self.threads, len(Base)), np.int64)
        arguments[:, _CONTEXT] = context
        arguments[:, _BASES] = [own.ctypes.data for own in bases]
        self._prepared = Prepared(records, [list(range(1, self.threads + 1))], arguments)
        self._native = calling()

    def run(self) -> None:
        """On this thread and on those that come."""
        self._native(self._prepared.address)

    @staticmethod
    def threads_for(work: int, threads: int) -> int:
        """How many of `threads` can be had for a run of `work` multiply-adds; 0 if others should be woken for it.

        It is 1 where nobody stands by and waking somebody would take longer than the run.
        """
        threads = min(threads, MOST)
        if threads == 1 or work > SHORT:
            return 0
        if CREW.attends(threads - 1, wake=work >= LONG):
            return threads
        CREW.left()
        return 1
