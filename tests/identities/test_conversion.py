"""A scanning MLP is a convolutional network (lecture 3.5): the same bits, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from tests.backends import random_values
from tests.layers import drawn
from tests.plan.test_same_bits import assert_same_bits

MLP = sw.Sequential(sw.Linear(8), sw.ReLU(), sw.Linear(3))


def assert_same_network(a: sw.Model, b: sw.Model) -> None:
    """Outputs, input gradient and parameter gradients by their bits; parameters may differ in shape and name."""
    x = random_values(5, *a.input_shape, seed=1)
    y = a(x)
    assert_same_bits(b(x), y, "output")
    dy = random_values(*y.shape, seed=2)
    (dx, gradients), (other_dx, other) = a.gradients(x, dy), b.gradients(x, dy)
    assert_same_bits(other_dx, dx, "dx")
    for mine, its in zip(gradients.values(), other.values(), strict=True):
        assert_same_bits(its.ravel(), mine.ravel(), "gradient")


@settings(max_examples=15)
@given(drawn.scans(), st.sampled_from(["max", "softmax", "mean", "logsumexp"]))
def test_drawn_scans_and_their_convolutions(case: drawn.Drawn, mode: str) -> None:
    scan, shape = case
    assert isinstance(scan, sw.Scan1d | sw.Scan2d)
    model = sw.Model(sw.Sequential(scan, sw.Aggregate(mode)), shape, seed=3)
    if scan.needs_windows is not None:
        with pytest.raises(sw.ArgumentError, match=r"scan must begin with a Linear"):
            sw.as_convolution(model)
        return
    convolution = sw.as_convolution(model)
    assert not any(isinstance(layer, sw.Scan1d | sw.Scan2d) for layer in convolution.network)
    assert_same_network(model, convolution)
    again = sw.as_scan(convolution)
    assert isinstance(again.network[0], sw.Scan1d | sw.Scan2d) or isinstance(scan.mlp[0], sw.Flatten)
    assert_same_network(model, again)
    assert sw.as_convolution(again.network) == convolution.network


def test_there_and_back_without_loss() -> None:
    scan = sw.Scan2d(MLP, (5, 3), stride=(2, 1))
    convolution = sw.as_convolution(scan)
    assert convolution == sw.Sequential(sw.Conv2d(8, (5, 3), (2, 1)), sw.ReLU(), sw.Conv2d(3, 1))
    assert sw.as_scan(convolution) == sw.Sequential(scan)


def test_hierarchical_scanning() -> None:
    """Lecture 6.1: scanning with the whole is scanning with neurons, layer by layer."""
    network = sw.Sequential(
        sw.Conv1d(6, 5), sw.ReLU(), sw.MaxPool1d(2), sw.Conv1d(4, 3), sw.Tanh(), sw.Residual(sw.Conv1d(4, 1)),
        sw.Aggregate("max"), sw.Linear(2),
    )  # fmt: skip
    model = sw.Model(network, (3, 30), seed=1)
    scans = sw.as_scan(model)
    assert [type(layer).__name__ for layer in scans.network] == [
        "Scan1d", "MaxPool1d", "Scan1d", "Aggregate", "Linear",
    ]  # fmt: skip
    assert_same_network(model, scans)
    assert sw.as_convolution(scans.network) == network


def test_models_keep_their_facts() -> None:
    model = sw.Model(
        sw.Sequential(sw.Scan1d(MLP, 5), sw.Aggregate("max")), (1, 40), labels=("a", "b", "c"), sample_rate=8000,
        background="c",
    )  # fmt: skip
    other = sw.as_convolution(model)
    assert (other.labels, other.sample_rate, other.background) == (("a", "b", "c"), 8000, "c")


def test_residual_around_convolutions() -> None:
    network = sw.Sequential(sw.Conv2d(4, 2), sw.Residual(sw.Scan2d(sw.Sequential(sw.Linear(4)), 1)))
    assert sw.as_convolution(network) == sw.Sequential(sw.Conv2d(4, 2), sw.Residual(sw.Conv2d(4, 1)))


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (sw.Conv1d(4, 3, padding=1), "padding"),
        (sw.Conv1d(4, 3, dilation=2), "dilation"),
        (sw.Conv1d(4, 3, groups=2), "groups"),
        (sw.Conv1d(2, 3, connections=[[1, 0], [1, 1]]), "connections"),
        (sw.Conv1d(4, 3, flip=True), "flip"),
    ],
)
def test_convolutions_that_are_no_scans(layer: sw.Conv1d, fault: str) -> None:
    with pytest.raises(sw.ArgumentError, match=f"Got {fault} in Conv1d"):
        sw.as_scan(sw.Sequential(layer))


def test_what_has_no_such_form() -> None:
    with pytest.raises(sw.ArgumentError, match=r"scan must be or hold a Scan1d or Scan2d. Got"):
        sw.as_convolution(sw.Sequential(sw.Conv1d(4, 3)))
    with pytest.raises(sw.ArgumentError, match=r"network must be or hold a Conv1d or Conv2d. Got"):
        sw.as_scan(sw.Sequential(sw.Linear(4)))
    for function, name in ((sw.as_convolution, "scan"), (sw.as_scan, "network")):
        with pytest.raises(
            sw.ArgumentTypeError, match=rf"^{name} must be a layer, a Sequential or a Model. Got 3"
        ):
            function(3)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("mlp", "reason"),
    [
        (sw.Sequential(sw.Dropout(), sw.Linear(2)), r"Dropout\(\) drops a value in one window"),
        (
            sw.Sequential(sw.ReLU(), sw.Softmax(), sw.Linear(2)),
            r"Softmax\(\) looks at each window as a whole",
        ),
        (
            sw.Sequential(sw.Residual(sw.Linear(9))),
            r"Residual\(Linear\(9\)\) looks at each window as a whole",
        ),
        (sw.Sequential(sw.ReLU()), "no layer is a Linear"),
    ],
)
def test_scans_that_are_no_convolutions(mlp: sw.Sequential, reason: str) -> None:
    with pytest.raises(sw.ArgumentError, match=f"scan must begin with a Linear.*, in which {reason}"):
        sw.as_convolution(sw.Scan1d(mlp, 3))


def test_one_layer_used_twice() -> None:
    """Only the first `Linear` looks at the window, also where it is the same object as the second."""
    linear = sw.Linear(4)
    assert sw.as_convolution(sw.Scan1d(sw.Sequential(linear, sw.ReLU(), linear), 2)) == sw.Sequential(
        sw.Conv1d(4, 2), sw.ReLU(), sw.Conv1d(4, 1)
    )


def test_a_scan_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window network that is itself a scan shares work between windows, and equals them."""
    model = sw.Model(sw.Sequential(sw.Scan1d(MLP, 4), sw.Aggregate("max")), (2, 9), seed=2)
    signal = random_values(2, 60, seed=5)
    result = sw.scan(model, signal)
    assert result.method == "shared"
    windows = np.stack([signal[:, p : p + 9] for p in result.positions])
    assert_same_bits(np.ascontiguousarray(result.scores.T), model(windows), "scores")
