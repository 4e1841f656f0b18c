"""exp and log of arrays have the bits of the kernels, whatever floating-point mode other libraries leave behind."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from scanwise.plan import functions
from tests.backends import random_values


@pytest.mark.parametrize("shape", [(0,), (1,), (16,), (3, 7), (100, 33)])
def test_every_shape(shape: tuple[int, ...]) -> None:
    x = random_values(*shape)
    for found, exact in ((functions.exp(x), np.exp), (functions.log(np.abs(x)), lambda _: np.log(np.abs(x)))):
        assert found.shape == shape
        np.testing.assert_allclose(found, exact(x.astype(np.float64)), rtol=2e-7, atol=1e-7)


def test_views_are_read_in_their_own_order() -> None:
    x = random_values(9, 8)
    np.testing.assert_array_equal(functions.exp(x.T), functions.exp(x).T)
    np.testing.assert_array_equal(functions.exp(x[::2]), functions.exp(x)[::2])


def test_the_bits_of_softmax() -> None:
    x = random_values(50, 1)
    model = sw.Model(sw.Sequential(sw.Softmax()), (2,))
    pairs = np.concatenate([np.maximum(x, 0) - np.abs(x), np.maximum(x, 0)], axis=1)  # the larger is 0 or x
    shifted = functions.exp(pairs - pairs.max(axis=1, keepdims=True))
    np.testing.assert_array_equal(model(pairs), shifted / (shifted[:, :1] + shifted[:, 1:]))


def test_small_results_stay() -> None:
    assert functions.exp(np.array([-100.0], np.float32))[0] > 0.0  # below 2**-126
