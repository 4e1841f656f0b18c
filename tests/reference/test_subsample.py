"""Trainable subsampling worked by hand."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Sequential, Subsample1d, Subsample2d
from scanwise.reference import gradients
from tests.reference.worked import value


def test_a_window_is_summed_weighted_and_shifted() -> None:
    x = [[[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 1, 1, 1], [0, 0, 0, 9]]]
    assert value(Subsample2d(2), x, weight=[10, 2], bias=[1, -1]) == [[[141, 221]], [[3, 21]]]
    assert value(Subsample1d(2, stride=1), [[1, 2, 4]], weight=[10], bias=[0.5]) == [[30.5, 60.5]]


def test_gradients() -> None:
    """Sums are (3, 6) for the windows (1, 2) and (2, 4); w = 10 and dy = (1, 2)."""
    parameters = {"0.weight": np.array([10.0]), "0.bias": np.array([0.0])}
    network, x, dy = Sequential(Subsample1d(2, stride=1)), np.array([[[1.0, 2, 4]]]), np.array([[[1.0, 2]]])
    dx, found = gradients(network, x, dy, parameters)
    assert dx.tolist() == [[[10, 30, 20]]]
    assert found["0.weight"].tolist() == [1 * 3 + 2 * 6]
    assert found["0.bias"].tolist() == [3]
