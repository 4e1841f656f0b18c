"""One builder of native code per layer kind: forward, input gradient, parameter gradient."""

from scanwise.kernels import (
    activation,
    aggregate,
    conv,
    conv_transpose,
    downsample,
    dropout,
    linear,
    logmel,
    max_by_label,
    pad,
    plane,
    pool,
    radial_basis,
    softmax,
    subsample,
    unfold,
    unit_bias,
)
from scanwise.kernels.lowering import lower

__all__ = [
    "activation",
    "aggregate",
    "conv",
    "conv_transpose",
    "downsample",
    "dropout",
    "linear",
    "logmel",
    "lower",
    "max_by_label",
    "pad",
    "plane",
    "pool",
    "radial_basis",
    "softmax",
    "subsample",
    "unfold",
    "unit_bias",
]
