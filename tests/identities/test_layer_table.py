"""The lecture's comparison of convolution, pooling and downsampling (5.11), a test for each of its cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import scanwise as sw
from scanwise.layers import (
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Downsample1d,
    Downsample2d,
    Layer,
    MaxPool1d,
    MaxPool2d,
    Shape,
)
from tests.backends import BACKENDS
from tests.identities.whole_numbers import whole_numbers

Question = Callable[[Layer, Shape, str], bool]

SIGNAL, IMAGE = (3, 12), (3, 8, 6)
LAYERS: dict[str, list[tuple[Layer, Shape]]] = {
    "convolution": [
        (Conv1d(4, 3), SIGNAL),
        (Conv1d(4, 3, padding="same"), SIGNAL),
        (Conv2d(4, 3), IMAGE),
        (Conv2d(4, 3, padding="same"), IMAGE),
    ],
    "pooling": [
        (MaxPool1d(2), SIGNAL),
        (AvgPool1d(3), SIGNAL),
        (MaxPool2d(2), IMAGE),
        (AvgPool2d((1, 2)), IMAGE),
    ],
    "downsampling": [(Downsample1d(2), SIGNAL), (Downsample2d((2, 3)), IMAGE)],
}


def model(layer: Layer, shape: Shape, backend: str) -> sw.Model:
    return sw.Model(sw.Sequential(layer), shape, seed=1, backend=backend)


def learns_parameters(layer: Layer, shape: Shape, backend: str) -> bool:
    """Whether training changes the layer's output."""
    x = whole_numbers(0, 8, *shape)
    trained = model(layer, shape, backend)
    before = trained(x)
    sw.fit(trained, x, whole_numbers(1, *before.shape), epochs=1, loss="mse", progress=False)
    return not np.array_equal(trained(x), before)


def combines_channels(layer: Layer, shape: Shape, backend: str) -> bool:
    """Whether an output channel depends on other input channels than its own."""
    x = whole_numbers(0, 1, *shape)
    other = x.copy()
    other[:, 0] += 1 + np.arange(x[0, 0].size).reshape(x[0, 0].shape)
    y = model(layer, shape, backend)
    changed = [not np.array_equal(a, b) for a, b in zip(y(x)[0], y(other)[0], strict=True)]
    assert changed[0]
    return any(changed[1:])


def changes_values(layer: Layer, shape: Shape, backend: str) -> bool:
    """Whether an output may differ from the input of its channel where its window begins."""
    x = whole_numbers(0, 1, *shape)
    y = model(layer, shape, backend)(x)[0]
    _, stride = layer.reach(shape)
    places = np.ix_(*(np.arange(n) * s for n, s in zip(y.shape[1:], stride, strict=True)))
    return not np.array_equal(y[: shape[0]], x[0][:, *places])


def changes_size(layer: Layer, shape: Shape, backend: str) -> bool:
    y = model(layer, shape, backend)(whole_numbers(0, 1, *shape))
    return y.shape[2:] != shape[1:]


YES, NO, SOMETIMES = {True}, {False}, {True, False}
TABLE: list[tuple[str, Question, set[bool]]] = [
    ("convolution", learns_parameters, YES),
    ("convolution", combines_channels, YES),
    ("convolution", changes_values, YES),
    ("convolution", changes_size, SOMETIMES),
    ("pooling", learns_parameters, NO),
    ("pooling", combines_channels, NO),
    ("pooling", changes_values, YES),
    ("pooling", changes_size, YES),
    ("downsampling", learns_parameters, NO),
    ("downsampling", combines_channels, NO),
    ("downsampling", changes_values, NO),
    ("downsampling", changes_size, YES),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("operation", "question", "expected"),
    TABLE,
    ids=[f"{operation} {question.__name__}" for operation, question, _ in TABLE],
)
def test_cell(operation: str, question: Question, expected: set[bool], backend: str) -> None:
    assert {question(layer, shape, backend) for layer, shape in LAYERS[operation]} == expected
