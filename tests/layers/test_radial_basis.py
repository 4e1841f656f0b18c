"""Codes of radial basis functions: one form, and what they must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import RadialBasis, from_json


@pytest.mark.parametrize("codes", [[[1, -1], [0, 2]], ((1.0, -1.0), (0.0, 2.0)), np.array([[1, -1], [0, 2]])])
def test_codes_have_one_form(codes: Any) -> None:
    layer = RadialBasis(codes)
    assert repr(layer) == "RadialBasis(((1.0, -1.0), (0.0, 2.0)))"
    assert layer.label() == "RadialBasis(<2x2>)"
    assert from_json({"kind": "RadialBasis", "codes": [[1, -1], [0, 2]]}) == layer
    assert layer.to_json() == {"kind": "RadialBasis", "codes": [[1.0, -1.0], [0.0, 2.0]]}


def test_shapes() -> None:
    layer = RadialBasis(np.ones((10, 84)))
    assert layer.output_shape((84,)) == (10,)
    assert layer.parameter_shapes((84,)) == {}
    assert layer.operations((84,)) == 3 * 840


def test_wrong_shapes() -> None:
    layer = RadialBasis(np.ones((10, 84)))
    with pytest.raises(ShapeError, match=r"RadialBasis\(<10x84>\): input must have the 84 values .* Got 83"):
        layer.output_shape((83,))
    with pytest.raises(ShapeError, match=r"input shape must be \(D,\)\. Got \(84, 1\)\. Put Flatten"):
        layer.output_shape((84, 1))


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        (5, ArgumentTypeError, "codes must be a table, a sequence of rows. Got 5"),
        ([1.0, 2.0], ArgumentTypeError, "codes must be a table, a sequence of rows"),
        ([["1"]], ArgumentTypeError, "codes must be a number. Got '1'"),
        ([[1.0], [float("nan")]], ArgumentError, "codes must be a finite number. Got nan"),
        ([[1e39]], ArgumentError, r"codes must be a finite number in float32. Got 1e\+39"),
        ([[1j]], ArgumentTypeError, "codes must be a number. Got 1j"),
        (np.array([[1.0, 1j]]), ArgumentTypeError, "codes must be a number"),
        (np.ma.masked_array([[1.0, 2.0]], mask=[[False, True]]), ArgumentTypeError, "codes must be a number"),
        ([[1.0], [1.0, 2.0]], ArgumentError, r"codes must have rows of one length, .* Got lengths \[1, 2\]"),
        ([], ArgumentError, "codes must have rows of one length"),
    ],
)
def test_bad_codes(codes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"RadialBasis: {message}"):
        RadialBasis(codes)
