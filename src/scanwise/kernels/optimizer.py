"""One optimizer step on a chunk of the parameter buffer: sum the shards' gradients in order, then update.

Arguments: parameters, gradients of shard 0, first moment, second moment, step row; n is the number of shards. Every
element has its own chain, so neither the chunk nor the thread changes a bit.

The step row holds this step's scalars (see `StepRow`).
"""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value

__all__ = ["CHUNK", "AdamWUpdate", "SGDUpdate", "StepRow"]

# Floats that one call updates: small enough to share among threads, large enough that a call costs nothing.
CHUNK = 4096
# An eps that float32 rounds to zero would make 0 / 0 of the buffer's padding, and that would reach every output.
SMALLEST_EPS = 2.0**-126
_LANES = 16


class StepRow:
    """Places of the scalars in a step's row of 16 floats."""

    SCALE = 0  # 1 / samples in the step: multiplies the loss gradient
    LEARNING_RATE = 1
    STEP_SIZE = 2  # AdamW: lr / (1 - b1^t)
    ROOT_CORRECTION = 3  # AdamW: 1 / sqrt(1 - b2^t)
    DECAY = 4  # AdamW: 1 - lr weight_decay
    SEED = 8  # int32: the epoch's seed for dropout
    SIZE = 16


def _gradient(e: Emitter, gradients: Value, at: Index, stride: int) -> Value:
    first = e.load(gradients, at, _LANES)
    return e.loop(
        e.n,
        lambda s, total: [e.builder.fadd(total, e.load(gradients, e.affine((s, stride), (1, at)), _LANES))],
        [first],
        start=1,
    )[0]


@dataclass(frozen=True)
class SGDUpdate:
    """g += weight_decay w; v = momentum v + g; w -= lr v, or with Nesterov w -= lr (g + momentum v).

    Attributes:
        stride: floats from one shard's gradients to the next.
    """

    stride: int
    momentum: float
    nesterov: bool
    weight_decay: float
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        parameters, gradients, velocity, _, row = e.arguments
        rate = e.builder.fneg(e.load_broadcast(row, StepRow.LEARNING_RATE, _LANES))

        def vector(i: Index) -> None:
            at = e.mul(i, _LANES)
            w = e.load(parameters, at, _LANES)
            g = _gradient(e, gradients, at, self.stride)
            if self.weight_decay:
                g = e.fma(e.constant(self.weight_decay, _LANES), w, g)
            step = g
            if self.momentum:
                factor = e.constant(self.momentum, _LANES)
                step = e.fma(factor, e.load(velocity, at, _LANES), g)
                e.store(step, velocity, at)
                if self.nesterov:
                    step = e.fma(factor, step, g)
            e.store(e.fma(rate, step, w), parameters, at)

        e.loop(CHUNK // _LANES, vector)


@dataclass(frozen=True)
class AdamWUpdate:
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w = decay w - step_size m / (sqrt(v) root_correction + eps)."""

    stride: int
    betas: tuple[float, float]
    eps: float
    pointers: int = 5

    def emit(self, e: Emitter) -> None:
        parameters, gradients, first, second, row = e.arguments
        b = e.builder
        step_size = b.fneg(e.load_broadcast(row, StepRow.STEP_SIZE, _LANES))
        correction = e.load_broadcast(row, StepRow.ROOT_CORRECTION, _LANES)
        decay = e.load_broadcast(row, StepRow.DECAY, _LANES)
        b1, b2 = self.betas

        def vector(i: Index) -> None:
            at = e.mul(i, _LANES)
            g = _gradient(e, gradients, at, self.stride)
            m = e.fma(
                e.constant(b1, _LANES), e.load(first, at, _LANES), b.fmul(e.constant(1.0 - b1, _LANES), g)
            )
            square = b.fmul(b.fmul(e.constant(1.0 - b2, _LANES), g), g)
            v = e.fma(e.constant(b2, _LANES), e.load(second, at, _LANES), square)
            e.store(m, first, at)
            e.store(v, second, at)
            root = e.fma(e.sqrt(v), correction, e.constant(max(self.eps, SMALLEST_EPS), _LANES))
            w = b.fmul(decay, e.load(parameters, at, _LANES))
            e.store(e.fma(step_size, b.fdiv(m, root), w), parameters, at)

        e.loop(CHUNK // _LANES, vector)
