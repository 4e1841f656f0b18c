"""Batch normalisation as one multiply-add a value, y = x scale + shift, and its gradients.

What stands for a channel lies in a block of rows, each one position of a map: the scale w s, the shift b - mean w s,
the mean, s = 1 / sqrt(var + eps), and in training two means of gradients (`batch_statistics`). For inference the block
comes from the running statistics and is computed once; a convolution or `Linear` before it applies it in its last step
(docs/decisions/0030).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels import batch_gradient
from scanwise.kernels import batch_statistics as statistics
from scanwise.kernels.activation import Activation, address, each_vector, finished
from scanwise.kernels.batch_statistics import MEAN, ROWS, SCALE, SHIFT, SLOPE, normalised, row
from scanwise.kernels.cut import Cut, pointwise_cuts
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, lanes_for, plain_map
from scanwise.kernels.operation import Call, Derived, Extent, Maps, Merge, Operation, Parameter, per_channel
from scanwise.kernels.window import over_channels
from scanwise.layers import BatchNorm, Shape

__all__ = [
    "BatchNormBackward",
    "BatchNormBlock",
    "BatchNormForward",
    "BatchNormGradient",
    "BatchNormOperation",
    "BatchNormScale",
]


@dataclass(frozen=True)
class BatchNormBlock:
    """Mean and s = 1 / sqrt(var + eps) of the running statistics. Arguments: mean, var, block.

    Attributes:
        channels: C.
        eps: added to the variance.
    """

    channels: int
    eps: float
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        mean, var, block = e.arguments
        b = e.builder

        def vector(c: Index, _: int, valid: int) -> None:
            lanes = lanes_for(self.channels)
            variance = b.fadd(e.load(var, c, lanes), e.constant(self.eps, lanes))
            slope = b.fdiv(e.constant(1.0, lanes), e.sqrt(variance))
            e.store(e.load(mean, c, lanes), block, row(e, self.channels, MEAN, c))
            e.store(e.keep(slope, lanes, valid), block, row(e, self.channels, SLOPE, c))

        over_channels(e, plain_map(self.channels, 1, 1), vector)


@dataclass(frozen=True)
class BatchNormScale:
    """scale = w s, shift = b - mean scale, from a block's mean and s. Arguments: w, b, block.

    Attributes:
        channels: C.
        affine: whether there are w and b; else they are 1 and 0.
    """

    channels: int
    affine: bool
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        weight, bias, block = e.arguments
        b = e.builder

        def vector(c: Index, *_: int) -> None:
            lanes = lanes_for(self.channels)
            mean = e.load(block, row(e, self.channels, MEAN, c), lanes)
            scale, shift = e.load(block, row(e, self.channels, SLOPE, c), lanes), e.constant(0.0, lanes)
            if self.affine:
                scale, shift = b.fmul(e.load(weight, c, lanes), scale), e.load(bias, c, lanes)
            e.store(scale, block, row(e, self.channels, SCALE, c))
            e.store(e.fma(b.fneg(mean), scale, shift), block, row(e, self.channels, SHIFT, c))

        over_channels(e, plain_map(self.channels, 1, 1), vector)


# y = x scale + shift, rounded once


@dataclass(frozen=True)
class BatchNormForward:
    """y = f(x scale + shift). Arguments: x, block, y."""

    x: FeatureMap
    y: FeatureMap
    activation: Activation | None = None
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, block, y = e.arguments
        channels = self.x.channels

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            scale = e.load(block, row(e, channels, SCALE, c), lanes)
            shift = e.load(block, row(e, channels, SHIFT, c), lanes)
            value = e.fma(e.load(x, address(e, self.x, n, p, q, c), lanes), scale, shift)
            value = finished(e, self.activation, value, lanes, valid)
            e.store(value, y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


# dL/dx = scale dL/dy, where mean and var do not depend on x


@dataclass(frozen=True)
class BatchNormBackward:
    """dx = scale dy. Arguments: dy, block, dx."""

    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        dy, block, dx = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
            scale = e.load(block, row(e, self.dy.channels, SCALE, c), lanes)
            e.store(e.builder.fmul(error, scale), dx, address(e, self.dx, n, p, q, c))

        each_vector(e, self.dx, vector)


# dL/dw = sum of dL/dy (x - mean) s,    dL/db = sum of dL/dy, over (n, p, q): one chain for each channel


@dataclass(frozen=True)
class BatchNormGradient:
    """dw += the sum of dy (x - mean) s, db += the sum of dy. Arguments: x, dy, block, dw, db."""

    x: FeatureMap
    dy: FeatureMap
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        x, dy, block, dw, db = e.arguments
        lanes = self.dy.lanes

        def vector(c: Index, *_: int) -> None:
            def position(n: Index, p: Index, q: Index, w: Value, b: Value) -> list[Value]:
                error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
                normal = normalised(e, x, self.x, block, (n, p, q, c))
                return [e.fma(error, normal, w), e.builder.fadd(error, b)]

            def columns(n: Index, p: Index, *sums: Value) -> list[Value]:
                return e.loop(self.dy.width, lambda q, *inner: position(n, p, q, *inner), sums)

            def sample(n: Index, *sums: Value) -> list[Value]:
                return e.loop(self.dy.height, lambda p, *inner: columns(n, p, *inner), sums)

            found = e.loop(e.n, sample, [e.load(dw, c, lanes), e.load(db, c, lanes)])
            for value, goal in zip(found, (dw, db), strict=True):
                e.store(value, goal, c)

        over_channels(e, self.dy, vector)


@dataclass(frozen=True)
class BatchNormOperation(Operation):
    """`BatchNorm` in a network.

    Attributes:
        eps: added to the variance.
        momentum: share of a new statistic in the running ones.
        affine: whether there are weight and bias.
        training: whether the statistics are those of the step's whole batch.
    """

    eps: float
    momentum: float
    affine: bool
    training: bool = False

    fuses_activation = True

    def parameters(self) -> Sequence[Parameter]:
        channels = self.extent[0]
        trained = [per_channel(name, channels) for name in (("weight", "bias") if self.affine else ())]
        state = [replace(per_channel(name, channels), state=True) for name in BatchNorm.state]
        return [*trained, *state]

    def resized(self, rows: int, columns: int) -> "BatchNormOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    @property
    def _scale(self) -> Merge:
        """What completes a block that has its mean and s."""
        names = ("weight", "bias") if self.affine else ("none", "none")
        return Merge(lambda _: BatchNormScale(self.extent[0], self.affine), (*names, "transformed"))

    def transformed(self) -> Derived:
        """The block. In training the batches fill it."""
        channels = self.extent[0]
        size = ROWS * plain_map(channels, 1, 1).pitch
        if self.training:
            return Derived(size, ())
        running = Merge(lambda _: BatchNormBlock(channels, self.eps), (*BatchNorm.state, "transformed"))
        return Derived(size, (), merges=(running, self._scale))

    @property
    def folds_into(self) -> bool:
        return not self.training

    def merges(self) -> Sequence[Merge]:
        if not self.training:
            return ()
        return (*statistics.forward_merges(self.extent[0], self.eps, self.momentum), self._scale)

    def commits(self) -> Sequence[Merge]:
        return statistics.forward_commits(self.extent[0]) if self.training else ()

    def backward_merges(self) -> Sequence[Merge]:
        return batch_gradient.backward_merges(self.extent[0]) if self.training else ()

    @property
    def sums(self) -> int:
        return statistics.sums_size(self.extent[0])

    def before_merges(self, maps: Maps) -> Sequence[Call]:
        return (Call(statistics.BatchSums(maps.x), ("x", "sums")),)

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(BatchNormForward(maps.x, maps.y, self.activation), ("x", "transformed", "y")),)

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return pointwise_cuts(maps, whole)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        if self.training:
            return (Call(batch_gradient.BatchBackward(maps.x, dy, dx), ("x", "dy", "transformed", "dx")),)
        return (Call(BatchNormBackward(dy, dx), ("dy", "transformed", "dx")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        assert maps.dy is not None
        if self.training:
            summed = Call(
                batch_gradient.BatchGradientSums(maps.x, maps.dy), ("x", "dy", "transformed", "gradient sums")
            )
            added = Call(
                batch_gradient.GradientOfSums(self.extent[0]), ("gradient sums", "d weight", "d bias")
            )
            return (summed, added) if self.affine else (summed,)
        if not self.affine:
            return ()
        kernel = BatchNormGradient(maps.x, maps.dy)
        return (Call(kernel, ("x", "dy", "transformed", "d weight", "d bias")),)


@lower.register
def _(layer: BatchNorm, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (BatchNormOperation(extent, layer.eps, layer.momentum, layer.affine),)
