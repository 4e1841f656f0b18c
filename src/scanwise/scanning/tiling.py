"""Which tiles there are: some neighbouring windows each, and the part of the signal that they lie in.

Tiles come in the order of the signal, so that a signal can be read once, from its beginning to its end. Those of a scan
hold equally many windows: the shape of a tile is compiled.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from weakref import WeakKeyDictionary

from scanwise.executor import Executor
from scanwise.scanning.grid import Axis
from scanwise.scanning.source import Source

__all__ = ["ENDLESS", "Run", "Tile", "comes_again", "even_counts", "tile_counts", "tiles"]

# Beyond every signal; the extent of an axis whose end is not known yet. A 64-bit number.
ENDLESS = 1 << 62

# Samples or pixels in a tile, at most (unless a few windows are larger): bounds the maps of networks with a large
# stride. 64 maps of 512 x 512 float32 are 64 MiB.
TILE_EXTENT = 1 << 18

# Extents of signals that are remembered for each network.
_REMEMBERED = 64
_scanned: WeakKeyDictionary[Executor, OrderedDict[tuple[Axis, ...], None]] = WeakKeyDictionary()


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


def comes_again(executor: Executor, axes: tuple[Axis, ...]) -> bool:
    """Whether a network may get tiles that fit these windows: it has scanned just so many before, or nothing yet.

    Tiles whose counts are powers of two serve signals of all extents, so that little is compiled. For an extent that
    comes again it is worth it.
    """
    known = _scanned.setdefault(executor, OrderedDict())
    again = axes in known or not known
    known[axes] = None
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
    return again


@lru_cache(maxsize=_REMEMBERED)
def even_counts(axes: tuple[Axis, ...], most: tuple[int, ...], threads: int) -> tuple[int, ...]:
    """Windows in a tile along each axis, for tiles that need not fit other signals.

    They are as large as may be, equally large, and so many that all threads have about as much to do.
    """
    limit = _limit(axes)

    def counts(parts: Sequence[int]) -> tuple[int, ...]:
        return tuple(-(-axis.regular // n) for axis, n in zip(axes, parts, strict=True))

    def extent(parts: Sequence[int]) -> int:
        return math.prod(axis.span(n) for axis, n in zip(axes, counts(parts), strict=True))

    fewest = [-(-axis.regular // cap) for axis, cap in zip(axes, most, strict=True)]
    while extent(fewest) > limit and max(counts(fewest)) > 1:
        now = counts(fewest)
        fewest[max(range(len(axes)), key=lambda a: (now[a] > 1, axes[a].span(now[a])))] += 1

    def time(parts: Sequence[int]) -> tuple[int, Sequence[int]]:
        # Of those that take the same time, those that go along the first axis last: they read on.
        return -(-math.prod(parts) // threads) * extent(parts), parts[::-1]

    ranges = (
        range(n, min(axis.regular, n + min(threads, 16)) + 1) for axis, n in zip(axes, fewest, strict=True)
    )
    return counts(min(itertools.product(*ranges), key=time))


def _limit(axes: Sequence[Axis]) -> int:
    """Samples or pixels in a tile, at most."""
    return max(TILE_EXTENT, 4 * math.prod(axis.window for axis in axes))


def tile_counts(axes: Sequence[Axis], most: Sequence[int]) -> list[int]:
    """Windows in a tile along each axis.

    Every new tile shape is compiled, so that counts come from a short ladder: powers of two, up to what an evaluator
    takes at most, and up to what there is. Of these it is the one with which tiles overlap least.
    """
    counts = [_least_overlap(axis, min(cap, axis.regular)) for cap, axis in zip(most, axes, strict=True)]
    limit = _limit(axes)
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
