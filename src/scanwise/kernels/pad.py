"""Padding as a layer of its own, forward and backward (lecture 5.6, 8.7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation, address, each_vector
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Border, Call, Extent, Maps, Operation
from scanwise.kernels.window import over_channels, pointer_at
from scanwise.layers import Pad1d, Pad2d, Shape

__all__ = ["PadBackward", "PadForward"]


# y(top + i, left + j) = x(i, j),    the value elsewhere


@dataclass(frozen=True)
class PadForward:
    """Copy x into y and write the value around it. Arguments: x, y.

    Attributes:
        offset: (top, left) rows and columns of y before those of x.
        x: input.
        y: output.
        value: around x. Maps are zero at first and zeros are never written over, so zero is not written.
    """

    offset: tuple[int, int]
    x: FeatureMap
    y: FeatureMap
    value: float = 0.0
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        top, left = self.offset

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = e.load(x, address(e, self.x, n, p, q, c), lanes)
            e.store(value, y, address(e, self.y, n, e.add(p, top), e.add(q, left), c))

        each_vector(e, self.x, vector)
        if self.value:
            bottom, right = top + self.x.height, left + self.x.width
            self._fill(e, y, (0, top), (0, self.y.width))
            self._fill(e, y, (bottom, self.y.height), (0, self.y.width))
            self._fill(e, y, (top, bottom), (0, left))
            self._fill(e, y, (top, bottom), (right, self.y.width))

    def _fill(self, e: Emitter, y: Value, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Write the value to a part of y, from the first row and column to below the second."""
        lanes = self.y.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            goal = pointer_at(e, y, self.y, n, p, q)

            def vector(c: Index, _: int, valid: int) -> None:
                e.store(e.keep(e.constant(self.value, lanes), lanes, valid), goal, c)

            over_channels(e, self.y, vector)

        def row(n: Index, p: Index) -> None:
            e.loop(columns[1], lambda q: position(n, p, q), start=columns[0])

        e.loop(e.n, lambda n: e.loop(rows[1], lambda p: row(n, p), start=rows[0]))


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
        value: what the padding holds.
    """

    pads: Border
    value: float = 0.0

    @property
    def output(self) -> Extent:
        top, bottom, left, right = self.pads
        return self.extent[0], self.extent[1] + top + bottom, self.extent[2] + left + right

    def resized(self, rows: int, columns: int) -> "PadOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        kernel = PadForward((self.pads[0], self.pads[2]), maps.x, maps.y, self.value)
        return (Call(kernel, ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(PadBackward((self.pads[0], self.pads[2]), dy, dx), ("dy", "dx")),)


@lower.register
def _(layer: Pad1d | Pad2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (PadOperation(extent, layer.pads, layer.value),)
