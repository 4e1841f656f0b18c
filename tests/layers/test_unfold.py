"""Unfold's shapes and arguments."""

from __future__ import annotations

import pytest

from scanwise.errors import ArgumentError, ShapeError
from scanwise.layers import Unfold1d, Unfold2d


def test_shapes() -> None:
    assert Unfold1d(3, 2).output_shape((2, 8)) == (6, 3)
    assert Unfold2d((2, 3), (1, 2)).output_shape((4, 5, 8)) == (24, 4, 3)
    assert Unfold1d(3).patch((2, 8)) == (6,)
    assert Unfold1d(3).parameter_shapes((2, 8)) == {}
    assert Unfold1d(3).operations((2, 8)) == 0


def test_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"must be at least the window's 9. Got 8"):
        Unfold1d(9).output_shape((2, 8))
    with pytest.raises(ArgumentError, match=r"Unfold2d: stride must be a positive integer or a tuple of 2"):
        Unfold2d(3, (1, 2, 3))
