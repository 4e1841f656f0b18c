"""Sequential and Residual: names, shapes, network files, wrong use."""

from __future__ import annotations

import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import Conv1d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Residual, Sequential, from_json

NESTED = Sequential(
    Conv2d(4, 3), Sequential(ReLU(), Sequential(Conv2d(6, 3))), Residual(Conv2d(6, 1)), Flatten(), Linear(2)
)


def test_parameter_names_are_pytorchs() -> None:
    assert NESTED.parameter_shapes((1, 6, 6)) == {
        "0.weight": (4, 1, 3, 3),
        "0.bias": (4,),
        "1.1.0.weight": (6, 4, 3, 3),
        "1.1.0.bias": (6,),
        "2.0.weight": (6, 6, 1, 1),
        "2.0.bias": (6,),
        "4.weight": (2, 24),
        "4.bias": (2,),
    }


def test_a_sequential_is_a_sequence() -> None:
    assert len(NESTED) == 5
    assert NESTED[0] == Conv2d(4, 3)
    assert [type(layer).__name__ for layer in NESTED][-1] == "Linear"


def test_reach_of_a_chain() -> None:
    assert Sequential(Conv2d(4, 5), MaxPool2d(2), Conv2d(4, 3)).reach((1, 28, 28)) == ((10, 10), (2, 2))


def test_network_file() -> None:
    data = {"layers": [{"kind": "Conv1d", "out_channels": 4, "kernel_size": 5}, {"kind": "ReLU"}]}
    assert Sequential.from_json(data) == Sequential(Conv1d(4, 5), ReLU())
    assert Sequential.from_json(NESTED.to_json()) == NESTED
    bad: list[object] = [[], {}, {"layers": None}, {"layers": []}]
    for data_of_something_else in [*bad, {"kind": "Residual", "layers": [{"kind": "ReLU"}]}]:
        with pytest.raises((ArgumentError, ArgumentTypeError)):
            Sequential.from_json(data_of_something_else)


def test_network_file_that_is_nested_without_end() -> None:
    data: dict[str, object] = {"kind": "ReLU"}
    for _ in range(5000):
        data = {"kind": "Sequential", "layers": [data]}
    with pytest.raises(ArgumentError, match="nested at most 50 levels"):
        Sequential.from_json(data)
    table: object = 1
    for _ in range(5000):
        table = [table]
    for layer in (
        data,
        {"kind": "Scan1d", "mlp": data, "window": 2},
        {"kind": "Conv1d", "out_channels": 1, "kernel_size": 1, "connections": table},
        {"kind": "RadialBasis", "codes": table},
        {"kind": "MaxByLabel", "labels": table},
    ):
        with pytest.raises(ArgumentError, match="nested at most 50 levels"):
            from_json(layer)
    network = Sequential(Conv1d(4, (5,)))
    for _ in range(49):
        network = Sequential(network)
    with pytest.raises(ArgumentError, match=r"nested at most 50 levels deep. Got 51"):
        Sequential(network)
    assert Sequential.from_json(network.to_json()) == network


def test_wrong_use() -> None:
    with pytest.raises(ArgumentError, match="Sequential: layers must be at least one layer"):
        Sequential()
    with pytest.raises(ArgumentTypeError, match="Residual: layer 1 must be a layer"):
        Residual(ReLU(), "ReLU")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="Sequential: layer 0 must be a layer"):
        Sequential([ReLU()])  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="Sequential: layer 0 must be a layer"):
        Sequential(ReLU)  # type: ignore[arg-type]


def test_residual_must_keep_the_shape() -> None:
    with pytest.raises(ShapeError, match=r"must give back the input shape \(4, 9\). Got \(4, 7\)"):
        Residual(Conv1d(4, 3)).output_shape((4, 9))


def test_a_label_tells_tables_by_their_size() -> None:
    network = Sequential(Residual(Conv2d(2, 1, connections=((1, 0), (1, 1)))), ReLU())
    assert network.label() == "Sequential(Residual(Conv2d(2, 1, connections=<2x2>)), ReLU())"
