"""The leaky ReLU with trained slopes: forward, input gradient, and the gradient by the slopes.

A slope for each channel lies as one position of a map. One slope for all channels is one float.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation, address, each_vector
from scanwise.kernels.cut import Cut, pointwise_cuts
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation, Parameter, per_channel
from scanwise.kernels.window import over_channels
from scanwise.layers import PReLU, Shape

__all__ = ["PReLUBackward", "PReLUForward", "PReLUGradient", "PReLUOperation"]


def _leak(
    e: Emitter,
    weight: Value,
    shared: bool,
    fields: tuple[tuple[Value, FeatureMap], tuple[Value, FeatureMap], tuple[Value, FeatureMap]],
) -> None:
    """Of fields (z, given, goal): goal = given where z > 0, a given otherwise."""
    z, given, goal = fields

    def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
        def load(field: tuple[Value, FeatureMap]) -> Value:
            return e.load(field[0], address(e, field[1], n, p, q, c), lanes)

        value = load(z)
        passed = value if given == z else load(given)
        slope = e.load_broadcast(weight, 0, lanes) if shared else e.load(weight, c, lanes)
        positive = e.builder.fcmp_ordered(">", value, e.constant(0.0, lanes))
        leaked = e.builder.fmul(passed, slope)
        e.store(e.builder.select(positive, passed, leaked), goal[0], address(e, goal[1], n, p, q, c))

    each_vector(e, goal[1], vector)


# y = z for z > 0, a z otherwise


@dataclass(frozen=True)
class PReLUForward:
    """y = z where z > 0, else a z. Arguments: z, a, y.

    Attributes:
        shared: whether there is one slope for all channels.
    """

    z: FeatureMap
    y: FeatureMap
    shared: bool
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        z, weight, y = e.arguments
        _leak(e, weight, self.shared, ((z, self.z), (z, self.z), (y, self.y)))


# dL/dz = dL/dy for z > 0, a dL/dy otherwise


@dataclass(frozen=True)
class PReLUBackward:
    """dz = dy where z > 0, else a dy. Arguments: z, a, dy, dz."""

    z: FeatureMap
    dy: FeatureMap
    dz: FeatureMap
    shared: bool
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        z, weight, dy, dz = e.arguments
        _leak(e, weight, self.shared, ((z, self.z), (dy, self.dy), (dz, self.dz)))


# dL/da = sum of z dL/dy where z <= 0: over (n, p, q) for each channel, and over all channels where they share a slope
#
# It adds to what is there, sample after sample: first over a sample's positions, then, for a shared slope, over its
# channels one after the other, so that neither the number of samples in a call nor the vector changes the order.


@dataclass(frozen=True)
class PReLUGradient:
    """da += the sum of z dy where z <= 0. Arguments: z, dy, da."""

    z: FeatureMap
    dy: FeatureMap
    shared: bool
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        z, dy, da = e.arguments
        b = e.builder

        lanes = self.dy.lanes

        def vector(n: Index, c: Index, valid: int) -> None:
            nothing = e.constant(0.0, lanes)

            def position(p: Index, q: Index, total: Value) -> list[Value]:
                value = e.load(z, address(e, self.z, n, p, q, c), lanes)
                error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
                positive = b.fcmp_ordered(">", value, nothing)
                return [e.fma(b.select(positive, nothing, value), error, total)]

            def row(p: Index, total: Value) -> list[Value]:
                return e.loop(self.dy.width, lambda q, inner: position(p, q, inner), [total])

            (total,) = e.loop(self.dy.height, row, [nothing])
            if not self.shared:
                e.store(b.fadd(e.load(da, c, lanes), total), da, c)
                return
            slope = e.load(da, 0, 1)
            for lane in range(valid):
                slope = b.fadd(slope, b.extract_element(total, e.integer(lane)))
            e.store(slope, da, 0)

        e.loop(e.n, lambda n: over_channels(e, self.dy, lambda c, _, valid: vector(n, c, valid)))


@dataclass(frozen=True)
class PReLUOperation(Operation):
    """A leaky ReLU in a network, with its slopes.

    Attributes:
        shared: whether there is one slope for all channels.
    """

    shared: bool

    def parameters(self) -> Sequence[Parameter]:
        if not self.shared:
            return (per_channel("weight", self.extent[0]),)

        def same(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return values.copy()

        return (Parameter("weight", 1, same, same),)

    def resized(self, rows: int, columns: int) -> "PReLUOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(PReLUForward(maps.x, maps.y, self.shared), ("x", "weight", "y")),)

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return pointwise_cuts(maps, whole)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(PReLUBackward(maps.x, dy, dx, self.shared), ("x", "weight", "dy", "dx")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        assert maps.dy is not None
        return (Call(PReLUGradient(maps.x, maps.dy, self.shared), ("x", "dy", "d weight")),)


@lower.register
def _(layer: PReLU, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (PReLUOperation(extent, layer.num_parameters == 1),)
