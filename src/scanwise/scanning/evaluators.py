"""Ways to evaluate the windows of a tile, with the same bits.

- `SharedEvaluator`: the network is applied to the tile as a whole, and computes each value that windows share once.
- `WindowEvaluator`: every window is cut out and run by itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Executor, Samples
from scanwise.model import Model
from scanwise.scanning.grid import Axis
from scanwise.scanning.sharing import obstacle

# Positions of a network in a tile along each axis, at most: many more than a window has, so that little is computed
# twice at the tile's edges, and few enough for its maps to fit into memory anywhere.
TILE_POSITIONS = {1: 1024, 2: 32}

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

    def __call__(self, tiles: Samples) -> NDArray[np.float32]:
        """Scores `(N, K, *windows)` of tiles `(N, C, *extent)`, which hold so many windows exactly."""
        ...


def evaluator_for(model: Model, axes: Sequence[Axis]) -> Evaluator:
    """The quickest way to evaluate these windows.

    Sharing costs about stride / window of a whole window per network position, and evaluates `computed_share` positions
    for each one that is wanted: with steps as wide as the window there is nothing left to share.
    """
    reason = obstacle(model.network, model.input_shape)
    if reason is not None:
        return WindowEvaluator(model.executor, axes, reason)
    computed = math.prod(axis.computed_share for axis in axes)
    if computed > math.prod(axis.window / axis.stride for axis in axes):
        return WindowEvaluator(model.executor, axes, "the windows overlap too little to share work")
    return SharedEvaluator(model.executor, axes)


class SharedEvaluator:
    """Applies the network to tiles."""

    method = "shared"
    reason = "no layer pads inside the window"

    def __init__(self, executor: Executor, axes: Sequence[Axis]) -> None:
        self._executor = executor
        self._axes = axes
        self.most = tuple(
            max(1, (TILE_POSITIONS[len(axes)] * axis.stride - 1) // axis.step + 1) for axis in axes
        )

    def __call__(self, tiles: Samples) -> NDArray[np.float32]:
        """Scores of tiles: the network is applied once for each phase of the steps within its stride."""
        axes = [
            replace(axis, extent=extent) for axis, extent in zip(self._axes, tiles.shape[2:], strict=True)
        ]
        scores: NDArray[np.float32] | None = None
        for phases in itertools.product(*(tuple(axis.phases()) for axis in axes)):
            pairs = list(zip(axes, phases, strict=True))
            reach = [
                slice(phase.offset, phase.offset + axis.window + (phase.positions - 1) * axis.stride)
                for axis, phase in pairs
            ]
            maps = self._executor.forward_at(as_float(tiles[(slice(None), slice(None), *reach)]))
            if scores is None:
                scores = np.empty((*maps.shape[:2], *(axis.count for axis in axes)), np.float32)
            to = tuple(slice(phase.first, None, phase.groups) for phase in phases)
            wanted = tuple(slice(None, None, phase.every) for phase in phases)
            maps = maps.reshape(*maps.shape[:2], *(phase.positions for phase in phases))
            scores[(slice(None), slice(None), *to)] = maps[(slice(None), slice(None), *wanted)]
        assert scores is not None
        return scores


class WindowEvaluator:
    """Runs every window by itself, a bounded batch at a time."""

    method = "windows"

    def __init__(self, executor: Executor, axes: Sequence[Axis], reason: str) -> None:
        self._executor, self._axes, self.reason = executor, axes, reason
        # Of windows that do not touch, a tile would hold what lies between them too.
        self.most = tuple(TILE_POSITIONS[len(axes)] if axis.step <= axis.window else 1 for axis in axes)

    def __call__(self, tiles: Samples) -> NDArray[np.float32]:
        """Scores of tiles."""
        window = tuple(axis.window for axis in self._axes)
        views = np.lib.stride_tricks.sliding_window_view(tiles, window, axis=tuple(range(2, tiles.ndim)))
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
            scores.append(self._executor.forward(windows).reshape(len(windows), -1))
        return np.moveaxis(np.concatenate(scores).reshape(*places, -1), -1, 1)


def as_float(values: NDArray[Any]) -> Samples:
    """Samples as an executor takes them: C-contiguous float32, or uint8 as it is."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    return np.ascontiguousarray(values, np.float32)
