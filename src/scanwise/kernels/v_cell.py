"""V-cells, forward and backward: what inhibits the S-cells of a position (Fukushima 1980, equation 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Parameter
from scanwise.kernels.window import (
    Pooling,
    Window,
    WindowOperation,
    each_position,
    each_window,
    over_channels,
    over_window,
    pointer_at,
)

__all__ = ["VCellBackward", "VCellForward", "VCellOperation", "store_one"]


# v(p, q) = sqrt(sum_{c,r,s} w(r, s) x_c(p sh + r, q sw + s)^2)        (Fukushima 1980, equation 3)


@dataclass(frozen=True)
class VCellForward:
    """v from x, one channel. Arguments: x, w, v."""

    pooling: Pooling
    x: FeatureMap
    v: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, w, v = e.arguments
        lanes = self.x.lanes

        def window(n: Index, place: Window) -> None:
            first = pointer_at(e, x, self.x, n, place.row, place.column)

            def tap(r: Index, s: Index, total: Value) -> list[Value]:
                weight = e.load_broadcast(w, _tap(e, self.pooling, place, r, s), lanes)
                source = e.at(first, e.affine((r, self.x.row), (s, self.x.pitch)))

                def vector(c: Index, _count: int, _valid: int, inner: Value) -> list[Value]:
                    value = e.load(source, c, lanes)
                    return [e.fma(e.builder.fmul(value, value), weight, inner)]

                return over_channels(e, self.x, vector, [total])

            (total,) = over_window(e, place, tap, [e.constant(0.0, lanes)])
            store_one(e, e.sqrt(e.horizontal(total, lanes, e.builder.fadd)), v, self.v, n, place.p, place.q)

        each_window(e, self.pooling, window)


# dv/dx_c(p sh + r, q sw + s) = w(r, s) x_c / v, and 0 where v = 0: all inputs are 0 there. An input lies in several
# windows, so their gradients add.


@dataclass(frozen=True)
class VCellBackward:
    """dx from dv. Arguments: x, w, v, dv, dx."""

    pooling: Pooling
    x: FeatureMap
    v: FeatureMap
    dv: FeatureMap
    dx: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        x, w, v, dv, dx = e.arguments
        b, lanes = e.builder, self.x.lanes
        zero = e.constant(0.0, 1)

        def clear(n: Index, p: Index, q: Index) -> None:
            goal = pointer_at(e, dx, self.dx, n, p, q)
            over_channels(e, self.dx, lambda c, *_: e.store(e.constant(0.0, lanes), goal, c))

        def window(n: Index, place: Window) -> None:
            value = e.load(pointer_at(e, v, self.v, n, place.p, place.q), 0, 1)
            error = e.load(pointer_at(e, dv, self.dv, n, place.p, place.q), 0, 1)
            seen = b.fcmp_ordered(">", value, zero)
            divisor = b.select(seen, value, e.constant(1.0, 1))
            share = e.broadcast(b.select(seen, b.fdiv(error, divisor), zero), lanes)
            source = pointer_at(e, x, self.x, n, place.row, place.column)
            goal = pointer_at(e, dx, self.dx, n, place.row, place.column)

            def tap(r: Index, s: Index) -> None:
                weight = e.load_broadcast(w, _tap(e, self.pooling, place, r, s), lanes)
                factor = b.fmul(share, weight)
                inputs = e.at(source, e.affine((r, self.x.row), (s, self.x.pitch)))
                results = e.at(goal, e.affine((r, self.dx.row), (s, self.dx.pitch)))

                def vector(c: Index, *_: int) -> None:
                    e.store(e.fma(factor, e.load(inputs, c, lanes), e.load(results, c, lanes)), results, c)

                over_channels(e, self.x, vector)

            over_window(e, place, tap)

        each_position(e, self.dx, clear)
        each_window(e, self.pooling, window)


def _tap(e: Emitter, pooling: Pooling, place: Window, r: Index, s: Index) -> Index:
    """Number of the tap in row r and column s of the part of the window that lies in the map."""
    rows, columns = (
        e.add(e.add(first, inner), e.add(e.mul(position, -stride), padding))
        for first, inner, position, stride, padding in zip(
            (place.row, place.column),
            (r, s),
            (place.p, place.q),
            pooling.stride,
            pooling.padding,
            strict=True,
        )
    )
    return e.affine((rows, pooling.kernel[1]), (columns, 1))


def store_one(
    e: Emitter, value: Value, pointer: Value, extent: FeatureMap, n: Index, p: Index, q: Index
) -> None:
    """Store the only channel of a position; the padding lanes stay zero."""
    lanes = extent.lanes
    e.store(e.keep(e.broadcast(value, lanes), lanes, 1), pointer_at(e, pointer, extent, n, p, q), 0)


@dataclass(frozen=True)
class VCellOperation(WindowOperation):
    """The V-cells of a layer of S-planes.

    Attributes:
        falloff: their weights w, row by row.
    """

    falloff: tuple[float, ...]

    @property
    def output(self) -> Extent:
        return (1, *self.pooling.positions)

    def parameters(self) -> Sequence[Parameter]:
        values = np.array(self.falloff, np.float32)
        return (Parameter("falloff", values.size, np.ravel, np.ravel, fixed=values),)

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(VCellForward(self.pooling, maps.x, maps.y), ("x", "falloff", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dv, dx = maps.gradients
        kernel = VCellBackward(self.pooling, maps.x, maps.y, dv, dx)
        return (Call(kernel, ("x", "falloff", "y", "dy", "dx")),)
