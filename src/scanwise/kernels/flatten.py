"""`Flatten` as a copy: a map in channel order, as one position of many channels.

Only needed where a layer after `Flatten` looks at the flat order, and at a network's end; `Linear` and pointwise
functions read the map as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import Activation, address
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.kernels.window import each_position

__all__ = ["FlattenCopy", "FlattenOperation"]


@dataclass(frozen=True)
class FlattenCopy:
    """flat[p, q, (c H + h) W + w] = map[p sh + h, q sw + w, c], or the other way. Arguments: source, goal.

    Attributes:
        window: H and W. Only a scan and an `Unfold` have more than one position (p, q).
        stride: (sh, sw).
        adds: whether values are added to what is there: windows overlap.
    """

    spread: FeatureMap
    flat: FeatureMap
    window: tuple[int, int]
    backward: bool
    stride: tuple[int, int] = (1, 1)
    adds: bool = False
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        source, goal = e.arguments
        m = self.spread
        H, W = self.window
        sh, sw = self.stride

        def element(n: Index, p: Index, q: Index, c: Index, h: Index, w: Index) -> None:
            place = address(e, m, n, e.add(e.mul(p, sh), h), e.add(e.mul(q, sw), w), c)
            line = address(e, self.flat, n, p, q, e.affine((c, H * W), (h, W), (1, w)))
            start, stop = (line, place) if self.backward else (place, line)
            value = e.load(source, start, 1)
            if self.adds:
                value = e.builder.fadd(e.load(goal, stop, 1), value)
            e.store(value, goal, stop)

        def window(n: Index, p: Index, q: Index) -> None:
            e.loop(
                m.channels,
                lambda c: e.loop(H, lambda h: e.loop(W, lambda w: element(n, p, q, c, h, w))),
            )

        each_position(e, self.flat, window)


@dataclass(frozen=True)
class FlattenOperation(Operation):
    """`Flatten` in a network, where the order of the values matters.

    Attributes:
        extent: (C, H, W) of the window that becomes a vector.
        positions: windows of the map along each axis: one, but for scans.
    """

    positions: tuple[int, int] = (1, 1)

    @property
    def output(self) -> Extent:
        channels, rows, columns = self.extent
        return (channels * rows * columns, *self.positions)

    def resized(self, rows: int, columns: int) -> "FlattenOperation":
        return replace(self, positions=(rows - self.extent[1] + 1, columns - self.extent[2] + 1))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(FlattenCopy(maps.x, maps.y, self.extent[1:], backward=False), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(FlattenCopy(dx, dy, self.extent[1:], backward=True), ("dy", "dx")),)
