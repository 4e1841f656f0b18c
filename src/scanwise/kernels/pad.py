"""Zero padding as a layer of its own, forward and backward (lecture 5.6, 8.7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import Activation, address, each_vector
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Border, Call, Extent, Maps, Operation
from scanwise.layers import Pad1d, Pad2d, Shape

__all__ = ["PadBackward", "PadForward"]


# y(top + i, left + j) = x(i, j),    zero elsewhere


@dataclass(frozen=True)
class PadForward:
    """Copy x into y, which is zero around it. Arguments: x, y.

    Attributes:
        offset: (top, left) rows and columns of y before those of x.
        x: input.
        y: output; what x does not cover is never written.
    """

    offset: tuple[int, int]
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        top, left = self.offset

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = e.load(x, address(e, self.x, n, p, q, c), lanes)
            e.store(value, y, address(e, self.y, n, e.add(p, top), e.add(q, left), c))

        each_vector(e, self.x, vector)


# dL/dx(i, j) = dL/dy(top + i, left + j): the padding is removed again


@dataclass(frozen=True)
class PadBackward:
    """Copy the part of dy that x covers. Arguments: dy, dx."""

    offset: tuple[int, int]
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        dy, dx = e.arguments
        top, left = self.offset

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = e.load(dy, address(e, self.dy, n, e.add(p, top), e.add(q, left), c), lanes)
            e.store(value, dx, address(e, self.dx, n, p, q, c))

        each_vector(e, self.dx, vector)


@dataclass(frozen=True)
class PadOperation(Operation):
    """`Pad1d` or `Pad2d` in a network.

    Attributes:
        pads: (top, bottom, left, right).
    """

    pads: Border

    @property
    def output(self) -> Extent:
        top, bottom, left, right = self.pads
        return self.extent[0], self.extent[1] + top + bottom, self.extent[2] + left + right

    def resized(self, rows: int, columns: int) -> "PadOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(PadForward((self.pads[0], self.pads[2]), maps.x, maps.y), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(PadBackward((self.pads[0], self.pads[2]), dy, dx), ("dy", "dx")),)


@lower.register
def _(layer: Pad1d | Pad2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (PadOperation(extent, layer.pads),)
