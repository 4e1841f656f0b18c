"""Scores of all windows of a signal, tile by tile, in memory that does not grow with it.

Which tiles there are is told in `tiling`, and what is done with one is an `Evaluator`'s affair (`evaluators`). Here
they are read, and evaluated in batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Samples
from scanwise.scanning.evaluators import Evaluator, as_float
from scanwise.scanning.finite import FiniteValues
from scanwise.scanning.grid import Axis, Region
from scanwise.scanning.source import Source
from scanwise.scanning.tiling import Tile, tiles

# Takes the numbers of some windows, and their scores `(K, *counts)`. Every window comes once.
Write = Callable[[Region, NDArray[np.float32]], None]
# Is told how many windows have been finished since it was called last.
Report = Callable[[int], None]

_BATCH_BYTES = 1 << 24
_BATCH_TILES = 16


def settle(source: Source, axes: tuple[Axis, ...], counts: Sequence[int]) -> tuple[Axis, ...]:
    """The axes with the extent of a signal whose end is not known, if it is shorter than a tile."""
    source.reaches(axes[0].span(counts[0]))
    return _known(source, axes)


def evaluate(
    source: Source,
    axes: tuple[Axis, ...],
    counts: Sequence[int],
    evaluator: Evaluator,
    finite: FiniteValues,
    write: Write,
    report: Report,
) -> tuple[Axis, ...]:
    """Evaluate all windows.

    Args:
        source: gives parts of the signal.
        axes: where the windows lie, as `settle` gives them.
        counts: windows in a tile along each axis.
        evaluator: gives the scores of tiles.
        finite: what to do with values that are not.
        write: takes the scores; those of windows that are left out are NaN.
        report: is told about progress.

    Returns:
        The axes with the extent of the signal, now that its end has been reached.
    """
    group: list[tuple[Tile, NDArray[Any], Samples]] = []

    def finish() -> None:
        bad: list[NDArray[np.bool_] | None] = [None] * len(group)
        found = evaluator([filled for _, _, filled in group])
        if found is None:  # rarely, so that it is the evaluator who looks
            settled = [_settled(source, tile, part, finite) for tile, part, _ in group]
            bad = [where for _, where in settled]
            found = evaluator([filled for filled, _ in settled])
            assert found is not None
        for (tile, _, _), where, scores in zip(group, bad, found, strict=True):
            of = tuple(slice(run.new_windows - run.first, None) for run in tile)
            if where is not None:
                skipped = _touching(where, tile, axes)
                scores = np.where(skipped, np.float32(np.nan), scores)
                finite.skipped += int(np.count_nonzero(skipped[of]))
            windows = tuple((run.new_windows, run.first + run.count) for run in tile)
            write(windows, scores[(slice(None), *of)])
            report(math.prod(stop - first for first, stop in windows))
        group.clear()

    for tile in tiles(axes, counts, source):
        part = source.read(_region(source, tile))
        filled = _filled(tile, as_float(part))
        if group and (group[0][2].shape, group[0][2].dtype) != (filled.shape, filled.dtype):
            finish()
        group.append((tile, part, filled))
        if len(group) == max(1, min(_BATCH_TILES, _BATCH_BYTES // (4 * filled.size))):
            finish()
    if group:
        finish()
    return _known(source, axes)


def _known(source: Source, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    first = source.extent[0]
    return axes if first is None else (replace(axes[0], extent=first), *axes[1:])


def _region(source: Source, tile: Tile) -> Region:
    """The part of the signal that a tile lies in, up to its end."""
    ends = [math.inf if extent is None else extent for extent in source.extent]
    return tuple((run.start, int(min(run.stop, end))) for run, end in zip(tile, ends, strict=True))


def _filled(tile: Tile, part: Samples) -> Samples:
    """With zeros behind the signal's end."""
    behind = _behind(tile, part.shape[1:])
    return as_float(np.pad(part, [(0, 0), *behind])) if any(zeros for _, zeros in behind) else part


def _behind(tile: Tile, extent: tuple[int, ...]) -> list[tuple[int, int]]:
    """(0, zeros) along each axis, where the part of the signal has this extent."""
    return [(0, run.stop - run.start - have) for run, have in zip(tile, extent, strict=True)]


def _settled(
    source: Source, tile: Tile, part: NDArray[Any], finite: FiniteValues
) -> tuple[Samples, NDArray[np.bool_] | None]:
    """A tile's values once something was done about those that are not finite, and where these are, if that matters."""
    region = _region(source, tile)
    new = tuple((min(run.new_start, stop), stop) for run, (_, stop) in zip(tile, region, strict=True))
    values, bad = finite(part, region, new)
    return _filled(tile, values), None if bad is None else np.pad(bad, _behind(tile, bad.shape))


def _touching(bad: NDArray[np.bool_], tile: Tile, axes: Sequence[Axis]) -> NDArray[np.bool_]:
    """Which windows of a tile hold a bad value, `(*counts,)`: differences of sums up to each place say so."""
    held: NDArray[Any] = bad
    for i, (run, axis) in enumerate(zip(tile, axes, strict=True)):
        sums = np.concatenate([np.zeros_like(held.take([0], i), np.int64), np.cumsum(held, i)], i)
        starts = np.arange(run.count) * axis.step
        held = sums.take(starts + axis.window, i) > sums.take(starts, i)
    return held
