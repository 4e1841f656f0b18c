"""What holds for every layer: equality, printing, JSON, shapes that agree with the reference."""

from __future__ import annotations

import json
import pickle
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings

from scanwise import layers, reference
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import (
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Shape,
    from_json,
)
from tests.layers.drawn import layers as drawn_layers

NAMES = {name: getattr(layers, name) for name in layers.__all__}


@given(drawn_layers)
@settings(max_examples=200)
def test_printing_and_json_give_the_same_layer_back(drawn: tuple[Layer, Shape]) -> None:
    layer, _ = drawn
    for copy in (
        eval(repr(layer), dict(NAMES)),
        from_json(layer.to_json()),
        from_json(json.loads(json.dumps(layer.to_json()))),
        pickle.loads(pickle.dumps(layer)),
    ):
        assert copy == layer
        assert hash(copy) == hash(layer)
        assert repr(copy) == repr(layer)


@given(drawn_layers)
@settings(max_examples=200)
def test_shape_rule_is_the_shape_of_the_reference(drawn: tuple[Layer, Shape]) -> None:
    layer, shape = drawn
    network = Sequential(layer)
    parameters = {name: np.ones(extents) for name, extents in network.parameter_shapes(shape).items()}
    y = reference.forward(network, np.ones((2, *shape)), parameters)
    assert y.shape == (2, *layer.output_shape(shape))


@given(drawn_layers)
@settings(max_examples=100)
def test_operations_are_counted(drawn: tuple[Layer, Shape]) -> None:
    layer, shape = drawn
    assert layer.operations(shape) >= 0


def test_every_layer_has_a_kind() -> None:
    public = {name for name, value in NAMES.items() if isinstance(value, type) and issubclass(value, Layer)}
    assert public - {"Layer"} == {
        name for name, kind in Layer.kinds.items() if kind.__module__.startswith("scanwise.")
    }


@pytest.mark.parametrize(
    ("layer", "printed"),
    [
        (Conv2d(6, (5, 5), padding="same"), "Conv2d(6, 5, padding='same')"),
        (
            from_json({"kind": "Conv2d", "out_channels": 6, "kernel_size": [5, 3], "stride": [2, 2]}),
            "Conv2d(6, (5, 3), stride=2)",
        ),
        (
            Conv2d(cast("int", np.int64(6)), 5, bias=False),
            "Conv2d(6, 5, bias=False)",
        ),
        (MaxPool2d(2, stride=2), "MaxPool2d(2)"),
        (Linear(10), "Linear(10)"),
        (Dropout(0.25), "Dropout(p=0.25)"),
        (Sequential(Flatten(), Sequential(ReLU())), "Sequential(Flatten(), Sequential(ReLU()))"),
    ],
)
def test_a_layer_prints_as_the_call_that_makes_it(layer: Layer, printed: str) -> None:
    assert repr(layer) == printed


def test_a_layer_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Linear(10).out_features = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (5, ArgumentTypeError, "must be a JSON object"),
        ({}, ArgumentError, "layer kind must be one of .*Conv2d.* Got None"),
        ({"kind": "Conv3d"}, ArgumentError, "Got 'Conv3d'"),
        ({"kind": ["Linear"]}, ArgumentError, "Got \\['Linear'\\]"),
        (
            {"kind": "Linear", "out_features": 3, "units": 3},
            ArgumentError,
            "Linear: field must be.*Got 'units'",
        ),
        ({"kind": "Linear"}, ArgumentError, "Linear: field 'out_features' must be given"),
        (
            {"kind": "Linear", "out_features": "3"},
            ArgumentTypeError,
            "out_features must be a positive integer",
        ),
        ({"kind": "Linear", "out_features": 0}, ArgumentError, "Got 0"),
        ({"kind": "ReLU", "slope": 1}, ArgumentError, "ReLU: field must be one of \\(none\\)"),
        ({"kind": "Residual", "layers": 1}, ArgumentTypeError, "must be a list of layers"),
        ({"kind": "Residual", "layers": [], "scale": 2}, ArgumentError, "Got 'scale'"),
        ({"kind": "_Conv", "out_channels": 1, "kernel_size": 1}, ArgumentError, "Got '_Conv'"),
        ({"kind": "Sequential", "layers": [{"kind": "Nope"}]}, ArgumentError, "Got 'Nope'"),
    ],
)
def test_json_that_is_not_a_layer(data: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        from_json(data)


def test_wrong_number_of_axes_names_the_layer() -> None:
    with pytest.raises(ShapeError, match=r"Conv2d\(6, 5\): input shape must be \(C, H, W\). Got \(1, 28\)"):
        Conv2d(6, 5).output_shape((1, 28))
    with pytest.raises(ShapeError, match=r"Linear\(3\).*Put Flatten\(\)"):
        Linear(3).output_shape((1, 28))


def test_labels_tell_tables_and_long_lists_by_their_size() -> None:
    table = layers.Conv1d(2, 3, connections=[[1, 0], [1, 1]])
    assert layers.Sequential(layers.ReLU(), layers.Residual(table)).label() == (
        "Sequential(ReLU(), Residual(Conv1d(2, 3, connections=<2x2>)))"
    )
    assert layers.Scan1d(layers.Sequential(layers.Linear(2)), 3).label() == "Scan1d(Sequential(Linear(2)), 3)"
    assert layers.MaxByLabel((0, 1)).label() == "MaxByLabel((0, 1))"
    assert layers.MaxByLabel(tuple(range(300))).label() == "MaxByLabel(<300>)"
