"""Pictures of the identities: what they show, that they are written whole, and what they refuse."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

import scanwise as sw
from scanwise.identities.ties import ties

SIGNAL = sw.Model(
    sw.Sequential(sw.Conv1d(2, 3), sw.MaxPool1d(2), sw.Aggregate("max")), (1, 20), labels=["a", "b"]
)
IMAGE = sw.Model(sw.Sequential(sw.Conv2d(2, 3), sw.Aggregate("max")), (3, 9, 8))
X = np.random.default_rng(0).normal(size=(1, 20))
PICTURE = np.random.default_rng(0).normal(size=(3, 9, 8))

DRAWINGS: dict[str, Callable[[Path | None], Any]] = {
    "structure": lambda path: sw.plot.structure(sw.Conv1d(2, 3), (1, 12), path=path),
    "structure of a model": lambda path: sw.plot.structure(SIGNAL, path=path),
    "shifts along one axis": lambda path: sw.plot.shift_response(
        sw.shift_response(SIGNAL, X, range(-3, 4)), path=path
    ),
    "shifts along both": lambda path: sw.plot.shift_response(
        sw.shift_response(IMAGE, PICTURE, [(i, j) for i in range(3) for j in range(3)]), path=path
    ),
    "a single shift": lambda path: sw.plot.shift_response(sw.shift_response(IMAGE, PICTURE, [0]), path=path),
    "route in a signal": lambda path: sw.plot.route(sw.route(SIGNAL, X, "b"), X, path=path),
    "route in an image": lambda path: sw.plot.route(sw.route(IMAGE, PICTURE, 0), PICTURE[None], path=path),
    "maps of an image": lambda path: sw.plot.maps(np.arange(60.0).reshape(5, 4, 3), path=path),
    "maps of a signal": lambda path: sw.plot.maps(np.arange(60.0).reshape(5, 12), path=path),
    "filters": lambda path: sw.plot.filters(IMAGE.parameters["0.weight"], True, path=path),
    "filters of a signal": lambda path: sw.plot.filters(SIGNAL.parameters["0.weight"], path=path),
    "maps of one value": lambda path: sw.plot.maps(np.zeros((1, 2, 2)), path=path),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_picture_is_a_labelled_figure_and_a_png(name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    figure = DRAWINGS[name](path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100
    assert any(axes.get_title() or axes.get_title("left") or axes.get_xlabel() for axes in figure.axes)
    assert DRAWINGS[name](None) is not figure


def test_tied_connections_have_one_colour() -> None:
    figure = sw.plot.structure(sw.Conv1d(2, 3), (1, 12))
    dense, tied = (np.asarray(axes.images[0].get_array()) for axes in figure.axes)
    assert dense.shape == tied.shape == (20, 12, 3)
    assert len(np.unique(dense.reshape(-1, 3), axis=0)) > 100
    colours = np.unique(tied.reshape(-1, 3), axis=0)
    assert len(colours) == 1 + 6  # white, and one for each weight
    for k in range(2):
        for s in range(3):
            assert len(np.unique([tied[k * 10 + t, t + s] for t in range(10)], axis=0)) == 1
    assert figure.axes[1].get_title() == "Conv1d(2, 3)\n60 connections, 6 weights"


def test_networks_show_their_layers_with_weights() -> None:
    scan = sw.Scan1d(sw.Sequential(sw.Linear(3), sw.ReLU(), sw.Linear(2)), 4)
    network = sw.Sequential(scan, sw.MaxPool1d(2), sw.Residual(sw.Conv1d(2, 1)), sw.Flatten(), sw.Linear(2))
    found = ties(network, (1, 11))
    assert [tied.name for tied in found] == [
        "layer 0.0: Conv1d(3, 4)", "layer 0.2: Conv1d(2, 1)", "layer 2.0: Conv1d(2, 1)", "layer 4: Linear(2)",
    ]  # fmt: skip
    assert [tied.weights for tied in found] == [12, 6, 4, 16]
    assert len(sw.plot.structure(sw.Model(network, (1, 11))).axes) == 8
    (mean,) = ties(sw.AvgPool1d(2), (2, 4))
    assert mean.weights == 1
    assert mean.number.tolist() == np.kron(np.eye(4, dtype=int), [1, 1]).tolist()


def test_the_region_is_framed() -> None:
    found = sw.route(IMAGE, PICTURE, 0)
    (axes,) = sw.plot.route(found, PICTURE).axes
    (frame,) = axes.patches
    assert isinstance(frame, Rectangle)
    (top, bottom), (left, right) = found.region
    assert list(frame.get_bbox().extents) == [left - 0.5, top - 0.5, right - 0.5, bottom - 0.5]
    many = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max")), (12, 30))
    x = np.random.default_rng(1).normal(size=(12, 30))
    assert sw.plot.route(sw.route(many, x, 0), x).axes[0].get_ylabel() == "channel"
    flat = sw.Model(sw.Sequential(sw.Linear(2)), (6,))
    assert sw.plot.route(sw.route(flat, X[0, :6], 0), X[0, :6]).axes[0].get_xlabel() == "position"


def test_flipped_filters_are_turned_round() -> None:
    weight = np.arange(36.0).reshape(2, 2, 3, 3)
    figure = sw.plot.filters(weight, flipped=True)
    shown = {axes.get_title(): axes.images[0].get_array() for axes in figure.axes[:8]}
    np.testing.assert_array_equal(shown["filter 1, channel 0"], weight[1, 0])
    np.testing.assert_array_equal(shown["filter 1, channel 0, flipped"], weight[1, 0, ::-1, ::-1])
    lines = sw.plot.filters(weight[:, :, 0], flipped=True)
    np.testing.assert_array_equal(lines.axes[3].images[0].get_array(), weight[1, :, 0, ::-1])


@pytest.mark.parametrize(
    "values",
    [
        np.array([[[-3e38, 3e38]]], np.float32),
        np.full((1, 1, 2), 1e30),
        np.full((1, 1, 2), -128, np.int8),  # has no absolute value among its like
        np.array([[[2**63 - 1, -(2**63)]]]),
        np.array([[[True, False]]]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_the_largest_values_are_drawn(values: Any, tmp_path: Path) -> None:
    sw.plot.maps(values, path=tmp_path / "maps.png")
    sw.plot.maps(values[0], path=tmp_path / "lines.png")
    sw.plot.filters(values, flipped=True, path=tmp_path / "filters.png")
    sw.plot.route(sw.route(PIXELS, values, 0), values, path=tmp_path / "route.png")


def test_a_score_from_padding_alone() -> None:
    model = sw.Model(sw.Sequential(sw.Pad1d((5, 0), 3.0), sw.Aggregate("max")), (1, 20))
    x = np.zeros((1, 20))
    title = sw.plot.route(sw.route(model, x, 0), x).axes[0].get_title()
    assert title == "label 0: score 3, from padding alone"


PIXELS = sw.Model(sw.Sequential(sw.Downsample2d(1), sw.Aggregate("max")), (1, 1, 2))
PLOT: Any = sw.plot  # also called with what it must refuse


ENDLESS = sw.identities.ShiftResponse(
    ((1,),), np.array([np.inf], np.float32), np.zeros((1, 1, 1), np.float32)
)


class TestErrors:
    @pytest.mark.parametrize(
        ("draw", "error", "told"),
        [
            (lambda: PLOT.structure(sw.ReLU(), (3,)), sw.ArgumentError, "must be affine"),
            (lambda: PLOT.structure(sw.Linear(2), (500,)), sw.ArgumentError, "at most 400 inputs and outputs"),
            (lambda: PLOT.structure(sw.Sequential(sw.ReLU()), (3,)), sw.ArgumentError, "a layer with weights"),
            (lambda: PLOT.structure(sw.Linear(2)), sw.ArgumentTypeError, "input_shape must be given"),
            (lambda: PLOT.structure(3, (3,)), sw.ArgumentTypeError, "layer must be a layer or a Model"),
            (lambda: PLOT.shift_response([1]), sw.ArgumentTypeError, "response must be a ShiftResponse"),
            (lambda: PLOT.route(X, X), sw.ArgumentTypeError, "route must be a Route"),
            (lambda: PLOT.route(sw.route(SIGNAL, X, 0), X[:, :5]), sw.ShapeError, "shape of the route's input"),
            (lambda: PLOT.maps(np.zeros(3)), sw.ShapeError, r"maps must have shape \(K, H, W\) or \(K, T\)"),
            (lambda: PLOT.maps(np.full((1, 2), np.nan)), sw.ArgumentError, "maps must be finite"),
            (lambda: PLOT.maps([[-1e308, 1e308]]), sw.ArgumentError, r"maps must be finite \(as float32\)"),
            (lambda: PLOT.route(sw.route(SIGNAL, X, 0), X + np.inf), sw.ArgumentError, "x must be finite"),
            (lambda: PLOT.structure(sw.UnitBias(), (1, 2**32, 2**32)), sw.ArgumentError, "at most 400"),
            (lambda: PLOT.structure(sw.AvgPool2d(1), (1, 2**32, 2**32)), sw.ArgumentError, "at most 400"),
            (lambda: PLOT.shift_response(ENDLESS), sw.ArgumentError, "response.change must be finite"),
            (lambda: PLOT.maps(np.zeros((257, 2, 2))), sw.ArgumentError, "at most 256"),
            (lambda: PLOT.filters(np.zeros((20, 20, 2, 2))), sw.ArgumentError, "at most 256.* Got 400"),
            (lambda: PLOT.filters(np.zeros((2, 0, 2, 2))), sw.ShapeError, "none of them 0"),
            (lambda: PLOT.filters(np.zeros((2, 1, 2)), 1), sw.ArgumentTypeError, "flipped must be True or False"),
        ],
    )  # fmt: skip
    def test_arguments(self, draw: Callable[[], Any], error: type[Exception], told: str) -> None:
        with pytest.raises(error, match=told):
            draw()

    def test_paths(self, tmp_path: Path) -> None:
        with pytest.raises(sw.FileError, match="the file must be writable"):
            sw.plot.maps(np.zeros((1, 2, 2)), path=tmp_path / "missing" / "picture.png")
        with pytest.raises(sw.ArgumentTypeError, match="path must be a path"):
            sw.plot.maps(np.zeros((1, 2, 2)), path=3)  # type: ignore[arg-type]

    def test_matplotlib_is_an_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(
            sw.ArgumentError, match=r"plot.maps needs matplotlib.*pip install 'scanwise\[lecture\]'"
        ):
            sw.plot.maps(np.zeros((1, 2, 2)))


def test_pictures_need_no_pyplot() -> None:
    """Which keeps every figure, and wants a screen."""
    code = (
        "import sys, numpy, scanwise as sw; sw.plot; print('matplotlib' in sys.modules);"
        "sw.plot.maps(numpy.zeros((1, 2, 2))); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
