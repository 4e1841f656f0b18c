"""Scores of all windows of a signal, in memory that does not grow with it.

Two ways, with the same bits: `shared` applies the network to tiles of many windows and computes each shared value once;
`by_window` cuts every window out and runs it by itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Executor, Samples
from scanwise.scanning.grid import Axis, Phase

Report = Callable[[int], None]  # is told how many windows have been finished since it was called last

# Network positions in a tile along each axis, at most: many more than a window has, so that little is computed twice at
# the tile's edges, and few enough for its maps to fit into memory anywhere.
TILE_POSITIONS = {1: 1024, 2: 32}

# Samples or pixels in a tile, at most (unless four windows are larger): bounds the maps of networks with a large
# stride. 64 maps of 512 x 512 float32 are 64 MiB.
TILE_EXTENT = 1 << 18

_BATCH_BYTES = 1 << 24
_BATCH_TILES = 16
_BATCH_WINDOWS = 1024


def shared(
    executor: Executor,
    signal: NDArray[Any],
    axes: tuple[Axis, ...],
    scores: NDArray[np.float32],
    report: Report,
) -> None:
    """Fill `scores` `(K, *counts)` by applying the network to tiles of the signal."""
    for phases in itertools.product(*(tuple(axis.phases()) for axis in axes)):
        _shared_phase(executor, signal, axes, phases, scores, report)


def _shared_phase(
    executor: Executor,
    signal: NDArray[Any],
    axes: tuple[Axis, ...],
    phases: tuple[Phase, ...],
    scores: NDArray[np.float32],
    report: Report,
) -> None:
    caps = tile_caps(axes)
    extents, starts = zip(*(phase.tiles(cap) for phase, cap in zip(phases, caps, strict=True)), strict=True)
    reach = tuple(axis.window + (n - 1) * axis.stride for axis, n in zip(axes, extents, strict=True))
    places = list(itertools.product(*starts))
    batch = max(1, min(_BATCH_TILES, _BATCH_BYTES // (4 * signal.shape[0] * math.prod(reach))))
    for first in range(0, len(places), batch):
        group = places[first : first + batch]
        tiles = as_float(np.stack([signal[_tile(axes, phases, place, reach)] for place in group]))
        maps = executor.forward_at(tiles)
        maps = maps.reshape(*maps.shape[:2], *extents)
        for place, values in zip(group, maps, strict=True):
            chosen = [
                phase.wanted(start, extent)
                for phase, start, extent in zip(phases, place, extents, strict=True)
            ]
            scores[(slice(None), *(to for _, to in chosen))] = values[
                (slice(None), *(at for at, _ in chosen))
            ]
            report(
                math.prod(
                    len(range(*to.indices(axis.count))) for (_, to), axis in zip(chosen, axes, strict=True)
                )
            )


def tile_caps(axes: tuple[Axis, ...]) -> list[int]:
    """Largest tile along each axis, in network positions; depends on the model alone, so that few are compiled."""
    caps = [TILE_POSITIONS[len(axes)]] * len(axes)
    limit = max(TILE_EXTENT, 4 * math.prod(axis.window for axis in axes))
    while max(caps) > 1:
        reach = [axis.window + (cap - 1) * axis.stride for axis, cap in zip(axes, caps, strict=True)]
        if math.prod(reach) <= limit:
            break
        widest = max(range(len(axes)), key=lambda a: (caps[a] > 1, reach[a]))
        caps[widest] //= 2
    return caps


def _tile(
    axes: tuple[Axis, ...], phases: tuple[Phase, ...], place: tuple[int, ...], reach: tuple[int, ...]
) -> tuple[slice, ...]:
    """The part of the signal under the tile at network position `place`."""
    starts = (
        phase.offset + start * axis.stride for axis, phase, start in zip(axes, phases, place, strict=True)
    )
    return (slice(None), *(slice(start, start + size) for start, size in zip(starts, reach, strict=True)))


def by_window(
    executor: Executor,
    signal: NDArray[Any],
    axes: tuple[Axis, ...],
    scores: NDArray[np.float32],
    report: Report,
) -> None:
    """Fill `scores` `(K, *counts)` by running every window by itself, a bounded batch at a time."""
    window = tuple(axis.window for axis in axes)
    counts = tuple(axis.count for axis in axes)
    views = np.lib.stride_tricks.sliding_window_view(signal, window, axis=tuple(range(1, signal.ndim)))
    views = views[(slice(None), *(slice(None, None, axis.step) for axis in axes))]
    batch = max(1, min(_BATCH_WINDOWS, _BATCH_BYTES // (4 * signal.shape[0] * math.prod(window))))
    total = math.prod(counts)
    flat = scores.reshape(len(scores), total)
    for first in range(0, total, batch):
        last = min(first + batch, total)
        places = np.unravel_index(np.arange(first, last), counts)
        chosen: tuple[Any, ...] = (slice(None), *places)
        windows = np.moveaxis(views[chosen], 1, 0)  # (C, N, *window) -> (N, C, *window)
        flat[:, first:last] = executor.forward(as_float(windows)).reshape(last - first, -1).T
        report(last - first)


def as_float(values: NDArray[Any]) -> Samples:
    """Samples as an executor takes them: C-contiguous float32, or uint8 as it is."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    return np.ascontiguousarray(values, np.float32)
