"""`find_learning_rate`: what it suggests trains, and it leaves the model alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scanwise as sw
from tests.backends import BACKENDS

NETWORK = sw.Sequential(sw.Linear(8), sw.Tanh(), sw.Linear(3))
X = np.random.default_rng(0).standard_normal((96, 4)).astype(np.float32)
Y = X[:, :3].argmax(axis=1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", [sw.SGD(1.0, momentum=0.9), sw.AdamW(1.0)], ids=repr)
def test_the_suggestion_trains(backend: str, optimizer: Any) -> None:
    model = sw.Model(NETWORK, (4,), backend=backend)
    before = dict(model.parameters)
    found = sw.find_learning_rate(model, X, Y, batch_size=16, optimizer=optimizer)
    assert all(model.parameters[name] is value for name, value in before.items())
    assert (model.loss, model.history) == (None, None)
    assert found.rates.shape == found.losses.shape == found.smoothed.shape
    assert found.suggestion == pytest.approx(found.rates[found.smoothed.argmin()])
    kind = type(optimizer)
    history = sw.fit(model, X, Y, epochs=20, batch_size=16, optimizer=kind(sw.OneCycle(found.suggestion)))
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    again = sw.find_learning_rate(
        sw.Model(NETWORK, (4,), backend=backend), X, Y, batch_size=16, optimizer=optimizer
    )
    np.testing.assert_array_equal(again.losses, found.losses)


def test_it_ends_when_the_loss_is_far_above_the_smallest() -> None:
    model = sw.Model(sw.Sequential(sw.Linear(1)), (4,), backend="reference")
    found = sw.find_learning_rate(model, X, X[:, :1], loss="mse", highest=1e6, steps=200)
    assert len(found.rates) < 200
    assert found.rates[-1] < 1e4


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"lowest": 0.0}, "lowest must be finite and above 0. Got 0.0"),
        ({"highest": np.inf}, "highest must be finite and above 0. Got inf"),
        ({"lowest": "a"}, "lowest must be a number above 0. Got 'a'"),
        ({"lowest": 1.0, "highest": 0.1}, "lowest must be below highest"),
        ({"steps": 9}, "steps must be at least 10. Got 9"),
    ],
)
def test_arguments(changes: dict[str, Any], text: str) -> None:
    model = sw.Model(NETWORK, (4,), backend="reference")
    with pytest.raises(sw.ArgumentError, match=text):
        sw.find_learning_rate(model, X, Y, **changes)


def test_no_rate_at_which_the_loss_falls() -> None:
    model = sw.Model(NETWORK, (4,))
    with pytest.raises(sw.DivergedError, match=r"Got none from 1e\+20 to 1e\+30"):
        sw.find_learning_rate(model, X, Y, lowest=1e20, highest=1e30)


@pytest.mark.parametrize("seed", range(4))
def test_small_batches_of_noisy_losses(seed: int) -> None:
    """Once the rate is too large, units die, and the loss of a network that always gives the same answer is smaller."""
    random = np.random.default_rng(seed)
    x = 3 * random.standard_normal((64, 8))
    layers = [layer for _ in range(4) for layer in (sw.Linear(16), sw.ReLU())]
    model = sw.Model(sw.Sequential(*layers, sw.Linear(2)), (8,), seed=seed)
    found = sw.find_learning_rate(
        model, x, x[:, 0] * x[:, 1] > 0, batch_size=2, optimizer=sw.AdamW(1.0), seed=seed
    )
    assert 0.002 < found.suggestion < 0.05
