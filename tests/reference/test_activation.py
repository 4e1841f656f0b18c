"""Activations worked by hand."""

from __future__ import annotations

import math

import pytest

from scanwise.layers import LeakyReLU, ReLU, ScaledTanh, Sigmoid, Tanh
from tests.reference.worked import slope, value


def test_rectifiers() -> None:
    assert value(ReLU(), [-1, 0, 2]) == [0, 0, 2]
    assert slope(ReLU(), [-1, 0, 2], [5, 5, 5]) == [0, 0, 5]
    assert value(LeakyReLU(0.5), [-2, 0, 2]) == [-1, 0, 2]
    assert slope(LeakyReLU(0.5), [-2, 0, 2], [4, 4, 4]) == [2, 2, 4]


def test_sigmoids() -> None:
    assert value(Sigmoid(), [0, math.log(3)]) == pytest.approx([0.5, 0.75])
    assert value(Sigmoid(), [-1000, 1000]) == [0, 1]
    assert value(Tanh(), [0, 1]) == [0, math.tanh(1)]
    assert value(ScaledTanh(), [1.0]) == pytest.approx([1.0], abs=1e-4)  # LeCun's choice: f(1) = 1
    assert slope(ScaledTanh(), [0.0], [1.0]) == pytest.approx([1.7159 * 2 / 3])
