"""Radial basis functions worked by hand."""

from __future__ import annotations

from scanwise.layers import RadialBasis
from tests.reference.worked import slope, value

LAYER = RadialBasis([[1, -1], [3, 0]])


def test_minus_the_squared_distance() -> None:
    assert value(LAYER, [1, 1]) == [-4, -5]
    assert value(LAYER, [3, 0]) == [-5, 0]


def test_gradient() -> None:
    """2 (c - x) of both codes at x = (1, 1): (0, -4) and (4, -2), times dy = (1, 10)."""
    assert slope(LAYER, [1, 1], [1, 10]) == [40, -24]
