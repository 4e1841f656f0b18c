"""Scores of all windows of a signal, tile by tile, in memory that does not grow with it.

A tile is some neighbouring windows and the part of the signal that they lie in. Tiles come in the order of the signal,
so that a signal can be read once, from its beginning to its end. What is done with a tile is an `Evaluator`'s affair
(`evaluators`); here is which tiles there are, and that equal ones are evaluated together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Samples
from scanwise.scanning.evaluators import Evaluator, as_float
from scanwise.scanning.finite import FiniteValues
from scanwise.scanning.grid import Axis, Region
from scanwise.scanning.source import Source

# Takes the numbers of some windows, and their scores `(K, *counts)`. Every window comes once.
Write = Callable[[Region, NDArray[np.float32]], None]
# Is told how many windows have been finished since it was called last.
Report = Callable[[int], None]

# Beyond every signal; the extent of an axis whose end is not known yet. A 64-bit number.
ENDLESS = 1 << 62

# Samples or pixels in a tile, at most (unless a few windows are larger): bounds the maps of networks with a large
# stride. 64 maps of 512 x 512 float32 are 64 MiB.
TILE_EXTENT = 1 << 18

_BATCH_BYTES = 1 << 24
_BATCH_TILES = 16


@dataclass(frozen=True)
class Run:
    """Neighbouring windows along one axis.

    Attributes:
        first, count: their numbers: `first`, `first + 1`, ...
        start, stop: the range of the signal that they lie in; the end may be padding.
        new_windows: number of the first that no run before has.
        new_start: where the part of the range begins that no run before has.
    """

    first: int
    count: int
    start: int
    stop: int
    new_windows: int
    new_start: int


# Neighbouring windows along every axis, which are evaluated together.
Tile = tuple[Run, ...]


def settle(source: Source, axes: tuple[Axis, ...], most: Sequence[int]) -> tuple[Axis, ...]:
    """The axes with the extent of a signal whose end was not known, if it is shorter than a tile."""
    if source.extent[0] is None:
        counts = tile_counts(axes, most)
        source.reaches(axes[0].span(counts[0]))
    return _known(source, axes)


def evaluate(
    source: Source,
    axes: tuple[Axis, ...],
    evaluator: Evaluator,
    finite: FiniteValues,
    write: Write,
    report: Report,
) -> tuple[Axis, ...]:
    """Evaluate all windows.

    Args:
        source: gives parts of the signal.
        axes: where the windows lie, as `settle` gives them.
        evaluator: gives the scores of tiles.
        finite: what to do with values that are not.
        write: takes the scores; those of windows that are left out are NaN.
        report: is told about progress.

    Returns:
        The axes with the extent of the signal, now that its end has been reached.
    """
    group: list[tuple[Tile, Samples, NDArray[np.bool_] | None]] = []

    def finish() -> None:
        parts = as_float(np.stack([part for _, part, _ in group]))
        for (tile, _, bad), scores in zip(group, evaluator(parts), strict=True):
            of = tuple(slice(run.new_windows - run.first, None) for run in tile)
            if bad is not None:
                skipped = _touching(bad, tile, axes)
                scores = np.where(skipped, np.float32(np.nan), scores)
                finite.skipped += int(np.count_nonzero(skipped[of]))
            windows = tuple((run.new_windows, run.first + run.count) for run in tile)
            write(windows, scores[(slice(None), *of)])
            report(math.prod(stop - first for first, stop in windows))
        group.clear()

    for tile in tiles(axes, tile_counts(axes, evaluator.most), source):
        part, bad = _read(source, tile, finite)
        if group and group[0][1].shape != part.shape:
            finish()
        group.append((tile, part, bad))
        if len(group) == max(1, min(_BATCH_TILES, _BATCH_BYTES // (4 * part.size))):
            finish()
    if group:
        finish()
    return _known(source, axes)


def _known(source: Source, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    first = source.extent[0]
    return axes if first is None else (replace(axes[0], extent=first), *axes[1:])


def _read(source: Source, tile: Tile, finite: FiniteValues) -> tuple[Samples, NDArray[np.bool_] | None]:
    """The part of the signal that a tile lies in, zeros behind its end, and where values were not finite."""
    ends = [math.inf if extent is None else extent for extent in source.extent]
    stops = [int(min(run.stop, end)) for run, end in zip(tile, ends, strict=True)]
    region = tuple((run.start, stop) for run, stop in zip(tile, stops, strict=True))
    new = tuple((min(run.new_start, stop), stop) for run, stop in zip(tile, stops, strict=True))
    part, bad = finite(source.read(region), region, new)
    behind = [(0, run.stop - stop) for run, stop in zip(tile, stops, strict=True)]
    if any(zeros for _, zeros in behind):
        part = as_float(np.pad(part, [(0, 0), *behind]))
        bad = None if bad is None else np.pad(bad, behind)
    return part, bad


def _touching(bad: NDArray[np.bool_], tile: Tile, axes: Sequence[Axis]) -> NDArray[np.bool_]:
    """Which windows of a tile hold a bad value, `(*counts,)`: differences of sums up to each place say so."""
    held: NDArray[Any] = bad
    for i, (run, axis) in enumerate(zip(tile, axes, strict=True)):
        sums = np.concatenate([np.zeros_like(held.take([0], i), np.int64), np.cumsum(held, i)], i)
        starts = np.arange(run.count) * axis.step
        held = sums.take(starts + axis.window, i) > sums.take(starts, i)
    return held


def tile_counts(axes: Sequence[Axis], most: Sequence[int]) -> list[int]:
    """Windows in a tile along each axis.

    Every new tile shape is compiled, so that counts come from a short ladder: powers of two, up to what an evaluator
    takes at most, and up to what there is. Of these it is the one with which tiles overlap least.
    """
    counts = [_least_overlap(axis, min(cap, axis.regular)) for cap, axis in zip(most, axes, strict=True)]
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
    return min(ladder, key=lambda n: -(-axis.regular // n) * axis.span(n))


def tiles(axes: Sequence[Axis], counts: Sequence[int], source: Source) -> Iterator[Tile]:
    """All tiles, row after row."""
    for first in _runs(axes[0], counts[0], source):
        others = [_runs(axis, n, None) for axis, n in zip(axes[1:], counts[1:], strict=True)]
        for rest in itertools.product(*others):
            yield first, *rest


def _runs(axis: Axis, n: int, source: Source | None) -> Iterator[Run]:
    """The windows along an axis, `n` at a time, as far as `source` reaches, if it is given.

    The last run is moved back to end with the last regular window; a shifted one is a run by itself.
    """
    first = end = 0
    open_ended = source is not None and source.extent[0] is None
    while open_ended or first + n <= axis.regular:
        start, stop = first * axis.step, first * axis.step + axis.span(n)
        if open_ended and source is not None and not source.reaches(stop):
            axis, open_ended = replace(axis, extent=source.extent[0] or 0), False
            continue
        yield Run(first, n, start, stop, first, max(start, end))
        first, end = first + n, stop
    if first < axis.regular:
        back = axis.regular - n
        stop = back * axis.step + axis.span(n)
        yield Run(back, n, back * axis.step, stop, first, max(back * axis.step, end))
        end = stop
    if axis.shifted:
        start = axis.start(axis.regular)
        yield Run(axis.regular, 1, start, axis.extent, axis.regular, max(start, end))
