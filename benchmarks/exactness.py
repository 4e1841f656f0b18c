"""The results of every contender against PyTorch's in float64, before anything is timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

import scanwise as sw
from benchmarks.protocol import Array, Training
from benchmarks.torch_peer import TorchTraining
from benchmarks.torch_twin import twin_of

STEPS = 3
"""Training steps whose losses are compared; the parameters are, after the last of them."""

OUTPUT_BOUND = 1e-5
"""Largest error of an output: some hundred roundings of float32 (6e-8), for algorithms that round otherwise too."""

TRAINING_BOUND = 1e-2
"""Largest error of losses and parameters. Biases begin at zero, so that theirs is the error of their gradients alone.
Of millions of ReLUs and maxima, some lie within a rounding of their kink and send a gradient another way: that gives
errors of some 1e-4 with direct convolutions, of some 1e-3 with Winograd's. A momentum of 0.8 would give 7e-2."""


class ExactnessError(AssertionError):
    """A contender computes something else. Nothing of it is timed."""


def relative_error(actual: ArrayLike, expected: ArrayLike) -> float:
    """Largest difference, as a share of the largest expected value."""
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if a.shape != e.shape:
        raise ExactnessError(f"shape {a.shape}, expected {e.shape}")
    return float(np.abs(a - e).max() / np.abs(e).max())


def expected_outputs(model: sw.Model, x: Array) -> NDArray[np.float64]:
    """What the network gives, in float64."""
    with torch.inference_mode():
        y: NDArray[np.float64] = twin_of(model).double().eval()(torch.from_numpy(x).double()).numpy()
    return y


Trained = tuple[list[float], Mapping[str, NDArray[np.floating]]]
"""The losses of the first steps, and the parameters after them."""


def first_steps(contender: Training) -> Trained:
    """Trains."""
    losses = [float(loss) for loss in contender.run(STEPS)]
    return losses, contender.parameters()


def expected_steps(model: sw.Model, x: Array, y: NDArray[np.int64], batch: int) -> Trained:
    """The same in float64, in the order of the samples."""
    rows = slice(STEPS * batch)
    batches = list(torch.from_numpy(x[rows]).double().split(batch))
    labels = list(torch.from_numpy(y[rows]).split(batch))
    return first_steps(TorchTraining(twin_of(model).double().train(), batches, labels, compiled=False))


def training_errors(actual: Trained, expected: Trained) -> dict[str, float]:
    """The largest error of a loss and of a parameter."""
    if sorted(actual[1]) != sorted(expected[1]):
        raise ExactnessError(f"parameters {sorted(actual[1])}, expected {sorted(expected[1])}")
    parameters = max(relative_error(actual[1][name], value) for name, value in expected[1].items())
    return {"losses": relative_error(actual[0], expected[0]), "parameters": parameters}


def check(name: str, errors: Mapping[str, float], bound: float) -> None:
    """Every error must be within the bound.

    Raises:
        ExactnessError: one is not.
    """
    for what, error in errors.items():
        if not error <= bound:
            raise ExactnessError(
                f"{name}: relative error of {what} against float64 must be at most {bound}. Got {error:.2g}."
            )
