"""What a convolution nest walks over: strides of maps, loops of the reduction, grids of output positions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index
from scanwise.codegen.schedule import Skip

__all__ = ["Axis", "Repeat", "Sweep", "View", "fuse_axes"]


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
    skips: tuple[Skip | None, Skip | None] = (
        None,
        None,
    )  # rows' and columns' taps that may meet the border alone
    repeats: tuple[Repeat, ...] = ()

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
