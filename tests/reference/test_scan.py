"""The scanning MLP worked by hand, and as its own windows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from scanwise.layers import Linear, ReLU, Scan1d, Scan2d, Sequential
from scanwise.reference import forward, gradients
from scanwise.reference.container import within
from tests.layers import drawn
from tests.reference.finite_differences import random_parameters, spread
from tests.reference.worked import value


def test_one_neuron_at_every_position() -> None:
    scan = Scan1d(Sequential(Linear(1), ReLU()), 2)
    parameters = {"0.weight": [[1, -1]], "0.bias": [0.5]}
    assert value(scan, [[3, 1, 4, 4]], **parameters) == [[2.5, 0, 0.5]]
    assert value(Scan1d(scan.mlp, 2, stride=2), [[3, 1, 4, 4]], **parameters) == [[2.5, 0.5]]


def test_gradient_of_a_shared_weight_is_the_sum_over_positions() -> None:
    """dL/dw = sum_t dL/dz(t) x(t : t + K - 1), lecture 1.4; every term worked by hand."""
    network = Sequential(Scan1d(Sequential(Linear(1)), 2))
    x, dy = np.array([[[3.0, 1.0, 4.0]]]), np.array([[[10.0, 100.0]]])
    dx, found = gradients(network, x, dy, {"0.0.weight": np.array([[2.0, 5.0]]), "0.0.bias": np.zeros(1)})
    np.testing.assert_array_equal(found["0.0.weight"], [[10 * 3 + 100 * 1, 10 * 1 + 100 * 4]])
    np.testing.assert_array_equal(found["0.0.bias"], [110])
    np.testing.assert_array_equal(dx, [[[10 * 2, 10 * 5 + 100 * 2, 100 * 5]]])


@settings(max_examples=60)
@given(drawn.scans())
def test_a_scan_is_its_mlp_at_every_window(case: drawn.Drawn) -> None:
    scan, shape = case
    assert isinstance(scan, Scan1d | Scan2d)
    network = Sequential(scan)
    x, parameters = spread((2, *shape)), random_parameters(network, shape)
    y = forward(network, x, parameters)
    window, stride = scan.sliding_window()[:2]
    for place in np.ndindex(y.shape[2:]):
        cut = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, stride, window, strict=True))
        patch = x[(slice(None), slice(None), *cut)].reshape(2, -1)
        np.testing.assert_array_equal(
            y[(slice(None), slice(None), *place)], forward(scan.mlp, patch, within(parameters, "0"))
        )
