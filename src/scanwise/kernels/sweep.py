"""What a convolution nest walks over: strides of maps, loops of the reduction, grids of output positions, borders."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index
from scanwise.codegen.schedule import Grid, side_by_side

__all__ = ["Axis", "Inside", "Repeat", "Sweep", "View", "fuse_axes"]


# Share of the products along an axis that must fall on the border before skipping them pays for its loops.
LEAST_BORDER = 0.03


@dataclass(frozen=True)
class View:
    """Strides, in floats, by which a nest walks a map: samples, rows and columns of output positions."""

    sample: int
    row: int
    column: int
    origin: int

    def offset(self, n: Index, p: Index, q: Index, e: Emitter) -> Index:
        return e.affine((n, self.sample), (p, self.row), (q, self.column), (1, self.origin))


@dataclass(frozen=True)
class Axis:
    """One loop of the reduction: number of turns, and what a turn adds to the input and to the weight index."""

    count: int
    x: int
    w: int


@dataclass(frozen=True)
class Inside:
    """Along one axis: tap t of position p reads input `start + step p + tap t`, which is a zero of the border unless it
    is one of `extent` from 0.

    Leaving out the products of zeros changes no bit (docs/decisions/0001).
    """

    start: int
    step: int
    tap: int
    extent: int

    def meets(self, position: int, tap: int) -> bool:
        """Whether this tap of this position reads an input rather than a zero of the border."""
        return 0 <= self.start + self.step * position + self.tap * tap < self.extent

    def beyond(self, first: int) -> "Inside":
        """The same for positions that are counted from `first`."""
        return replace(self, start=self.start + self.step * first)

    def pays(self, positions: int, taps: int) -> bool:
        """Whether enough of the products fall on the border."""
        met = 0
        for tap in range(taps):
            first = self.start + self.tap * tap
            begin, end = -(first // self.step), -((first - self.extent) // self.step)
            met += max(0, min(end, positions) - max(begin, 0))
        return met < (1 - LEAST_BORDER) * positions * taps

    def taps(self, e: Emitter, first: Index, positions: int, count: int) -> tuple[Index, Index]:
        """Of `count` taps the first, and the one behind the last, with which some of `positions` positions from `first`
        meet the map. Taps must be one input apart.
        """
        low = e.affine((first, self.step), (1, self.start))
        high = e.add(low, self.step * (positions - 1))
        if self.tap > 0:
            begin, end = e.mul(high, -1), e.add(e.mul(low, -1), self.extent)
        else:
            begin, end = e.add(low, 1 - self.extent), e.add(high, 1)
        return e.maximum(begin, 0), e.minimum(end, count)


@dataclass(frozen=True)
class Repeat:
    """A whole grid again: how often, and what each time adds to the index into weights, output and saved activation."""

    count: int
    w: int
    y: int
    other: int = 0


@dataclass(frozen=True)
class Sweep:
    """A grid of output positions that share one reduction, and others that differ by constant steps.

    The forward pass is one grid. The input gradient of a strided convolution is one for each phase of the stride.
    """

    rows: int
    columns: int
    x: View
    y: View
    axes: tuple[Axis, ...]
    weight_origin: int = 0
    other: View | None = None  # saved activation (backward)
    # Where taps meet the map, if skipping those that do not is worth it: along the first two axes.
    inside_rows: Inside | None = None
    inside_columns: Inside | None = None
    repeats: tuple[Repeat, ...] = ()

    @property
    def grid(self) -> Grid:
        """What a register tile is chosen for."""
        # A tile goes over the kernel rows that meet the map with any of its rows, so flat tiles skip more.
        tallest = 2 if self.inside_rows is not None else None
        most = side_by_side(self.x.column) if self.columns > 1 else 64
        return Grid(self.rows, self.columns, math.prod(axis.count for axis in self.axes), tallest, most)

    def skipping(self, rows: Inside, columns: Inside) -> "Sweep":
        """The same grid with the taps left out that only meet the border, on each axis where that pays."""
        by_rows = abs(rows.tap) == 1 and rows.pays(self.rows, self.axes[0].count)
        by_columns = columns.pays(self.columns, self.axes[1].count)
        return replace(
            self, inside_rows=rows if by_rows else None, inside_columns=columns if by_columns else None
        )

    def of_rows(self, first: int, count: int) -> "Sweep":
        """Some rows of the grid, for pointers that point to the first of them."""
        inside = None if self.inside_rows is None else self.inside_rows.beyond(first)
        if inside is not None and not inside.pays(count, self.axes[0].count):
            inside = None
        return replace(self, rows=count, inside_rows=inside)

    def of_columns(self, first: int, count: int) -> "Sweep":
        """Some columns of the grid, for pointers that point to the first of them."""
        inside = None if self.inside_columns is None else self.inside_columns.beyond(first)
        if inside is not None and not inside.pays(count, self.axes[1].count):
            inside = None
        return replace(self, columns=count, inside_columns=inside)

    def each(self, e: Emitter, body: Callable[[Index, Index, Index], None]) -> None:
        """Run `body` for every grid, with what it adds to the index into weights, output and saved activation."""

        def level(depth: int, w: Index, y: Index, other: Index) -> None:
            if depth == len(self.repeats):
                body(w, y, other)
                return
            repeat = self.repeats[depth]
            e.loop(
                repeat.count,
                lambda i: level(
                    depth + 1,
                    e.add(w, e.mul(i, repeat.w)),
                    e.add(y, e.mul(i, repeat.y)),
                    e.add(other, e.mul(i, repeat.other)),
                ),
            )

        level(0, 0, 0, 0)


def fuse_axes(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Join neighbouring loops that walk input and weights in one stride: fewer, longer loops, the same order."""
    fused: list[Axis] = []
    for axis in axes:
        if axis.count == 1:
            continue
        if fused and fused[-1].x == axis.x * axis.count and fused[-1].w == axis.w * axis.count:
            fused[-1] = Axis(fused[-1].count * axis.count, axis.x, axis.w)
        else:
            fused.append(axis)
    return tuple(fused) or (Axis(1, 0, 0),)
