"""One window through a network in as little time as can be: one native call, on several threads where that helps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.plan import crew
from scanwise.plan.choice import Choice
from scanwise.plan.compiled import Compiled
from scanwise.plan.crew import CREW, MOST, Prepared, calling
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner
from scanwise.plan.shared_arena import SharedArena
from scanwise.plan.stages import Program
from scanwise.threads import get_threads

__all__ = ["OneSample"]

# Calls before a plan is cut for several threads: compiling its pieces takes longer than a few calls can win back.
CALLS_ALONE = 3
_FINITE = int(Program.FINITE)  # the name of an enumeration is slow to look up


class OneSample:
    """A plan on one sample, with everything that Python would look up prepared.

    A small network takes 10 us; finding the addresses of two arrays takes a fifth of that. Not safe for use from
    several threads at once: the caller holds a lock.

    Args:
        runner: the plan for any number of samples, which serves a thread alone.
        cut: compiles the plan for so many threads.
        shape: of the sample.
        dtype: of the sample.
        output_shape: of the output.
    """

    def __init__(
        self,
        runner: Runner,
        cut: Callable[[int], Compiled],
        shape: tuple[int, ...],
        dtype: str,
        output_shape: tuple[int, ...],
    ) -> None:
        self.runner, self._cut = runner, cut
        self._buffers = _Buffers(shape, dtype, output_shape)
        self.x, self.y = self._buffers.x, self._buffers.y
        self._native = calling()
        self._long = runner.graph.work >= crew.LONG
        self._calls = 0
        records = runner.compiled.records
        bases = runner.bases_of(0)[None].copy()
        self.alone = self._prepared(runner.compiled, [[len(records)]], bases)
        self.together: Prepared | None = None
        self._threads = 1  # that `together` was cut for
        self._others = 0  # threads beside the caller's that take part
        self._choice = Choice()

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32] | None:
        """The output, or None if a value of x is not finite."""
        self.x[...] = x
        threads = get_threads()
        if threads != self._threads:
            self._prepare(threads)
        finite = self.run(self.alone) if self.together is None else self._run_chosen(self.together)
        return self.y.copy() if finite else None

    def run(self, prepared: Prepared) -> int:
        """Run one of the two plans on the sample that was copied; whether it is finite."""
        self._native(prepared.address)
        return prepared.words[_FINITE]

    def _run_chosen(self, together: Prepared) -> int:
        choice = self._choice
        attended = choice.together and CREW.attends(self._others, wake=self._long)
        prepared = together if attended else self.alone
        if choice.together and not attended:
            finite = self.run(prepared)
            CREW.left()
        elif choice.trying:
            started = time.perf_counter()
            finite = self.run(prepared)
            choice.took(time.perf_counter() - started)
        else:
            finite = self.run(prepared)
            choice.settled()
        return finite

    def _prepare(self, threads: int) -> None:
        """Cut the plan for so many threads, if there have been some calls, and if there is anything to be cut."""
        self._calls += 1
        if threads > 1 and self._calls <= CALLS_ALONE:
            return
        self._others = min(threads, MOST) - 1
        self.together = self._plan_together(self._others + 1) if threads > 1 else None
        self._threads, self._choice = threads, Choice(long=self._long)

    def _plan_together(self, threads: int) -> Prepared | None:
        compiled = self._cut(threads)
        shared = SharedArena.of(self.runner, compiled, threads)
        if shared is None:
            return None
        self._shared = shared
        return self._prepared(compiled, compiled.stages, shared.bases)

    def _prepared(
        self, compiled: Compiled, stages: Sequence[list[int]], bases: NDArray[np.int64]
    ) -> Prepared:
        buffers = self._buffers
        bases[:, Base.SAMPLES] = buffers.x.ctypes.data
        bases[:, Base.ORDER] = buffers.order.ctypes.data
        bases[:, Base.OUTPUT] = buffers.y.ctypes.data
        return Prepared(compiled.records, stages, bases, self.x if self.x.dtype == np.float32 else None)


class _Buffers:
    """What the native code reads and writes whichever plan runs."""

    def __init__(self, shape: tuple[int, ...], dtype: str, output_shape: tuple[int, ...]) -> None:
        self.x = np.zeros((1, *shape), dtype)
        self.y = np.zeros((1, *output_shape), np.float32)
        self.order = np.zeros(1, np.int64)
