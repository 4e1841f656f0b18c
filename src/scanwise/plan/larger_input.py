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

__all__ = ["LargerInput", "fitted"]

# Gives the outputs `(N, K, P, Q)` of a graph that is made if its key is new.
Run = Callable[[tuple[object, ...], Callable[[], Graph], NDArray[Any]], NDArray[np.float32]]

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

    def __call__(self, x: NDArray[Any], step: Sequence[int] | None, until: str | None) -> NDArray[np.float32]:
        """Outputs `(N, K, *positions)` of `x` `(N, C, *extent)`, as `Executor.forward_at` says."""
        steps = self._stride if step is None else step
        pair = (steps[0], steps[1]) if len(steps) == 2 else (1, steps[0])
        image = x if x.ndim == 4 else x[:, :, None]
        outputs = self._shared(image, pair) if until is None else self._partly_shared(image, pair, until)
        return outputs if x.ndim == 4 else outputs[:, :, 0]

    def _shared(self, x: NDArray[Any], steps: Pair) -> NDArray[np.float32]:
        outputs, spacing = self._map(None, self._graph.with_flat_output(), x, steps)
        every = [max(1, step // between) for step, between in zip(steps, spacing, strict=True)]
        return np.ascontiguousarray(outputs[:, :, :: every[0], :: every[1]])

    def _partly_shared(self, x: NDArray[Any], steps: Pair, until: str) -> NDArray[np.float32]:
        """Each window's part of the map before the layer `until` is cut out and goes through the rest."""
        prefix, rest = self._graph.cut(until)
        values, spacing = self._map(until, prefix, x, steps)
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
            cut = np.ascontiguousarray(views[chosen])
            outputs.append(self._run(("rest", until), rest.with_flat_output, cut)[:, :, 0, 0])
        return np.ascontiguousarray(np.moveaxis(np.concatenate(outputs).reshape(*places, -1), -1, 1))

    def _map(
        self, until: str | None, graph: Graph, x: NDArray[Any], steps: Pair
    ) -> tuple[NDArray[np.float32], Pair]:
        """A graph's output at all windows, as a map, and the rows and columns of x between its neighbouring positions.

        Args:
            until: tells the graph from others.
            graph: of one window.
            x: `(N, C, H, W)`.
            steps: between windows.
        """
        stride, (_, *extent) = strides(graph)[graph.output], graph.extents[graph.output]
        window = graph.extents[0][1:]
        last = [(have - w) // s * s for have, w, s in zip(x.shape[2:], window, steps, strict=True)]
        # Where there is only one window along an axis, there is no step.
        spacing = tuple(math.gcd(s if end else 0, t) for end, s, t in zip(last, steps, stride, strict=True))
        positions = tuple(
            (end + (n - 1) * s) // g + 1 for end, n, s, g in zip(last, extent, stride, spacing, strict=True)
        )
        rows, columns = positions
        between = (spacing[0], spacing[1])
        larger = functools.partial(fragments, graph, (rows, columns), between)
        values = self._run(("at", until, positions, between), larger, x)
        return values[:, :, :rows, :columns], between


def fitted(x: NDArray[Any], extent: Pair) -> NDArray[Any]:
    """`(N, C, H, W)` cut off, or with zeros behind it, to have this extent: fragments are equally large, so that some
    end beyond the last window that is wanted.
    """
    if x.shape[2:] == extent:
        return np.ascontiguousarray(x)
    rows, columns = (min(have, need) for have, need in zip(x.shape[2:], extent, strict=True))
    larger = np.zeros((*x.shape[:2], *extent), x.dtype)
    larger[:, :, :rows, :columns] = x[:, :, :rows, :columns]
    return larger
