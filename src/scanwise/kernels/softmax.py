"""Softmax over channels at every position, forward and backward (lecture 5.12, step 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.cut import Cut, pointwise_cuts
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.kernels.window import each_position, over_channels, pointer_at
from scanwise.layers import Shape, Softmax

__all__ = ["SoftmaxBackward", "SoftmaxForward", "exponentials", "largest"]

LOWEST = float("-inf")


def largest(e: Emitter, x: Value, extent: FeatureMap) -> Value:
    """The largest channel of the position that x points to, in every lane."""
    lanes = extent.lanes

    def vector(c: Index, _: int, valid: int, best: Value) -> list[Value]:
        return [e.fmax(best, e.fill(e.load(x, c, lanes), lanes, valid, LOWEST))]

    (best,) = over_channels(e, extent, vector, [e.constant(LOWEST, lanes)])
    return e.broadcast(e.horizontal(best, lanes, e.fmax), lanes)


def exponentials(e: Emitter, x: Value, y: Value, extent: FeatureMap, shift: Value) -> Value:
    """y = exp(x - shift) for the channels of one position; returns their sum, in every lane."""
    b, lanes = e.builder, extent.lanes

    def vector(c: Index, _: int, valid: int, total: Value) -> list[Value]:
        value = functions.exp(e, b.fsub(e.load(x, c, lanes), shift), lanes)
        value = e.keep(value, lanes, valid)
        e.store(value, y, c)
        return [b.fadd(total, value)]

    (total,) = over_channels(e, extent, vector, [e.constant(0.0, lanes)])
    return e.broadcast(e.horizontal(total, lanes, b.fadd), lanes)


# y_k = exp(z_k) / sum_j exp(z_j). Subtracting the largest z changes nothing, since it cancels, and keeps exp from
# overflowing.


@dataclass(frozen=True)
class SoftmaxForward:
    """y = the softmax of x over channels. Arguments: x, y."""

    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        lanes = self.y.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, x, self.x, n, p, q)
            goal = pointer_at(e, y, self.y, n, p, q)
            total = exponentials(e, source, goal, self.y, largest(e, source, self.x))

            def vector(c: Index, *_: int) -> None:
                e.store(e.builder.fdiv(e.load(goal, c, lanes), total), goal, c)

            over_channels(e, self.y, vector)

        each_position(e, self.y, position)


# dy_j/dz_k = y_j (1[j = k] - y_k), so
#
#   dx_k = sum_j dy_j y_j (1[j = k] - y_k) = y_k (dy_k - sum_j dy_j y_j)


@dataclass(frozen=True)
class SoftmaxBackward:
    """dx from dy. Arguments: y, dy, dx."""

    y: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        y, dy, dx = e.arguments
        b, lanes = e.builder, self.y.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            outputs = pointer_at(e, y, self.y, n, p, q)
            errors = pointer_at(e, dy, self.dy, n, p, q)
            goal = pointer_at(e, dx, self.dx, n, p, q)

            def product(c: Index, _count: int, _valid: int, total: Value) -> list[Value]:
                return [e.fma(e.load(errors, c, lanes), e.load(outputs, c, lanes), total)]

            (sums,) = over_channels(e, self.y, product, [e.constant(0.0, lanes)])
            mean = e.broadcast(e.horizontal(sums, lanes, b.fadd), lanes)

            def vector(c: Index, *_: int) -> None:
                difference = b.fsub(e.load(errors, c, lanes), mean)
                e.store(b.fmul(e.load(outputs, c, lanes), difference), goal, c)

            over_channels(e, self.y, vector)

        each_position(e, self.y, position)


@dataclass(frozen=True)
class SoftmaxOperation(Operation):
    """`Softmax` over channels in a network."""

    def resized(self, rows: int, columns: int) -> "SoftmaxOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(SoftmaxForward(maps.x, maps.y), ("x", "y")),)

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return pointwise_cuts(maps, whole)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(SoftmaxBackward(maps.y, dy, dx), ("y", "dy", "dx")),)


@lower.register
def _(layer: Softmax, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (SoftmaxOperation(extent),)
