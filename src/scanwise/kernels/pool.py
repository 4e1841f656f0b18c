"""Max, average and sum pooling, forward and backward (lecture 5.8, 7).

The backward kernels can multiply by the derivative of the activation that made x, since pooling usually follows one:
that saves a pass over the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import F32, Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.kernels.scatter import Scatter
from scanwise.kernels.window import (
    Pooling,
    Window,
    WindowOperation,
    each_window,
    over_channels,
    over_window,
    pointer_at,
)
from scanwise.layers import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d, Shape

__all__ = ["AverageBackward", "AverageForward", "MaxBackward", "MaxForward", "PoolOperation", "Pooling"]

# Chains of additions or comparisons side by side: each waits four cycles for the one before.
_VECTORS = 4


# y(p, q) = max_{r,s} x(p sh + r, q sw + s)        over the part of the window that lies in the map (lecture 5.8)


@dataclass(frozen=True)
class MaxForward:
    """y = the maximum of each window. Arguments: x, y."""

    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        lanes = self.x.lanes

        def window(n: Index, w: Window) -> None:
            def vectors(c: Index, count: int, _: int) -> None:
                first = pointer_at(e, x, self.x, n, w.row, w.column, c)
                best = _maximum(e, self.x, w, first, count)
                goal = pointer_at(e, y, self.y, n, w.p, w.q, c)
                for v in range(count):
                    e.store(best[v], goal, v * lanes)

            over_channels(e, self.x, vectors, vectors=_VECTORS)

        each_window(e, self.pooling, window)


def _maximum(e: Emitter, extent: FeatureMap, w: Window, first: Value, count: int) -> list[Value]:
    """The maximum of a window, for `count` vectors; `first` points to its first input."""
    lanes = extent.lanes

    def element(r: Index, s: Index, *best: Value) -> list[Value]:
        at = e.at(first, e.affine((r, extent.row), (s, extent.pitch)))
        return [e.fmax(best[v], e.load(at, v * lanes, lanes)) for v in range(count)]

    return over_window(e, w, element, [e.load(first, v * lanes, lanes) for v in range(count)])


# Only the first maximum of a window in row-major order influenced y(p, q) (lecture 7.2):
#
#   dx(i, j) = sum over the windows (p, q) whose first maximum is x(i, j) of dy(p, q)
#
# A window hands its gradient to the first input that equals the maximum and has nothing left for those after it.


@dataclass(frozen=True)
class MaxBackward:
    """dx from dy, times f'(x) of the activation that made x if one is given. Arguments: x, dy, dx."""

    pooling: Pooling
    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    activation: Activation | None = None
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, dy, _ = e.arguments
        lanes = self.x.lanes
        scatter = Scatter(e, self.pooling, self.x, self.dx, self.activation)

        def window(n: Index, w: Window) -> None:
            def vector(c: Index, _count: int, _valid: int) -> None:
                first = pointer_at(e, x, self.x, n, w.row, w.column, c)
                (best,) = _maximum(e, self.x, w, first, 1)
                gradient = e.load(pointer_at(e, dy, self.dy, n, w.p, w.q, c), 0, lanes)
                nothing = e.constant(0.0, lanes)

                def share(value: Value, left: Value) -> tuple[Value, Value]:
                    here = e.builder.fcmp_ordered("==", value, best)
                    return e.builder.select(here, left, nothing), e.builder.select(here, nothing, left)

                scatter.window(n, w, c, share, gradient)

            over_channels(e, self.x, vector)

        scatter.run(window)


# y(p, q) = 1/size(p, q) sum_{r,s} x(p sh + r, q sw + s)        (lecture 5.8, 7.3)
#
# size counts the window's inputs in the padded map, zeros of the padding included (PyTorch's default).


def _mean_divisor(e: Emitter, pooling: Pooling, w: Window, lanes: int) -> Value:
    """size(p, q)."""
    size = e.mul(pooling.counted(e, 0, w), pooling.counted(e, 1, w))
    return e.broadcast(e.builder.sitofp(e.integer(size), F32), lanes)


@dataclass(frozen=True)
class AverageForward:
    """y = the mean of each window, or its sum where it does not divide. Arguments: x, y."""

    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    divides: bool = True
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        lanes = self.x.lanes

        def window(n: Index, w: Window) -> None:
            divisor = _mean_divisor(e, self.pooling, w, lanes) if self.divides else None

            def vectors(c: Index, count: int, _: int) -> None:
                first = pointer_at(e, x, self.x, n, w.row, w.column, c)
                goal = pointer_at(e, y, self.y, n, w.p, w.q, c)

                def element(r: Index, s: Index, *sums: Value) -> list[Value]:
                    at = e.at(first, e.affine((r, self.x.row), (s, self.x.pitch)))
                    return [e.builder.fadd(sums[v], e.load(at, v * lanes, lanes)) for v in range(count)]

                sums = over_window(e, w, element, [e.constant(0.0, lanes)] * count)
                for v in range(count):
                    value = sums[v] if divisor is None else e.builder.fdiv(sums[v], divisor)
                    e.store(value, goal, v * lanes)

            over_channels(e, self.x, vectors, vectors=_VECTORS)

        each_window(e, self.pooling, window)


# Each input of a window contributes equally (lecture 7.3), and to every window that it lies in:
#
#   dx(i, j) = sum over the windows (p, q) that hold (i, j) of dy(p, q) / size(p, q)        (of a sum: of dy(p, q))


@dataclass(frozen=True)
class AverageBackward:
    """dx from dy, times f'(x) of the activation that made x if one is given. Arguments: x, dy, dx.

    x is not read unless there is an activation.
    """

    pooling: Pooling
    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    activation: Activation | None = None
    divides: bool = True
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        _, dy, _ = e.arguments
        lanes = self.x.lanes
        scatter = Scatter(e, self.pooling, self.x, self.dx, self.activation)

        def window(n: Index, w: Window) -> None:
            divisor = _mean_divisor(e, self.pooling, w, lanes) if self.divides else None

            def vector(c: Index, _count: int, _valid: int) -> None:
                gradient = e.load(pointer_at(e, dy, self.dy, n, w.p, w.q, c), 0, lanes)
                share = gradient if divisor is None else e.builder.fdiv(gradient, divisor)
                scatter.window(n, w, c, lambda _, left: (left, left), share)

            over_channels(e, self.x, vector)

        scatter.run(window)


@dataclass(frozen=True)
class PoolOperation(WindowOperation):
    """Mode "max", "mean" or "sum": pooling, and `Aggregate("max")` and `Aggregate("mean")`."""

    @property
    def maxima(self) -> Pooling | None:
        return self.pooling if self.mode == "max" else None

    def forward(self, maps: Maps) -> Sequence[Call]:
        kernel = (
            MaxForward(self.pooling, maps.x, maps.y)
            if self.mode == "max"
            else AverageForward(self.pooling, maps.x, maps.y, self.mode == "mean")
        )
        return (Call(kernel, ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        kernel = (
            MaxBackward(self.pooling, maps.x, dy, dx, activation)
            if self.mode == "max"
            else AverageBackward(self.pooling, maps.x, dy, dx, activation, self.mode == "mean")
        )
        return (Call(kernel, ("x", "dy", "dx")),)

    def fuses_derivative(self, maps: Maps) -> bool:
        return True


@lower.register
def _(
    layer: MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d, shape: Shape, extent: Extent
) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    padding = (geometry.padding[0], geometry.padding[2])
    pooling = Pooling(geometry.kernel, geometry.stride, padding, extent[1:], geometry.output)
    return (PoolOperation(extent, pooling, "max" if isinstance(layer, MaxPool1d | MaxPool2d) else "mean"),)
