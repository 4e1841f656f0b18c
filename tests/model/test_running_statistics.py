"""Running statistics among a model's parameters: there, but not trained."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from scanwise.errors import ArgumentError

NETWORK = sw.Sequential(sw.Conv1d(3, 3), sw.BatchNorm(), sw.PReLU(), sw.Aggregate("max"))


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_gradients_leave_them_out(backend: str) -> None:
    model = sw.Model(NETWORK, (1, 9), backend=backend)
    trained = ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight"]
    assert set(model.parameters) - set(trained) == {"1.running_mean", "1.running_var"}
    for samples in (0, 2):
        _, gradients = model.gradients(np.zeros((samples, 1, 9)), np.ones((samples, 3)))
        assert list(gradients) == trained
    assert list(model.loss_and_gradients(np.zeros((2, 1, 9)), [0, 1])[1]) == trained


def test_first_values() -> None:
    parameters = sw.Model(NETWORK, (1, 9)).parameters
    assert parameters["1.weight"].tolist() == parameters["1.running_var"].tolist() == [1, 1, 1]
    assert parameters["1.bias"].tolist() == parameters["1.running_mean"].tolist() == [0, 0, 0]
    assert parameters["2.weight"].tolist() == [0.25]


def test_weights_before_a_normalisation_are_made_for_what_follows_it() -> None:
    """He's bound for a ReLU, as without the normalisation."""
    plain, normalised = (
        sw.Model(sw.Sequential(sw.Linear(50), *between, sw.ReLU()), (20,)).parameters["0.weight"]
        for between in ([], [sw.BatchNorm()])
    )
    np.testing.assert_array_equal(plain, normalised)


def test_a_count_of_batches_is_passed_over() -> None:
    model = sw.Model(NETWORK, (1, 9))
    model.parameters.update({"1.running_mean": [1, 2, 3], "1.num_batches_tracked": 17})
    assert model.parameters["1.running_mean"].tolist() == [1, 2, 3]
    with pytest.raises(ArgumentError, match=r"Got '0\.num_batches_tracked'"):
        model.parameters.update({"0.num_batches_tracked": 17})


def test_a_variance_is_not_negative() -> None:
    model = sw.Model(NETWORK, (1, 9))
    with pytest.raises(ArgumentError, match=r"'1\.running_var' must be at least 0: a variance. Got -1\.0"):
        model.parameters["1.running_var"] = [1, -1, 1]
