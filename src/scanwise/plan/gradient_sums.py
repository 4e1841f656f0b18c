"""Gradients of a batch: in shards, whose sums are added up in an order that the number of threads does not change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.plan.compiled import Compiled
from scanwise.plan.crew import LONG
from scanwise.plan.driver import STATISTICS, Field
from scanwise.plan.graph import Graph
from scanwise.plan.one_gradient import OneGradient
from scanwise.plan.parameters import ParameterLayout, aligned_zeros
from scanwise.plan.runner import Runner
from scanwise.threads import get_threads

__all__ = ["SHARDS", "GradientSums", "shards_for", "uneven"]

# Parts of a batch whose gradients are summed apart. It decides the order of summation, so it depends on the batch and
# the network alone, never on the number of threads.
SHARDS = 8
# Samples of each thread below which it matters that one has one more than another.
_FEW = 8
# Floats of the sums of gradients that are kept between calls: 64 MiB.
_MOST_SUMS = 1 << 24


def shards_for(batch: int, parameters: int, cost: int) -> int:
    """Shards of a batch: enough for many threads, but few where gradients are large, since each shard has its own.

    Args:
        batch: samples.
        parameters: floats of all gradients.
        cost: of one sample, in multiply-adds. Small batches are cut further only if it is far more than the sums.
    """
    most = 4 if parameters > 1 << 18 else SHARDS
    least = min(batch, 4) if cost > 16 * parameters else 1
    return min(most, max(batch // 4, least))


def uneven(samples: int, graph: Graph) -> int:
    """How many of some samples are better run by all threads together, one by one: what remains if each thread has as
    many as the others, where there are few samples and each takes long.
    """
    threads = get_threads()
    return samples % threads if samples < _FEW * threads and graph.work >= LONG else 0


class GradientSums:
    """Runs plans with a backward pass, and adds up what the shards give. Not safe for use from several threads at once.

    Args:
        graph: of the network.
        layout: where parameters lie.
    """

    def __init__(self, graph: Graph, layout: ParameterLayout) -> None:
        self._graph, self._layout = graph, layout
        self._memory = aligned_zeros(0)
        self._ones: dict[Runner, OneGradient] = {}

    def __call__(
        self, runner: Runner, samples: int, cut: Callable[[int], Compiled]
    ) -> tuple[dict[str, NDArray[np.float32]], float]:
        """Gradients by every parameter, and the total loss.

        Args:
            runner: has its samples, and what they are to give.
            samples: how many there are.
            cut: compiles the runner's plan on one sample for so many threads.
        """
        size = self._layout.size
        shards, floats = shards_for(samples, size, self._graph.cost), size + STATISTICS
        sums = self._memory_for(shards * floats)
        runner.context[Field.GRADIENTS], runner.context[Field.GRADIENT_FLOATS] = sums.ctypes.data, floats
        parts = sums.reshape(shards, floats)
        # A sample by itself only where it is a shard: the order of summation stays.
        rest = uneven(samples, self._graph) if shards == samples else 0
        one = self._one(runner, cut) if rest else None
        if one is None or not one.serves(get_threads()):
            runner.run_samples(samples, shards, get_threads())
        else:
            even = samples - rest
            if even:
                runner.run_samples(even, even, get_threads())
            for i in range(even, samples):
                one.run(i, parts[i])
        total = parts[0, :size]
        for part in parts[1:]:
            total += part[:size]
        return self._layout.read_trained(total), float(parts[:, size].astype(np.float64).sum())

    def forget_plans(self) -> None:
        """Compile again at the next use."""
        self._ones.clear()

    def _memory_for(self, floats: int) -> NDArray[np.float32]:
        """Memory of the sums. It is kept, since the system takes long to give it, unless it is much."""
        if floats > _MOST_SUMS:
            return aligned_zeros(floats)
        if len(self._memory) < floats:
            self._memory = aligned_zeros(floats)
        return self._memory[:floats]

    def _one(self, runner: Runner, cut: Callable[[int], Compiled]) -> OneGradient:
        if runner not in self._ones:
            self._ones[runner] = OneGradient(runner, cut)
        return self._ones[runner]
