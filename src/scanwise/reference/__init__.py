"""What each layer means: plain loops over NumPy float64, forward directly above backward.

The notation and the section numbers are those of the lecture that Scanwise implements. This is the oracle: the
native engine is right where it agrees with it. It imports NumPy and layer fields, nothing else.
"""

from scanwise.reference import (
    activation,
    aggregate,
    batch_norm,
    container,
    conv,
    conv_transpose,
    downsample,
    flatten,
    linear,
    logmel,
    max_by_label,
    pad,
    plane,
    pool,
    prelu,
    radial_basis,
    scan,
    softmax,
    subsample,
    unfold,
    unit_bias,
)
from scanwise.reference.dropout import sample_keys
from scanwise.reference.loss import loss
from scanwise.reference.network import (
    batch_statistics,
    dropout_masks,
    forward,
    gradients,
    loss_and_gradients,
    running_statistics,
)

__all__ = [
    "activation",
    "aggregate",
    "batch_norm",
    "batch_statistics",
    "container",
    "conv",
    "conv_transpose",
    "downsample",
    "dropout_masks",
    "flatten",
    "forward",
    "gradients",
    "linear",
    "logmel",
    "loss",
    "loss_and_gradients",
    "max_by_label",
    "pad",
    "plane",
    "pool",
    "prelu",
    "radial_basis",
    "running_statistics",
    "sample_keys",
    "scan",
    "softmax",
    "subsample",
    "unfold",
    "unit_bias",
]
