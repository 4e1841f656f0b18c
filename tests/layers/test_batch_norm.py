"""Arguments, shapes and names of `BatchNorm`, `PReLU` and `GELU`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ScanwiseError, ShapeError
from scanwise.layers import GELU, BatchNorm, Conv1d, Layer, Linear, PReLU, Residual, Scan1d, Sequential, Shape
from scanwise.shapes import walk


@pytest.mark.parametrize("shape", [(7,), (3, 9), (12, 8, 8)])
def test_one_of_each_for_every_channel(shape: Shape) -> None:
    assert BatchNorm().output_shape(shape) == shape
    names = ["weight", "bias", "running_mean", "running_var"]
    assert BatchNorm().parameter_shapes(shape) == dict.fromkeys(names, (shape[0],))
    assert list(BatchNorm(affine=False).parameter_shapes(shape)) == names[2:]
    assert PReLU().parameter_shapes(shape) == {"weight": (1,)}
    assert PReLU(shape[0]).parameter_shapes(shape) == {"weight": (shape[0],)}


def test_running_statistics_are_no_trained_parameters() -> None:
    network = Sequential(Conv1d(4, 3), BatchNorm(), Residual(PReLU(4), BatchNorm(affine=False)))
    assert network.state_names() == (
        "1.running_mean", "1.running_var", "2.1.running_mean", "2.1.running_var",
    )  # fmt: skip
    assert [row.parameters for row in walk(network, (1, 9))] == [16, 8, 4, 0, 0]


def wrong(value: object) -> Any:
    return value


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BatchNorm(0.0), ArgumentError, "BatchNorm: eps must be more than 0. Got 0.0"),
        (lambda: BatchNorm(wrong("small")), ArgumentTypeError, "BatchNorm: eps must be a number"),
        (lambda: BatchNorm(float("nan")), ArgumentError, "BatchNorm: eps must be a finite number"),
        (lambda: BatchNorm(momentum=0), ArgumentError, "BatchNorm: momentum must be more than 0"),
        (lambda: BatchNorm(momentum=1.5), ArgumentError, "BatchNorm: momentum must be at most 1. Got 1.5"),
        (lambda: BatchNorm(momentum=wrong(None)), ArgumentTypeError, "momentum must be a number"),
        (lambda: BatchNorm(affine=wrong(1)), ArgumentTypeError, "affine must be True or False. Got 1"),
        (lambda: PReLU(0), ArgumentError, "PReLU: num_parameters must be a positive integer. Got 0"),
        (lambda: PReLU(1, float("inf")), ArgumentError, "PReLU: init must be a finite number"),
        (lambda: PReLU(3).output_shape((4, 9)), ShapeError, "must have 3 channels. Got \\(4, 9\\)"),
        (lambda: GELU("fast"), ArgumentError, "approximate must be one of 'none', 'tanh'. Got 'fast'"),
        (lambda: GELU(wrong(True)), ArgumentTypeError, "approximate must be one of"),
        (lambda: Scan1d(Sequential(Linear(2), BatchNorm()), 3), ArgumentError, "Got BatchNorm"),
    ],
)
def test_wrong_arguments(make: Callable[[], Layer], error: type[ScanwiseError], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
