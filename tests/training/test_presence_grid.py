"""Training a perceptron on a fixed grid of cells, on signals of unequal size and natively on those of one."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from scanwise import reference
from scanwise.presence import tiles
from scanwise.training.presence_gradients import PresenceGradients
from tests.training.test_presence_program import (
    MODES,
    assert_close,
    masked_one_by_one,
    of,
    one_by_one,
    signals,
    targets,
)

LENGTHS = (40, 73, 40)

each_mode = pytest.mark.parametrize("mode", MODES)


def network(mode: str, *dropout: sw.Layer, padding: int = 0) -> sw.Sequential:
    body = (sw.Conv1d(6, 3, padding=padding), sw.Tanh(), sw.MaxPool1d(2), sw.Conv1d(4, 3))
    perceptron = (sw.Flatten(), *dropout, sw.Linear(4), sw.Tanh(), sw.Linear(3))
    return sw.Sequential(*body, *dropout, sw.Aggregate(mode, grid=3), *dropout, *perceptron)


@each_mode
def test_gradients_are_those_of_one_signal_at_a_time(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = sw.Model(network(mode), (2, 40), seed=2), signals(0, LENGTHS)
    y = targets("cross_entropy", 3, 3)
    expected = one_by_one(model, x, y, "cross_entropy")
    assert_close(of(model, x, y, "cross_entropy"), expected)
    monkeypatch.setattr(tiles, "TILE_POSITIONS", {1: 4, 2: 4})  # cells end within tiles
    assert_close(of(model, x, y, "cross_entropy"), expected)


@each_mode
def test_of_images(mode: str) -> None:
    layers = (sw.Conv2d(3, 3), sw.Tanh(), sw.Aggregate(mode, grid=(2, 3)), sw.Flatten(), sw.Linear(2))
    model = sw.Model(sw.Sequential(*layers), (1, 9, 9))
    random = np.random.default_rng(0)
    x = [random.normal(size=(1, *extent)).astype(np.float32) for extent in ((9, 9), (9, 14))]
    y = targets("binary_cross_entropy", 2, 2)
    assert_close(of(model, x, y, "binary_cross_entropy"), one_by_one(model, x, y, "binary_cross_entropy"))


def test_networks_that_pad_and_the_reference() -> None:
    x, y = signals(0, (40,)), targets("mse", 3, 1)
    for backend in ("native", "reference"):
        model = sw.Model(network("logsumexp", padding=1), (2, 40), backend=backend)
        assert_close(of(model, x, y, "mse"), one_by_one(model, x, y, "mse"))


def test_dropout_before_and_after_the_cells() -> None:
    model, x = sw.Model(network("mean", sw.Dropout(0.3)), (2, 40), seed=2), signals(0, LENGTHS)
    y, keys = targets("cross_entropy", 3, 3), reference.sample_keys(3, 1, np.array([5, 0, 17]))
    gradients = PresenceGradients(model.network, model.input_shape, model.backend)
    gradients.take(model.parameters)
    found = gradients(x, y, "cross_entropy", keys)
    assert_close(found, masked_one_by_one(model, x, y, "cross_entropy", keys))


@each_mode
def test_native_training_follows_the_reference(mode: str) -> None:
    """Signals of one size: all steps in native code."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 2, 70)).astype(np.float32), random.integers(0, 3, 12)
    trained = []
    for backend in ("native", "reference"):
        model = sw.Model(network(mode), (2, 70), seed=1, backend=backend)
        history = sw.fit(
            model, x, y, epochs=2, batch_size=5, optimizer=sw.SGD(0.1, momentum=0.9), progress=False
        )
        trained.append((history["loss"], dict(model.parameters)))
    (loss, parameters), (expected_loss, expected) = trained
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    for name, value in expected.items():
        np.testing.assert_allclose(parameters[name], value, rtol=1e-4, atol=1e-5)


def test_gradients_that_few_maxima_hand_on() -> None:
    """Of cells this large a convolution sums its gradient over the maxima alone (`kernels/routes.py`)."""
    layers = (sw.Conv1d(20, 3), sw.ReLU(), sw.Aggregate("max", grid=3), sw.Flatten(), sw.Linear(2))
    x, y = np.stack(signals(0, (203, 203), 4)), np.array([0, 1])
    found = [
        sw.Model(sw.Sequential(*layers), (4, 203), backend=backend).loss_and_gradients(x, y)[1]
        for backend in ("native", "reference")
    ]
    for name, gradient in found[1].items():
        np.testing.assert_allclose(found[0][name], gradient, atol=1e-6)


def test_learns_which_comes_first() -> None:
    """A bump and a dip are in all signals, so that no aggregate of all positions can tell: the order decides."""
    random = np.random.default_rng(0)
    x, y = [], np.arange(40) % 2
    for first in y:
        signal = random.normal(0.0, 0.2, (1, int(random.integers(60, 160))))
        middle = signal.shape[1] // 2
        places = (random.integers(middle - 6), middle + random.integers(middle - 6))
        for place, size in zip(places, (2.0, -2.0) if first else (-2.0, 2.0), strict=True):
            signal[0, place : place + 6] += size
        x.append(signal.astype(np.float32))
    layers = (sw.Conv1d(4, 5), sw.Tanh(), sw.Aggregate("max", grid=2), sw.Flatten(), sw.Linear(1))
    model = sw.Model(sw.Sequential(*layers), (1, 60))
    sw.fit(model, x, y, epochs=25, batch_size=8, optimizer=sw.AdamW(0.02), loss="binary_cross_entropy")
    assert ((model.presence(x).scores[:, 0] > 0) == y).mean() > 0.95


def test_signals_with_fewer_positions_than_cells() -> None:
    model = sw.Model(network("max"), (2, 40))
    with pytest.raises(
        sw.ShapeError, match=r"^x\[1\] must fit the network.*as many positions as the grid has cells"
    ):
        sw.fit(model, signals(0, (40, 11)), [0, 1], epochs=1)


def test_cells_without_a_perceptron() -> None:
    model = sw.Model(sw.Sequential(sw.Conv1d(4, 3), sw.Aggregate("max", grid=2)), (2, 40))
    with pytest.raises(sw.ArgumentError, match=r"one score for each label.*Got output shape \(4, 2\)"):
        sw.fit(model, signals(0, (40, 55)), np.zeros((2, 4, 2)), epochs=1, loss="mse")
