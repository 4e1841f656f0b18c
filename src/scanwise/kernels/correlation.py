"""The convolution loop nest: for every position and output channel, one chain of multiply-adds.

    z[n, p, q, k] = b[k];  for r, s, c:  z[n, p, q, k] += w[k, r, s, c] * x[n, p sh + r dh, q sw + s dw, c]

in exactly this order of r, s, c for every schedule and every processor (lecture 3.1 and 5.4, with the channel loop
innermost because channels lie innermost in memory). The vector lane is k. `Linear` is the same nest with the kernel
covering the map, the input gradient is the same nest over other strides, a depthwise convolution is the same nest with
a vector of inputs in place of a broadcast.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import (
    SAMPLES,
    Skip,
    Tile,
    choose_tile,
    side_by_side,
    unroll,
    vectors_for_one_position,
)
from scanwise.kernels import activation as activations
from scanwise.kernels.activation import Activation
from scanwise.kernels.maps import lanes_for
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
        samples: that every call may be expected to have; 0 if that is not known.
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
    samples: int = 0
    pointers: int = 5

    @property
    def blocks(self) -> int:
        return -(-self.channels // self.lanes)

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
        self.tile = self._choose_tile()
        rows, columns = sweep.skips
        # In wide tiles there may be no column tap to skip.
        if columns is not None and not columns.pays(sweep.columns, self.tile.columns):
            columns = None
        # Taps that may be skipped stay a loop of their own.
        alone = 2 if columns is not None else 1 if rows is not None else 0
        self.skips = (rows, columns)[:alone]
        self.axes = (*sweep.axes[:alone], *fuse_axes(sweep.axes[alone:]))

    def _choose_tile(self) -> Tile:
        kernel, sweep = self.kernel, self.sweep
        steps = math.prod(axis.count for axis in sweep.axes)
        sizes = (sweep.rows, sweep.columns, steps, kernel.samples or SAMPLES)
        # A position by itself runs no more taps than its own, and other samples run the same.
        over_samples = kernel.samples > 1 and sweep.skips != (None, None)
        most = 64 if sweep.columns == 1 else side_by_side(sweep.x.column)
        return choose_tile(
            self.e.target, kernel.lanes, kernel.blocks, *sizes, sweep.skips, over_samples, most
        )

    def emit(self) -> None:
        kernel, sweep, e = self.kernel, self.sweep, self.e
        tile = self.tile
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
        widths = [self._width(k, v) for v in range(tile.vectors)]
        start = []
        for v, width in enumerate(widths):
            start.append(self._bias(e.add(k, v), width) if kernel.bias else e.constant(0.0, width))
        places = [
            (dn, dp, dq)
            for dn in range(tile.samples)
            for dp in range(tile.rows)
            for dq in range(tile.columns)
        ]
        offsets = [dn * sweep.x.sample + dp * sweep.x.row + dq * sweep.x.column for dn, dp, dq in places]
        sums = [start[v] for v in range(tile.vectors) for _ in places]
        bounds = [
            self._bounds(skip, at, size)
            for skip, at, size in zip(self.skips, (p, q), (tile.rows, tile.columns), strict=False)
        ]
        sums = self._reduce(0, bounds, x, w, 0, 0, widths, offsets, sums)
        for i, (dn, dp, dq) in enumerate(places):
            y = e.at(self.y, sweep.y.offset(e.add(n, dn), e.add(p, dp), e.add(q, dq), e))
            other = self.other
            if sweep.other is not None:
                other = e.at(other, sweep.other.offset(e.add(n, dn), e.add(p, dp), e.add(q, dq), e))
            for v in range(tile.vectors):
                self._finish(sums[v * len(places) + i], y, other, e.add(k, v), widths[v], self._is_last(k, v))

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

    def _bounds(self, skip: Skip | None, position: Index, size: int) -> tuple[Index, Index] | None:
        """First tap, and the one behind the last, with which some of `size` positions meet the map."""
        if skip is None:
            return None
        e, step = self.e, abs(skip.step)
        # The first position's places below the extent, the last one's from 0 on.
        below = e.affine((position, -skip.stride), (1, skip.extent - 1 - skip.start))
        above = e.affine((position, skip.stride), (1, skip.start + skip.stride * (size - 1)))
        if skip.step > 0:
            first = e.divide(e.maximum(0, e.add(e.mul(above, -1), step - 1)), step)
            last = e.divide(e.maximum(-step, below), step)
        else:
            first = e.divide(e.maximum(0, e.add(e.mul(below, -1), step - 1)), step)
            last = e.divide(e.maximum(-step, above), step)
        return first, e.minimum(skip.taps, e.add(last, 1))

    def _reduce(
        self,
        level: int,
        bounds: list[tuple[Index, Index] | None],
        x: Value,
        w: Value,
        xo: Index,
        wo: Index,
        widths: list[int],
        offsets: list[int],
        sums: list[Value],
    ) -> list[Value]:
        e, axis = self.e, self.axes[level]
        if level < len(self.axes) - 1:
            start, stop = (bounds[level] if level < len(bounds) else None) or (0, axis.count)
            return e.loop(
                stop,
                lambda i, *inner: self._reduce(
                    level + 1,
                    bounds,
                    x,
                    w,
                    e.add(xo, e.mul(i, axis.x)),
                    e.add(wo, e.mul(i, axis.w)),
                    widths,
                    offsets,
                    list(inner),
                ),
                sums,
                start=start,
            )
        xp, wp = e.at(x, xo), e.at(w, wo)
        times = min(unroll(axis.count, len(sums)), _steps_without_overlap(offsets, axis.x))
        full, rest = divmod(axis.count, times)

        def body(i: Index, *inner: Value) -> list[Value]:
            values = list(inner)
            xi, wi = e.at(xp, e.mul(i, times * axis.x)), e.at(wp, e.mul(i, times * axis.w))
            for u in range(times):
                values = self._step(xi, u * axis.x, wi, u * axis.w, widths, offsets, values)
            return values

        sums = e.loop(full, body, sums)
        for u in range(full * times, full * times + rest):
            sums = self._step(xp, u * axis.x, wp, u * axis.w, widths, offsets, sums)
        return sums

    def _step(
        self, x: Value, xo: int, w: Value, wo: int, widths: list[int], offsets: list[int], sums: list[Value]
    ) -> list[Value]:
        e, lanes, block = self.e, self.kernel.lanes, self.kernel.block
        weights = [e.load(w, wo + v * block, width) for v, width in enumerate(widths)]
        result = list(sums)
        for i, offset in enumerate(offsets):
            if not self.kernel.depthwise:
                whole = e.load_broadcast(x, xo + offset, widths[0])
            for v, width in enumerate(widths):
                if self.kernel.depthwise:
                    value = e.load(x, xo + offset + v * lanes, width)
                else:
                    value = e.part(whole, width)
                at = v * len(offsets) + i
                result[at] = e.fma(weights[v], value, sums[at])
        return result

    def _is_last(self, k: Index, v: int) -> bool:
        """Whether this vector may hold padding lanes."""
        blocks = self.kernel.blocks
        if isinstance(k, int):
            return k + v == blocks - 1
        return False

    def _finish(self, value: Value, y: Value, other: Value, block: Index, lanes: int, last: bool) -> None:
        e, kernel = self.e, self.kernel
        valid = kernel.channels - (kernel.blocks - 1) * kernel.lanes if last else lanes
        at = e.mul(block, kernel.lanes)
        # Where the next channels in memory belong to the next group, padding lanes must not be written.
        partial = kernel.groups > 1 or kernel.y_pitch < kernel.blocks * kernel.lanes
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
