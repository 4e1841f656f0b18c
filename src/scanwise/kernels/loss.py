"""Losses of the network's output, with the gradient that the backward pass starts from.

Every kernel takes: output, target, gradient, statistics, scale. The output is a map of K channels at one position. To
`statistics[0]` the loss of each sample is added, to `statistics[1]` one for each sample that is right. The gradient is
that of the sample's loss times `scale[0]` (one over the batch).
"""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from scanwise.codegen import functions
from scanwise.codegen.emitter import I32, I64, Emitter, Index, Value
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.softmax import exponentials, largest
from scanwise.kernels.window import over_channels, pointer_at

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "MeanSquaredError"]

SMALLEST_PROBABILITY = 2.0**-126  # keeps log and its derivative finite where the network is sure and wrong


def _each_sample(e: Emitter, body: Callable[[Index], tuple[Value, Value]]) -> None:
    """Run `body(n)`, which gives (loss, right) of a sample, and add these to the statistics."""
    statistics = e.arguments[3]

    def sample(n: Index, loss: Value, right: Value) -> list[Value]:
        more, hit = body(n)
        return [e.builder.fadd(loss, more), e.builder.fadd(right, hit)]

    start = [e.load(statistics, 0, 1), e.load(statistics, 1, 1)]
    loss, right = e.loop(e.n, sample, start)
    e.store(loss, statistics, 0)
    e.store(right, statistics, 1)


# p = softmax(z),    L = -log p_t = log sum_k exp(z_k - m) + m - z_t    with m the largest z
#
# The derivative of log sum exp is the softmax:  dL/dz_k = p_k - 1[k = t]
#
# Of probabilities (a network that ends in `Aggregate("softmax")`):  L = -log p_t,    dL/dp_k = -1[k = t] / p_t


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy with integer labels; target: int32, one a sample.

    Attributes:
        output: the network's output: logits, or probabilities.
        gradient: where its gradient goes.
        probabilities: whether the output is probabilities.
    """

    output: FeatureMap
    gradient: FeatureMap
    probabilities: bool = False
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        _each_sample(e, lambda n: self._sample(e, n))

    def _sample(self, e: Emitter, n: Index) -> tuple[Value, Value]:
        output, target, gradient, _, scale = e.arguments
        b = e.builder
        z = pointer_at(e, output, self.output, n, 0, 0)
        dz = pointer_at(e, gradient, self.gradient, n, 0, 0)
        label = e.load_integer(target, n)
        chosen = e.load(z, b.zext(label, I64), 1)
        best = largest(e, z, self.output)
        right = self._right(e, z, best, label)
        factor = e.load(scale, 0, 1)
        if self.probabilities:
            p = e.fmax(chosen, e.constant(SMALLEST_PROBABILITY, 1))
            self._gradient(e, dz, label, b.fdiv(factor, p), None)
            return b.fneg(functions.log(e, p, 1)), right
        total = exponentials(e, z, dz, self.gradient, best)
        self._gradient(e, dz, label, factor, total)
        sum_, most = (b.extract_element(value, ir.Constant(I32, 0)) for value in (total, best))
        return b.fadd(functions.log(e, sum_, 1), b.fsub(most, chosen)), right

    def _gradient(self, e: Emitter, dz: Value, label: Value, factor: Value, total: Value | None) -> None:
        """dz = factor (dz / total - 1[k = label]), or without the quotient."""
        b, lanes = e.builder, self.gradient.lanes
        size = e.broadcast(factor, lanes)
        zero, one = e.constant(0.0, lanes), e.constant(1.0, lanes)

        def vector(c: Index, *_: int) -> None:
            target = b.select(self._is(e, c, label), one, zero)
            share = zero if total is None else b.fdiv(e.load(dz, c, lanes), total)
            e.store(b.fmul(b.fsub(share, target), size), dz, c)

        over_channels(e, self.gradient, vector)

    def _numbers(self, e: Emitter, c: Index) -> Value:
        """The numbers of the channels in the vector from channel c on."""
        lanes = self.output.lanes
        first = e.broadcast(e.builder.trunc(e.integer(c), I32), lanes)
        return e.builder.add(first, e.integers(range(lanes)))

    def _is(self, e: Emitter, c: Index, label: Value) -> Value:
        """Which lanes are the label's."""
        return e.builder.icmp_signed("==", self._numbers(e, c), e.broadcast(label, self.output.lanes))

    def _right(self, e: Emitter, z: Value, best: Value, label: Value) -> Value:
        """1 if the first of the largest outputs is the label's, else 0."""
        b, lanes = e.builder, self.output.lanes
        none = e.integers([2**31 - 1] * lanes)

        def earlier(a: Value, other: Value) -> Value:
            return b.select(b.icmp_signed("<", other, a), other, a)

        # Padding lanes may equal the largest too, but they come after every channel.
        def vector(c: Index, _count: int, _valid: int, first: Value) -> list[Value]:
            here = b.fcmp_ordered("==", e.load(z, c, lanes), best)
            found = b.select(here, self._numbers(e, c), none)
            return [earlier(first, found)]

        (first,) = over_channels(e, self.output, vector, [none])
        hit = b.icmp_signed("==", e.horizontal(first, lanes, earlier), label)
        return b.select(hit, e.constant(1.0, 1), e.constant(0.0, 1))


class _OverChannels:
    """A loss that is the mean over K of a term of each output; target: float32 [N][K]."""

    output: FeatureMap
    gradient: FeatureMap

    def term(self, e: Emitter, y: Value, t: Value, lanes: int) -> tuple[Value, Value, Value | None]:
        """(loss, gradient, whether right) of a vector of outputs."""
        raise NotImplementedError

    def emit(self, e: Emitter) -> None:
        _each_sample(e, lambda n: self._sample(e, n))

    def _sample(self, e: Emitter, n: Index) -> tuple[Value, Value]:
        output, target, gradient, _, scale = e.arguments
        b, lanes = e.builder, self.output.lanes
        channels = e.constant(float(self.output.channels), 1)
        y = pointer_at(e, output, self.output, n, 0, 0)
        dy = pointer_at(e, gradient, self.gradient, n, 0, 0)
        targets = e.at(target, e.mul(n, self.output.channels))
        factor = e.broadcast(b.fdiv(e.load(scale, 0, 1), channels), lanes)
        one, zero = e.constant(1.0, lanes), e.constant(0.0, lanes)

        def vector(c: Index, _: int, valid: int, total: Value, hits: Value) -> list[Value]:
            t = e.load_part(targets, c, lanes, valid)
            loss, slope, right = self.term(e, e.load(y, c, lanes), t, lanes)
            e.store(e.keep(b.fmul(slope, factor), lanes, valid), dy, c)
            if right is not None:
                hits = b.fadd(hits, e.keep(b.select(right, one, zero), lanes, valid))
            return [b.fadd(total, e.keep(loss, lanes, valid)), hits]

        sums = over_channels(e, self.output, vector, [zero, zero])
        loss, right = (b.fdiv(e.horizontal(value, lanes, b.fadd), channels) for value in sums)
        return loss, right


# p = sigmoid(z),    L = -mean_k(t log p + (1 - t) log(1 - p)) = mean_k(max(z, 0) - z t + log(1 + exp(-|z|)))
#
# The derivative of log(1 + exp z) is the sigmoid:  dL/dz_k = (p_k - t_k) / K
#
# Of probabilities:  L = -mean_k(t log p + (1 - t) log(1 - p)),    dL/dp_k = ((1 - t) / (1 - p) - t / p) / K


@dataclass(frozen=True)
class BinaryCrossEntropy(_OverChannels):
    """Binary cross-entropy of every output, averaged over them; target: float32 [N][K].

    What counts as right is the share of the outputs that lie on their target's side of one half.
    """

    output: FeatureMap
    gradient: FeatureMap
    probabilities: bool = False
    pointers: int = 5

    def term(self, e: Emitter, y: Value, t: Value, lanes: int) -> tuple[Value, Value, Value | None]:
        b = e.builder
        half = e.constant(0.5, lanes)
        middle = half if self.probabilities else e.constant(0.0, lanes)
        right = b.not_(b.xor(b.fcmp_ordered(">", y, middle), b.fcmp_ordered(">", t, half)))
        loss, slope = (_of_probabilities if self.probabilities else _of_logits)(e, y, t, lanes)
        return loss, slope, right


def _of_logits(e: Emitter, z: Value, t: Value, lanes: int) -> tuple[Value, Value]:
    b = e.builder
    small = functions.exp(e, b.fneg(e.absolute(z)), lanes)
    linear = e.fma(b.fneg(z), t, e.fmax(z, e.constant(0.0, lanes)))
    return b.fadd(linear, _log_of_one_plus(e, small, lanes)), b.fsub(functions.logistic(e, z, lanes), t)


def _log_of_one_plus(e: Emitter, a: Value, lanes: int) -> Value:
    """log(1 + a) to full precision also for small a, for a from 0 to 1 (Kahan): the rounding of 1 + a cancels."""
    b = e.builder
    one = e.constant(1.0, lanes)
    sum_ = b.fadd(one, a)
    rounded = b.fsub(sum_, one)
    lost = b.fcmp_ordered("==", rounded, e.constant(0.0, lanes))
    quotient = b.fdiv(a, b.select(lost, one, rounded))
    return b.select(lost, a, b.fmul(functions.log(e, sum_, lanes), quotient))


def _of_probabilities(e: Emitter, y: Value, t: Value, lanes: int) -> tuple[Value, Value]:
    b = e.builder
    one, least = e.constant(1.0, lanes), e.constant(SMALLEST_PROBABILITY, lanes)
    p, q = e.fmax(y, least), e.fmax(b.fsub(one, y), least)
    against = b.fsub(one, t)
    loss = e.fma(t, functions.log(e, p, lanes), b.fmul(against, functions.log(e, q, lanes)))
    return b.fneg(loss), b.fsub(b.fdiv(against, q), b.fdiv(t, p))


# L = mean_k (y_k - t_k)^2,    dL/dy_k = 2 (y_k - t_k) / K


@dataclass(frozen=True)
class MeanSquaredError(_OverChannels):
    """The squared error of every output, averaged over them; target: float32 [N][K]. Nothing counts as right."""

    output: FeatureMap
    gradient: FeatureMap
    pointers: int = 5

    def term(self, e: Emitter, y: Value, t: Value, lanes: int) -> tuple[Value, Value, Value | None]:
        b = e.builder
        difference = b.fsub(y, t)
        return b.fmul(difference, difference), b.fadd(difference, difference), None
