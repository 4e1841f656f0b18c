"""Scores of all windows of a signal, tile by tile, in memory that does not grow with it.

A tile is some neighbouring windows and the part of the signal that they lie in. Tiles come in the order of the signal,
so that a signal can be read once, from its beginning to its end. What is done with a tile is an `Evaluator`'s affair
(`evaluators`); here is which tiles there are, and that equal ones are evaluated together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.scanning.evaluators import Evaluator, as_float
from scanwise.scanning.grid import Axis

# Ranges (start, stop), one an axis.
Region = tuple[tuple[int, int], ...]

# Gives the part `(C, *extent)` of the signal.
Read = Callable[[Region], NDArray[Any]]
# Takes the numbers of some windows, and their scores `(K, *counts)`.
Write = Callable[[Region, NDArray[np.float32]], None]
# Is told how many windows have been finished since it was called last.
Report = Callable[[int], None]

# Samples or pixels in a tile, at most (unless a few windows are larger): bounds the maps of networks with a large
# stride. 64 maps of 512 x 512 float32 are 64 MiB.
TILE_EXTENT = 1 << 18

_BATCH_BYTES = 1 << 24
_BATCH_TILES = 16


@dataclass(frozen=True)
class Tile:
    """Windows that are evaluated together.

    Attributes:
        windows: their numbers along each axis.
        region: the part of the signal that they lie in.
    """

    windows: Region
    region: Region


def evaluate(read: Read, axes: Sequence[Axis], evaluator: Evaluator, write: Write, report: Report) -> None:
    """Evaluate all windows.

    Args:
        read: gives parts of the signal.
        axes: where the windows lie.
        evaluator: gives the scores of tiles.
        write: takes the scores. Those of some windows come twice, with the same bits.
        report: is told about progress.
    """
    counts = tile_counts(axes, evaluator.most)
    extent = [axis.span(n) for axis, n in zip(axes, counts, strict=True)]
    group: list[Tile] = []
    parts: list[NDArray[Any]] = []
    for tile in tiles(axes, counts):
        group.append(tile)
        parts.append(read(tile.region))
        batch = max(1, min(_BATCH_TILES, _BATCH_BYTES // (4 * len(parts[0]) * math.prod(extent))))
        if len(group) == batch:
            _evaluate_group(group, parts, evaluator, write, report)
            group, parts = [], []
    if group:
        _evaluate_group(group, parts, evaluator, write, report)


def _evaluate_group(
    group: list[Tile], parts: list[NDArray[Any]], evaluator: Evaluator, write: Write, report: Report
) -> None:
    scores = evaluator(as_float(np.stack(parts)))
    for tile, values in zip(group, scores, strict=True):
        write(tile.windows, values)
        report(math.prod(stop - first for first, stop in tile.windows))


def tile_counts(axes: Sequence[Axis], most: Sequence[int]) -> list[int]:
    """Windows in a tile along each axis.

    Every new tile shape is compiled, so that counts come from a short ladder: powers of two, up to what an evaluator
    takes at most, and up to what there is. Of these it is the one with which tiles overlap least.
    """
    counts = [_least_overlap(axis, min(cap, axis.count)) for cap, axis in zip(most, axes, strict=True)]
    limit = max(TILE_EXTENT, 4 * math.prod(axis.window for axis in axes))
    while max(counts) > 1:
        spans = [axis.span(n) for axis, n in zip(axes, counts, strict=True)]
        if math.prod(spans) <= limit:
            break
        widest = max(range(len(axes)), key=lambda a: (counts[a] > 1, spans[a]))
        counts[widest] //= 2
    return counts


def _least_overlap(axis: Axis, most: int) -> int:
    ladder = [1 << power for power in reversed(range(most.bit_length()))]
    return min(ladder, key=lambda n: -(-axis.count // n) * axis.span(n))


def tiles(axes: Sequence[Axis], counts: Sequence[int]) -> Iterator[Tile]:
    """All tiles, row after row. The last along an axis is moved back to end with the last window."""
    starts = []
    for axis, n in zip(axes, counts, strict=True):
        firsts = list(range(0, axis.count - n + 1, n))
        if firsts[-1] + n < axis.count:
            firsts.append(axis.count - n)
        starts.append(firsts)
    for place in itertools.product(*starts):
        windows = tuple((first, first + n) for first, n in zip(place, counts, strict=True))
        region = tuple(
            (first * axis.step, first * axis.step + axis.span(n))
            for first, axis, n in zip(place, axes, counts, strict=True)
        )
        yield Tile(windows, region)
