"""Ways to evaluate the windows of a tile, with the same bits.

- `SharedEvaluator`: the network, or its first layers, is applied to the tile as a whole, and computes each value that
  windows share once.
- `WindowEvaluator`: every window is cut out and run by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Executor, Inputs, Samples
from scanwise.model import Model
from scanwise.scanning.grid import Axis
from scanwise.scanning.methods import Method, method_for

# Positions of a network in a tile along each axis, and windows side by side, if its maps allow it: many more than a
# window has, so that little is computed twice at the tile's edges.
TILE_POSITIONS = {1: 1024, 2: 32}
TILE_WINDOWS = 8

# Values of all maps of a tile, at most (unless there is a single window): 32 MiB for each thread. Those of the output
# count more: several tiles' are there at the same time.
_TILE_VALUES = 1 << 23
_OUTPUT_COUNTS = 8

_BATCH_BYTES = 1 << 24
_BATCH_WINDOWS = 1024


class Evaluator(Protocol):
    """Gives the scores of tiles.

    Attributes:
        method: its name, for `ScanResult.method`.
        reason: why it was chosen.
        most: windows in a tile along each axis, at most.
    """

    method: str
    reason: str
    most: tuple[int, ...]

    def __call__(self, tiles: Inputs) -> NDArray[np.float32] | None:
        """Scores `(N, K, *windows)` of tiles `(C, *extent)`, which hold so many windows exactly; None if a value is not
        finite.
        """
        ...


def evaluator_for(model: Model, axes: Sequence[Axis]) -> Evaluator:
    """The quickest way to evaluate these windows."""
    method = method_for(model.network, model.input_shape, tuple(axis.step for axis in axes))
    if method.name == "windows":
        return WindowEvaluator(model.executor, axes, method.reason)
    return SharedEvaluator(model.executor, axes, method)


class SharedEvaluator:
    """Applies the network to tiles, or its first layers, after which windows go their own way."""

    def __init__(self, executor: Executor, axes: Sequence[Axis], method: Method) -> None:
        self._executor, self._axes, self._until = executor, axes, method.until
        self.method, self.reason = method.name, method.reason
        most = [
            max(1, max(TILE_POSITIONS[len(axes)] * axis.stride, TILE_WINDOWS * axis.window) // axis.step)
            for axis in axes
        ]
        while max(most) > 1 and _values(method, axes, most) > _TILE_VALUES:
            widest = max(range(len(axes)), key=lambda a: (most[a] > 1, axes[a].span(most[a])))
            most[widest] = (most[widest] + 1) // 2
        self.most = tuple(most)

    def __call__(self, tiles: Inputs) -> NDArray[np.float32] | None:
        """Scores of tiles."""
        steps = [axis.step for axis in self._axes]
        return self._executor.forward_at_if_finite(tiles, steps, until=self._until)


def _values(method: Method, axes: Sequence[Axis], counts: Sequence[int]) -> float:
    """Values of the maps of a tile with so many windows: of each layer those at its stride, since fragments share their
    memory, and the last layer's output at all positions.
    """
    pixels = math.prod(axis.span(n) for axis, n in zip(axes, counts, strict=True))
    last = method.shared[-1]
    maps = sum(
        row.output_shape[0] / math.prod(row.stride) for row in method.shared if len(row.output_shape) > 1
    )
    spacing = math.prod(math.gcd(axis.step, s) for axis, s in zip(axes, last.stride, strict=True))
    return pixels * (maps + _OUTPUT_COUNTS * last.output_shape[0] / spacing)


class WindowEvaluator:
    """Runs every window by itself, a bounded batch at a time."""

    method = "windows"

    def __init__(self, executor: Executor, axes: Sequence[Axis], reason: str) -> None:
        self._executor, self._axes, self.reason = executor, axes, reason
        # Of windows that do not touch, a tile would hold what lies between them too.
        self.most = tuple(TILE_POSITIONS[len(axes)] if axis.step <= axis.window else 1 for axis in axes)

    def __call__(self, tiles: Inputs) -> NDArray[np.float32] | None:
        """Scores of tiles."""
        window = tuple(axis.window for axis in self._axes)
        stacked, axes = np.stack(tiles), tuple(range(2, 2 + len(window)))
        views = np.lib.stride_tricks.sliding_window_view(stacked, window, axis=axes)
        views = views[(slice(None), slice(None), *(slice(None, None, axis.step) for axis in self._axes))]
        # (N, C, *counts, *window) -> (N, *counts, C, *window)
        views = np.moveaxis(views, 1, 1 + len(window))
        places = views.shape[: 1 + len(window)]
        total = math.prod(places)
        batch = max(1, min(_BATCH_WINDOWS, _BATCH_BYTES // (4 * math.prod(views.shape[len(places) :]))))
        scores = []
        for first in range(0, total, batch):
            chosen = np.unravel_index(np.arange(first, min(first + batch, total)), places)
            windows = as_float(views[chosen])
            found = self._executor.forward_if_finite(windows)
            if found is None:
                return None
            scores.append(found.reshape(len(windows), -1))
        return np.moveaxis(np.concatenate(scores).reshape(*places, -1), -1, 1)


def as_float(values: NDArray[Any]) -> Samples:
    """Samples as an executor takes them: C-contiguous float32, or uint8 as it is."""
    dtype = np.uint8 if values.dtype == np.uint8 else np.float32
    with np.errstate(over="ignore"):  # too large for float32 counts as infinite
        return np.require(values, dtype, ["C", "A"])
