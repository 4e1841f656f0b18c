"""Convolution and `Linear`: forward pass, input gradient, parameter gradient.

Weights lie as `[group][K / lanes][R S][C per group][lanes]`, in the order in which the nest reads them; `pack` and
`unpack` lead from PyTorch's `[K][C per group][R][S]` and back. For `Linear` C is counted with the padding lanes of
its input map, so that the map can be read as one run of memory.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import tile_limit
from scanwise.kernels.activation import Activation
from scanwise.kernels.correlation import Axis, Correlation, Sweep, View, fuse_axes
from scanwise.kernels.maps import FeatureMap, lanes_for, round_up

__all__ = [
    "BiasGradient",
    "Convolution",
    "ParameterGradient",
    "TransposeWeights",
    "forward",
    "input_gradient",
    "input_gradient_border",
]


@dataclass(frozen=True)
class Convolution:
    """A convolution at given sizes: what all of its kernels are built from.

    Attributes:
        channels: C, input channels.
        outputs: K, output channels.
        kernel: (R, S).
        stride: (sh, sw).
        dilation: (dh, dw).
        padding: zero rows above and zero columns left.
        extent: (H, W) of the input.
        positions: (P, Q) of the output.
        groups: number of groups of channels.
        pitch: input channels as counted in the weights (C per group, or with padding lanes for `Linear`).
        flip: true convolution: the kernel is turned by 180 degrees (lecture 9.5).
        bias: whether there is a bias.
    """

    channels: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    extent: tuple[int, int]
    positions: tuple[int, int]
    groups: int = 1
    pitch: int = 0
    flip: bool = False
    bias: bool = True

    @property
    def depthwise(self) -> bool:
        """One input and one output channel in each group: lanes are the groups."""
        return self.groups > 1 and self.groups == self.channels == self.outputs

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def group_count(self) -> int:
        """Groups that loops run over (a depthwise convolution is one group of vectors)."""
        return 1 if self.depthwise else self.groups

    @property
    def group_outputs(self) -> int:
        return self.outputs // self.group_count

    @property
    def group_channels(self) -> int:
        return self.channels // self.group_count

    @property
    def steps(self) -> int:
        """Input channels that one output channel sums over."""
        return 1 if self.depthwise else (self.pitch or self.group_channels)

    @property
    def lanes(self) -> int:
        return lanes_for(self.group_outputs)

    @property
    def blocks(self) -> int:
        return -(-self.group_outputs // self.lanes)

    @property
    def block(self) -> int:
        """Floats of weights for one vector of output channels."""
        return self.taps * self.steps * self.lanes

    @property
    def weight_size(self) -> int:
        return self.group_count * self.blocks * self.block

    @property
    def bias_size(self) -> int:
        return self.group_count * self.blocks * self.lanes if self.bias else 0

    def pack(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K, C per group, R, S] -> the order that the nest reads."""
        rows, columns = self.kernel
        groups, outputs = self.group_count, self.group_outputs
        source = weight.reshape(groups, outputs, -1, rows, columns)
        if self.flip:
            source = source[..., ::-1, ::-1]
        packed = np.zeros((groups, self.blocks * self.lanes, self.taps, self.steps), np.float32)
        inner = source.shape[2]
        packed[:, :outputs, :, :inner] = source.reshape(groups, outputs, inner, self.taps).transpose(0, 1, 3, 2)
        shape = (groups, self.blocks, self.lanes, self.taps, self.steps)
        return packed.reshape(shape).transpose(0, 1, 3, 4, 2).reshape(-1)

    def unpack(self, packed: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse of `pack`, as [K, C per group, R, S]."""
        rows, columns = self.kernel
        groups, outputs = self.group_count, self.group_outputs
        inner = 1 if self.depthwise else self.group_channels
        shape = (groups, self.blocks, self.taps, self.steps, self.lanes)
        spread = packed.reshape(shape).transpose(0, 1, 4, 2, 3).reshape(groups, -1, self.taps, self.steps)
        weight = spread[:, :outputs, :, :inner].transpose(0, 1, 3, 2)
        weight = weight.reshape(groups * outputs, inner, rows, columns)
        return np.ascontiguousarray(weight[..., ::-1, ::-1] if self.flip else weight)

    def pack_bias(self, bias: NDArray[np.float32]) -> NDArray[np.float32]:
        packed = np.zeros((self.group_count, self.blocks * self.lanes), np.float32)
        # + 0 turns -0 into +0, so that a chain never starts from -0 and adding zeros never changes a bit.
        packed[:, : self.group_outputs] = bias.reshape(self.group_count, -1) + np.float32(0)
        return packed.reshape(-1)

    def unpack_bias(self, packed: NDArray[np.float32]) -> NDArray[np.float32]:
        spread = packed.reshape(self.group_count, -1)[:, : self.group_outputs]
        return np.ascontiguousarray(spread.reshape(-1))


def forward(
    convolution: Convolution, x: FeatureMap, y: FeatureMap, activation: Activation | None = None
) -> Correlation:
    """z = b + w * x, then the activation (lecture 3.1, 5.4). Arguments: w, b packed; x needs a border of the padding."""
    c = convolution
    top, left = c.padding
    sweep = Sweep(
        *c.positions,
        x=View(x.size, c.stride[0] * x.row, c.stride[1] * x.pitch, x.origin - top * x.row - left * x.pitch),
        y=View(y.size, y.row, y.pitch, y.origin),
        axes=_forward_axes(c, x),
    )
    return Correlation(
        (sweep,),
        c.lanes,
        c.group_outputs,
        c.block,
        y.pitch,
        groups=c.group_count,
        x_group=c.group_channels,
        y_group=c.group_outputs,
        w_group=c.blocks * c.block,
        b_group=c.blocks * c.lanes,
        depthwise=c.depthwise,
        bias=c.bias,
        activation=activation,
    )


def _forward_axes(c: Convolution, x: FeatureMap) -> tuple[Axis, ...]:
    tap = c.steps * c.lanes
    channels = 1 if c.depthwise else (c.steps if c.pitch == x.pitch else c.group_channels)
    return (
        Axis(c.kernel[0], c.dilation[0] * x.row, c.kernel[1] * tap),
        Axis(c.kernel[1], c.dilation[1] * x.pitch, tap),
        Axis(channels, 1, c.lanes),
    )


# --- input gradient ---------------------------------------------------------------------------------------------------
#
# dx[h, w, c] = sum over (r, s, k) with h = p sh + r dh - top, w = q sw + s dw - left of  dz[p, q, k] w[k, r, s, c]
#
# (lecture 8.3 to 8.6.) For stride 1 this is the convolution of the zero-padded dz with the flipped kernel, summed over
# output channels. For a stride, only every sh-th r meets a given h: the positions h = a (mod sh) form a phase, and each
# phase is a stride-1 convolution with a part of the taps.


def _phase(kernel: int, stride: int, dilation: int, padding: int, phase: int) -> tuple[int, int, int, int]:
    """Taps that meet the inputs h = phase + stride i: (first tap, tap step, number, dz position at i = 0 for the first)."""
    taps = [r for r in range(kernel) if (phase + padding - r * dilation) % stride == 0]
    if not taps:
        return 0, 1, 0, 0
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    return taps[0], step, len(taps), (phase + padding - taps[0] * dilation) // stride


def _phases(c: Convolution, axis: int) -> list[tuple[int, int, int, int, int, int]]:
    """For each phase: (phase, inputs in it, first tap, tap step, taps, first dz position)."""
    found = []
    for phase in range(min(c.stride[axis], c.extent[axis])):
        count = -(-(c.extent[axis] - phase) // c.stride[axis])
        found.append(
            (phase, count, *_phase(c.kernel[axis], c.stride[axis], c.dilation[axis], c.padding[axis], phase))
        )
    return found


def input_gradient_border(c: Convolution) -> tuple[int, int, int, int]:
    """The zeros that the map of dz needs around it (lecture 8.7: K - 1 on all sides, less the forward padding)."""
    sides: list[int] = []
    for axis in (0, 1):
        low = high = 0
        for _, count, _, step, taps, first in _phases(c, axis):
            if taps:
                back = (taps - 1) * step * c.dilation[axis] // c.stride[axis]
                low = max(low, back - first)
                high = max(high, first + count - 1 - (c.positions[axis] - 1))
        sides += [low, high]
    return sides[0], sides[1], sides[2], sides[3]


def input_gradient(
    convolution: Convolution,
    dz: FeatureMap,
    dx: FeatureMap,
    activation: Activation | None = None,
    saved: FeatureMap | None = None,
) -> Correlation:
    """dx, times f'(x) of the activation that made x if one is given. Arguments: dz, transposed weights, -, dx, saved."""
    c = convolution
    lanes = c.lanes if c.depthwise else lanes_for(c.group_channels)
    inner = 1 if c.depthwise else c.group_outputs
    tap = inner * lanes
    sweeps = []
    for a, rows, r0, r_step, r_count, p0 in _phases(c, 0):
        for b, columns, s0, s_step, s_count, q0 in _phases(c, 1):
            axes = (
                Axis(r_count, -(r_step * c.dilation[0] // c.stride[0]) * dz.row, r_step * c.kernel[1] * tap),
                Axis(s_count, -(s_step * c.dilation[1] // c.stride[1]) * dz.pitch, s_step * tap),
                Axis(inner, 1, lanes),
            )
            if r_count == 0 or s_count == 0:  # no tap reaches these inputs: an empty sum
                axes = (Axis(0, 0, 0),)
            sweeps.append(
                Sweep(
                    rows,
                    columns,
                    x=View(dz.size, dz.row, dz.pitch, dz.origin + p0 * dz.row + q0 * dz.pitch),
                    y=_phase_view(dx, c.stride, a, b),
                    axes=axes,
                    weight_origin=(r0 * c.kernel[1] + s0) * tap,
                    other=_phase_view(saved, c.stride, a, b) if saved is not None else None,
                )
            )
    blocks = -(-c.group_channels // lanes)
    return Correlation(
        tuple(sweeps),
        lanes,
        c.group_channels,
        c.taps * tap,
        dx.pitch,
        groups=c.group_count,
        x_group=c.group_outputs,
        y_group=c.group_channels,
        w_group=blocks * c.taps * tap,
        depthwise=c.depthwise,
        activation=activation,
        backward=activation is not None,
    )


def _phase_view(extent: FeatureMap, stride: tuple[int, int], a: int, b: int) -> View:
    return View(
        extent.size,
        stride[0] * extent.row,
        stride[1] * extent.pitch,
        extent.origin + a * extent.row + b * extent.pitch,
    )


@dataclass(frozen=True)
class TransposeWeights:
    """Weights as the input gradient reads them: lanes are input channels. Arguments: w, transposed.

    `[K / lanes][R S][C][lanes]` becomes `[C / lanes'][R S][K][lanes']` in each group.
    """

    convolution: Convolution
    pointers: int = 2

    @property
    def lanes(self) -> int:
        return lanes_for(self.convolution.group_channels)

    @property
    def size(self) -> int:
        c = self.convolution
        return c.group_count * round_up(c.group_channels, self.lanes) * c.taps * c.group_outputs

    def emit(self, e: Emitter) -> None:
        c, lanes = self.convolution, self.lanes
        w, transposed = e.arguments
        blocks = -(-c.group_channels // lanes)

        def element(g: Index, block: Index, tap: Index, k: Index, valid: int) -> None:
            k_block = e.builder.udiv(e.integer(k), e.integer(c.lanes))
            k_lane = e.builder.urem(e.integer(k), e.integer(c.lanes))
            source = e.affine(
                (g, c.blocks * c.block),
                (k_block, c.block),
                (tap, c.steps * c.lanes),
                (e.mul(block, lanes), c.lanes),
                (k_lane, 1),
            )
            goal = e.affine(
                (g, blocks * c.taps * c.group_outputs * lanes),
                (block, c.taps * c.group_outputs * lanes),
                (tap, c.group_outputs * lanes),
                (k, lanes),
            )
            base = e.at(w, source)
            for lane in range(valid):
                e.store(e.load(base, lane * c.lanes, 1), transposed, e.add(goal, lane))

        def group(g: Index) -> None:
            full, rest = divmod(c.group_channels, lanes)
            for count, first, valid in ((full, 0, lanes), (1, full, rest)):
                if valid:
                    e.loop(
                        count,
                        lambda i, f=first, v=valid: e.loop(
                            c.taps,
                            lambda t: e.loop(c.group_outputs, lambda k: element(g, e.add(f, i), t, k, v)),
                        ),
                    )

        e.loop(c.group_count, group)


# --- parameter gradient -----------------------------------------------------------------------------------------------
#
# dw[k, r, s, c] = sum over (n, p, q) of dz[n, p, q, k] x[n, p sh + r dh, q sw + s dw, c]           (lecture 9.4, 9.6)
# db[k]          = sum over (n, p, q) of dz[n, p, q, k]                                             (lecture 9.7)
#
# Both add to what is there: a shard of the batch is summed sample after sample in one chain.


@dataclass(frozen=True)
class ParameterGradient:
    """dw += the correlation of x with dz. Arguments: x, dz, dw (packed as the weights)."""

    convolution: Convolution
    x: FeatureMap
    dz: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        c = self.convolution
        e.loop(c.group_count, lambda g: self._group(e, g))

    def _group(self, e: Emitter, g: Index) -> None:
        c = self.convolution
        width = e.target.registers_for(c.lanes)
        # Two vectors of dz let each broadcast of x serve two multiply-adds.
        vectors = 2 if c.blocks > 1 and width == 1 and not c.depthwise else 1
        partial = c.group_count > 1 and c.group_outputs % c.lanes != 0
        looped = (c.blocks - 1) // vectors * vectors if partial else c.blocks

        def outputs(k: Index, count: int, *, last: bool = False) -> None:
            valid = c.group_outputs - (c.blocks - 1) * c.lanes if last else c.lanes
            _GradientNest(e, self, g, k, count, valid).emit()

        e.tiles(looped, vectors, outputs)
        if looped < c.blocks:
            outputs(looped, c.blocks - looped, last=True)


class _GradientNest:
    """The taps and channels of one tile of output channels, each with all positions inside."""

    def __init__(
        self, e: Emitter, kernel: ParameterGradient, g: Index, k: Index, vectors: int, valid: int
    ) -> None:
        c = kernel.convolution
        x, dz, dw = e.arguments
        self.e, self.c, self.kernel, self.vectors, self.valid = e, c, kernel, vectors, valid
        top, left = c.padding
        self.x = e.at(x, e.add(e.mul(g, c.group_channels), kernel.x.origin - top * kernel.x.row - left * kernel.x.pitch))
        self.dz = e.at(dz, e.affine((g, c.group_outputs), (k, c.lanes), (1, kernel.dz.origin)))
        if c.depthwise:
            self.x = e.at(self.x, e.mul(k, c.lanes))
        self.dw = e.at(dw, e.affine((g, c.blocks * c.block), (k, c.block)))
        # Register tile: accumulators, dz vectors and a broadcast.
        limit = tile_limit(e.target, c.lanes, vectors)
        self.most = min(limit, 12 if vectors > 1 else 25)

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
            size *= axes[-1].count
            inner.insert(0, axes.pop())
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
        return min(range(max(1, most * 2 // 3), most + 1), key=lambda size: (-(-count // size), count % size, -size))

    def _tile(self, xo: Index, wo: Index, places: list[tuple[int, int]]) -> None:
        e, c, kernel = self.e, self.c, self.kernel
        lanes, vectors = c.lanes, self.vectors
        x, dw = e.at(self.x, xo), e.at(self.dw, wo)
        sums = [e.load(dw, v * c.block + w, lanes) for v in range(vectors) for _, w in places]

        def position(n: Index, p: Index, q: Index, sums: list[Value]) -> list[Value]:
            source = e.at(
                x,
                e.affine((n, kernel.x.size), (p, c.stride[0] * kernel.x.row), (q, c.stride[1] * kernel.x.pitch)),
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

        sums = _over_positions(e, c.positions, position, sums)
        for v in range(vectors):
            for i, (_, w) in enumerate(places):
                e.store(sums[v * len(places) + i], dw, v * c.block + w)


def _over_positions(e: Emitter, positions: tuple[int, int], body: object, sums: list[Value]) -> list[Value]:
    """Run `body(n, p, q, sums) -> sums` over samples and positions in order."""
    rows, columns = positions
    assert callable(body)
    return e.loop(
        e.n,
        lambda n, *a: e.loop(
            rows, lambda p, *b: e.loop(columns, lambda q, *s: body(n, p, q, list(s)), b), a
        ),
        sums,
    )


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
