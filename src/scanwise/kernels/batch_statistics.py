"""Statistics of a whole batch, which is cut into shards: sums of each shard in float64, then one merge of them all.

A shard's sums lie as [values a channel][sum for each channel][second sum for each channel], float64. Shards are merged
one after the other, each channel by itself, so that neither threads nor vectors change a bit. In float64 a square of a
float32 is exact, and the mean of squares less the square of the mean keeps more digits than float32 has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from scanwise.codegen.emitter import F32, F64, Emitter, Index, Value
from scanwise.kernels.activation import address
from scanwise.kernels.maps import FeatureMap, lanes_for, plain_map
from scanwise.kernels.operation import Merge
from scanwise.kernels.window import over_channels

__all__ = [
    "GRADIENT_MEAN",
    "MEAN",
    "PRODUCT_MEAN",
    "ROWS",
    "SCALE",
    "SHIFT",
    "SLOPE",
    "BatchStatistics",
    "BatchSums",
    "Double",
    "RunningStatistics",
    "forward_commits",
    "forward_merges",
    "merged",
    "normalised",
    "place",
    "row",
    "sum_up",
    "sums_size",
]

# Rows of a block.
SCALE, SHIFT, MEAN, SLOPE, GRADIENT_MEAN, PRODUCT_MEAN, RUNNING_MEAN, RUNNING_VAR = range(8)
ROWS = 8

_HEAD = 16  # floats in front of a shard's sums: a cache line, whose first float64 is the number of values a channel


def _pitch(channels: int) -> int:
    return plain_map(channels, 1, 1).pitch


def row(e: Emitter, channels: int, number: int, channel: Index) -> Index:
    """Where a row of a block has a channel."""
    return e.add(number * _pitch(channels), channel)


def sums_size(channels: int) -> int:
    """Floats of a shard's sums."""
    return _HEAD + 2 * 2 * _pitch(channels)


def normalised(
    e: Emitter, x: Value, extent: FeatureMap, block: Value, at: tuple[Index, Index, Index, Index]
) -> Value:
    """(x - mean) s at (n, p, q, c)."""
    lanes, c = extent.lanes, at[3]
    mean = e.load(block, row(e, extent.channels, MEAN, c), lanes)
    slope = e.load(block, row(e, extent.channels, SLOPE, c), lanes)
    return e.builder.fmul(e.builder.fsub(e.load(x, address(e, extent, *at), lanes), mean), slope)


class Double:
    """Vectors of float64 in memory whose indices count floats."""

    def __init__(self, e: Emitter, lanes: int) -> None:
        self.e, self.b, self.lanes = e, e.builder, lanes
        self.kind = ir.VectorType(F64, lanes)
        self.zero = self.constant(0.0)

    def constant(self, value: float) -> Value:
        return ir.Constant(self.kind, [value] * self.lanes)

    def wide(self, value: Value) -> Value:
        return self.b.fpext(value, self.kind)

    def narrow(self, value: Value) -> Value:
        return self.b.fptrunc(value, ir.VectorType(F32, self.lanes))

    def load(self, pointer: Value, index: Index) -> Value:
        return self.b.load(self.e.at(pointer, index), align=4, typ=self.kind)

    def store(self, value: Value, pointer: Value, index: Index) -> None:
        self.b.store(value, self.e.at(pointer, index), align=4)

    def root(self, value: Value) -> Value:
        function = self.e.declare(f"llvm.sqrt.v{self.lanes}f64", self.kind, [self.kind])
        return self.b.call(function, [value])

    def spread(self, scalar: Value) -> Value:
        return self.e.broadcast(scalar, self.lanes)


def sum_up(
    e: Emitter,
    extent: FeatureMap,
    sums: Value,
    terms: Callable[[Double, tuple[Index, Index, Index, Index]], tuple[Value, Value]],
) -> None:
    """Write two sums over (n, p, q) of each channel, and the number of values, as a shard's sums."""
    b, d = e.builder, Double(e, extent.lanes)
    values = b.mul(e.n, e.integer(extent.height * extent.width))
    b.store(b.sitofp(values, F64), sums, align=4)

    def vector(c: Index, *_: int) -> None:
        def position(n: Index, p: Index, q: Index, *sums: Value) -> list[Value]:
            return [b.fadd(total, term) for total, term in zip(sums, terms(d, (n, p, q, c)), strict=True)]

        def columns(n: Index, p: Index, *sums: Value) -> list[Value]:
            return e.loop(extent.width, lambda q, *inner: position(n, p, q, *inner), sums)

        def sample(n: Index, *sums: Value) -> list[Value]:
            return e.loop(extent.height, lambda p, *inner: columns(n, p, *inner), sums)

        for i, total in enumerate(e.loop(e.n, sample, [d.zero, d.zero])):
            d.store(total, sums, place(e, extent.channels, i, c))

    over_channels(e, extent, vector)


def place(e: Emitter, channels: int, number: int, channel: Index) -> Index:
    """Where a shard's sum, the first or the second, has a channel: an index in floats."""
    return e.add(_HEAD + number * 2 * _pitch(channels), e.mul(channel, 2))


def merged(e: Emitter, sums: Value, channels: int, stride: int, c: Index) -> tuple[Value, Value, Value]:
    """(values a channel, first sum, second sum) of all n shards."""
    b, d = e.builder, Double(e, lanes_for(channels))

    def shard(s: Index, count: Value, first: Value, second: Value) -> list[Value]:
        own = e.at(sums, e.mul(s, stride))
        places = [place(e, channels, i, c) for i in (0, 1)]
        return [
            b.fadd(count, b.load(own, align=4, typ=F64)),
            *(b.fadd(total, d.load(own, at)) for total, at in zip((first, second), places, strict=True)),
        ]

    count, first, second = e.loop(e.n, shard, [ir.Constant(F64, 0.0), d.zero, d.zero])
    return count, first, second


# mean = sum x / M,    var = sum x^2 / M - mean^2


@dataclass(frozen=True)
class BatchSums:
    """A shard's sums of x and of x^2. Arguments: x, sums."""

    x: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, sums = e.arguments

        def terms(d: Double, at: tuple[Index, Index, Index, Index]) -> tuple[Value, Value]:
            value = d.wide(e.load(x, address(e, self.x, *at), d.lanes))
            return value, e.builder.fmul(value, value)

        sum_up(e, self.x, sums, terms)


@dataclass(frozen=True)
class BatchStatistics:
    """Mean and s of a batch into the block, and what the running statistics become. n is the number of shards.

    Arguments: sums of the first shard, running mean, running var, block.

    Attributes:
        channels: C.
        stride: floats from one shard's sums to the next.
        eps: added to the variance.
        momentum: share of the batch in the running statistics.
    """

    channels: int
    stride: int
    eps: float
    momentum: float
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        sums, running_mean, running_var, block = e.arguments
        lanes, b = lanes_for(self.channels), e.builder
        d = Double(e, lanes)

        def vector(c: Index, _: int, valid: int) -> None:
            count, first, second = merged(e, sums, self.channels, self.stride, c)
            values = d.spread(count)
            mean = b.fdiv(first, values)
            var = b.fsub(b.fdiv(second, values), b.fmul(mean, mean))
            var = b.select(b.fcmp_ordered("<", var, d.zero), d.zero, var)
            slope = d.narrow(b.fdiv(d.constant(1.0), d.root(b.fadd(var, d.constant(self.eps)))))
            e.store(d.narrow(mean), block, row(e, self.channels, MEAN, c))
            e.store(e.keep(slope, lanes, valid), block, row(e, self.channels, SLOPE, c))
            self._run(e, d, running_mean, c, mean, block, RUNNING_MEAN)
            # Unbiased. One value alone has no variance.
            several = b.fcmp_ordered(">", count, ir.Constant(F64, 1.0))
            rest = b.select(several, b.fsub(count, ir.Constant(F64, 1.0)), ir.Constant(F64, 1.0))
            unbiased = b.fdiv(b.fmul(var, values), d.spread(rest))
            unbiased = b.select(several, unbiased, d.wide(e.load(running_var, c, lanes)))
            self._run(e, d, running_var, c, unbiased, block, RUNNING_VAR)

        over_channels(e, plain_map(self.channels, 1, 1), vector)

    def _run(
        self, e: Emitter, d: Double, running: Value, c: Index, statistic: Value, block: Value, number: int
    ) -> None:
        """(1 - momentum) running + momentum statistic, into a row of the block."""
        b = e.builder
        kept = b.fmul(d.constant(1.0 - self.momentum), d.wide(e.load(running, c, d.lanes)))
        new = b.fadd(kept, b.fmul(d.constant(self.momentum), statistic))
        e.store(d.narrow(new), block, row(e, self.channels, number, c))


@dataclass(frozen=True)
class RunningStatistics:
    """The running statistics become what the block says, once the step's loss is known to be finite.

    Arguments: block, running mean, running var.
    """

    channels: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        block, *running = e.arguments

        def vector(c: Index, *_: int) -> None:
            for goal, number in zip(running, (RUNNING_MEAN, RUNNING_VAR), strict=True):
                value = e.load(block, row(e, self.channels, number, c), lanes_for(self.channels))
                e.store(value, goal, c)

        over_channels(e, plain_map(self.channels, 1, 1), vector)


def forward_merges(channels: int, eps: float, momentum: float) -> Sequence[Merge]:
    """What follows every shard's `BatchSums`."""
    names = ("sums", "running_mean", "running_var", "transformed")
    return (Merge(lambda stride: BatchStatistics(channels, stride, eps, momentum), names),)


def forward_commits(channels: int) -> Sequence[Merge]:
    """What a step whose loss is finite leaves."""
    return (Merge(lambda _: RunningStatistics(channels), ("transformed", "running_mean", "running_var")),)
