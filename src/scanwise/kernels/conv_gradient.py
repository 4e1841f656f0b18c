"""Gradients of a convolution's weights and bias."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import I64, Emitter, Index, Value
from scanwise.codegen.schedule import GradientTile, choose_gradient_tile, gradient_places, gradient_tiles
from scanwise.codegen.target import Target
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.sweep import Axis, fuse_axes

__all__ = ["BiasGradient", "ParameterGradient"]

# Taps and channels of the weight gradient whose sums are written out one by one, at most.
WRITTEN_OUT = 64


# dw[k, r, s, c] = sum over (n, p, q) of dz[n, p, q, k] x[n, p sh + r dh, q sw + s dw, c]           (lecture 9.4, 9.6)
# db[k]          = sum over (n, p, q) of dz[n, p, q, k]                                             (lecture 9.7)
#
# Both add to what is there: a shard of the batch is summed sample after sample in one chain.


@dataclass(frozen=True)
class ParameterGradient:
    """dw += the correlation of x with dz. Arguments: x, dz, dw (packed as the weights).

    Attributes:
        convolution: the sizes.
        x: the map of x.
        dz: the map of dz.
        schedule: the register tile; None for the model's choice.
        assigns: whether the first call assigns dw, and only the following ones add. A fourth argument says which it is,
            as a number: 0 for the first.
    """

    convolution: Convolution
    x: FeatureMap
    dz: FeatureMap
    schedule: GradientTile | None = None
    assigns: bool = False

    @property
    def pointers(self) -> int:
        return 4 if self.assigns else 3

    def candidates(self, target: Target) -> list["ParameterGradient"]:
        """The schedules that are worth timing: itself with the model's choice, then others."""
        c = self.convolution
        positions = c.positions[0] * c.positions[1]
        tiles = gradient_tiles(target, c.lanes, c.blocks, positions, depthwise=c.depthwise)
        return [replace(self, schedule=tile) for tile in (None, *tiles)]

    def emit(self, e: Emitter) -> None:
        c = self.convolution
        positions = c.positions[0] * c.positions[1]
        tile = self.schedule or choose_gradient_tile(
            e.target, c.lanes, c.blocks, positions, depthwise=c.depthwise
        )
        if tile.by_sample:
            e.loop(e.n, lambda n: e.loop(c.group_count, lambda g: self._group(e, tile, g, n)))
        else:
            e.loop(c.group_count, lambda g: self._group(e, tile, g, None))

    def _group(self, e: Emitter, tile: GradientTile, g: Index, sample: Index | None) -> None:
        """One group: of one sample, or of all of them in the innermost loop."""
        c = self.convolution
        partial = c.group_count > 1 and c.group_outputs % c.lanes != 0
        looped = (c.blocks - 1) // tile.vectors * tile.vectors if partial else c.blocks

        def outputs(k: Index, count: int, *, last: bool = False) -> None:
            valid = c.group_outputs - (c.blocks - 1) * c.lanes if last else c.lanes
            places = tile.places if count == tile.vectors else gradient_places(e.target, c.lanes, count)
            _GradientNest(e, self, g, k, count, places, valid, sample).emit()

        e.tiles(looped, tile.vectors, outputs)
        if looped < c.blocks:
            outputs(looped, c.blocks - looped, last=True)


class _GradientNest:
    """The taps and channels of one tile of output channels, each with all positions inside."""

    def __init__(
        self,
        e: Emitter,
        kernel: ParameterGradient,
        g: Index,
        k: Index,
        vectors: int,
        places: int,
        valid: int,
        sample: Index | None,
    ) -> None:
        c = kernel.convolution
        x, dz, dw = e.arguments[:3]
        self.e, self.c, self.kernel, self.vectors, self.valid = e, c, kernel, vectors, valid
        self.most, self.sample = places, sample
        top, left = c.padding
        self.x = e.at(
            x, e.add(e.mul(g, c.group_channels), kernel.x.origin - top * kernel.x.row - left * kernel.x.pitch)
        )
        self.dz = e.at(dz, e.affine((g, c.group_outputs), (k, c.lanes), (1, kernel.dz.origin)))
        if c.depthwise:
            self.x = e.at(self.x, e.mul(k, c.lanes))
        self.dw = e.at(dw, e.affine((g, c.blocks * c.block), (k, c.block)))

    def emit(self) -> None:
        c, x = self.c, self.kernel.x
        tap = c.steps * c.lanes
        channels = 1 if c.depthwise else c.steps
        axes = list(
            fuse_axes(
                (
                    Axis(c.kernel[0], c.dilation[0] * x.row, c.kernel[1] * tap),
                    Axis(c.kernel[1], c.dilation[1] * x.pitch, tap),
                    Axis(channels, 1, c.lanes),
                )
            )
        )
        # The innermost axes are written out until a tile is filled; the others are loops.
        inner: list[Axis] = [axes.pop()]
        size = inner[0].count
        while axes and size < min(8, self.most):
            outer = axes.pop()
            part = _largest_divisor(outer.count, WRITTEN_OUT // size)
            size *= part
            inner.insert(0, Axis(part, outer.x, outer.w))
            if part < outer.count:
                axes.append(Axis(outer.count // part, outer.x * part, outer.w * part))
                break
        offsets = [(0, 0)]
        for axis in inner[:-1] if len(inner) > 1 else []:
            offsets = [(xo + i * axis.x, wo + i * axis.w) for xo, wo in offsets for i in range(axis.count)]
        self._loops(axes, 0, 0, inner[-1], offsets)

    def _loops(
        self, axes: list[Axis], xo: Index, wo: Index, run: Axis, offsets: list[tuple[int, int]]
    ) -> None:
        e = self.e
        if axes:
            axis = axes[0]
            e.loop(
                axis.count,
                lambda i: self._loops(
                    axes[1:], e.add(xo, e.mul(i, axis.x)), e.add(wo, e.mul(i, axis.w)), run, offsets
                ),
            )
            return
        if len(offsets) == 1:
            size = self._run_tile(run.count)
            e.tiles(
                run.count,
                size,
                lambda i, count: self._tile(
                    e.add(xo, e.mul(i, run.x)),
                    e.add(wo, e.mul(i, run.w)),
                    [(j * run.x, j * run.w) for j in range(count)],
                ),
            )
            return
        flat = [(a + j * run.x, b + j * run.w) for a, b in offsets for j in range(run.count)]
        for first in range(0, len(flat), self.most):
            self._tile(xo, wo, flat[first : first + self.most])

    def _run_tile(self, count: int) -> int:
        """The largest tile that leaves the least rest."""
        most = min(self.most, count)
        return min(
            range(max(1, most * 2 // 3), most + 1), key=lambda size: (-(-count // size), count % size, -size)
        )

    def _tile(self, xo: Index, wo: Index, places: list[tuple[int, int]]) -> None:
        e, c, kernel = self.e, self.c, self.kernel
        lanes, vectors = c.lanes, self.vectors
        x, dw = e.at(self.x, xo), e.at(self.dw, wo)
        sums = [e.load(dw, v * c.block + w, lanes) for v in range(vectors) for _, w in places]
        if kernel.assigns:
            first, nothing = self._is_first(), e.constant(0.0, lanes)
            sums = [e.builder.select(first, nothing, total) for total in sums]

        def position(n: Index, p: Index, q: Index, sums: list[Value]) -> list[Value]:
            source = e.at(
                x,
                e.affine(
                    (n, kernel.x.size), (p, c.stride[0] * kernel.x.row), (q, c.stride[1] * kernel.x.pitch)
                ),
            )
            errors = e.at(self.dz, e.affine((n, kernel.dz.size), (p, kernel.dz.row), (q, kernel.dz.pitch)))
            dz = [
                e.load_part(errors, v * lanes, lanes, self.valid if v == vectors - 1 else lanes)
                for v in range(vectors)
            ]
            result = list(sums)
            for i, (offset, _) in enumerate(places):
                if c.depthwise:
                    values = [e.load(source, offset + v * lanes, lanes) for v in range(vectors)]
                else:
                    values = [e.load_broadcast(source, offset, lanes)] * vectors
                for v in range(vectors):
                    at = v * len(places) + i
                    result[at] = e.fma(dz[v], values[v], sums[at])
            return result

        sums = _over_positions(e, self.sample, c.positions, position, sums)
        for v in range(vectors):
            for i, (_, w) in enumerate(places):
                e.store(sums[v * len(places) + i], dw, v * c.block + w)

    def _is_first(self) -> Value:
        """Whether nothing has been summed yet."""
        e = self.e
        first = e.builder.icmp_unsigned("==", e.builder.ptrtoint(e.arguments[3], I64), e.integer(0))
        if self.sample is None:
            return first
        start = e.builder.icmp_unsigned("==", e.integer(self.sample), e.integer(0))
        return e.builder.and_(first, start)


def _largest_divisor(number: int, limit: int) -> int:
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)


def _over_positions(
    e: Emitter,
    sample: Index | None,
    positions: tuple[int, int],
    body: Callable[..., list[Value]],
    sums: list[Value],
) -> list[Value]:
    """Run `body(n, p, q, sums) -> sums` over the positions of one sample, or of all samples, in order."""
    rows, columns = positions

    def one(n: Index, *sums: Value) -> list[Value]:
        return e.loop(
            rows, lambda p, *b: e.loop(columns, lambda q, *s: body(n, p, q, list(s)), b), list(sums)
        )

    return one(sample, *sums) if sample is not None else e.loop(e.n, one, sums)


@dataclass(frozen=True)
class BiasGradient:
    """db += the sum of dz over samples and positions. Arguments: dz, db.

    Neighbouring columns are summed apart and joined at the end, which hides the latency of the additions.
    """

    convolution: Convolution
    dz: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        c = self.convolution
        e.loop(c.group_count, lambda g: self._group(e, g))

    def _group(self, e: Emitter, g: Index) -> None:
        c = self.convolution
        dz, db = e.arguments
        dz = e.at(dz, e.add(e.mul(g, c.group_outputs), self.dz.origin))
        db = e.at(db, e.mul(g, c.blocks * c.lanes))
        rest = c.group_outputs % c.lanes
        looped = c.blocks - 1 if rest else c.blocks
        e.loop(looped, lambda k: self._block(e, dz, db, k, c.lanes))
        if rest:
            self._block(e, dz, db, looped, rest)

    def _block(self, e: Emitter, dz: Value, db: Value, k: Index, valid: int) -> None:
        c = self.convolution
        lanes = c.lanes
        apart = min(4, c.positions[1])
        full, rest = divmod(c.positions[1], apart)
        zero = e.constant(0.0, lanes)

        def take(n: Index, p: Index, q: Index, sums: list[Value], count: int) -> list[Value]:
            row = e.affine((n, self.dz.size), (p, self.dz.row), (k, lanes))
            result = list(sums)
            for i in range(count):
                at = e.add(row, e.mul(e.add(q, i), self.dz.pitch))
                result[i] = e.builder.fadd(sums[i], e.load_part(dz, at, lanes, valid))
            return result

        def row(n: Index, p: Index, sums: list[Value]) -> list[Value]:
            sums = e.loop(full, lambda i, *s: take(n, p, e.mul(i, apart), list(s), apart), sums)
            return take(n, p, full * apart, sums, rest) if rest else sums

        sums = e.loop(
            e.n, lambda n, *a: e.loop(c.positions[0], lambda p, *s: row(n, p, list(s)), a), [zero] * apart
        )
        total = sums[0]
        for other in sums[1:]:
            total = e.builder.fadd(total, other)
        at = e.mul(k, lanes)
        e.store(e.builder.fadd(e.load(db, at, lanes), total), db, at)
