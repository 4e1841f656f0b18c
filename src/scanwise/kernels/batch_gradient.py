"""The gradient through the statistics of a whole batch: two more sums of each shard, one merge of them all, and dx."""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import address
from scanwise.kernels.batch_statistics import (
    GRADIENT_MEAN,
    PRODUCT_MEAN,
    SCALE,
    Double,
    merged,
    normalised,
    place,
    row,
    sum_up,
)
from scanwise.kernels.maps import FeatureMap, lanes_for, plain_map
from scanwise.kernels.operation import Merge
from scanwise.kernels.window import over_channels

__all__ = ["BatchBackward", "BatchGradientMeans", "BatchGradientSums", "GradientOfSums", "backward_merges"]


# dL/dx = w s (dL/dy - 1/M sum dL/dy - xhat / M sum dL/dy xhat): two sums over the whole batch


@dataclass(frozen=True)
class BatchGradientSums:
    """A shard's sums of dy and of dy xhat. Arguments: x, dy, block, sums."""

    x: FeatureMap
    dy: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        x, dy, block, sums = e.arguments

        def terms(d: Double, at: tuple[Index, Index, Index, Index]) -> tuple[Value, Value]:
            error = d.wide(e.load(dy, address(e, self.dy, *at), d.lanes))
            return error, e.builder.fmul(error, d.wide(normalised(e, x, self.x, block, at)))

        sum_up(e, self.dy, sums, terms)


@dataclass(frozen=True)
class GradientOfSums:
    """dw += a shard's sum of dy xhat, db += that of dy. Arguments: sums, dw, db."""

    channels: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        sums, dw, db = e.arguments
        d = Double(e, lanes_for(self.channels))

        def vector(c: Index, *_: int) -> None:
            for goal, number in ((db, 0), (dw, 1)):
                total = d.narrow(d.load(sums, place(e, self.channels, number, c)))
                e.store(e.builder.fadd(e.load(goal, c, d.lanes), total), goal, c)

        over_channels(e, plain_map(self.channels, 1, 1), vector)


@dataclass(frozen=True)
class BatchGradientMeans:
    """The means of dy and of dy xhat over a batch, into the block. n is the number of shards.

    Arguments: sums of the first shard, block.

    Attributes:
        channels: C.
        stride: floats from one shard's sums to the next.
    """

    channels: int
    stride: int
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        sums, block = e.arguments
        d = Double(e, lanes_for(self.channels))

        def vector(c: Index, *_: int) -> None:
            count, *totals = merged(e, sums, self.channels, self.stride, c)
            for number, total in zip((GRADIENT_MEAN, PRODUCT_MEAN), totals, strict=True):
                mean = d.narrow(e.builder.fdiv(total, d.spread(count)))
                e.store(mean, block, row(e, self.channels, number, c))

        over_channels(e, plain_map(self.channels, 1, 1), vector)


@dataclass(frozen=True)
class BatchBackward:
    """dx = scale (dy - mean dy - xhat mean(dy xhat)). Arguments: x, dy, block, dx."""

    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        x, dy, block, dx = e.arguments
        b, m = e.builder, self.dx

        def vector(n: Index, p: Index, q: Index, c: Index) -> None:
            def of_block(number: int) -> Value:
                return e.load(block, row(e, m.channels, number, c), m.lanes)

            normal = normalised(e, x, self.x, block, (n, p, q, c))
            error = b.fsub(e.load(dy, address(e, self.dy, n, p, q, c), m.lanes), of_block(GRADIENT_MEAN))
            error = e.fma(b.fneg(normal), of_block(PRODUCT_MEAN), error)
            e.store(b.fmul(error, of_block(SCALE)), dx, address(e, m, n, p, q, c))

        def position(n: Index, p: Index, q: Index) -> None:
            over_channels(e, m, lambda c, *_: vector(n, p, q, c))

        e.loop(e.n, lambda n: e.loop(m.height, lambda p: e.loop(m.width, lambda q: position(n, p, q))))


def backward_merges(channels: int) -> Sequence[Merge]:
    """What follows every shard's `BatchGradientSums`."""
    names = ("gradient sums", "transformed")
    return (Merge(lambda stride: BatchGradientMeans(channels, stride), names),)
