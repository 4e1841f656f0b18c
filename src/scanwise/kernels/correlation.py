"""The convolution loop nest: for every position and output channel, one chain of multiply-adds.

    z[n, p, q, k] = b[k];  for r, s, c:  z[n, p, q, k] += w[k, r, s, c] * x[n, p sh + r dh, q sw + s dw, c]

in exactly this order of r, s, c for every schedule and every processor (lecture 3.1 and 5.4, with the channel loop
innermost because channels lie innermost in memory). The vector lane is k. `Linear` is the same nest with the kernel
covering the map, the input gradient is the same nest over other strides, a depthwise convolution is the same nest with
a vector of inputs in place of a broadcast.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import (
    Grid,
    Tile,
    choose_tile,
    likely_tiles,
    unroll,
    vectors_for_one_position,
)
from scanwise.codegen.target import Target
from scanwise.kernels import activation as activations
from scanwise.kernels.activation import Activation
from scanwise.kernels.sweep import Sweep, fuse_axes

__all__ = ["Correlation"]


@dataclass(frozen=True)
class Correlation:
    """Arguments: x, w, b, y and, where a sweep has `other`, the map it names. b is not read unless `bias`.

    Attributes:
        sweeps: grids of output positions.
        lanes: floats per vector.
        channels: output channels of one group.
        block: floats of weights for one vector of output channels.
        groups: number of groups; the strides `x_group`, `y_group` and `w_group` lead from one to the next.
        depthwise: inputs are vectors too: lane k reads input channel k.
        bias: whether the chain starts from b (otherwise from zero).
        activation: applied to the sum (forward), or whose derivative multiplies it (backward).
        backward: whether `activation` is used by its derivative, from the saved map.
        together: neighbouring columns that share a vector, each with lanes / together of its lanes.
        settles_zero: whether +0 is added to every sum. A sum that has underflowed to -0 becomes +0 by it, as it also
            would by one more product of zeros; so the products of zeros that some schedules leave out or put in change
            no bit.
        schedule: the register tile; None for the model's choice, sweep by sweep.
    """

    sweeps: tuple[Sweep, ...]
    lanes: int
    channels: int
    block: int
    y_pitch: int
    groups: int = 1
    x_group: int = 0
    y_group: int = 0
    w_group: int = 0
    b_group: int = 0
    depthwise: bool = False
    bias: bool = False
    activation: Activation | None = None
    backward: bool = False
    together: int = 1
    settles_zero: bool = False
    schedule: Tile | None = None
    pointers: int = 5

    @property
    def blocks(self) -> int:
        return -(-self.channels // self.lanes)

    def candidates(self, target: Target) -> list["Correlation"]:
        """The schedules that are worth timing: itself with the model's choice, then others."""
        grids = [
            Grid(sweep.rows, sweep.columns, math.prod(axis.count for axis in sweep.axes))
            for sweep in self.sweeps
            if sweep.rows and sweep.columns
        ]
        tiles = likely_tiles(target, self.lanes, self.blocks, grids) if grids else []
        return [replace(self, schedule=tile) for tile in (None, *tiles)]

    def emit(self, e: Emitter) -> None:
        self.emit_on(e, e.arguments, e.n)

    def emit_on(self, e: Emitter, arguments: Sequence[Value], n: Index) -> None:
        """The nest as a part of a larger kernel, with arguments and number of samples of its own."""
        for sweep in self.sweeps:
            if sweep.rows and sweep.columns:
                e.loop(self.groups, lambda g, s=sweep: self._grids(e, s, g, arguments, n))

    def _grids(self, e: Emitter, sweep: Sweep, group: Index, arguments: Sequence[Value], n: Index) -> None:
        x, w, b, y, other = arguments
        x = e.at(x, e.mul(group, self.x_group))
        w = e.at(w, e.add(e.mul(group, self.w_group), sweep.weight_origin))
        b = e.at(b, e.mul(group, self.b_group))
        y, other = (e.at(pointer, e.mul(group, self.y_group)) for pointer in (y, other))

        def grid(w_step: Index, y_step: Index, other_step: Index) -> None:
            places = (x, e.at(w, w_step), b, e.at(y, y_step), e.at(other, other_step))
            _Nest(e, self, sweep, places, n).emit()

        sweep.each(e, grid)


def _steps_without_overlap(offsets: list[int], step: int) -> int:
    """How many steps read different inputs. LLVM keeps an input that is read twice in one body, for which there are no
    registers left: it then spills (measured: 1.7 times slower for one input channel).
    """
    read = set(offsets)
    steps = 1
    while steps < 8 and step and read.isdisjoint(offset + steps * step for offset in offsets):
        steps += 1
    return steps


class _Nest:
    """Emission of one grid for one group, from where `arguments` point to."""

    def __init__(
        self, e: Emitter, kernel: Correlation, sweep: Sweep, arguments: Sequence[Value], n: Index
    ) -> None:
        self.e, self.kernel, self.sweep, self.n = e, kernel, sweep, n
        self.x, self.w, self.b, self.y, self.other = arguments
        # Kernel rows that may be skipped stay a loop of their own.
        alone = sweep.axes[:1] if sweep.inside is not None else ()
        self.axes = (*alone, *fuse_axes(sweep.axes[len(alone) :]))
        self.steps = math.prod(axis.count for axis in self.axes)

    def emit(self) -> None:
        kernel, sweep, e = self.kernel, self.sweep, self.e
        tile = kernel.schedule or choose_tile(
            e.target, kernel.lanes, kernel.blocks, sweep.rows, sweep.columns, self.steps
        )
        # A lone sample has one position per chain: more vectors side by side hide the latency instead.
        lone = vectors_for_one_position(e.target, kernel.lanes, kernel.blocks)
        # The last vector may hold padding lanes, so its tile is written out by itself.
        ragged = kernel.channels % kernel.lanes != 0

        def samples(n: Index, count: int) -> None:
            vectors = tile.vectors if count == tile.samples else lone
            looped = (kernel.blocks - 1) // vectors * vectors if ragged else kernel.blocks
            e.tiles(looped, vectors, lambda k, ks: blocks(n, count, k, ks))
            if looped < kernel.blocks:
                blocks(n, count, looped, kernel.blocks - looped)

        def blocks(n: Index, count: int, k: Index, ks: int) -> None:
            e.tiles(sweep.rows, tile.rows, lambda p, ps: row(n, count, k, ks, p, ps))

        def row(n: Index, count: int, k: Index, ks: int, p: Index, ps: int) -> None:
            e.tiles(
                sweep.columns, tile.columns, lambda q, qs: self._tile(Tile(ks, count, ps, qs), n, k, p, q)
            )

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
            start.append(self._bias(e.add(k, v)) if kernel.bias else e.constant(0.0, lanes))
        places = [
            (dn, dp, dq)
            for dn in range(tile.samples)
            for dp in range(tile.rows)
            for dq in range(tile.columns)
        ]
        offsets = [dn * sweep.x.sample + dp * sweep.x.row + dq * sweep.x.column for dn, dp, dq in places]
        sums = [start[v] for v in range(tile.vectors) for _ in places]
        sums = self._rows(p, tile.rows, x, w, tile.vectors, offsets, sums)
        for i, (dn, dp, dq) in enumerate(places):
            y = e.at(self.y, sweep.y.offset(e.add(n, dn), e.add(p, dp), e.add(q, dq), e))
            other = self.other
            if sweep.other is not None:
                other = e.at(other, sweep.other.offset(e.add(n, dn), e.add(p, dp), e.add(q, dq), e))
            for v in range(tile.vectors):
                self._finish(sums[v * len(places) + i], y, other, e.add(k, v), last=self._is_last(k, v))

    def _bias(self, block: Index) -> Value:
        e, kernel = self.e, self.kernel
        own = kernel.lanes // kernel.together
        bias = e.load(self.b, e.mul(block, own), own)
        if kernel.together == 1:
            return bias
        return e.builder.shuffle_vector(bias, bias, e.shuffle([lane % own for lane in range(kernel.lanes)]))

    def _rows(
        self,
        p: Index,
        rows: int,
        x: Value,
        w: Value,
        vectors: int,
        offsets: list[int],
        sums: list[Value],
    ) -> list[Value]:
        """The whole reduction, or the kernel rows with which some row of the tile meets the map."""
        e, inside = self.e, self.sweep.inside
        if inside is None or len(self.axes) < 2:
            return self._reduce(0, x, w, 0, 0, vectors, offsets, sums)
        start, height = inside
        axis = self.axes[0]
        row = e.add(start, p)
        first = e.maximum(0, e.add(row, 1 - height))
        return e.loop(
            e.minimum(axis.count, e.add(row, rows)),
            lambda r, *inner: self._reduce(
                1, x, w, e.mul(r, axis.x), e.mul(r, axis.w), vectors, offsets, list(inner)
            ),
            sums,
            start=first,
        )

    def _reduce(
        self,
        level: int,
        x: Value,
        w: Value,
        xo: Index,
        wo: Index,
        vectors: int,
        offsets: list[int],
        sums: list[Value],
    ) -> list[Value]:
        e, axis = self.e, self.axes[level]
        if level < len(self.axes) - 1:
            return e.loop(
                axis.count,
                lambda i, *inner: self._reduce(
                    level + 1,
                    x,
                    w,
                    e.add(xo, e.mul(i, axis.x)),
                    e.add(wo, e.mul(i, axis.w)),
                    vectors,
                    offsets,
                    list(inner),
                ),
                sums,
            )
        xp, wp = e.at(x, xo), e.at(w, wo)
        times = min(unroll(axis.count, len(sums)), _steps_without_overlap(offsets, axis.x))
        full, rest = divmod(axis.count, times)

        def body(i: Index, *inner: Value) -> list[Value]:
            values = list(inner)
            xi, wi = e.at(xp, e.mul(i, times * axis.x)), e.at(wp, e.mul(i, times * axis.w))
            for u in range(times):
                values = self._step(xi, u * axis.x, wi, u * axis.w, vectors, offsets, values)
            return values

        sums = e.loop(full, body, sums)
        for u in range(full * times, full * times + rest):
            sums = self._step(xp, u * axis.x, wp, u * axis.w, vectors, offsets, sums)
        return sums

    def _step(
        self, x: Value, xo: int, w: Value, wo: int, vectors: int, offsets: list[int], sums: list[Value]
    ) -> list[Value]:
        e, lanes, block = self.e, self.kernel.lanes, self.kernel.block
        weights = [e.load(w, wo + v * block, lanes) for v in range(vectors)]
        result = list(sums)
        for i, offset in enumerate(offsets):
            if not self.kernel.depthwise:
                value = e.load_broadcast(x, xo + offset, lanes)
            for v in range(vectors):
                if self.kernel.depthwise:
                    value = e.load(x, xo + offset + v * lanes, lanes)
                at = v * len(offsets) + i
                result[at] = e.fma(weights[v], value, sums[at])
        return result

    def _is_last(self, k: Index, v: int) -> bool:
        """Whether this vector may hold padding lanes."""
        blocks = self.kernel.blocks
        if isinstance(k, int):
            return k + v == blocks - 1
        return False

    def _finish(self, value: Value, y: Value, other: Value, block: Index, *, last: bool) -> None:
        e, kernel = self.e, self.kernel
        lanes = kernel.lanes
        valid = kernel.channels - (kernel.blocks - 1) * lanes if last else lanes
        at = e.mul(block, lanes)
        # Where the next channels in memory belong to the next group, padding lanes must not be written.
        partial = kernel.groups > 1 or kernel.y_pitch < kernel.blocks * lanes
        width = valid if partial else lanes
        if kernel.settles_zero:
            value = e.builder.fadd(value, e.constant(0.0, lanes))
        if kernel.activation is not None:
            if kernel.backward:
                saved = e.load_part(other, at, lanes, width)
                value = activations.derivative(e, kernel.activation, saved, value, lanes)
            else:
                value = activations.apply(e, kernel.activation, value, lanes)
                if not kernel.activation.keeps_zero:
                    value = e.keep(value, lanes, valid)  # never with columns together: see `columns`
        e.store_part(value, y, at, lanes, width)
