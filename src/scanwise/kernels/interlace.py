"""Maps that were computed apart, put together again (scanning)."""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import address, each_vector
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
        x, y = e.arguments
        sh, sw = self.stride

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = e.load(x, address(e, self.x, n, p, q, c), lanes)
            e.store(value, y, address(e, self.y, n, e.mul(p, sh), e.mul(q, sw), c))

        each_vector(e, self.x, vector)


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
