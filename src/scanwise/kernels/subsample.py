"""Trainable subsampling: a pooling that sums, then y_c = w_c s_c + b_c, whose three kernels are here.

Weights and biases lie as one position of a map: the channels, and zeros in the padding lanes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation, address, each_vector, finished
from scanwise.kernels.cut import Cut, pointwise_cuts
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation, Parameter, per_channel
from scanwise.kernels.pool import PoolOperation
from scanwise.kernels.window import Pooling, over_channels
from scanwise.layers import Shape, Subsample1d, Subsample2d

__all__ = ["AffineBackward", "AffineForward", "AffineGradient", "AffineOperation"]


# y_c(p, q) = w_c s_c(p, q) + b_c


@dataclass(frozen=True)
class AffineForward:
    """y = f(w s + b) with the weight and the bias of each channel. Arguments: s, w, b, y."""

    s: FeatureMap
    y: FeatureMap
    activation: Activation | None = None
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        s, w, b, y = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            total = e.load(s, address(e, self.s, n, p, q, c), lanes)
            value = e.fma(e.load(w, c, lanes), total, e.load(b, c, lanes))
            value = finished(e, self.activation, value, lanes, valid)
            e.store(value, y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


# dL/ds_c(p, q) = w_c dL/dy_c(p, q)


@dataclass(frozen=True)
class AffineBackward:
    """ds = w dy. Arguments: dy, w, ds."""

    dy: FeatureMap
    ds: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        dy, w, ds = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
            e.store(e.builder.fmul(e.load(w, c, lanes), error), ds, address(e, self.ds, n, p, q, c))

        each_vector(e, self.ds, vector)


# dL/dw_c = sum over (n, p, q) of dL/dy_c(p, q) s_c(p, q),    dL/db_c = sum over (n, p, q) of dL/dy_c(p, q)
#
# Both add to what is there: one chain for each channel, sample after sample, row after row.


@dataclass(frozen=True)
class AffineGradient:
    """dw += the sum of s dy, db += the sum of dy. Arguments: s, dy, dw, db."""

    s: FeatureMap
    dy: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        s, dy, dw, db = e.arguments
        lanes = self.dy.lanes

        def vector(c: Index, *_: int) -> None:
            def position(n: Index, p: Index, q: Index, w: Value, b: Value) -> list[Value]:
                error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
                total = e.load(s, address(e, self.s, n, p, q, c), lanes)
                return [e.fma(error, total, w), e.builder.fadd(error, b)]

            def row(n: Index, p: Index, *sums: Value) -> list[Value]:
                return e.loop(self.dy.width, lambda q, *inner: position(n, p, q, *inner), sums)

            def sample(n: Index, *sums: Value) -> list[Value]:
                return e.loop(self.dy.height, lambda p, *inner: row(n, p, *inner), sums)

            for value, goal in zip(
                e.loop(e.n, sample, [e.load(dw, c, lanes), e.load(db, c, lanes)]), (dw, db), strict=True
            ):
                e.store(value, goal, c)

        over_channels(e, self.dy, vector)


@dataclass(frozen=True)
class AffineOperation(Operation):
    """A weight and a bias for each channel."""

    fuses_activation = True

    def parameters(self) -> Sequence[Parameter]:
        return per_channel("weight", self.extent[0]), per_channel("bias", self.extent[0])

    def resized(self, rows: int, columns: int) -> "AffineOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(AffineForward(maps.x, maps.y, self.activation), ("x", "weight", "bias", "y")),)

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return pointwise_cuts(maps, whole)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(AffineBackward(dy, dx), ("dy", "weight", "dx")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        assert maps.dy is not None
        return (Call(AffineGradient(maps.x, maps.dy), ("x", "dy", "d weight", "d bias")),)


@lower.register
def _(layer: Subsample1d | Subsample2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    pooling = Pooling(geometry.kernel, geometry.stride, (0, 0), extent[1:], geometry.output)
    return PoolOperation(extent, pooling, "sum"), AffineOperation((extent[0], *geometry.output))
