"""The layers of a few lines, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scanwise.layers import (
    Aggregate,
    Downsample1d,
    Downsample2d,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    Pad1d,
    Pad2d,
    ReLU,
    Residual,
    ScaledTanh,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from scanwise.reference import forward, gradients


def value(layer: Layer, x: object, **parameters: object) -> list[object]:
    given = {f"0.{name}": np.array(each, dtype=float) for name, each in parameters.items()}
    return forward(Sequential(layer), np.array([x], dtype=float), given)[0].tolist()  # type: ignore[no-any-return]


def slope(layer: Layer, x: object, dy: object) -> list[object]:
    dx, _ = gradients(Sequential(layer), np.array([x], dtype=float), np.array([dy], dtype=float), {})
    return dx[0].tolist()  # type: ignore[no-any-return]


def test_linear() -> None:
    assert value(Linear(2), [1, 2, 3], weight=[[1, 10, 100], [0, 0, 1]], bias=[0.5, 0]) == [321.5, 3]
    assert value(Linear(1, bias=False), [1, 2], weight=[[3, 4]]) == [11]


def test_rectifiers() -> None:
    assert value(ReLU(), [-1, 0, 2]) == [0, 0, 2]
    assert slope(ReLU(), [-1, 0, 2], [5, 5, 5]) == [0, 0, 5]
    assert value(LeakyReLU(0.5), [-2, 0, 2]) == [-1, 0, 2]
    assert slope(LeakyReLU(0.5), [-2, 0, 2], [4, 4, 4]) == [2, 2, 4]


def test_sigmoids() -> None:
    assert value(Sigmoid(), [0, math.log(3)]) == pytest.approx([0.5, 0.75])
    assert value(Sigmoid(), [-1000, 1000]) == [0, 1]
    assert value(Tanh(), [0, 1]) == [0, math.tanh(1)]
    assert value(ScaledTanh(), [1.0]) == pytest.approx([1.0], abs=1e-4)  # LeCun's choice: f(1) = 1
    assert slope(ScaledTanh(), [0.0], [1.0]) == pytest.approx([1.7159 * 2 / 3])


def test_softmax() -> None:
    assert value(Softmax(), [0, math.log(3)]) == pytest.approx([0.25, 0.75])
    assert value(Softmax(), [1000, 1000]) == [0.5, 0.5]
    assert value(Softmax(), [[0, 5], [math.log(3), 5]]) == [
        pytest.approx([0.25, 0.5]),
        pytest.approx([0.75, 0.5]),
    ]


def test_flatten_keeps_the_last_axis_fastest() -> None:
    assert value(Flatten(), [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_downsample() -> None:
    assert value(Downsample1d(2), [[1, 2, 3, 4, 5]]) == [[1, 3, 5]]
    assert slope(Downsample1d(2), [[1, 2, 3, 4]], [[7, 8]]) == [[7, 0, 8, 0]]
    assert value(Downsample2d((1, 3)), [[[1, 2, 3, 4], [5, 6, 7, 8]]]) == [[[1, 4], [5, 8]]]


def test_pad() -> None:
    assert value(Pad1d((2, 1)), [[1, 2]]) == [[0, 0, 1, 2, 0]]
    assert slope(Pad1d((2, 1)), [[1, 2]], [[1, 2, 3, 4, 5]]) == [[3, 4]]
    assert value(Pad2d((1, 0, 0, 1)), [[[1, 2]]]) == [[[0, 1, 2], [0, 0, 0]]]  # left, right, top, bottom


def test_dropout_is_the_identity_outside_training() -> None:
    assert value(Dropout(0.9), [1, 2, 3]) == [1, 2, 3]


def test_aggregate() -> None:
    x = [[1, 3, 2], [0, 0, math.log(2)]]
    assert value(Aggregate("max"), x) == [3, math.log(2)]
    assert value(Aggregate("mean"), x) == pytest.approx([2, math.log(2) / 3])
    assert value(Aggregate("logsumexp"), [[0, 0], [1000, 1000]]) == pytest.approx(
        [math.log(2), 1000 + math.log(2)]
    )
    # One softmax over all: exp of (0, 0) and (0, log 5) are 1, 1, 1, 5
    assert value(Aggregate("softmax"), [[0, 0], [0, math.log(5)]]) == pytest.approx([0.25, 0.75])
    assert value(Aggregate("max"), [[[1, 2], [5, 0]]]) == [5]
    assert slope(Aggregate("max"), [[1, 3, 3]], [7]) == [[0, 7, 0]]
    assert slope(Aggregate("mean"), [[1, 3, 3]], [6]) == [[2, 2, 2]]


def test_residual_adds_its_input() -> None:
    assert value(Residual(ReLU()), [-1, 2]) == [-1, 4]
    assert slope(Residual(ReLU()), [-1, 2], [10, 10]) == [10, 20]
