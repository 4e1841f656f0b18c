"""One builder of native code per layer kind: forward, input gradient, parameter gradient."""

from scanwise.kernels import (
    activation,
    aggregate,
    conv,
    downsample,
    dropout,
    linear,
    logmel,
    pad,
    pool,
    softmax,
    unfold,
)
from scanwise.kernels.lowering import lower

__all__ = [
    "activation",
    "aggregate",
    "conv",
    "downsample",
    "dropout",
    "linear",
    "logmel",
    "lower",
    "pad",
    "pool",
    "softmax",
    "unfold",
]
