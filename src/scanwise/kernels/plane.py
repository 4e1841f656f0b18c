"""The Neocognitron's S-cells and C-cells, forward and backward (lecture 5.1).

Planes of S-cells are three operations: a convolution for what excites them, one V-cell for each position, and the cells
themselves. C-cells are a depthwise convolution with fixed weights and a saturating activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation, ActivationOperation
from scanwise.kernels.conv import ConvOperation, FixedConvOperation
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, lanes_for, round_up
from scanwise.kernels.operation import Call, Extent, Maps, Operation, Parameter
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
from scanwise.layers import CPlane, Geometry, Shape, SPlane

__all__ = [
    "CellBackward",
    "CellForward",
    "InhibitionBackward",
    "InhibitionGradient",
    "VCellBackward",
    "VCellForward",
]


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
            _store_one(e, e.sqrt(e.horizontal(total, lanes, e.builder.fadd)), v, self.v, n, place.p, place.q)

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


def _store_one(
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


# With e what excites a cell and v what inhibits it, g = 2r/(1+r)        (Fukushima 1980, equation 1):
#
#   h = 1 + g b v,    y = r phi((1 + e) / h - 1)
#
#   de = dy r / h,    dv = sum_k dy_k -r (1 + e_k) / h_k^2 g b_k,    db = sum_{p,q} dy -r (1 + e) / h^2 g v
#
# all of them 0 where the cell is silent.


@dataclass(frozen=True)
class _Cell:
    """What the kernels of S-cells share: the maps of e and v, and the selectivity r."""

    e: FeatureMap
    v: FeatureMap
    r: float

    def ratio(
        self, e: Emitter, excitation: Value, inhibition: Value, v: Value, lanes: int
    ) -> tuple[Value, Value]:
        """(h, (1 + e) / h)."""
        gain = float(np.float32(2 * self.r / (1 + self.r)))
        one = e.constant(1.0, lanes)
        h = e.fma(e.builder.fmul(inhibition, e.constant(gain, lanes)), v, one)
        return h, e.builder.fdiv(e.builder.fadd(excitation, one), h)

    def inhibiting(self, e: Emitter, v: Value, n: Index, p: Index, q: Index) -> Value:
        """The V-cell's value in every lane."""
        return e.load_broadcast(pointer_at(e, v, self.v, n, p, q), 0, self.e.lanes)

    def slope(self, e: Emitter, dy: Value, h: Value, ratio: Value, *, of_h: bool) -> Value:
        """dy r / h or, by h, -dy r (1 + e) / h^2, where the cell is not silent."""
        b, lanes = e.builder, self.e.lanes
        value = b.fdiv(b.fmul(dy, e.constant(-self.r if of_h else self.r, lanes)), h)
        if of_h:
            value = b.fmul(value, ratio)
        active = b.fcmp_ordered(">", ratio, e.constant(1.0, lanes))
        return b.select(active, value, e.constant(0.0, lanes))


@dataclass(frozen=True)
class CellForward(_Cell):
    """y from e and v. Arguments: e, v, b, y."""

    y: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        excitation, v, inhibition, y = e.arguments
        b, lanes = e.builder, self.e.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, excitation, self.e, n, p, q)
            goal = pointer_at(e, y, self.y, n, p, q)
            value = self.inhibiting(e, v, n, p, q)

            def vector(c: Index, *_: int) -> None:
                _, ratio = self.ratio(e, e.load(source, c, lanes), e.load(inhibition, c, lanes), value, lanes)
                above = e.fmax(e.constant(0.0, lanes), b.fsub(ratio, e.constant(1.0, lanes)))
                e.store(b.fmul(above, e.constant(self.r, lanes)), goal, c)

            over_channels(e, self.e, vector)

        each_position(e, self.y, position)


@dataclass(frozen=True)
class CellBackward(_Cell):
    """de from dy. Arguments: e, v, b, dy, de."""

    dy: FeatureMap
    de: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        excitation, v, inhibition, dy, de = e.arguments
        lanes = self.e.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, excitation, self.e, n, p, q)
            errors = pointer_at(e, dy, self.dy, n, p, q)
            goal = pointer_at(e, de, self.de, n, p, q)
            value = self.inhibiting(e, v, n, p, q)

            def vector(c: Index, *_: int) -> None:
                h, ratio = self.ratio(e, e.load(source, c, lanes), e.load(inhibition, c, lanes), value, lanes)
                e.store(self.slope(e, e.load(errors, c, lanes), h, ratio, of_h=False), goal, c)

            over_channels(e, self.e, vector)

        each_position(e, self.de, position)


@dataclass(frozen=True)
class InhibitionBackward(_Cell):
    """dv from dy. Arguments: e, v, b, dy, dv."""

    dy: FeatureMap
    dv: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        excitation, v, inhibition, dy, dv = e.arguments
        b, lanes = e.builder, self.e.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, excitation, self.e, n, p, q)
            errors = pointer_at(e, dy, self.dy, n, p, q)
            value = self.inhibiting(e, v, n, p, q)

            def vector(c: Index, _count: int, _valid: int, total: Value) -> list[Value]:
                own = e.load(inhibition, c, lanes)
                h, ratio = self.ratio(e, e.load(source, c, lanes), own, value, lanes)
                return [e.fma(self.slope(e, e.load(errors, c, lanes), h, ratio, of_h=True), own, total)]

            (total,) = over_channels(e, self.e, vector, [e.constant(0.0, lanes)])
            gain = e.constant(float(np.float32(2 * self.r / (1 + self.r))), 1)
            _store_one(e, b.fmul(e.horizontal(total, lanes, b.fadd), gain), dv, self.dv, n, p, q)

        each_position(e, self.dv, position)


@dataclass(frozen=True)
class InhibitionGradient(_Cell):
    """db += the sum over samples and positions. Arguments: e, v, b, dy, db."""

    dy: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        excitation, v, inhibition, dy, db = e.arguments
        b, lanes = e.builder, self.e.lanes
        gain = e.constant(float(np.float32(2 * self.r / (1 + self.r))), lanes)

        def block(c: Index, *_: int) -> None:
            own = e.load(inhibition, c, lanes)

            def position(n: Index, p: Index, q: Index, total: Value) -> list[Value]:
                value = self.inhibiting(e, v, n, p, q)
                source = e.load(pointer_at(e, excitation, self.e, n, p, q, c), 0, lanes)
                error = e.load(pointer_at(e, dy, self.dy, n, p, q, c), 0, lanes)
                h, ratio = self.ratio(e, source, own, value, lanes)
                return [e.fma(self.slope(e, error, h, ratio, of_h=True), b.fmul(value, gain), total)]

            def row(n: Index, p: Index, total: Value) -> list[Value]:
                return e.loop(self.e.width, lambda q, inner: position(n, p, q, inner), [total])

            (total,) = e.loop(
                e.n,
                lambda n, outer: e.loop(self.e.height, lambda p, inner: row(n, p, inner), [outer]),
                [e.constant(0.0, lanes)],
            )
            e.store(b.fadd(e.load(db, c, lanes), total), db, c)

        over_channels(e, self.e, block)


@dataclass(frozen=True)
class CellOperation(Operation):
    """S-cells from what excites them (x) and what inhibits them (other).

    Attributes:
        r: selectivity.
    """

    r: float

    def resized(self, rows: int, columns: int) -> "CellOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def parameters(self) -> Sequence[Parameter]:
        planes = self.extent[0]
        size = round_up(planes, lanes_for(planes))

        def pack(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.pad(values, (0, size - planes))

        def unpack(packed: NDArray[np.float32]) -> NDArray[np.float32]:
            return packed[:planes].copy()

        return (Parameter("inhibition", size, pack, unpack),)

    def _kernels(self, maps: Maps) -> tuple[FeatureMap, FeatureMap, float]:
        assert maps.other is not None
        return maps.x, maps.other, self.r

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(CellForward(*self._kernels(maps), maps.y), ("x", "other", "inhibition", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        kernel = CellBackward(*self._kernels(maps), *maps.gradients)
        return (Call(kernel, ("x", "other", "inhibition", "dy", "dx")),)

    def backward_other(self, maps: Maps) -> Sequence[Call]:
        kernel = InhibitionBackward(*self._kernels(maps), *maps.gradients)
        return (Call(kernel, ("x", "other", "inhibition", "dy", "dx")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        assert maps.dy is not None
        kernel = InhibitionGradient(*self._kernels(maps), maps.dy)
        return (Call(kernel, ("x", "other", "inhibition", "dy", "d inhibition")),)


@lower.register
def _(layer: SPlane, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    convolution = _convolution(geometry, extent, layer.planes)
    padding = (geometry.padding[0], geometry.padding[2])
    pooling = Pooling(geometry.kernel, geometry.stride, padding, extent[1:], geometry.output)
    falloff = tuple(float(w) for w in layer.falloff(extent[0]).ravel())
    # The layer's input is value 0, and each operation makes the next: the cells read the first two.
    return (
        ConvOperation(extent, convolution, geometry.padding),
        VCellOperation(extent, pooling, "v", falloff, reads=(0,)),
        CellOperation(convolution_extent(convolution), layer.r, reads=(1, 2)),
    )


@lower.register
def _(layer: CPlane, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    convolution = _convolution(geometry, extent, extent[0], groups=extent[0])
    weights = partial(_spread_weights, layer, extent[0])
    return (
        FixedConvOperation(extent, convolution, geometry.padding, weights),
        ActivationOperation(convolution_extent(convolution), Activation("saturation", layer.alpha)),
    )


def _spread_weights(layer: CPlane, planes: int) -> NDArray[np.float32]:
    return np.tile(layer.weights().astype(np.float32), (planes, 1, 1, 1))


def _convolution(geometry: Geometry, extent: Extent, outputs: int, groups: int = 1) -> Convolution:
    return Convolution(
        extent[0],
        outputs,
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        (geometry.padding[0], geometry.padding[2]),
        extent[1:],
        geometry.output,
        groups=groups,
        bias=False,
    )


def convolution_extent(convolution: Convolution) -> Extent:
    """(K, P, Q) of what a convolution gives."""
    return (convolution.outputs, *convolution.positions)
