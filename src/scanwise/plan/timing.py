"""Times the schedules of a plan's kernels, each on the memory that the plan gives it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import choices, jit
from scanwise.codegen.jit import Kernel
from scanwise.codegen.target import Target
from scanwise.plan.driver import STATISTICS
from scanwise.plan.parameters import aligned_zeros
from scanwise.plan.runner import Runner

__all__ = ["Measured", "PlacedKernel", "fastest", "placed_kernels"]

# Each measurement is of as many calls as take so long: 100 times what Python spends on one.
TURN_SECONDS = 0.001
ROUNDS = 9
# How much faster than the model's choice a schedule must be, twice, to be taken: less than this is noise.
LEAST_GAIN = 0.03


@dataclass(frozen=True)
class Measured:
    """What timing the candidates of a kernel has found.

    Attributes:
        kernel: the best candidate.
        number: its number.
        before: seconds of a call with the model's choice.
        after: seconds of a call with the best.
    """

    kernel: Kernel
    number: int
    before: float
    after: float


def fastest(measure: Callable[[int], float], count: int) -> tuple[int, float, float]:
    """The best of candidates 0 to count - 1, which `measure` times; 0 unless another is faster beyond doubt.

    Candidates take turns, and each round compares them with its own turn of candidate 0: what slows the machine down
    for a while slows down all of a round. What else runs on it may hit single turns, but seldom all turns of a
    candidate, so that the shortest ones count too. The best has to win a second time, since the best of several
    measurements tends to be a lucky one.

    Returns:
        Its number, the time of candidate 0 and its own.
    """
    rivals = range(1, count)
    best, ratio, before = 0, 1.0, math.inf
    for _ in range(2):
        rounds = _rounds(measure, [0, *rivals])
        before = min(before, *(each[0] for each in rounds))
        ratio, best = min((_ratio(rounds, i), i) for i in (0, *rivals))
        if ratio > 1 - LEAST_GAIN:
            return 0, before, before
        rivals = range(best, best + 1)
    return best, before, before * ratio


def _ratio(rounds: Sequence[dict[int, float]], i: int) -> float:
    """Time of candidate i over that of candidate 0: by the median of the rounds or by the shortest turns, whichever
    speaks less for it.
    """
    median = statistics.median(each[i] / each[0] for each in rounds)
    return max(median, min(each[i] for each in rounds) / min(each[0] for each in rounds))


def _rounds(measure: Callable[[int], float], numbers: Sequence[int]) -> list[dict[int, float]]:
    """Seconds of each candidate in each round; every other round goes backwards."""
    return [{i: measure(i) for i in numbers[:: 1 if turn % 2 == 0 else -1]} for turn in range(ROUNDS)]


@dataclass(frozen=True)
class PlacedKernel:
    """A kernel that has schedules to choose from, where a plan calls it.

    Attributes:
        kernel: as the model schedules it.
        owner: place of its layer in the network.
        arguments: names of its arguments, which tell what it is for.
        record: the plan's call.
        runner: the plan.
        gradients: where it adds parameter gradients.
        target: instruction set.
    """

    kernel: Kernel
    owner: str
    arguments: tuple[str, ...]
    record: NDArray[np.int64]
    runner: Runner
    gradients: NDArray[np.float32]
    target: Target

    def seconds(self) -> float:
        """Of a call with the schedule that the model chooses, roughly."""
        calls = 1
        self._run(
            self._records(self.kernel, calls)
        )  # for the first time, on memory that is there from now on
        while True:
            records = self._records(self.kernel, calls)
            seconds = min(self._run(records) for _ in range(3))
            if seconds > TURN_SECONDS / 4:
                return seconds / calls
            calls *= 4

    def measure(self) -> Measured:
        """Time all candidates."""
        found = choices.candidates(self.kernel, self.target)
        calls = math.ceil(TURN_SECONDS / self.seconds())
        records = [self._records(kernel, calls) for kernel in found]
        for each in records:  # so that each has been in the caches
            self._run(each[:1])
        number, before, after = fastest(lambda i: self._run(records[i]) / calls, len(found))
        return Measured(found[number], number, before, after)

    def _records(self, kernel: Kernel, calls: int) -> NDArray[np.int64]:
        records = np.tile(self.record, (calls, 1))
        records[:, 0] = jit.address(kernel, self.target)
        return records

    def _run(self, records: NDArray[np.int64]) -> float:
        start = time.perf_counter()
        self.runner.run_records(records, self.runner.compiled.samples, self.gradients)
        return time.perf_counter() - start


def placed_kernels(runner: Runner, target: Target) -> Iterator[PlacedKernel]:
    """The kernels of a plan that have schedules to choose from. The values in its first arena are lost."""
    generator = np.random.default_rng(0)
    # Numbers below 2**-126 would take their own time.
    generator.standard_normal(dtype=np.float32, out=runner.arena_of(0))
    gradients = aligned_zeros(len(runner.parameters) + STATISTICS)
    compiled = runner.compiled
    for record, call, owner in zip(compiled.records, compiled.calls, compiled.owners, strict=True):
        found = choices.candidates(call.kernel, target)
        if len(found) > 1:
            yield PlacedKernel(found[0], owner, call.arguments, record, runner, gradients, target)
