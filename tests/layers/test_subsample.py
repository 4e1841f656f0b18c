"""Shapes and arguments of trainable subsampling."""

from __future__ import annotations

import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import Subsample1d, Subsample2d


def test_shapes() -> None:
    assert Subsample2d(2).output_shape((6, 28, 27)) == (6, 14, 13)
    assert Subsample2d((3, 2), stride=1).output_shape((4, 5, 5)) == (4, 3, 4)
    assert Subsample1d(9, stride=1).output_shape((3, 9)) == (3, 1)
    assert Subsample1d(2).parameter_shapes((5, 8)) == {"weight": (5,), "bias": (5,)}


def test_operations_are_the_sum_the_product_and_the_bias() -> None:
    assert Subsample2d(2).operations((6, 28, 28)) == 6 * 14 * 14 * (3 + 1 + 1)


def test_a_stride_like_the_window_is_the_default() -> None:
    assert repr(Subsample2d(2, 2)) == "Subsample2d(2)"
    assert repr(Subsample2d((2, 3), stride=1)) == "Subsample2d((2, 3), stride=1)"


def test_wrong_use() -> None:
    with pytest.raises(ArgumentError, match=r"Subsample2d: kernel_size must be a positive integer\. Got 0"):
        Subsample2d(0)
    with pytest.raises(ArgumentTypeError, match="Subsample1d: stride must be"):
        Subsample1d(2, stride=1.5)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="input extent T with padding must be at least the window"):
        Subsample1d(3).output_shape((1, 2))
