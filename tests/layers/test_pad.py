"""Shapes and arguments of padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.layers import Pad1d, Pad2d


def test_shapes() -> None:
    assert Pad1d((2, 1), value=-1.0).output_shape((8, 10)) == (8, 13)
    assert Pad2d((1, 2, 0, 3)).output_shape((8, 10, 10)) == (8, 13, 13)
    assert Pad2d((1, 2, 0, 3)).pads == (0, 3, 1, 2)


def test_printing() -> None:
    assert repr(Pad2d(2)) == "Pad2d(2)"
    assert repr(Pad2d((2, 2, 2, 2), value=-1)) == "Pad2d(2, value=-1.0)"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (float("nan"), ArgumentError, "value must be a finite number. Got nan"),
        (float("-inf"), ArgumentError, "value must be a finite number. Got -inf"),
        (1e39, ArgumentError, r"value must be a finite number in float32. Got 1e\+39"),
        ("0", ArgumentTypeError, "value must be a number. Got '0'"),
        (np.complex64(1), ArgumentTypeError, "value must be a number. Got"),
        (np.True_, ArgumentTypeError, "value must be a number. Got"),
        (np.array([1.0]), ArgumentTypeError, r"value must be a number. Got array\(\[1.\]\)"),
        (None, ArgumentTypeError, "value must be a number. Got None"),
    ],
)
def test_bad_values(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"Pad1d: {message}"):
        Pad1d(1, value=value)
    with pytest.raises(error, match=f"Pad2d: {message}"):
        Pad2d(1, value)


def test_bad_padding() -> None:
    with pytest.raises(
        ArgumentError, match="Pad2d: padding must be an integer of at least 0 or a tuple of 4"
    ):
        Pad2d((1, 2))
    with pytest.raises(ArgumentTypeError, match="Pad1d: padding must be an integer of at least 0 or a tuple"):
        Pad1d(b"ab")  # type: ignore[arg-type]
