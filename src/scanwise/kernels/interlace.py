"""Maps that were computed apart, put together again (scanning)."""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter
from scanwise.kernels.downsample import spread
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation

__all__ = ["Interlace", "InterlaceOperation"]


# y(p sh, q sw) = x(p, q); what lies between is left as it is


@dataclass(frozen=True)
class Interlace:
    """Write every sh-th row and sw-th column. Arguments: x, y."""

    stride: tuple[int, int]
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        spread(e, self.x, self.y, self.stride)


@dataclass(frozen=True)
class InterlaceOperation(Operation):
    """One map of several that make up a larger one.

    Attributes:
        stride: (sh, sw), how many there are along each axis.
        place: the row and column of y that x begins at, below the stride.
    """

    stride: tuple[int, int]
    place: tuple[int, int]

    @property
    def output(self) -> Extent:
        channels, rows, columns = self.extent
        return channels, rows * self.stride[0], columns * self.stride[1]

    def forward(self, maps: Maps) -> Sequence[Call]:
        first = self.place[0] * maps.y.row + self.place[1] * maps.y.pitch
        return (Call(Interlace(self.stride, maps.x, maps.y), ("x", "y"), (0, first)),)
