"""A window network as convolutions: its scores at all windows, bit for bit (lecture 3.5, 6.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.typing import NDArray

import scanwise as sw
from scanwise.layers import Layer, Shape
from scanwise.scanning import obstacle
from tests.backends import IMAGE_NETWORK, IMAGE_SHAPE, SIGNAL_NETWORK, SIGNAL_SHAPE
from tests.plan.drawn_networks import Case, networks


def values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def model_of(network: sw.Sequential, window: Shape, backend: str = "native") -> sw.Model:
    model = sw.Model(network, window, backend=backend)
    model.parameters.update(
        {n: 0.5 * values(*p.shape, seed=i) for i, (n, p) in enumerate(model.parameters.items())}
    )
    return model


def assert_it_scans(model: sw.Model, larger: Shape) -> None:
    """The convolutions' outputs are a scan's scores and each window's output, in every bit."""
    convolutions = sw.fully_convolutional(model, larger)
    assert convolutions.input_shape == larger
    x = values(*larger, seed=5)
    scan = sw.scan(model, x)
    (y,) = convolutions(x[None])
    windows = y[(slice(None), *(slice(count) for count in scan.scores.shape[1:]))]
    np.testing.assert_array_equal(windows, scan.scores)
    for place in np.ndindex(scan.scores.shape[1:]):
        start = np.atleast_1d(scan.positions[place])
        cut = tuple(slice(s, s + w) for s, w in zip(start, model.input_shape[1:], strict=True))
        alone = model(x[(None, slice(None), *cut)]).reshape(-1)
        np.testing.assert_array_equal(windows[(slice(None), *place)], alone)


MLP = sw.Sequential(sw.Flatten(), sw.Linear(8), sw.ReLU(), sw.Linear(2))

WINDOW_NETWORKS: list[tuple[sw.Sequential, Shape, Shape]] = [
    (MLP, (3, 10), (3, 33)),
    (MLP, (1, 4, 5), (1, 11, 9)),
    (SIGNAL_NETWORK, SIGNAL_SHAPE, (2, 40)),
    (IMAGE_NETWORK, IMAGE_SHAPE, (2, 15, 14)),
    (sw.Sequential(sw.Conv1d(4, 5), sw.Flatten(), sw.Linear(3, bias=False)), (2, 5), (2, 20)),
    (
        sw.Sequential(sw.Conv2d(17, 2), sw.AvgPool2d(2), sw.Flatten(), sw.Tanh(), sw.Linear(3), sw.Softmax()),
        (2, 7, 7),
        (2, 12, 15),
    ),
    (sw.Sequential(sw.Scan1d(MLP, 4, 2), sw.Unfold1d(2), sw.Aggregate("max"), sw.Linear(3)), (2, 12), (2, 31)),
    (
        sw.Sequential(
            sw.Conv2d(2, 3, connections=((1, 0, 1), (0, 1, 0))), sw.Subsample2d(2), sw.Tanh(), sw.SPlane(4, 2, 1.0),
            sw.CPlane(2), sw.Flatten(), sw.Linear(5), sw.MaxByLabel((0, 1, 0, 1, 1)),
        ),
        (3, 10, 10),
        (3, 17, 16),
    ),
    (sw.Sequential(sw.Conv2d(5, 3, stride=2), sw.ReLU(), sw.Aggregate("mean"), sw.Linear(3)), (1, 9, 9), (1, 21, 18)),
    (sw.Sequential(sw.LogMel(8000, 16, 4, 5), sw.Conv1d(6, 3), sw.Aggregate("max"), sw.Linear(2)), (1, 60), (1, 160)),
    (
        sw.Sequential(
            sw.Conv1d(6, 3, dilation=2, groups=2),
            sw.Residual(sw.Conv1d(6, 1), sw.Tanh()),
            sw.Sequential(sw.MaxPool1d(2, ceil_mode=True), sw.Downsample1d(2), sw.Dropout(0.5)),
            sw.Aggregate("max"),
            sw.Residual(sw.Linear(9), sw.ReLU(), sw.Linear(6)),
            sw.Flatten(),
            sw.Linear(2),
        ),
        (4, 16),
        (4, 41),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("network", "window", "larger"), WINDOW_NETWORKS)
def test_it_gives_the_outputs_at_all_windows(network: sw.Sequential, window: Shape, larger: Shape) -> None:
    assert_it_scans(model_of(network, window), larger)


@pytest.mark.parametrize(("network", "window"), [(MLP, (3, 10)), (IMAGE_NETWORK, IMAGE_SHAPE)])
def test_on_the_reference(network: sw.Sequential, window: Shape) -> None:
    model = model_of(network, window, "reference")
    larger = (window[0], *(extent + 2 for extent in window[1:]))
    x = values(*larger)
    found = sw.fully_convolutional(model, larger)
    assert found.backend == "reference"
    scores = sw.scan(model, x).scores
    (y,) = found(x[None])
    windows = y[(slice(None), *(slice(count) for count in scores.shape[1:]))]
    np.testing.assert_allclose(windows, scores, rtol=1e-5, atol=1e-5)


@given(networks(most=3, padding=False, flat=False))
@settings(max_examples=16)
def test_drawn_networks(case: Case) -> None:
    reached = case.output_shape
    tail: list[Layer] = [] if len(reached) == 1 else [sw.Flatten(), sw.Linear(3)]
    network = sw.Sequential(*case.network.layers, *tail, sw.Linear(4))
    assume(obstacle(network, case.input_shape) is None)
    model = model_of(network, case.input_shape)
    try:
        sw.fully_convolutional(model)
    except sw.ArgumentError as error:
        assert "must be a window network that slides" in str(error)  # noqa: PT017
        assume(False)
    assert_it_scans(model, (case.input_shape[0], *(extent + 7 for extent in case.input_shape[1:])))


def test_a_window_alone_is_one_position() -> None:
    model = model_of(IMAGE_NETWORK, IMAGE_SHAPE)
    x = values(4, *IMAGE_SHAPE)
    np.testing.assert_array_equal(sw.fully_convolutional(model)(x)[:, :, 0, 0], model(x))


def test_networks_without_parameters() -> None:
    found = sw.fully_convolutional(SIGNAL_NETWORK, SIGNAL_SHAPE)
    assert found == sw.Sequential(*SIGNAL_NETWORK.layers[:5], sw.MaxPool1d(4, stride=1), sw.Conv1d(3, 1))
    assert sw.fully_convolutional(MLP, (1, 4, 5))[0] == sw.Conv2d(8, (4, 5))


def test_what_the_model_knows_is_kept() -> None:
    model = sw.Model(MLP, (1, 8), labels=["none", "yes"], sample_rate=100, background="none")
    found = sw.fully_convolutional(model, (1, 30))
    assert (found.labels, found.sample_rate, found.background) == (("none", "yes"), 100, "none")


def test_windows_that_strides_do_not_fill() -> None:
    """Position 7 is read by no output, so that one more window's outputs can be computed than a scan has."""
    model = model_of(sw.Sequential(sw.MaxPool1d(3), sw.Flatten(), sw.Linear(2)), (1, 8))
    assert sw.fully_convolutional(model, (1, 15)).output_shape == (2, 4)
    assert sw.scan(model, values(1, 15)).scores.shape == (2, 3)
    assert_it_scans(model, (1, 15))


class TestErrors:
    @pytest.mark.parametrize(
        ("layers", "told"),
        [
            ([sw.Conv1d(2, 3, padding="same"), sw.Flatten(), sw.Linear(2)], "layer 0 Conv1d.* pads inside the window"),
            ([sw.Conv1d(2, 3), sw.Aggregate("logsumexp")], r"layer 1 Aggregate\('logsumexp'\), which is no pooling"),
            ([sw.Sequential(sw.Aggregate("softmax"))], r"layer 0.0 Aggregate\('softmax'\), which is no pooling"),
            ([sw.Flatten(), sw.Softmax(), sw.Linear(2)], r"layer 1 Softmax\(\), which compares values"),
            ([sw.Flatten(), sw.Residual(sw.Linear(12)), sw.Linear(2)], "layer 1 Residual.*adds to the flattened"),
            ([sw.Conv1d(2, 6), sw.Flatten(), sw.RadialBasis([[1, 2]])], r"RadialBasis.*has no form that slides"),
            ([sw.UnitBias(), sw.Flatten(), sw.Linear(2)], r"layer 0 UnitBias\(\) has a bias for each place"),
            ([sw.Conv1d(2, 3), sw.Flatten()], r"ends in a flattened window; put Linear\(...\)"),
            ([sw.Aggregate("max"), sw.Residual(sw.Flatten())], "has nothing within that slides"),
            ([sw.Pad1d(0), sw.Flatten(), sw.Linear(2)], r"layer 0 Pad1d\(0\), which has no form that slides"),
        ],
    )  # fmt: skip
    def test_layers_without_such_a_form(self, layers: list[Layer], told: str) -> None:
        with pytest.raises(sw.ArgumentError, match=told):
            sw.fully_convolutional(sw.Sequential(*layers), (2, 6))

    def test_other_arguments(self) -> None:
        arguments: list[tuple[Any, Any, type[Exception], str]] = [
            (MLP, None, sw.ArgumentTypeError, "input_shape must be given for a network"),
            ("mlp", (1, 8), sw.ArgumentTypeError, "must be a Model or a Sequential"),
            (sw.Sequential(sw.Linear(2)), (8,), sw.ArgumentError, r"must be for windows \(C, T\) or \(C, H, W\)"),
            (sw.Model(MLP, (1, 8)), (1, 7), sw.ShapeError, "must be at least the window's 8"),
        ]  # fmt: skip
        for model, shape, error, told in arguments:
            with pytest.raises(error, match=told):
                sw.fully_convolutional(model, shape)
