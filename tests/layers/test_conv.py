"""Convolution's shapes, paddings and arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import Conv1d, Conv2d, Geometry

sizes = st.integers(1, 40)


@given(sizes, st.integers(1, 9), st.integers(0, 4), st.integers(1, 5))
def test_output_size_is_the_lectures_formula(n: int, k: int, p: int, s: int) -> None:
    layer = Conv2d(3, k, stride=s, padding=p)
    if n + 2 * p < k:
        with pytest.raises(ShapeError, match="extent H with padding must be at least the window's"):
            layer.output_shape((1, n, n))
    else:
        extent = (n - k + 2 * p) // s + 1  # lecture 3.4, 5.9
        assert layer.output_shape((1, n, n)) == (3, extent, extent)


@given(sizes, st.integers(1, 8), st.integers(1, 3))
def test_same_keeps_the_size(n: int, k: int, d: int) -> None:
    assert Conv1d(2, k, padding="same", dilation=d).output_shape((1, n)) == (2, n)
    assert Conv2d(2, k, padding="same", dilation=d).output_shape((1, n, n + 1)) == (2, n, n + 1)


@given(sizes, st.integers(1, 8), st.integers(1, 3))
def test_causal_keeps_the_length_and_pads_before(n: int, k: int, d: int) -> None:
    geometry = Conv1d(2, k, padding="causal", dilation=d).geometry((1, n))
    assert geometry.output == (1, n)
    assert geometry.padding == (0, 0, d * (k - 1), 0)


@pytest.mark.parametrize(
    ("layer", "padding"),
    [
        (Conv2d(1, 5, padding="same"), (2, 2, 2, 2)),
        (Conv2d(1, 4, padding="same"), (2, 1, 2, 1)),  # lecture 5.6: K/2 on one side, K/2 - 1 on the other
        (Conv2d(1, (2, 1), padding="same"), (1, 0, 0, 0)),
        (Conv2d(1, 2, padding="same", dilation=2), (1, 1, 1, 1)),
        (Conv2d(1, 3, padding="valid"), (0, 0, 0, 0)),
        (Conv2d(1, 3, padding=(1, 2)), (1, 1, 2, 2)),
        (Conv1d(1, 3, padding=2), (0, 0, 2, 2)),
        (Conv1d(1, 3, padding=(2,)), (0, 0, 2, 2)),
        (Conv1d(1, 3, padding=(1, 2)), (0, 0, 1, 2)),
    ],
)
def test_padding(layer: Conv1d | Conv2d, padding: tuple[int, ...]) -> None:
    shape = (1, 9) if isinstance(layer, Conv1d) else (1, 9, 9)
    assert layer.geometry(shape).padding == padding


def test_one_dimension_is_two_with_one_row() -> None:
    assert Conv1d(4, 3, stride=2, dilation=2).geometry((1, 10)) == Geometry(
        kernel=(1, 3), stride=(1, 2), dilation=(1, 2), padding=(0, 0, 0, 0), output=(1, 3)
    )


def test_parameter_shapes_are_pytorchs() -> None:
    layer = Conv2d(12, (3, 5), groups=4)
    assert layer.parameter_shapes((8, 9, 9)) == {"weight": (12, 2, 3, 5), "bias": (12,)}
    assert Conv1d(6, 3, groups=6, bias=False).parameter_shapes((6, 9)) == {"weight": (6, 1, 3)}


def test_operations() -> None:
    # 6 x 24 x 24 outputs, each 25 products, 25 sums and a bias
    assert Conv2d(6, 5).operations((1, 28, 28)) == 6 * 24 * 24 * 51
    assert Conv2d(6, 5, bias=False).operations((1, 28, 28)) == 6 * 24 * 24 * 50


TABLE = ((1, 0, 1), (0, 1, 0))


def test_connections_count_their_weights() -> None:
    layer = Conv2d(2, (2, 3), connections=TABLE)
    assert layer.parameter_shapes((3, 5, 5)) == {"weight": (3, 2, 3), "bias": (2,)}
    assert layer.operations((3, 5, 5)) == 4 * 3 * (2 * 3 * 6 + 2)  # positions x (products and sums, biases)
    assert Conv1d(2, 4, bias=False, connections=TABLE).parameter_shapes((3, 5)) == {"weight": (3, 4)}
    with pytest.raises(
        ShapeError, match=r"connections=<2x3>\): input channels must be the 3 columns .* Got 4"
    ):
        layer.output_shape((4, 5, 5))


@pytest.mark.parametrize(
    "given",
    [
        [[1, 0, 1], [0, 1, 0]],
        [[True, False, True], np.array([False, True, False])],
        np.array(TABLE),
        np.array(TABLE, bool),
    ],
    ids=str,
)
def test_connections_have_one_form(given: Any) -> None:
    layer = Conv2d(2, 5, connections=given)
    assert layer == Conv2d(2, 5, connections=TABLE)
    assert hash(layer) == hash(Conv2d(2, 5, connections=TABLE))
    assert repr(layer) == "Conv2d(2, 5, connections=((1, 0, 1), (0, 1, 0)))"
    assert layer.label() == "Conv2d(2, 5, connections=<2x3>)"
    assert layer.to_json()["connections"] == [[1, 0, 1], [0, 1, 0]]


def test_groups_must_divide_the_input() -> None:
    with pytest.raises(ShapeError, match=r"input channels must be a multiple of groups 2\. Got 3"):
        Conv2d(4, 3, groups=2).output_shape((3, 9, 9))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"out_channels": 0}, ArgumentError, "out_channels must be a positive integer. Got 0"),
        ({"out_channels": 2.0}, ArgumentTypeError, "out_channels must be a positive integer. Got 2.0"),
        ({"out_channels": True}, ArgumentTypeError, "out_channels must be a positive integer. Got True"),
        ({"kernel_size": 0}, ArgumentError, "kernel_size must be a positive integer"),
        ({"kernel_size": (3, 3, 3)}, ArgumentError, "kernel_size must be a positive integer or a tuple of 2"),
        ({"kernel_size": "3"}, ArgumentTypeError, "kernel_size must be"),
        ({"kernel_size": None}, ArgumentTypeError, "kernel_size must be"),
        ({"kernel_size": (3, None)}, ArgumentTypeError, "kernel_size must be"),
        ({"kernel_size": ()}, ArgumentError, "kernel_size must be"),
        ({"stride": -1}, ArgumentError, "stride must be"),
        ({"dilation": 0}, ArgumentError, "dilation must be"),
        ({"padding": -1}, ArgumentError, "padding must be an integer of at least 0"),
        ({"padding": "full"}, ArgumentError, "padding must be one of 'valid', 'same'. Got 'full'"),
        ({"padding": "causal"}, ArgumentError, "padding must be one of 'valid', 'same'"),
        ({"padding": "same", "stride": 2}, ArgumentError, "stride must be 1 where padding is 'same'"),
        ({"groups": 0}, ArgumentError, "groups must be a positive integer"),
        ({"groups": 3}, ArgumentError, "out_channels must be a multiple of groups 3. Got 4"),
        ({"bias": 1}, ArgumentTypeError, "bias must be True or False"),
        ({"flip": "no"}, ArgumentTypeError, "flip must be True or False"),
        ({"connections": 3}, ArgumentTypeError, "connections must be a table, a sequence of rows. Got 3"),
        ({"connections": [1, 0]}, ArgumentTypeError, "connections must be a table, a sequence of rows"),
        ({"connections": ["10", "01"]}, ArgumentTypeError, "connections must be a table, a sequence of rows"),
        (
            {"connections": [[1.0]] * 4},
            ArgumentTypeError,
            "connections must be .* of 0 and 1. Got the entry 1.0",
        ),
        ({"connections": [[2]] * 4}, ArgumentError, "connections must be .* of 0 and 1. Got the entry 2"),
        (
            {"connections": []},
            ArgumentError,
            r"connections must have rows of one length, .* Got lengths \[\]",
        ),
        ({"connections": [[1], [1, 0]] * 2}, ArgumentError, "connections must have rows of one length"),
        ({"connections": [[]] * 4}, ArgumentError, "connections must have rows of one length, at least 1"),
        ({"connections": [[1]] * 3}, ArgumentError, "connections must have out_channels 4 rows. Got 3"),
        (
            {"connections": [[1, 0], [1, 1], [0, 1], [0, 0]]},
            ArgumentError,
            r"output channel 3 must see at least one input channel. Got row \(0, 0\)",
        ),
        (
            {"connections": [[1]] * 4, "groups": 2},
            ArgumentError,
            "groups must be 1 where connections are given",
        ),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"Conv2d: {message}"):
        Conv2d(**{"out_channels": 4, "kernel_size": 3, **arguments})
