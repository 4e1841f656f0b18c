"""Between the caller's arrays (channels first) and maps (channels innermost)."""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from scanwise.codegen.emitter import F32, F64, I8, I32, I64, Emitter, Index, Value
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.transpose import columns_of

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

    Attributes:
        dtype: of the array.
        goal: the map.
        scattered: rows lie anywhere; the order tells how many values behind the array's beginning each starts.
    """

    dtype: str
    goal: FeatureMap
    scattered: bool = False
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        array, order, goal = e.arguments
        m = self.goal
        size = 1 if self.scattered else m.channels * m.height * m.width
        walk = _Walk.over(m)

        def start(n: Index) -> Value:
            row = e.builder.load(e.builder.gep(order, [e.integer(n)], source_etype=I64), typ=I64)
            return self._place(e, array, e.mul(row, size))

        def sample(n: Index) -> None:
            source = start(n)
            out = e.at(goal, e.affine((n, m.size), (1, m.origin)))
            if walk.blocks:
                following = start(e.minimum(e.add(n, 1), e.add(e.n, -1)))
                walk.each(e, lambda c, h, w: self._block(e, walk, (source, following), out, c, h, w))
                return
            e.loop(
                m.channels,
                lambda c: e.loop(
                    walk.rows,
                    lambda h: self._row(
                        e,
                        self._place(e, source, walk.place(e, c, h, 0)),
                        e.at(out, e.affine((h, m.row), (1, c))),
                        walk.columns,
                    ),
                ),
            )

        e.loop(e.n, sample)

    def _block(
        self,
        e: Emitter,
        walk: "_Walk",
        sources: tuple[Value, Value],
        out: Value,
        c: Index,
        h: Index,
        w: Index,
    ) -> None:
        """A square of a sample. The same square of the next sample is asked for: memory answers slowly, and sixteen
        short rows are more than a processor foresees by itself.
        """
        m = self.goal
        lanes, width = walk.blocks
        rows = []
        for i in range(min(lanes, m.channels)):
            at = walk.place(e, e.add(c, i), h, w)
            rows.append(self._convert(e, self._place(e, sources[0], at), width))
            e.prefetch(self._place(e, sources[1], at))
        rows += [e.constant(0.0, width)] * (lanes - len(rows))
        at = e.affine((h, m.row), (w, m.pitch), (1, c))
        for i, column in enumerate(columns_of(e, rows, width)):
            e.store(column, out, e.add(at, i * m.pitch))

    def _place(self, e: Emitter, pointer: Value, index: Index) -> Value:
        return e.builder.gep(
            pointer, [e.integer(index)], inbounds=True, source_etype=SAMPLE_TYPES[self.dtype][0]
        )

    def _row(self, e: Emitter, source: Value, out: Value, columns: int) -> None:
        m = self.goal
        full = columns // _VECTOR if m.pitch == 1 else 0

        def vector(i: Index) -> None:
            at = e.mul(i, _VECTOR)
            e.store(self._convert(e, self._place(e, source, at), _VECTOR), out, at)

        e.loop(full, vector)
        e.loop(
            columns,
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

        walk = _Walk.over(m)

        def sample(n: Index) -> None:
            base = e.at(source, e.affine((n, m.size), (1, m.origin)))
            out = e.at(array, e.mul(n, size))
            if walk.blocks:
                walk.each(e, lambda c, h, w: self._block(e, walk, base, out, c, h, w))
                return
            walk.values(
                e,
                lambda c, h, w: e.store(
                    e.load(base, e.affine((h, m.row), (w, m.pitch), (1, c)), 1), out, walk.place(e, c, h, w)
                ),
            )

        e.loop(e.n, sample)

    def _block(
        self, e: Emitter, walk: "_Walk", base: Value, out: Value, c: Index, h: Index, w: Index
    ) -> None:
        m = self.source
        lanes, width = walk.blocks
        at = e.affine((h, m.row), (w, m.pitch), (1, c))
        columns = [e.load(base, e.add(at, i * m.pitch), lanes) for i in range(width)]
        for i, row in enumerate(columns_of(e, columns, lanes)[: m.channels]):
            e.store(row, out, walk.place(e, e.add(c, i), h, w))


@dataclass(frozen=True)
class _Walk:
    """How a map is walked between the two orders: in squares that are transposed in registers.

    Where a block does not divide an extent the last one overlaps the one before: it writes the same values again.

    Attributes:
        channels: C.
        rows, columns: a map without a border is one row.
        area: floats of a channel in the array.
        blocks: channels and columns of a square; empty where there are too few of them.
    """

    channels: int
    rows: int
    columns: int
    area: int
    blocks: tuple[int, ...]

    @classmethod
    def over(cls, m: FeatureMap) -> "_Walk":
        area = m.height * m.width
        rows, columns = (m.height, m.width) if m.bordered else (1, area)
        # Fewer than four channels fill a vector with their padding lanes, where there are any.
        lanes, width = _block(m.channels) or (4 if m.pitch >= 4 else 0), _block(columns)
        return cls(m.channels, rows, columns, area, (lanes, width) if lanes and width else ())

    def place(self, e: Emitter, c: Index, h: Index, w: Index) -> Index:
        """Index into the array."""
        return e.affine((c, self.area), (h, self.columns), (1, w))

    def each(self, e: Emitter, body: Callable[[Index, Index, Index], None]) -> None:
        """Run `body(channel, row, column)` at the start of every square."""
        lanes, width = self.blocks

        def starts(extent: int, size: int, inner: Callable[[Index], object]) -> None:
            last = max(0, extent - size)

            def block(i: Index) -> None:
                inner(e.minimum(e.mul(i, size), last))

            e.loop(-(-extent // size), block)

        starts(
            self.channels,
            lanes,
            lambda c: e.loop(self.rows, lambda h: starts(self.columns, width, lambda w: body(c, h, w))),
        )

    def values(self, e: Emitter, body: Callable[[Index, Index, Index], None]) -> None:
        """Run `body(channel, row, column)` for every value."""
        e.loop(
            self.channels,
            lambda c: e.loop(self.rows, lambda h: e.loop(self.columns, lambda w: body(c, h, w))),
        )


def _block(extent: int) -> int:
    """The block that covers an extent with the least work, which is its size and a little; 0 for fewer than four."""
    sizes = [size for size in (16, 8, 4) if size <= extent]
    return min(sizes, key=lambda size: -(-extent // size) * (size + 2), default=0)
