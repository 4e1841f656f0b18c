"""The gradients of one sample, on several threads: those by parameters beside those that lead further back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.plan.compiled import Compiled
from scanwise.plan.crew import CREW, LONG, MOST, Prepared, calling
from scanwise.plan.driver import Field
from scanwise.plan.one_sample import CALLS_ALONE
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner
from scanwise.plan.shared_arena import SharedArena

__all__ = ["OneGradient"]

# What the caller sets before a run.
_GIVEN = [Base.SAMPLES, Base.TARGETS, Base.COTANGENT]


class OneGradient:
    """A plan with a backward pass on one sample. Not safe for use from several threads at once.

    Args:
        runner: the plan for any number of samples.
        cut: compiles the plan for so many threads.
    """

    def __init__(self, runner: Runner, cut: Callable[[int], Compiled]) -> None:
        self._runner, self._cut = runner, cut
        self._order = np.zeros(1, np.int64)
        self._native = calling()
        self._calls = 0
        self._threads = 1
        self._prepared: Prepared | None = None

    def serves(self, threads: int) -> bool:
        """Whether it is worth it on so many threads. The first calls are not: compiling takes longer."""
        threads = min(threads, MOST)
        if threads == 1 or self._runner.graph.work < LONG:
            return False
        self._calls += 1
        if self._calls <= CALLS_ALONE:
            return False
        if threads != self._threads:
            self._plan(threads)
        return self._prepared is not None

    def run(self, sample: int, gradients: NDArray[np.float32]) -> None:
        """Run a sample of those that were set in the runner.

        Args:
            sample: its number.
            gradients: where the parameters' gradients are written.
        """
        assert self._prepared is not None
        bases, context = self._shared.bases, self._runner.context
        self._order[0] = sample
        bases[:, _GIVEN] = self._runner.bases_of(0)[_GIVEN]
        bases[:, Base.OUTPUT] = context[Field.OUTPUT] + sample * context[Field.OUTPUT_BYTES]
        bases[:, Base.STEP_ROW] = context[Field.STEP_ROWS]
        bases[:, Base.GRADIENTS] = gradients.ctypes.data
        for first, floats in self._runner.compiled.zeroed:
            gradients[first : first + floats] = 0.0
        CREW.attends(self._threads - 1, wake=True)
        self._native(self._prepared.address)

    def _plan(self, threads: int) -> None:
        self._threads, self._prepared = threads, None
        compiled = self._cut(threads)
        shared = SharedArena.of(self._runner, compiled, threads)
        if shared is not None:
            shared.bases[:, Base.ORDER] = self._order.ctypes.data
            self._shared = shared
            self._prepared = Prepared(compiled.records, compiled.stages, shared.bases)
