"""logsumexp and joint softmax over windows, forward and backward (lecture 1.2 step 5, 2.2, 4.3).

The window is the whole map for `Aggregate`, and slides when a window network is evaluated over a larger signal; with a
grid windows are its cells. Maximum and mean are in `pool`. Windows lie wholly in the map, and on the way back side by
side, so that each input is in one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.cells import Cells
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.kernels.pool import PoolOperation
from scanwise.kernels.softmax import LOWEST
from scanwise.kernels.window import (
    Pooling,
    Window,
    WindowOperation,
    each_window,
    over_channels,
    over_window,
    pointer_at,
)
from scanwise.layers import Aggregate, Shape

__all__ = ["JointSoftmaxBackward", "JointSoftmaxForward", "LogSumExpBackward", "LogSumExpForward"]


def _element(e: Emitter, extent: FeatureMap, first: Value, r: Index, s: Index) -> Value:
    """The vector in row r and column s of the window whose first vector `first` points to."""
    return e.load(first, e.affine((r, extent.row), (s, extent.pitch)), extent.lanes)


def _largest(e: Emitter, extent: FeatureMap, w: Window, first: Value, best: Value) -> Value:
    (best,) = over_window(e, w, lambda r, s, m: [e.fmax(m, _element(e, extent, first, r, s))], [best])
    return best


def _sum_of_exponentials(e: Emitter, extent: FeatureMap, w: Window, first: Value, shift: Value) -> Value:
    b, lanes = e.builder, extent.lanes

    def add(r: Index, s: Index, total: Value) -> list[Value]:
        value = functions.exp(e, b.fsub(_element(e, extent, first, r, s), shift), lanes)
        return [b.fadd(total, value)]

    (total,) = over_window(e, w, add, [e.constant(0.0, lanes)])
    return total


# y_k = log sum_t exp z_k(t) = m + log sum_t exp(z_k(t) - m)    with m the largest z_k, so that exp does not overflow


@dataclass(frozen=True)
class LogSumExpForward:
    """y = log of the sum of exp x over each window. Arguments: x, y."""

    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        lanes = self.x.lanes

        def window(n: Index, w: Window) -> None:
            def vector(c: Index, _: int, valid: int) -> None:
                first = pointer_at(e, x, self.x, n, w.row, w.column, c)
                best = _largest(e, self.x, w, first, e.load(first, 0, lanes))
                total = _sum_of_exponentials(e, self.x, w, first, best)
                value = e.builder.fadd(best, functions.log(e, total, lanes))
                e.store(e.keep(value, lanes, valid), pointer_at(e, y, self.y, n, w.p, w.q, c), 0)

            over_channels(e, self.x, vector)

        each_window(e, self.pooling, window)


# dy_k/dz_k(t) = exp z_k(t) / sum_u exp z_k(u) = exp(z_k(t) - y_k): the softmax over positions


@dataclass(frozen=True)
class LogSumExpBackward:
    """dx from dy, for windows that share the map out. Arguments: x, y, dy, dx."""

    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        assert self.pooling.partition
        x, y, dy, dx = e.arguments
        b, lanes = e.builder, self.x.lanes

        def window(n: Index, w: Window) -> None:
            def vector(c: Index, *_: int) -> None:
                source = pointer_at(e, x, self.x, n, w.row, w.column, c)
                goal = pointer_at(e, dx, self.dx, n, w.row, w.column, c)
                total = e.load(pointer_at(e, y, self.y, n, w.p, w.q, c), 0, lanes)
                error = e.load(pointer_at(e, dy, self.dy, n, w.p, w.q, c), 0, lanes)

                def element(r: Index, s: Index) -> None:
                    share = functions.exp(e, b.fsub(_element(e, self.x, source, r, s), total), lanes)
                    e.store(b.fmul(error, share), goal, e.affine((r, self.dx.row), (s, self.dx.pitch)))

                over_window(e, w, element)

            over_channels(e, self.x, vector)

        each_window(e, self.pooling, window)


# y_k = sum_t p_k(t),    p_k(t) = exp z_k(t) / sum_{j,u} exp z_j(u)        (lecture 2.2)


@dataclass(frozen=True)
class JointSoftmaxForward:
    """y = each channel's share of the softmax over a window's channels and positions together. Arguments: x, y."""

    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        b, lanes = e.builder, self.x.lanes

        def window(n: Index, w: Window) -> None:
            first = pointer_at(e, x, self.x, n, w.row, w.column)
            goal = pointer_at(e, y, self.y, n, w.p, w.q)
            best = _largest_of_all(e, self.x, w, first)

            def sums(c: Index, _: int, valid: int, total: Value) -> list[Value]:
                value = _sum_of_exponentials(e, self.x, w, e.at(first, c), best)
                value = e.keep(value, lanes, valid)
                e.store(value, goal, c)
                return [b.fadd(total, value)]

            (total,) = over_channels(e, self.x, sums, [e.constant(0.0, lanes)])
            total = e.broadcast(e.horizontal(total, lanes, b.fadd), lanes)
            over_channels(e, self.x, lambda c, *_: e.store(b.fdiv(e.load(goal, c, lanes), total), goal, c))

        each_window(e, self.pooling, window)


def _largest_of_all(e: Emitter, extent: FeatureMap, w: Window, first: Value) -> Value:
    """The largest of all channels and positions of a window, in every lane."""
    lanes = extent.lanes

    def vector(c: Index, _: int, valid: int, best: Value) -> list[Value]:
        source = e.at(first, c)
        found = _largest(e, extent, w, source, e.load(source, 0, lanes))
        return [e.fmax(best, e.fill(found, lanes, valid, LOWEST))]

    (best,) = over_channels(e, extent, vector, [e.constant(LOWEST, lanes)])
    return e.broadcast(e.horizontal(best, lanes, e.fmax), lanes)


# dp_j(u)/dz_k(t) = p_j(u) (1[j = k, u = t] - p_k(t)), and y_j sums over u, so
#
#   dx_k(t) = p_k(t) (dy_k - sum_j dy_j y_j)


@dataclass(frozen=True)
class JointSoftmaxBackward:
    """dx from dy, for windows that share the map out. Arguments: x, y, dy, dx.

    The exponentials are computed again and wait in dx until their sum is known.
    """

    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        assert self.pooling.partition
        each_window(e, self.pooling, lambda n, w: self._window(e, n, w))

    def _window(self, e: Emitter, n: Index, w: Window) -> None:
        x, y, dy, dx = e.arguments
        b, lanes = e.builder, self.x.lanes
        first = pointer_at(e, x, self.x, n, w.row, w.column)
        goal = pointer_at(e, dx, self.dx, n, w.row, w.column)
        outputs = pointer_at(e, y, self.y, n, w.p, w.q)
        errors = pointer_at(e, dy, self.dy, n, w.p, w.q)
        best = _largest_of_all(e, self.x, w, first)

        def at(c: Index, r: Index, s: Index) -> Index:
            return e.affine((r, self.dx.row), (s, self.dx.pitch), (c, 1))

        def sums(c: Index, _: int, valid: int, total: Value, mean: Value) -> list[Value]:
            def element(r: Index, s: Index, inner: Value) -> list[Value]:
                shifted = b.fsub(_element(e, self.x, e.at(first, c), r, s), best)
                value = e.keep(functions.exp(e, shifted, lanes), lanes, valid)
                e.store(value, goal, at(c, r, s))
                return [b.fadd(inner, value)]

            (inner,) = over_window(e, w, element, [e.constant(0.0, lanes)])
            mean = e.fma(e.load(errors, c, lanes), e.load(outputs, c, lanes), mean)
            return [b.fadd(total, inner), mean]

        zero = e.constant(0.0, lanes)
        total, mean = (
            e.broadcast(e.horizontal(value, lanes, b.fadd), lanes)
            for value in over_channels(e, self.x, sums, [zero, zero])
        )

        def spread(c: Index, *_: int) -> None:
            difference = b.fsub(e.load(errors, c, lanes), mean)

            def element(r: Index, s: Index) -> None:
                share = b.fdiv(e.load(goal, at(c, r, s), lanes), total)
                e.store(b.fmul(share, difference), goal, at(c, r, s))

            over_window(e, w, element)

        over_channels(e, self.x, spread)


@dataclass(frozen=True)
class AggregateOperation(WindowOperation):
    """Mode "logsumexp" or "softmax"."""

    def forward(self, maps: Maps) -> Sequence[Call]:
        kernel = LogSumExpForward if self.mode == "logsumexp" else JointSoftmaxForward
        return (Call(kernel(self.pooling, maps.x, maps.y), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        kernel = LogSumExpBackward if self.mode == "logsumexp" else JointSoftmaxBackward
        return (Call(kernel(self.pooling, maps.x, maps.y, dy, dx), ("x", "y", "dy", "dx")),)


@lower.register
def _(layer: Aggregate, shape: Shape, extent: Extent) -> Sequence[Operation]:
    if layer.grid is None:
        pooling = Pooling(extent[1:], (1, 1), (0, 0), extent[1:], (1, 1))
    else:
        pooling = Cells.of(extent[1:], layer.output_shape(shape)[1:])
    if layer.mode in ("max", "mean"):
        return (PoolOperation(extent, pooling, layer.mode),)
    return (AggregateOperation(extent, pooling, layer.mode),)
