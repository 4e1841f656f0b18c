"""A shared gradient is the sum of its positions' (lecture 1.4, 6.3, 6.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import scanwise as sw
from scanwise.identities import positions
from scanwise.layers import Layer, Shape
from tests.backends import BACKENDS
from tests.layers import drawn


def values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_they_add_up(model: sw.Model, x: NDArray[Any], place: str) -> dict[str, NDArray[np.float32]]:
    dy = values(len(x), *model.output_shape, seed=9)
    terms = sw.position_gradients(model, x, dy, place)
    gradients = model.gradients(x, dy)[1]
    own = {name for name in gradients if name.startswith(f"{place}.")}
    assert {f"{place}.{name}" for name in terms} == own
    for name, found in terms.items():
        shared = gradients[f"{place}.{name}"]
        axes = found.ndim - shared.ndim
        assert found.dtype == np.float32
        assert found.shape[axes:] == shared.shape
        total = found.sum(axis=tuple(range(axes)), dtype=np.float64)
        np.testing.assert_allclose(total, shared, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(shared).max()))
    return terms


@given(drawn.convs(1) | drawn.convs(2) | drawn.scans())
@settings(max_examples=40)
def test_the_terms_add_up_to_the_shared_gradient(case: tuple[Layer, Shape]) -> None:
    """Of convolutions, with padding, stride, dilation, groups and flipped filters, and of scanning MLPs."""
    layer, shape = case
    model = sw.Model(sw.Sequential(layer), shape, backend="reference")
    terms = assert_they_add_up(model, values(3, *shape), "0")
    assert all(term.shape[: len(shape) - 1] == model.output_shape[1:] for term in terms.values())


NETWORK = sw.Sequential(
    sw.Conv2d(4, 3, padding=1, groups=2), sw.ReLU(),
    sw.Residual(sw.Conv2d(4, 3, padding="same", flip=True), sw.Sequential(sw.Tanh(), sw.Conv2d(4, 1))),
    sw.MaxPool2d(2),
    sw.Sequential(sw.Conv2d(5, 2, stride=2, dilation=2), sw.Sigmoid()),
    sw.Flatten(), sw.Linear(3),
)  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", ["0", "2.0", "2.1.1", "4.0"])
def test_layers_within_a_network(place: str, backend: str) -> None:
    model = sw.Model(NETWORK, (2, 12, 9), backend=backend)
    assert_they_add_up(model, values(5, 2, 12, 9), place)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scanning_mlps_within_a_network(backend: str) -> None:
    mlp = sw.Sequential(sw.Linear(6), sw.ReLU(), sw.Residual(sw.Linear(6), sw.Tanh()), sw.Linear(4))
    network = sw.Sequential(
        sw.Scan1d(mlp, 5, stride=2), sw.MaxPool1d(2), sw.Scan1d(mlp, 3), sw.Aggregate("logsumexp")
    )
    model = sw.Model(network, (2, 31), backend=backend)
    terms = assert_they_add_up(model, values(4, 2, 31), "0")
    assert terms["2.0.weight"].shape == (14, 6, 6)
    assert_they_add_up(model, values(4, 2, 31), "2")


def test_bytes_are_taken_as_0_to_1() -> None:
    model = sw.Model(sw.Sequential(sw.Conv1d(3, 2), sw.Aggregate("logsumexp")), (2, 7))
    x = np.random.default_rng(0).integers(0, 255, (4, 2, 7)).astype(np.uint8)
    assert_they_add_up(model, x, "0")


def test_each_term_is_that_of_its_position() -> None:
    """Lecture 6.4: dL/dz_n(x, y) times the input under the filter there."""
    model = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.Tanh()), (1, 6))
    x, dy = values(1, 1, 6), values(1, 2, 4, seed=1)
    z = sw.Model(sw.Sequential(sw.Conv1d(2, 3)), (1, 6))(x)
    dz = dy * (1 - np.tanh(z) ** 2)
    terms = sw.position_gradients(model, x, dy, "0")
    for t in range(4):
        expected = dz[0, :, None, None, t] * x[0, None, :, t : t + 3]
        np.testing.assert_allclose(terms["weight"][t], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(terms["bias"][t], dz[0, :, t], rtol=1e-4, atol=1e-5)


def test_max_pooling_leaves_most_positions_without_a_gradient() -> None:
    """Lecture 7.2: the gradient goes to the winner alone."""
    model = sw.Model(sw.Sequential(sw.Conv1d(1, 2), sw.Aggregate("max")), (1, 20))
    terms = sw.position_gradients(model, values(1, 1, 20), np.ones((1, 1)), "0")
    assert np.count_nonzero(terms["weight"].any(axis=(1, 2, 3))) == 1


class TestErrors:
    MODEL = sw.Model(NETWORK, (2, 12, 9))
    X, DY = np.zeros((1, 2, 12, 9)), np.zeros((1, 3))

    @pytest.mark.parametrize("place", ["1", "6", "7", "2", ""])
    def test_places(self, place: str) -> None:
        told = r"place must be that of a layer that scans \('0', '2.0', '2.1.1', '4.0'\). Got"
        with pytest.raises(sw.ArgumentError, match=told):
            sw.position_gradients(self.MODEL, self.X, self.DY, place)
        mlp = sw.Model(sw.Sequential(sw.Linear(2)), (3,))
        with pytest.raises(sw.ArgumentError, match="none: no layer scans"):
            sw.position_gradients(mlp, np.zeros((1, 3)), np.zeros((1, 2)), "0")

    @pytest.mark.parametrize("place", [0, None, ["0"], np.array(["0", "1"])])
    def test_places_that_are_no_names(self, place: Any) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"place must be that of a layer that scans .* Got"):
            sw.position_gradients(self.MODEL, self.X, self.DY, place)

    def test_what_leaves_float32(self) -> None:
        model = sw.Model(sw.Sequential(sw.Conv1d(1, 1), sw.Conv1d(1, 1), sw.Conv1d(1, 1)), (1, 2))
        for name in ("0.weight", "1.weight", "2.weight"):
            model.parameters[name] = [[[1e30]]]
        with pytest.raises(sw.ArgumentError, match=r"^the output of layer 0 Conv1d\(1, 1\) must be finite"):
            sw.position_gradients(model, np.full((1, 1, 2), 1e30), np.ones((1, 1, 2)), "1")
        with pytest.raises(
            sw.ArgumentError, match=r"^the gradient by the output of layer 1 .* must be finite"
        ):
            sw.position_gradients(model, np.zeros((1, 1, 2)), np.full((1, 1, 2), 1e30), "1")

    def test_arrays(self) -> None:
        with pytest.raises(sw.ShapeError, match="x must have shape"):
            sw.position_gradients(self.MODEL, self.X[0], self.DY, "0")
        with pytest.raises(sw.ShapeError, match="dy must have the shape of the output"):
            sw.position_gradients(self.MODEL, self.X, self.DY[0], "0")
        with pytest.raises(sw.ArgumentTypeError, match="model must be a Model"):
            sw.position_gradients(NETWORK, self.X, self.DY, "0")  # type: ignore[arg-type]

    def test_what_does_not_fit_into_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(positions, "available_bytes", lambda: 10_000)
        with pytest.raises(sw.ArgumentError, match=r"Got 108 positions of Conv2d.* with 40 parameters each"):
            sw.position_gradients(self.MODEL, self.X, self.DY, "0")


def test_no_samples_have_terms_of_zero() -> None:
    model = sw.Model(sw.Sequential(sw.Conv1d(2, 3)), (1, 6))
    terms = sw.position_gradients(model, np.zeros((0, 1, 6)), np.zeros((0, 2, 4)), "0")
    assert terms["weight"].shape == (4, 2, 1, 3)
    assert not terms["weight"].any()
