"""A score followed back to the input: it depends on nothing outside the mask (lecture part 7)."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.typing import NDArray

import scanwise as sw
from scanwise.layers import Layer, Shape
from scanwise.routing.masks import Trail, inputs_of
from scanwise.routing.maxima import first_maxima, takes_maxima
from tests.backends import BACKENDS
from tests.layers import drawn
from tests.plan.drawn_networks import Case, classifiers


def values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def gradient_of(model: sw.Model, x: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    dy = np.zeros((1, *model.output_shape), np.float32)
    dy.flat[label] = 1
    dx, _ = model.gradients(x[None], dy)
    return dx.reshape(x.shape)


@given(classifiers())
@settings(max_examples=40)
def test_outside_the_mask_the_gradient_is_zero(case: Case) -> None:
    model = sw.Model(case.network, case.input_shape, backend="reference")
    model.parameters.update(case.parameters)
    (x,) = case.samples(1)
    for label in (0, model.output_shape[0] - 1):
        found = sw.route(model, x, label)
        assert found.mask.shape == x.shape
        assert found.mask.dtype == bool
        assert found.score == model(x[None]).reshape(-1)[label]
        assert not gradient_of(model, x, label)[~found.mask].any()


# Without activations that can be flat, so that every connection shows in the gradient.
TELLING: list[tuple[Shape, tuple[Layer, ...]]] = [
    (
        (2, 40),
        (sw.Conv1d(4, 3), sw.Tanh(), sw.MaxPool1d(2), sw.Conv1d(4, 2), sw.Aggregate("max"), sw.Linear(3)),
    ),
    ((4, 30), (sw.Conv1d(4, 3, dilation=2, groups=2), sw.Aggregate("max"))),
    (
        (3, 21),
        (sw.Conv1d(6, 3, 2, padding=(2, 0)), sw.MaxPool1d(3, 2, 1, ceil_mode=True), sw.Aggregate("max")),
    ),
    ((2, 14, 13), (sw.Conv2d(3, 3), sw.MaxPool2d(2), sw.Conv2d(5, 2, padding="same"), sw.Aggregate("max"))),
    ((2, 8, 8), (sw.Residual(sw.Conv2d(2, 3, padding=1), sw.MaxPool2d(3, 1, 1)), sw.Aggregate("max"))),
    ((2, 6), (sw.MaxPool1d(2), sw.Flatten(), sw.RadialBasis([[1.0, -1, 0, 2, 3, 1], [0, 0, 1, 1, 1, 1]]))),
    ((2, 6, 6), (sw.MaxPool2d(2), sw.Sequential(sw.Flatten(), sw.Linear(4)), sw.Sigmoid())),
    ((3, 20), (sw.Pad1d((3, 1)), sw.AvgPool1d(3, 2), sw.Downsample1d(2), sw.Aggregate("max"))),
    ((4, 9), (sw.Conv1d(4, 2, groups=2), sw.Aggregate("mean"))),
    ((4, 9), (sw.Conv1d(4, 2, groups=2), sw.Aggregate("logsumexp"))),
    ((4, 9), (sw.Conv1d(4, 2, groups=2), sw.Aggregate("softmax"))),
    ((2, 20), (sw.Scan1d(sw.Sequential(sw.Linear(4), sw.Tanh(), sw.Linear(3)), 4, 2), sw.Aggregate("max"))),
    ((2, 20), (sw.Scan1d(sw.Sequential(sw.Residual(sw.Linear(6)), sw.Linear(2)), 3), sw.Aggregate("max"))),
    ((2, 6, 7), (sw.Unfold2d((2, 3), (2, 1)), sw.Aggregate("max"), sw.Sigmoid())),
    ((2, 9), (sw.ConvTranspose1d(4, 3, 2, padding=1, groups=2), sw.UnitBias(), sw.Aggregate("max"))),
    ((3, 6, 5), (sw.ConvTranspose2d(2, (2, 3), (1, 3), dilation=(2, 1)), sw.Aggregate("max"))),
    (
        (3, 8, 8),
        (sw.Conv2d(2, 3, connections=((1, 0, 1), (0, 1, 0))), sw.Subsample2d(2), sw.Aggregate("max")),
    ),
    ((2, 7), (sw.Scan1d(sw.Sequential(sw.Linear(4)), 3), sw.Aggregate("max"), sw.MaxByLabel((1, 0, 1, 1)))),
    ((3, 5, 5), (sw.CPlane(3, padding=1), sw.MaxByLabel((0, 0, 1)), sw.Aggregate("max"), sw.Sigmoid())),
    ((4, 12), (sw.MaxPool1d(3), sw.Softmax(), sw.Aggregate("max"))),
    ((2, 9), (sw.Conv1d(3, 3), sw.Aggregate("max", grid=3), sw.Flatten(), sw.Linear(2))),
    ((2, 9), (sw.Conv1d(3, 3), sw.Aggregate("max", grid=3), sw.Aggregate("max"))),
    ((3, 5, 7), (sw.Aggregate("softmax", grid=(2, 3)), sw.Aggregate("max"))),
    ((3, 5, 7), (sw.Aggregate("mean", grid=(2, 3)), sw.Aggregate("max"))),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "layers"), TELLING, ids=str)
def test_the_mask_is_where_the_gradient_is(shape: Shape, layers: tuple[Layer, ...], backend: str) -> None:
    model = sw.Model(sw.Sequential(*layers), shape, backend=backend)
    x = values(*shape, seed=3)
    for label in range(model.output_shape[0]):
        found = sw.route(model, x, label)
        np.testing.assert_array_equal(found.mask, gradient_of(model, x, label) != 0)
        where = np.nonzero(found.mask)[1:]
        assert found.region == tuple((w.min(), w.max() + 1) for w in where)


@pytest.mark.parametrize(("shape", "layers"), TELLING[:6], ids=str)
def test_what_lies_outside_does_not_matter_while_the_maxima_stay(
    shape: Shape, layers: tuple[Layer, ...]
) -> None:
    """Native scores, bit for bit: after changes outside of the mask that leave the choices as they are."""
    model = sw.Model(sw.Sequential(*layers), shape)
    compared = 0
    for seed in range(8):
        x = values(*shape, seed=seed)
        found = sw.route(model, x, 1)
        noise = 0.05 * values(*shape, seed=seed + 100)
        changed = np.where(found.mask, x, x + noise)
        again = sw.route(model, changed, 1)
        same = [(c.place, c.positions.tolist()) for c in found.path] == [
            (c.place, c.positions.tolist()) for c in again.path
        ]
        if same:
            compared += 1
            assert again.score == found.score
            np.testing.assert_array_equal(again.mask, found.mask)
            np.testing.assert_array_equal(
                model(changed[None])[0][1].tobytes(), model(x[None])[0][1].tobytes()
            )
    assert compared >= 3


def test_the_score_is_that_of_its_region_alone() -> None:
    """Cut out of the signal and put into silence, the region keeps its score: it holds the winning windows whole."""
    network = sw.Sequential(sw.Conv1d(4, 3), sw.ReLU(), sw.MaxPool1d(2), sw.Conv1d(3, 4), sw.Aggregate("max"))
    model = sw.Model(network, (2, 60))
    for seed in range(5):
        x = values(2, 60, seed=seed)
        found = sw.route(model, x, 0)
        ((start, stop),) = found.region
        alone = np.zeros_like(x)
        alone[:, start:stop] = x[:, start:stop]
        again = model(alone[None])[0, 0]
        assert again >= found.score  # silence may answer more, but the winner is still there
        assert stop - start <= 10  # the receptive field


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("start", [3, 20, 41])
def test_a_planted_pattern_is_found_where_it_is(start: int, backend: str) -> None:
    pattern = np.array([1.0, -2.0, 3.0, -2.0, 1.0])
    network = sw.Sequential(sw.Conv1d(2, 5), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2))
    model = sw.Model(network, (1, 60), backend=backend, labels=["other", "pattern"])
    model.parameters["0.weight"] = np.stack([pattern[None], -pattern[None]])
    model.parameters["3.weight"] = [[0.0, 1.0], [1.0, 0.0]]
    signal = 0.1 * values(1, 60)
    signal[0, start : start + 5] += pattern
    found = sw.route(model, signal, "pattern")
    ((first, last),) = found.region
    # Linear leads back to both channels, of which one found the pattern.
    assert first <= start
    assert last >= start + 5
    (choice,) = found.path
    assert choice.place == "2"
    assert [0, start] in choice.positions.tolist()


def test_a_planted_pattern_moves_the_region_with_it() -> None:
    pattern = np.outer([1, 2, 1], [1, -1, 2])
    network = sw.Sequential(sw.Conv2d(1, 3), sw.ReLU(), sw.Aggregate("max"))
    model = sw.Model(network, (1, 20, 24))
    model.parameters["0.weight"] = pattern[None, None]
    for row, column in [(0, 0), (5, 7), (17, 21)]:
        image = 0.05 * values(1, 20, 24)
        image[0, row : row + 3, column : column + 3] += pattern
        assert sw.route(model, image, 0).region == ((row, row + 3), (column, column + 3))


class TestMaxima:
    @given(
        drawn.pools(sw.MaxPool2d)
        | drawn.pools(sw.MaxPool1d)
        | drawn.aggregations().filter(lambda case: takes_maxima(case[0]))
    )
    def test_they_are_where_the_gradient_goes(self, case: tuple[Layer, Shape]) -> None:
        """Also among equal values, of which the first is the maximum."""
        layer, shape = case
        assume(np.prod(shape) > 1)
        x = np.random.default_rng(0).integers(0, 3, shape).astype(np.float32)
        model = sw.Model(sw.Sequential(layer), shape, backend="reference")
        y = model(x[None])
        dy = values(*y.shape)
        expected = np.zeros(x.size)
        np.add.at(expected, first_maxima(layer, x).ravel(), dy.ravel())
        np.testing.assert_array_equal(x.ravel()[first_maxima(layer, x)], y[0])
        np.testing.assert_allclose(model.gradients(x[None], dy)[0].ravel(), expected, atol=1e-5)

    def test_of_equal_values_the_first_is_followed(self) -> None:
        model = sw.Model(sw.Sequential(sw.MaxPool1d(2), sw.Aggregate("max")), (1, 8))
        found = sw.route(model, np.ones((1, 8)), 0)
        assert found.region == ((0, 1),)
        assert [(c.place, c.positions.tolist()) for c in found.path] == [("1", [[0, 0]]), ("0", [[0, 0]])]


def test_logmel_leads_back_to_its_frames() -> None:
    model = sw.Model(sw.Sequential(sw.LogMel(8000, 16, 4, 5), sw.Aggregate("max")), (1, 100))
    x = values(1, 100)
    found = sw.route(model, x, 2)
    (frame,) = found.path[0].positions[:, 1]
    assert found.region == ((4 * frame, 4 * frame + 16),)
    assert not gradient_of(model, x, 2)[~found.mask].any()


def test_s_cells_lead_back_to_their_receptive_field() -> None:
    """In all channels, since the V-cell looks at them too."""
    model = sw.Model(sw.Sequential(sw.SPlane(4, 3, r=0.2, padding=1), sw.Aggregate("max")), (2, 7, 7))
    x = np.abs(values(2, 7, 7))
    for label in range(4):
        found = sw.route(model, x, label)
        ((_, row, column),) = found.path[0].positions
        expected = np.zeros((2, 7, 7), bool)
        expected[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
        np.testing.assert_array_equal(found.mask, expected)
        assert not gradient_of(model, x, label)[~found.mask].any()


def test_flat_inputs_have_one_axis() -> None:
    found = sw.route(sw.Model(sw.Sequential(sw.Linear(2)), (7,)), values(7), 1)
    assert found.region == ((0, 7),)
    assert found.label == "1"
    assert found.path == ()


def test_padding_alone_is_an_empty_region() -> None:
    network = sw.Sequential(sw.Pad1d((4, 0)), sw.Conv1d(1, 2), sw.Aggregate("max"))
    model = sw.Model(network, (1, 6))
    model.parameters["1.weight"] = [[[1.0, 1.0]]]
    found = sw.route(model, np.full((1, 6), -1.0), 0)
    assert (found.score, found.region) == (0.0, ((0, 0),))
    assert not found.mask.any()


def test_bytes_are_taken_as_0_to_1() -> None:
    model = sw.Model(sw.Sequential(sw.Conv1d(3, 2), sw.MaxPool1d(2), sw.Aggregate("max")), (1, 12))
    x = np.random.default_rng(0).integers(0, 255, (1, 12)).astype(np.uint8)
    found = sw.route(model, x, 1)
    assert found.score == model(x[None])[0, 1]


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((sw.Conv1d(2, 3), sw.MaxPool1d(500, stride=1)), (4, 30_000)),
        ((sw.Pad1d(1), sw.Downsample1d(2)), (1, 100_000)),
        ((sw.Scan1d(sw.Sequential(sw.Softmax(), sw.Linear(2)), 10),), (1, 50_000)),
        ((sw.ConvTranspose1d(1, 3, stride=2),), (1, 50_000)),
    ],
    ids=str,
)
def test_memory_is_of_the_size_of_the_maps(layers: tuple[sw.Layer, ...], shape: tuple[int, ...]) -> None:
    """Not of positions times extents, and not of all windows together."""
    model = sw.Model(sw.Sequential(*layers, sw.Aggregate("max")), shape)
    x = np.random.default_rng(0).normal(size=shape)
    sw.route(model, x, 0)
    tracemalloc.start()
    sw.route(model, x, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


class TestErrors:
    NETWORK = sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max"))
    MODEL = sw.Model(NETWORK, (1, 8), labels=["no", "yes"])
    X = np.zeros((1, 8))

    @pytest.mark.parametrize(
        ("label", "error", "told"),
        [
            ("maybe", sw.ArgumentError, r"label must be a number from 0 to 1 or one of \('no', 'yes'\). Got 'maybe'"),
            (2, sw.ArgumentError, "Got 2"),
            (-1, sw.ArgumentError, "Got -1"),
            (0.5, sw.ArgumentTypeError, "Got 0.5"),
            (None, sw.ArgumentTypeError, "Got None"),
            (True, sw.ArgumentTypeError, "Got True"),
        ],
    )  # fmt: skip
    def test_labels(self, label: Any, error: type[Exception], told: str) -> None:
        with pytest.raises(error, match=told):
            sw.route(self.MODEL, self.X, label)

    def test_samples(self) -> None:
        with pytest.raises(sw.ShapeError, match=r"x must have shape \(N, 1, 8\)"):
            sw.route(self.MODEL, np.zeros((1, 9)), 0)
        with pytest.raises(sw.ShapeError, match=r"must be one sample.* Got 3 samples"):
            sw.route(self.MODEL, np.zeros((3, 1, 8)), 0)
        with pytest.raises(sw.ArgumentError, match="x must be finite"):
            sw.route(self.MODEL, np.full((1, 8), np.nan), 0)

    def test_models(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match="model must be a Model"):
            sw.route(self.NETWORK, self.X, 0)  # type: ignore[arg-type]
        maps = sw.Model(sw.Sequential(sw.Conv1d(2, 3)), (1, 8))
        with pytest.raises(sw.ShapeError, match="one score for each label"):
            sw.route(maps, self.X, 0)

    def test_what_leaves_float32(self) -> None:
        model = sw.Model(sw.Sequential(sw.Conv1d(1, 1), sw.Aggregate("max")), (1, 8))
        model.parameters["0.weight"] = [[[1e30]]]
        with pytest.raises(sw.ArgumentError, match=r"the output of layer 0 Conv1d\(1, 1\) must be finite"):
            sw.route(model, np.full((1, 8), 1e30), 0)

    def test_layers_without_a_rule(self) -> None:
        with pytest.raises(sw.ArgumentError, match=r"route must know every layer.* Got layer 3 Layer\(\)"):
            inputs_of(Layer(), np.ones(4, bool), (4,), "3", Trail({}))
