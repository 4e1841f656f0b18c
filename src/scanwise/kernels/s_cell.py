"""S-cells, forward and backward, from what excites and what inhibits them (Fukushima 1980, equation 1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Maps, Operation, Parameter, per_channel
from scanwise.kernels.v_cell import store_one
from scanwise.kernels.window import each_position, over_channels, pointer_at

__all__ = ["CellBackward", "CellForward", "CellOperation", "InhibitionBackward", "InhibitionGradient"]


# With e what excites a cell, v what inhibits it and g = 2r/(1+r):
#
#   h = 1 + g b v,    y = r phi((1 + e) / h - 1)
#
#   de = dy r / h,    dv = sum_k dh_k g b_k,    db = sum_{p,q} dh g v,    with dh = -dy r (1 + e) / h^2
#
# and all of them 0 where the cell is silent.


@dataclass(frozen=True)
class _Cell:
    """What the kernels of S-cells share: the maps of e and v, and the selectivity r."""

    e: FeatureMap
    v: FeatureMap
    r: float

    def gain(self, e: Emitter, lanes: int) -> Value:
        """g, in every lane."""
        return e.constant(float(np.float32(2 * self.r / (1 + self.r))), lanes)

    def at(self, e: Emitter, n: Index, p: Index, q: Index) -> "_Place":
        """The cells of one position; the kernel's first arguments are e, v and b."""
        excitation, v, inhibition = e.arguments[:3]
        value = e.load_broadcast(pointer_at(e, v, self.v, n, p, q), 0, self.e.lanes)
        return _Place(e, self, pointer_at(e, excitation, self.e, n, p, q), inhibition, value)


@dataclass
class _Place:
    """Emission of what the cells of one position need, a vector of planes at a time."""

    e: Emitter
    cell: _Cell
    excitation: Value
    inhibition: Value
    v: Value

    def ratio(self, c: Index) -> tuple[Value, Value]:
        """(h, (1 + e) / h) of the planes from c on."""
        e, lanes = self.e, self.cell.e.lanes
        one = e.constant(1.0, lanes)
        gained = e.builder.fmul(e.load(self.inhibition, c, lanes), self.cell.gain(e, lanes))
        h = e.fma(gained, self.v, one)
        return h, e.builder.fdiv(e.builder.fadd(e.load(self.excitation, c, lanes), one), h)

    def answer(self, c: Index) -> Value:
        """y."""
        e, lanes = self.e, self.cell.e.lanes
        above = e.builder.fsub(self.ratio(c)[1], e.constant(1.0, lanes))
        return e.builder.fmul(e.fmax(e.constant(0.0, lanes), above), e.constant(self.cell.r, lanes))

    def by_excitation(self, c: Index, dy: Value) -> Value:
        """de."""
        h, ratio = self.ratio(c)
        return self._where_active(ratio, self._scaled(dy, self.cell.r, h))

    def by_h(self, c: Index, dy: Value) -> Value:
        """dh."""
        h, ratio = self.ratio(c)
        return self._where_active(ratio, self.e.builder.fmul(self._scaled(dy, -self.cell.r, h), ratio))

    def _scaled(self, dy: Value, factor: float, h: Value) -> Value:
        b = self.e.builder
        return b.fdiv(b.fmul(dy, self.e.constant(factor, self.cell.e.lanes)), h)

    def _where_active(self, ratio: Value, value: Value) -> Value:
        e, lanes = self.e, self.cell.e.lanes
        active = e.builder.fcmp_ordered(">", ratio, e.constant(1.0, lanes))
        return e.builder.select(active, value, e.constant(0.0, lanes))


@dataclass(frozen=True)
class CellForward(_Cell):
    """y from e and v. Arguments: e, v, b, y."""

    y: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        y = e.arguments[3]

        def position(n: Index, p: Index, q: Index) -> None:
            place, goal = self.at(e, n, p, q), pointer_at(e, y, self.y, n, p, q)
            over_channels(e, self.e, lambda c, *_: e.store(place.answer(c), goal, c))

        each_position(e, self.y, position)


@dataclass(frozen=True)
class CellBackward(_Cell):
    """de from dy. Arguments: e, v, b, dy, de."""

    dy: FeatureMap
    de: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        dy, de = e.arguments[3:]
        lanes = self.e.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            place, errors = self.at(e, n, p, q), pointer_at(e, dy, self.dy, n, p, q)
            goal = pointer_at(e, de, self.de, n, p, q)

            def vector(c: Index, *_: int) -> None:
                e.store(place.by_excitation(c, e.load(errors, c, lanes)), goal, c)

            over_channels(e, self.e, vector)

        each_position(e, self.de, position)


@dataclass(frozen=True)
class InhibitionBackward(_Cell):
    """dv from dy. Arguments: e, v, b, dy, dv."""

    dy: FeatureMap
    dv: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        inhibition, dy, dv = e.arguments[2:]
        b, lanes = e.builder, self.e.lanes

        def position(n: Index, p: Index, q: Index) -> None:
            place, errors = self.at(e, n, p, q), pointer_at(e, dy, self.dy, n, p, q)

            def vector(c: Index, _count: int, _valid: int, total: Value) -> list[Value]:
                error = place.by_h(c, e.load(errors, c, lanes))
                return [e.fma(error, e.load(inhibition, c, lanes), total)]

            (total,) = over_channels(e, self.e, vector, [e.constant(0.0, lanes)])
            value = b.fmul(e.horizontal(total, lanes, b.fadd), self.gain(e, 1))
            store_one(e, value, dv, self.dv, n, p, q)

        each_position(e, self.dv, position)


@dataclass(frozen=True)
class InhibitionGradient(_Cell):
    """db += the sum over samples and positions. Arguments: e, v, b, dy, db."""

    dy: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        dy, db = e.arguments[3:]
        b, lanes = e.builder, self.e.lanes

        def block(c: Index, *_: int) -> None:
            def position(n: Index, p: Index, q: Index, total: Value) -> list[Value]:
                place = self.at(e, n, p, q)
                error = place.by_h(c, e.load(pointer_at(e, dy, self.dy, n, p, q, c), 0, lanes))
                return [e.fma(error, b.fmul(place.v, self.gain(e, lanes)), total)]

            def row(n: Index, p: Index, total: Value) -> list[Value]:
                return e.loop(self.e.width, lambda q, inner: position(n, p, q, inner), [total])

            def sample(n: Index, total: Value) -> list[Value]:
                return e.loop(self.e.height, lambda p, inner: row(n, p, inner), [total])

            (total,) = e.loop(e.n, sample, [e.constant(0.0, lanes)])
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
        return (per_channel("inhibition", self.extent[0]),)

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
