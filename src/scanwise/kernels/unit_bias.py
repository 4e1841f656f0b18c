"""A bias for each unit, forward and its gradient (LeCun et al. 1989). The biases lie as one sample of the map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation, address, each_vector, finished
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, plain_map
from scanwise.kernels.operation import Call, Extent, Maps, Operation, Parameter
from scanwise.kernels.pad import PadBackward
from scanwise.kernels.window import over_channels
from scanwise.layers import Shape, UnitBias

__all__ = ["UnitBiasForward", "UnitBiasGradient", "UnitBiasOperation"]


# y = x + b


@dataclass(frozen=True)
class UnitBiasForward:
    """y = f(x + b). Arguments: x, b, y."""

    x: FeatureMap
    y: FeatureMap
    activation: Activation | None = None
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, b, y = e.arguments
        biases = plain_map(self.x.channels, self.x.height, self.x.width)

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            bias = e.load(b, address(e, biases, 0, p, q, c), lanes)
            value = e.builder.fadd(e.load(x, address(e, self.x, n, p, q, c), lanes), bias)
            value = finished(e, self.activation, value, lanes, valid)
            e.store(value, y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


# dL/db = sum over n of dL/dy: adds to what is there, sample after sample


@dataclass(frozen=True)
class UnitBiasGradient:
    """db += the sum of dy over samples. Arguments: dy, db."""

    dy: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        dy, db = e.arguments
        m = self.dy
        biases = plain_map(m.channels, m.height, m.width)

        def position(p: Index, q: Index) -> None:
            def vector(c: Index, *_: int) -> None:
                def sample(n: Index, total: Value) -> list[Value]:
                    return [e.builder.fadd(total, e.load(dy, address(e, m, n, p, q, c), m.lanes))]

                at = address(e, biases, 0, p, q, c)
                (total,) = e.loop(e.n, sample, [e.load(db, at, m.lanes)])
                e.store(total, db, at)

            over_channels(e, m, vector)

        e.loop(m.height, lambda p: e.loop(m.width, lambda q: position(p, q)))


@dataclass(frozen=True)
class UnitBiasOperation(Operation):
    """`UnitBias` in a network. It has no larger size: its biases belong to places in the window."""

    fuses_activation = True

    def parameters(self) -> Sequence[Parameter]:
        channels, rows, columns = self.extent
        extent = plain_map(*self.extent)

        def pack(bias: NDArray[np.float32]) -> NDArray[np.float32]:
            packed = np.zeros((rows, columns, extent.pitch), np.float32)
            packed[..., :channels] = bias.reshape(self.extent).transpose(1, 2, 0)
            return packed.reshape(-1)

        def unpack(packed: NDArray[np.float32]) -> NDArray[np.float32]:
            spread = packed.reshape(rows, columns, extent.pitch)
            return np.ascontiguousarray(spread[..., :channels].transpose(2, 0, 1))

        return (Parameter("bias", extent.size, pack, unpack),)

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(UnitBiasForward(maps.x, maps.y, self.activation), ("x", "bias", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(PadBackward((0, 0), dy, dx), ("dy", "dx")),)  # a copy

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        assert maps.dy is not None
        return (Call(UnitBiasGradient(maps.dy), ("dy", "d bias")),)


@lower.register
def _(layer: UnitBias, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (UnitBiasOperation(extent),)
