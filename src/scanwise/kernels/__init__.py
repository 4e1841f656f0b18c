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
    radial_basis,
    softmax,
    subsample,
    unit_bias,
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
    "radial_basis",
    "softmax",
    "subsample",
    "unit_bias",
]
