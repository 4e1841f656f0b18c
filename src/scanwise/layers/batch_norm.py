"""Batch normalisation: each channel with mean 0 and variance 1, then a trained scale and shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ArgumentError

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """y_c = weight_c (x_c - mean_c) / sqrt(var_c + eps) + bias_c, for every channel c: any shape goes in and comes out.

    In `fit` mean and variance are those of the whole batch, over samples and positions, and each step moves the
    running statistics towards them: running = (1 - momentum) running + momentum statistic, with the unbiased
    variance. Everywhere else, in predictions, scans, `gradients` and `loss_and_gradients`, they are the running
    statistics, so that a sample's output does not depend on the batch. (A batch with one value a channel has no
    variance: it leaves `running_var` as it is.)

    These are `torch.nn.BatchNorm1d` and `BatchNorm2d`, with the same names and values.

    Source: Ioffe, Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift" (2015), algorithms 1 and 2.

    Args:
        eps: added to the variance, in the square of the input's unit; more than 0.
        momentum: share of a new statistic, more than 0 and at most 1.
        affine: whether there are `weight` and `bias`.

    Parameters, all of shape `(C,)`: `weight`, `bias`; and not trained `running_mean`, `running_var`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> list(BatchNorm().parameter_shapes((6, 28, 28)))
    ['weight', 'bias', 'running_mean', 'running_var']
    """

    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True

    state: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")
    operations_per_output: ClassVar[int] = 2

    def __post_init__(self) -> None:
        self._settle("eps", arguments.positive("BatchNorm", "eps", self.eps))
        self._settle("momentum", arguments.positive("BatchNorm", "momentum", self.momentum))
        if self.momentum > 1.0:
            raise ArgumentError(f"BatchNorm: momentum must be at most 1. Got {self.momentum}.")
        self._settle("affine", arguments.boolean("BatchNorm", "affine", self.affine))

    @property
    def first_values(self) -> Mapping[str, float]:
        return {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        names = (("weight", "bias") if self.affine else ()) + self.state
        return dict.fromkeys(names, (input_shape[0],))
