"""Residual worked by hand."""

from __future__ import annotations

from scanwise.layers import ReLU, Residual
from tests.reference.worked import slope, value


def test_residual_adds_its_input() -> None:
    assert value(Residual(ReLU()), [-1, 2]) == [-1, 4]
    assert slope(Residual(ReLU()), [-1, 2], [10, 10]) == [10, 20]
