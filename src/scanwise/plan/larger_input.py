"""A network on a larger input: its outputs at windows that overlap, what these have in common computed once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.plan.fragments import Pair, fragments, strides
from scanwise.plan.graph import Graph

__all__ = ["Inputs", "LargerInput", "fitted"]

Inputs = list[NDArray[Any]]  # float32 or uint8, each C-contiguous and aligned, of one shape and dtype

# Gives the outputs `(N, K, P, Q)` of a graph that is made if its key is new, for inputs `(C, H, W)`; None if a value is
# not finite and the last argument says that this matters.
Run = Callable[[tuple[object, ...], Callable[[], Graph], Inputs, bool], NDArray[np.float32] | None]

# Values of cut maps that go through the rest of a network together, and the most of them: enough to keep all threads at
# work, and few beside the map that they were cut from.
_BATCH_VALUES = 1 << 22
_BATCH_WINDOWS = 1024


class LargerInput:
    """Outputs of a network at many windows of an input.

    Args:
        graph: the network's, on one window.
        stride: the network's, one entry a spatial axis.
        run: runs it, and what is made of it.
    """

    def __init__(self, graph: Graph, stride: Sequence[int], run: Run) -> None:
        self._graph, self._stride, self._run = graph, stride, run

    def __call__(
        self, x: Inputs, step: Sequence[int] | None, until: str | None, *, check: bool
    ) -> NDArray[np.float32] | None:
        """Outputs `(N, K, *positions)` of inputs `(C, *extent)`, as `Executor.forward_at` says; with `check`, None if
        a value of theirs is not finite.
        """
        steps = self._stride if step is None else step
        pair = (steps[0], steps[1]) if len(steps) == 2 else (1, steps[0])
        image = x[0].ndim == 3
        inputs = x if image else [each[:, None] for each in x]
        evaluate = self._shared if until is None else functools.partial(self._partly_shared, until)
        outputs = evaluate(inputs, pair, check)
        return outputs if image or outputs is None else outputs[:, :, 0]

    def _shared(self, x: Inputs, steps: Pair, check: bool) -> NDArray[np.float32] | None:
        outputs, spacing = self._map(None, self._graph.with_flat_output(), x, steps, check)
        if outputs is None:
            return None
        every = [max(1, step // between) for step, between in zip(steps, spacing, strict=True)]
        return np.ascontiguousarray(outputs[:, :, :: every[0], :: every[1]])

    def _partly_shared(self, until: str, x: Inputs, steps: Pair, check: bool) -> NDArray[np.float32] | None:
        """Each window's part of the map before the layer `until` is cut out and goes through the rest."""
        prefix, rest = self._graph.cut(until)
        values, spacing = self._map(until, prefix, x, steps, check)
        if values is None:
            return None
        stride, (_, *extent) = strides(prefix)[prefix.output], prefix.extents[prefix.output]
        apart = [s // between for s, between in zip(stride, spacing, strict=True)]
        reach = [(n - 1) * d + 1 for n, d in zip(extent, apart, strict=True)]
        every = [max(1, step // between) for step, between in zip(steps, spacing, strict=True)]
        views = np.lib.stride_tricks.sliding_window_view(values, reach, axis=(2, 3))
        views = views[:, :, :: every[0], :: every[1], :: apart[0], :: apart[1]]
        views = np.moveaxis(views, 1, 3)  # (N, P, Q, C, rows, columns)
        places = views.shape[:3]
        batch = max(1, min(_BATCH_WINDOWS, _BATCH_VALUES // math.prod(views.shape[3:])))
        outputs = []
        for first in range(0, math.prod(places), batch):
            chosen = np.unravel_index(np.arange(first, min(first + batch, math.prod(places))), places)
            scores = self._run(("rest", until), rest.with_flat_output, list(views[chosen]), False)
            assert scores is not None
            outputs.append(scores[:, :, 0, 0])
        return np.ascontiguousarray(np.moveaxis(np.concatenate(outputs).reshape(*places, -1), -1, 1))

    def _map(
        self, until: str | None, graph: Graph, x: Inputs, steps: Pair, check: bool
    ) -> tuple[NDArray[np.float32] | None, Pair]:
        """A graph's output at all windows, as a map, and the rows and columns of x between its neighbouring positions.

        Args:
            until: tells the graph from others.
            graph: of one window.
            x: inputs `(C, H, W)`.
            steps: between windows.
            check: whether there is none if a value is not finite.
        """
        stride, (_, *extent) = strides(graph)[graph.output], graph.extents[graph.output]
        window = graph.extents[0][1:]
        last = [(have - w) // s * s for have, w, s in zip(x[0].shape[1:], window, steps, strict=True)]
        # Where there is only one window along an axis, there is no step.
        spacing = tuple(math.gcd(s if end else 0, t) for end, s, t in zip(last, steps, stride, strict=True))
        positions = tuple(
            (end + (n - 1) * s) // g + 1 for end, n, s, g in zip(last, extent, stride, spacing, strict=True)
        )
        rows, columns = positions
        between = (spacing[0], spacing[1])
        larger = functools.partial(fragments, graph, (rows, columns), between)
        values = self._run(("at", until, positions, between), larger, x, check)
        return None if values is None else values[:, :, :rows, :columns], between


def fitted(x: Inputs, extent: Pair) -> Inputs:
    """Inputs `(C, H, W)` cut off, or with zeros behind them, to have this extent: fragments are equally large, so that
    some end beyond the last window that is wanted.
    """
    if x[0].shape[1:] == extent:
        return x
    channels, *have = x[0].shape
    rows, columns = (min(*pair) for pair in zip(have, extent, strict=True))
    larger = np.zeros((len(x), channels, *extent), x[0].dtype)
    for goal, each in zip(larger, x, strict=True):
        goal[:, :rows, :columns] = each[:, :rows, :columns]
    return list(larger)
