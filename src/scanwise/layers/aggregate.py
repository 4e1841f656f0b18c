"""Aggregation: one value for each label out of all positions, or of those of a cell (lecture 1.2 step 5, 2.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import EllipsisType
from typing import ClassVar, NamedTuple

from scanwise.errors import ShapeError

from . import arguments
from .base import Layer, Shape


class Cell(NamedTuple):
    """Positions that are aggregated together.

    Attributes:
        place: of the cell in the grid, one number an axis; `()` where all positions are one cell.
        positions: that it holds, along each axis.
    """

    place: tuple[int, ...]
    positions: tuple[slice, ...]

    @property
    def inputs(self) -> tuple[EllipsisType | slice, ...]:
        """Its positions as an index of arrays whose last axes are the layer's input's."""
        return (..., *self.positions)

    @property
    def output(self) -> tuple[EllipsisType | int, ...]:
        """Its place as an index of arrays whose last axes are those of the layer's output."""
        return (..., *self.place)


@dataclass(frozen=True, repr=False)
class Aggregate(Layer):
    """`(K, T)` or `(K, H, W)` to `(K,)`: is the pattern anywhere? With a grid `(K, G)` or `(K, G, H)`: in which part?

    A grid has as many cells for signals of every size, so that after `Flatten()` a perceptron can follow, which weighs
    what was found at the beginning, in the middle and at the end. Of P positions along an axis cell i of G holds those
    from floor(i P / G) to below floor((i + 1) P / G); each position is in one cell. Cells are places in the window: a
    scan shares the work of the layers before them alone, and moves by floor(P / G) positions unless told how far.

    Args:
        mode: `"max"`, `"mean"` or `"logsumexp"` over the positions of each channel; or `"softmax"`: one
            softmax over all channels and positions together (lecture 2.2), each channel the sum over its
            positions. With a grid, over those of each cell.
        grid: cells along each axis, or (rows, columns) of them; at most as many as there are positions. None for one
            value of all positions.

    Raises:
        ArgumentError, ArgumentTypeError: unknown mode, or `grid` is not positive integers.

    >>> Aggregate("max").output_shape((64, 20))
    (64,)
    >>> Aggregate("max", grid=(2, 3)).output_shape((64, 7, 9))
    (64, 2, 3)
    """

    mode: str
    grid: int | tuple[int, ...] | None = None

    modes: ClassVar[tuple[str, ...]] = ("max", "mean", "logsumexp", "softmax")

    def __post_init__(self) -> None:
        arguments.choice("Aggregate", "mode", self.mode, self.modes)
        if self.grid is not None:
            self._settle("grid", arguments.sizes("Aggregate", "grid", self.grid, (2,)))

    @property
    def unshared(self) -> str | None:
        return None if self.grid is None else "cuts the window into cells"

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (2, 3):
            raise ShapeError(f"{self!r}: input shape must be (K, T) or (K, H, W). Got {input_shape}.")
        return (input_shape[0], *self._counts(input_shape))

    def cells(self, input_shape: Shape) -> Iterator[Cell]:
        """The cells of an input, in row-major order: one that holds all positions if there is no grid.

        >>> [cell.positions for cell in Aggregate("max", grid=3).cells((64, 7))]
        [(slice(0, 2, None),), (slice(2, 4, None),), (slice(4, 7, None),)]
        """
        _, *counts = self.output_shape(input_shape)
        if not counts:
            yield Cell((), tuple(slice(0, extent) for extent in input_shape[1:]))
            return
        for place in itertools.product(*map(range, counts)):
            ends = zip(place, input_shape[1:], counts, strict=True)
            yield Cell(place, tuple(slice(i * P // G, (i + 1) * P // G) for i, P, G in ends))

    def operations(self, input_shape: Shape) -> int:
        return math.prod(input_shape) * (1 if self.mode in ("max", "mean") else 4)

    # Cells need not begin at multiples of one step. Those of floor(P / G) do no later than the cells themselves, and
    # from each of them the extent reaches the cell's end: with it what reads all cells sees P positions.
    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        counts = self._counts(input_shape) or (1,) * (len(input_shape) - 1)
        steps = tuple(P // G if G > 1 else 1 for P, G in zip(input_shape[1:], counts, strict=True))
        extents = zip(input_shape[1:], counts, steps, strict=True)
        return tuple(P - (G - 1) * step for P, G, step in extents), steps

    def _counts(self, input_shape: Shape) -> Shape:
        """Cells along each axis, `()` without a grid."""
        if self.grid is None:
            return ()
        axes = len(input_shape) - 1
        counts = arguments.per_axis(self.grid, axes)
        if len(counts) != axes or any(P < G for P, G in zip(input_shape[1:], counts, strict=True)):
            raise ShapeError(
                f"{self!r}: input must have at least as many positions as the grid has cells along each axis, "
                f"{counts}. Got input shape {input_shape}."
            )
        return counts
