"""`Flatten` as a copy: a map in channel order, as one position of many channels.

Only needed where a layer after `Flatten` looks at the flat order; `Linear` and pointwise functions read the map as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import Activation, address
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation

__all__ = ["FlattenCopy", "FlattenOperation"]


@dataclass(frozen=True)
class FlattenCopy:
    """flat[(c H + h) W + w] = map[h, w, c], or the other way. Arguments: source, goal."""

    spread: FeatureMap
    flat: FeatureMap
    backward: bool
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        source, goal = e.arguments
        m = self.spread

        def element(n: Index, c: Index, h: Index, w: Index) -> None:
            place = address(e, m, n, h, w, c)
            line = address(e, self.flat, n, 0, 0, e.affine((c, m.height * m.width), (h, m.width), (1, w)))
            if self.backward:
                e.store(e.load(source, line, 1), goal, place)
            else:
                e.store(e.load(source, place, 1), goal, line)

        e.loop(
            e.n,
            lambda n: e.loop(
                m.channels,
                lambda c: e.loop(m.height, lambda h: e.loop(m.width, lambda w: element(n, c, h, w))),
            ),
        )


@dataclass(frozen=True)
class FlattenOperation(Operation):
    """`Flatten` in a network, where the order of the values matters."""

    @property
    def output(self) -> Extent:
        channels, rows, columns = self.extent
        return channels * rows * columns, 1, 1

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(FlattenCopy(maps.x, maps.y, backward=False), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(FlattenCopy(dx, dy, backward=True), ("dy", "dx")),)
