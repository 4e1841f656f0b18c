"""Batch normalisation worked by hand, and its gradients where mean and variance are those of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from scanwise.layers import BatchNorm, Conv1d, Linear, Residual, Sequential, Shape, Tanh
from scanwise.reference import batch_statistics, forward, running_statistics
from tests.reference.finite_differences import check_gradients, random_parameters

GIVEN = {"0.running_mean": np.array([1.0, 10.0]), "0.running_var": np.array([4.0, 1.0])}
AFFINE = {"0.weight": np.array([2.0, 1.0]), "0.bias": np.array([0.0, 5.0])}


def test_running_statistics_by_hand() -> None:
    network = Sequential(BatchNorm(eps=1e-12))
    y = forward(network, np.array([[[3.0, 5.0], [10.0, 8.0]]]), GIVEN | AFFINE)
    np.testing.assert_allclose(y, [[[2, 4], [5, 3]]])  # 2 (3 - 1) / 2, 2 (5 - 1) / 2; 0 + 5, -2 + 5


def test_statistics_of_the_batch_by_hand() -> None:
    """Channel 0 has the values 1, 1, 3, 3: mean 2, variance 1, unbiased 4 / 3. Channel 1 is constant."""
    network = Sequential(BatchNorm(eps=1e-12, momentum=0.5, affine=False))
    x = np.array([[[1.0, 3.0], [7.0, 7.0]], [[3.0, 1.0], [7.0, 7.0]]])
    parameters = GIVEN | batch_statistics(network)
    np.testing.assert_allclose(forward(network, x, parameters), [[[-1, 1], [0, 0]], [[1, -1], [0, 0]]])
    news = running_statistics(network, x, parameters)
    np.testing.assert_allclose(news["0.running_mean"], [1.5, 8.5])
    np.testing.assert_allclose(news["0.running_var"], [0.5 * 4 + 0.5 * 4 / 3, 0.5])


def test_one_value_has_no_variance() -> None:
    network = Sequential(BatchNorm(momentum=0.5))
    parameters = GIVEN | AFFINE | batch_statistics(network)
    x = np.array([[3.0, 4.0]])
    assert forward(network, x, parameters).tolist() == [[0, 5]]
    news = running_statistics(network, x, parameters)
    assert news["0.running_mean"].tolist() == [2, 7]
    assert news["0.running_var"].tolist() == [4, 1]


@pytest.mark.parametrize(
    ("network", "shape", "places"),
    [
        (Sequential(BatchNorm()), (3, 2, 4), ("0",)),
        (Sequential(BatchNorm(affine=False)), (4,), ("0",)),
        (Sequential(Linear(3), BatchNorm(eps=0.1), Tanh()), (2,), ("1",)),
        (
            Sequential(Sequential(BatchNorm()), Residual(Conv1d(2, 3, padding=1), BatchNorm(), Tanh())),
            (2, 4),
            ("0.0", "1.1"),
        ),
    ],
    ids=str,
)
def test_gradients_of_training_are_central_differences(
    network: Sequential, shape: Shape, places: tuple[str, ...]
) -> None:
    batch = batch_statistics(network)
    assert set(batch) == {f"{place}.training" for place in places}
    parameters = {**random_parameters(network, shape), **batch}
    check_gradients(network, shape, samples=5, parameters=parameters)
    assert set(running_statistics(network, np.ones((2, *shape)), parameters)) == {
        f"{place}.{name}" for place in places for name in BatchNorm.state
    }
