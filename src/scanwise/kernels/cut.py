"""How an operation on one sample is cut into pieces that several threads compute.

A piece is the kernel of the whole with fewer rows, columns or channels, called on other places of the same maps. So
every output value is the same chain of operations as in the whole, and pieces of one size share their machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Maps

__all__ = ["CHANNELS", "COLUMNS", "ROWS", "Cut", "Span", "pointwise_cuts", "windows_read"]

# Axes of a map.
CHANNELS, ROWS, COLUMNS = 0, 1, 2

Span = tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """One way to cut the forward pass of an operation.

    Attributes:
        axis: of y, which the pieces lie along.
        count: rows, columns or channels of y.
        grain: pieces begin at its multiples.
        calls: the calls for y from the first number to below the second.
        reads: from where to below where x is read for that part of y, on the same axis.
    """

    axis: int
    count: int
    grain: int
    calls: Callable[[int, int], Sequence[Call]]
    reads: Callable[[int, int], Span]

    def points(self, parts: int) -> list[int]:
        """Where the pieces begin, and the end: as many as there are parts, or as can be, of nearly the same size."""
        grains = -(-self.count // self.grain)
        parts = min(parts, grains)
        return [*(i * grains // parts * self.grain for i in range(parts)), self.count]


def windows_read(
    kernel: int, stride: int, dilation: int, padding: int, extent: int
) -> Callable[[int, int], Span]:
    """What of the inputs 0 .. extent the windows from one number to below another read."""

    def reads(first: int, stop: int) -> Span:
        end = (stop - 1) * stride - padding + dilation * (kernel - 1) + 1
        return max(0, first * stride - padding), min(end, extent)

    return reads


def pointwise_cuts(maps: Maps, whole: Call) -> Sequence[Cut]:
    """Cuts of a call whose kernel walks over its attribute `y`, and reads other maps at the same positions."""
    places = {"x": maps.x, "y": maps.y, "other": maps.other}
    axis = ROWS if maps.y.height > 1 else COLUMNS
    steps = [_step(places.get(name), axis) for name in whole.arguments]

    def calls(first: int, stop: int) -> Sequence[Call]:
        kernel = replace(whole.kernel, y=_part(maps.y, axis, stop - first))  # type: ignore[type-var]
        return (Call(kernel, whole.arguments, tuple(first * step for step in steps)),)

    count = maps.y.height if axis == ROWS else maps.y.width
    return (Cut(axis, count, 1, calls, lambda first, stop: (first, stop)),)


def _step(extent: FeatureMap | None, axis: int) -> int:
    """Floats from one row or column to the next; 0 for what is no map."""
    if extent is None:
        return 0
    return extent.row if axis == ROWS else extent.pitch


def _part(extent: FeatureMap, axis: int, count: int) -> FeatureMap:
    if axis == ROWS:
        return replace(extent, height=count)
    assert extent.border[:2] == (0, 0)  # the origin would be another
    return replace(extent, width=count)
