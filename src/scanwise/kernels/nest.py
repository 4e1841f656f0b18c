"""The emission of a `Correlation`: register tiles over its grid, and in each the whole reduction.

A tile's sums stay in registers from the first product to the last. Weights are loaded as vectors, inputs are broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import Tile, choose_tile, unroll, vectors_for_one_position
from scanwise.kernels import activation as activations
from scanwise.kernels.maps import lanes_for
from scanwise.kernels.sweep import Sweep, fuse_axes

if TYPE_CHECKING:
    from scanwise.kernels.correlation import Correlation

__all__ = ["Nest", "steps_without_overlap"]

# Tiles along a row that may be written out one by one, so that each skips what lies beyond the map: with more tiles
# the border is a small part of it.
MOST_COLUMN_TILES = 4

# Accumulators of a tile: for each position one a vector.
Sums: TypeAlias = list[list[Value]]


def steps_without_overlap(offsets: list[int], step: int) -> int:
    """How many steps read different inputs. LLVM keeps an input that is read twice in one body, for which there are no
    registers left: it then spills (measured: 1.7 times slower for one input channel).
    """
    read = set(offsets)
    steps = 1
    while steps < 8 and step and read.isdisjoint(offset + steps * step for offset in offsets):
        steps += 1
    return steps


@dataclass(frozen=True)
class _Position:
    """A position of a tile: where its input lies from the tile's, and its column, where that is known."""

    offset: int
    column: int


def _grouped(values: Sequence[Value], size: int) -> Sums:
    return [list(values[i : i + size]) for i in range(0, len(values), size)]


class Nest:
    """Emission of one grid for one group, from where `arguments` point to."""

    def __init__(
        self, e: Emitter, kernel: Correlation, sweep: Sweep, arguments: Sequence[Value], n: Index
    ) -> None:
        self.e, self.kernel, self.sweep, self.n = e, kernel, sweep, n
        self.x, self.w, self.b, self.y, self.other = arguments
        self.tile = kernel.schedule or choose_tile(e.target, kernel.lanes, kernel.blocks, sweep.grid)
        # Which columns meet the map is told when the code is written, so each tile of a row has code of its own.
        tiles = -(-sweep.columns // self.tile.columns)
        self.columns = sweep.inside_columns if tiles <= MOST_COLUMN_TILES else None
        # Kernel rows and columns that may be skipped stay loops of their own.
        alone = 2 if self.columns is not None else 1 if sweep.inside_rows is not None else 0
        self.axes = (*sweep.axes[:alone], *fuse_axes(sweep.axes[alone:]))

    def emit(self) -> None:
        kernel, sweep, e, tile = self.kernel, self.sweep, self.e, self.tile
        # A lone sample has one position per chain: more vectors side by side hide the latency instead.
        lone = vectors_for_one_position(e.target, kernel.lanes, kernel.blocks)
        # The last vector may hold padding lanes, so its tile is written out by itself.
        ragged = kernel.channels % kernel.lanes != 0

        def samples(n: Index, count: int) -> None:
            vectors = lone if count == 1 < tile.samples else tile.vectors
            looped = (kernel.blocks - 1) // vectors * vectors if ragged else kernel.blocks
            e.tiles(looped, vectors, lambda k, ks: blocks(n, count, k, ks))
            if looped < kernel.blocks:
                blocks(n, count, looped, kernel.blocks - looped)

        def blocks(n: Index, count: int, k: Index, ks: int) -> None:
            e.tiles(sweep.rows, tile.rows, lambda p, ps: row(n, count, k, ks, p, ps))

        def row(n: Index, count: int, k: Index, ks: int, p: Index, ps: int) -> None:
            if self.columns is None:
                e.tiles(
                    sweep.columns,
                    tile.columns,
                    lambda q, qs: self._tile(Tile(ks, count, ps, qs), n, k, p, q),
                )
                return
            for q in range(0, sweep.columns, tile.columns):
                self._tile(Tile(ks, count, ps, min(tile.columns, sweep.columns - q)), n, k, p, q)

        e.tiles(self.n, tile.samples, samples)

    def _tile(self, tile: Tile, n: Index, k: Index, p: Index, q: Index) -> None:
        e, kernel, sweep = self.e, self.kernel, self.sweep
        lanes = kernel.lanes
        x = e.at(self.x, sweep.x.offset(n, p, q, e))
        if kernel.depthwise:
            x = e.at(x, e.mul(k, lanes))
        w = e.at(self.w, e.mul(k, kernel.block))
        start = []
        for v in range(tile.vectors):
            width = self._width(k, v)
            start.append(self._bias(e.add(k, v), width) if kernel.bias else e.constant(0.0, width))
        places = [
            (dn, dp, dq)
            for dn in range(tile.samples)
            for dp in range(tile.rows)
            for dq in range(tile.columns)
        ]
        positions = [
            _Position(
                dn * sweep.x.sample + dp * sweep.x.row + dq * sweep.x.column,
                q + dq if isinstance(q, int) else 0,
            )
            for dn, dp, dq in places
        ]
        # By position, then by vector.
        sums = [list(start) for _ in places]
        sums = self._rows(p, tile.rows, x, w, positions, sums)
        for (dn, dp, dq), values in zip(places, sums, strict=True):
            y = e.at(self.y, sweep.y.offset(e.add(n, dn), e.add(p, dp), e.add(q, dq), e))
            other = self.other
            if sweep.other is not None:
                other = e.at(other, sweep.other.offset(e.add(n, dn), e.add(p, dp), e.add(q, dq), e))
            for v, value in enumerate(values):
                self._finish(value, y, other, e.add(k, v), last=self._is_last(k, v))

    def _width(self, k: Index, v: int) -> int:
        """Lanes of a vector: of the last one no more than hold its channels, since a processor does narrow vectors with
        half the work, or two at once.
        """
        kernel = self.kernel
        valid = kernel.channels - (kernel.blocks - 1) * kernel.lanes
        return min(kernel.lanes, lanes_for(valid)) if self._is_last(k, v) else kernel.lanes

    def _bias(self, block: Index, width: int) -> Value:
        e, kernel = self.e, self.kernel
        own = kernel.lanes // kernel.together
        bias = e.load(self.b, e.mul(block, own), min(own, width))
        if kernel.together == 1:
            return bias
        return e.builder.shuffle_vector(bias, bias, e.shuffle([lane % own for lane in range(kernel.lanes)]))

    def _scale(self, block: Index, start: int, lanes: int, width: int) -> Value:
        """Scales (or shifts, from `start` on) of a vector of channels."""
        e, kernel = self.e, self.kernel
        own = kernel.lanes // kernel.together
        at = e.add(start, e.mul(block, own))
        if kernel.together == 1:
            return e.load_part(self.other, at, lanes, width)
        scale = e.load(self.other, at, own)
        return e.builder.shuffle_vector(scale, scale, e.shuffle([lane % own for lane in range(lanes)]))

    def _rows(self, p: Index, rows: int, x: Value, w: Value, positions: list[_Position], sums: Sums) -> Sums:
        """The whole reduction, or the kernel rows with which some row of the tile meets the map."""
        e, inside = self.e, self.sweep.inside_rows
        if inside is None:
            return self._reduce(0, x, w, positions, sums)
        axis = self.axes[0]
        first, end = inside.taps(e, p, rows, axis.count)
        return self._loop(
            end,
            lambda r, inner: self._reduce(
                1, e.at(x, e.mul(r, axis.x)), e.at(w, e.mul(r, axis.w)), positions, inner
            ),
            sums,
            start=first,
        )

    def _loop(
        self, count: Index, body: Callable[[Index, Sums], Sums], sums: Sums, *, start: Index = 0
    ) -> Sums:
        """A loop that carries the sums."""
        vectors = len(sums[0])

        def turn(i: Index, *flat: Value) -> list[Value]:
            return [value for values in body(i, _grouped(flat, vectors)) for value in values]

        carried = [value for values in sums for value in values]
        return _grouped(self.e.loop(count, turn, carried, start=start), vectors)

    def _reduce(self, level: int, x: Value, w: Value, positions: list[_Position], sums: Sums) -> Sums:
        if level == len(self.axes):
            return self._step(x, 0, w, 0, positions, sums)
        e, axis = self.e, self.axes[level]
        if level == 1 and self.columns is not None:
            return self._columns(x, w, positions, sums)
        if level < len(self.axes) - 1:
            return self._loop(
                axis.count,
                lambda i, inner: self._reduce(
                    level + 1, e.at(x, e.mul(i, axis.x)), e.at(w, e.mul(i, axis.w)), positions, inner
                ),
                sums,
            )
        offsets = [position.offset for position in positions]
        # A body for each kernel column is code enough without writing out many steps.
        work = len(sums) * len(sums[0]) * (1 if self.columns is None else 3)
        times = min(unroll(axis.count, work), steps_without_overlap(offsets, axis.x))
        full, rest = divmod(axis.count, times)

        def body(i: Index, inner: Sums) -> Sums:
            xi, wi = e.at(x, e.mul(i, times * axis.x)), e.at(w, e.mul(i, times * axis.w))
            for u in range(times):
                inner = self._step(xi, u * axis.x, wi, u * axis.w, positions, inner)
            return inner

        sums = self._loop(full, body, sums)
        for u in range(full * times, full * times + rest):
            sums = self._step(x, u * axis.x, w, u * axis.w, positions, sums)
        return sums

    def _columns(self, x: Value, w: Value, positions: list[_Position], sums: Sums) -> Sums:
        """Kernel column after kernel column, each for the positions that meet the map with it."""
        e, axis, inside = self.e, self.axes[1], self.columns
        assert inside is not None
        result = list(sums)
        for s in range(axis.count):
            meeting = [i for i, position in enumerate(positions) if inside.meets(position.column, s)]
            if not meeting:
                continue
            some = self._reduce(
                2,
                e.at(e.opaque(x), s * axis.x),
                e.at(w, s * axis.w),
                [positions[i] for i in meeting],
                [result[i] for i in meeting],
            )
            for i, values in zip(meeting, some, strict=True):
                result[i] = values
        return result

    def _step(self, x: Value, xo: int, w: Value, wo: int, positions: list[_Position], sums: Sums) -> Sums:
        e, lanes, block = self.e, self.kernel.lanes, self.kernel.block
        widths = [value.type.count for value in sums[0]]
        weights = [e.load(w, wo + v * block, width) for v, width in enumerate(widths)]
        result = []
        for position, values in zip(positions, sums, strict=True):
            at = xo + position.offset
            if self.kernel.depthwise:
                inputs = [e.load(x, at + v * lanes, width) for v, width in enumerate(widths)]
            else:
                whole = e.load_broadcast(x, at, widths[0])
                inputs = [e.part(whole, width) for width in widths]
            result.append([e.fma(*factors) for factors in zip(weights, inputs, values, strict=True)])
        return result

    def _is_last(self, k: Index, v: int) -> bool:
        """Whether this vector may hold padding lanes."""
        blocks = self.kernel.blocks
        if isinstance(k, int):
            return k + v == blocks - 1
        return False

    def _finish(self, value: Value, y: Value, other: Value, block: Index, *, last: bool) -> None:
        e, kernel = self.e, self.kernel
        lanes = value.type.count
        valid = kernel.channels - (kernel.blocks - 1) * kernel.lanes if last else lanes
        at = e.mul(block, kernel.lanes)
        # Where the next channels in memory belong to the next group, padding lanes must not be written.
        partial = kernel.groups > 1 or kernel.y_pitch < kernel.blocks * kernel.lanes
        width = valid if partial else lanes
        if kernel.settles_zero:
            value = e.builder.fadd(value, e.constant(0.0, lanes))
        if kernel.scales:
            value = e.fma(
                value, self._scale(block, 0, lanes, width), self._scale(block, kernel.scales, lanes, width)
            )
        if kernel.activation is not None:
            if kernel.backward:
                saved = e.load_part(other, at, lanes, width)
                value = activations.derivative(e, kernel.activation, saved, value, lanes)
            else:
                value = activations.apply(e, kernel.activation, value, lanes)
                if not kernel.activation.keeps_zero:
                    value = e.keep(value, lanes, valid)  # never with columns together: see `columns`
        e.store_part(value, y, at, lanes, width)
