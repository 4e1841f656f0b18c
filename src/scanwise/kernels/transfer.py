"""Between the caller's arrays (channels first) and maps (channels innermost)."""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from scanwise.codegen.emitter import F32, F64, I8, I32, I64, Emitter, Index, Value
from scanwise.kernels.maps import FeatureMap

__all__ = ["SAMPLE_TYPES", "Gather", "GatherTargets", "Scatter"]

# dtype name -> (type in memory, bytes)
SAMPLE_TYPES: dict[str, tuple[ir.Type, int]] = {
    "uint8": (I8, 1),
    "int16": (ir.IntType(16), 2),
    "float32": (F32, 4),
    "float64": (F64, 8),
}
_VECTOR = 16


@dataclass(frozen=True)
class Gather:
    """Rows of the caller's array, picked by an index, into a map. Arguments: array, order (int64), map.

    uint8 is taken as 0..1; every other type as its value, rounded to float32.
    """

    dtype: str
    goal: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        array, order, goal = e.arguments
        m = self.goal
        size = m.channels * m.height * m.width

        def sample(n: Index) -> None:
            row = e.builder.load(e.builder.gep(order, [e.integer(n)], source_etype=I64), typ=I64)
            source = self._place(e, array, e.mul(row, size))
            out = e.at(goal, e.affine((n, m.size), (1, m.origin)))
            e.loop(
                m.channels,
                lambda c: e.loop(
                    m.height,
                    lambda h: self._row(
                        e,
                        self._place(e, source, e.affine((c, m.height * m.width), (h, m.width))),
                        e.at(out, e.affine((h, m.row), (1, c))),
                    ),
                ),
            )

        e.loop(e.n, sample)

    def _place(self, e: Emitter, pointer: Value, index: Index) -> Value:
        return e.builder.gep(
            pointer, [e.integer(index)], inbounds=True, source_etype=SAMPLE_TYPES[self.dtype][0]
        )

    def _row(self, e: Emitter, source: Value, out: Value) -> None:
        m = self.goal
        full = m.width // _VECTOR if m.pitch == 1 else 0

        def vector(i: Index) -> None:
            at = e.mul(i, _VECTOR)
            e.store(self._convert(e, self._place(e, source, at), _VECTOR), out, at)

        e.loop(full, vector)
        e.loop(
            m.width,
            lambda w: e.store(self._convert(e, self._place(e, source, w), 1), out, e.mul(w, m.pitch)),
            start=full * _VECTOR,
        )

    def _convert(self, e: Emitter, pointer: Value, lanes: int) -> Value:
        kind, width = SAMPLE_TYPES[self.dtype]
        b = e.builder

        def shaped(scalar: ir.Type) -> ir.Type:
            return scalar if lanes == 1 else ir.VectorType(scalar, lanes)

        raw = b.load(pointer, align=width, typ=shaped(kind))
        if self.dtype == "float32":
            return raw
        if self.dtype == "float64":
            return b.fptrunc(raw, shaped(F32))
        if self.dtype == "int16":
            return b.sitofp(raw, shaped(F32))
        value = b.uitofp(b.zext(raw, shaped(I32)), shaped(F32))
        return b.fmul(value, e.constant(1.0 / 255.0, lanes))


@dataclass(frozen=True)
class GatherTargets:
    """Targets of the picked rows. Arguments: array (int64 labels, or float32 rows), order, goal.

    Labels become int32; rows are copied.

    Attributes:
        width: floats in a row, 0 for labels.
    """

    width: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        array, order, goal = e.arguments
        b = e.builder

        def sample(n: Index) -> None:
            row = b.load(b.gep(order, [e.integer(n)], source_etype=I64), typ=I64)
            if self.width == 0:
                label = b.load(b.gep(array, [row], source_etype=I64), typ=I64)
                b.store(b.trunc(label, I32), b.gep(goal, [e.integer(n)], source_etype=I32))
                return
            source, out = e.mul(row, self.width), e.mul(n, self.width)
            e.loop(self.width, lambda k: e.store(e.load(array, e.add(source, k), 1), goal, e.add(out, k)))

        e.loop(e.n, sample)


@dataclass(frozen=True)
class Scatter:
    """A map into a contiguous array, channels first, sample by sample. Arguments: map, array (float32)."""

    source: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        source, array = e.arguments
        m = self.source
        size = m.channels * m.height * m.width

        def sample(n: Index) -> None:
            base = e.at(source, e.affine((n, m.size), (1, m.origin)))
            out = e.at(array, e.mul(n, size))
            _each(
                e,
                (m.channels, m.height, m.width),
                lambda c, h, w: e.store(
                    e.load(base, e.affine((h, m.row), (w, m.pitch), (1, c)), 1),
                    out,
                    e.affine((c, m.height * m.width), (h, m.width), (1, w)),
                ),
            )

        e.loop(e.n, sample)


def _each(e: Emitter, extents: tuple[int, int, int], body: Callable[[Index, Index, Index], None]) -> None:
    a, b, c = extents
    e.loop(a, lambda i: e.loop(b, lambda j: e.loop(c, lambda k: body(i, j, k))))
