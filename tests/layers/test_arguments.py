"""Arguments of the small layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ScanwiseError, ShapeError
from scanwise.layers import (
    Aggregate,
    Downsample1d,
    Downsample2d,
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    Pad1d,
    Pad2d,
)


def wrong(value: object) -> Any:
    """A value of a type that the checker would refuse."""
    return value


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Linear(0), ArgumentError, "Linear: out_features must be a positive integer. Got 0"),
        (
            lambda: Linear(wrong("10")),
            ArgumentTypeError,
            "Linear: out_features must be a positive integer. Got '10'",
        ),
        (
            lambda: Linear(10, bias=wrong(None)),
            ArgumentTypeError,
            "Linear: bias must be True or False. Got None",
        ),
        (lambda: Downsample1d(0), ArgumentError, "Downsample1d: stride must be"),
        (lambda: Downsample2d((1, 2, 3)), ArgumentError, "Downsample2d: stride must be"),
        (lambda: Pad1d(-1), ArgumentError, "Pad1d: padding must be an integer of at least 0"),
        (lambda: Pad1d((1, 2, 3)), ArgumentError, "Pad1d: padding must be .* a tuple of 2"),
        (lambda: Pad2d((1, 2)), ArgumentError, "Pad2d: padding must be .* a tuple of 4"),
        (lambda: Pad2d(wrong("same")), ArgumentTypeError, "Pad2d: padding must be"),
        (
            lambda: LeakyReLU(wrong("steep")),
            ArgumentTypeError,
            "LeakyReLU: negative_slope must be a number",
        ),
        (lambda: LeakyReLU(float("inf")), ArgumentError, "LeakyReLU: negative_slope must be a finite number"),
        (
            lambda: LeakyReLU(1e39),
            ArgumentError,
            "LeakyReLU: negative_slope must be a finite number in float32",
        ),
        (lambda: Dropout(1.0), ArgumentError, "Dropout: p must be at least 0 and below 1. Got 1.0"),
        (lambda: Dropout(-0.1), ArgumentError, "Dropout: p must be at least 0"),
        (lambda: Dropout(True), ArgumentTypeError, "Dropout: p must be a number"),
        (lambda: Aggregate("sum"), ArgumentError, "Aggregate: mode must be one of 'max', 'mean'.* Got 'sum'"),
        (lambda: Aggregate(wrong(None)), ArgumentTypeError, "Aggregate: mode must be one of"),
    ],
)
def test_bad_arguments(make: Callable[[], Layer], error: type[ScanwiseError], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_paddings_of_each_side() -> None:
    assert Pad1d((2, 1)).pads == (0, 0, 2, 1)
    assert Pad2d((1, 2, 3, 4)).pads == (3, 4, 1, 2)  # given as left, right, top, bottom; told as rows first
    assert Pad2d(1).pads == (1, 1, 1, 1)


def test_aggregate_needs_positions() -> None:
    with pytest.raises(ShapeError, match=r"must be \(K, T\) or \(K, H, W\). Got \(7,\)"):
        Aggregate("max").output_shape((7,))
