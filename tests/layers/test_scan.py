"""The scanning MLP's shapes, counts and arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import (
    Conv1d,
    Flatten,
    Linear,
    ReLU,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Softmax,
    Unfold1d,
    from_json,
)

MLP = Sequential(Linear(8), ReLU(), Linear(3))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5))
def test_number_of_positions_is_the_lectures_formula(t: int, k: int, s: int) -> None:
    if t >= k:
        assert Scan1d(MLP, k, s).output_shape((2, t)) == (3, (t - k) // s + 1)  # lecture 1.5
        assert Scan1d(MLP, k).output_shape((2, t)) == (3, t - k + 1)  # lecture 2.4


def test_parameters_are_the_mlps_whatever_the_length() -> None:
    expected = {"0.weight": (8, 10), "0.bias": (8,), "2.weight": (3, 8), "2.bias": (3,)}
    for length in (5, 20, 1000):
        assert Scan1d(MLP, 5).parameter_shapes((2, length)) == expected


def test_operations_are_the_mlps_at_every_position() -> None:
    assert Scan1d(MLP, 5).operations((2, 20)) == 16 * MLP.operations((10,))


def test_connections_are_the_mlps_at_every_position() -> None:
    """A shared weight counts wherever it is used: 16 positions of (10 + 1) 8 + (8 + 1) 3."""
    assert Scan1d(MLP, 5).connection_count((2, 20)) == 16 * (11 * 8 + 9 * 3)
    as_convolutions = Sequential(*(layer for _, layer in Scan1d(MLP, 5).on_maps))
    assert as_convolutions.connection_count((2, 20)) == 16 * (11 * 8 + 9 * 3)


def test_receptive_field_and_table() -> None:
    network = Sequential(Scan2d(MLP, (3, 2), (2, 1)))
    assert shapes.receptive_field(network, (1, 9, 9)) == ((3, 2), (2, 1))
    assert "Scan2d(Sequential(Linear(8), ReLU(), Linear(3)), (3, 2), stride=(2, 1))" in shapes.summary_table(
        network, (1, 9, 9)
    )


def test_json_and_printing() -> None:
    scan = Scan2d(MLP, (3, 3), stride=2)
    assert repr(scan) == "Scan2d(Sequential(Linear(8), ReLU(), Linear(3)), 3, stride=2)"
    assert from_json(scan.to_json()) == scan
    with pytest.raises(ArgumentError, match=r"field 'mlp' must be given"):
        from_json({"kind": "Scan1d", "window": 3})


def test_nesting_counts() -> None:
    network = Sequential(Linear(2))
    for _ in range(47):
        network = Sequential(network)
    Sequential(Scan1d(network, 2))
    with pytest.raises(ArgumentError, match=r"at most 50 levels deep. Got 51"):
        Sequential(Scan1d(Sequential(network), 2))


@pytest.mark.parametrize(
    ("mlp", "convolves"),
    [
        (MLP, True),
        (Sequential(Flatten(), Sequential(ReLU(), Linear(2))), True),
        (Sequential(Softmax(), Linear(2)), False),
        (Sequential(Residual(Linear(10))), False),
        (Sequential(ReLU()), False),
    ],
)
def test_which_scans_are_convolutions(mlp: Sequential, convolves: bool) -> None:
    scan = Scan1d(mlp, 5)
    assert (scan.needs_windows is None) is convolves
    # Written as layers of maps it has the same shape and the same numbers of parameters.
    on_maps = Sequential(*(layer for _, layer in scan.on_maps))
    assert isinstance(scan.on_maps[0][1], Unfold1d) is not convolves
    assert on_maps.output_shape((2, 20)) == scan.output_shape((2, 20))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Linear(3), 5), ArgumentTypeError, "Scan1d: mlp must be a Sequential. Got Linear"),
        ((Sequential(Conv1d(3, 2)), 5), ArgumentError, "mlp must be made of Linear, .* Got Conv1d"),
        ((Sequential(Residual(Scan1d(MLP, 2))), 5), ArgumentError, "mlp must be made of"),
        ((MLP, 0), ArgumentError, "Scan1d: window must be a positive integer. Got 0"),
        ((MLP, (2, 2, 2)), ArgumentError, "window must be a positive integer. Got"),
        ((MLP, "5"), ArgumentTypeError, "window must be a positive integer. Got '5'"),
        ((MLP, 5, 0), ArgumentError, "stride must be a positive integer. Got 0"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Scan1d(*arguments)


@pytest.mark.parametrize(
    "mlp", [None, "MLP", [], {"kind": "ReLU"}, {"kind": "Scan1d", "mlp": 1, "window": 2}]
)
def test_files_with_another_mlp(mlp: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"Scan1d: mlp must be a Sequential. Got"):
        from_json({"kind": "Scan1d", "mlp": mlp, "window": 5})


def test_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"input extent T .* must be at least the window's 5. Got 4"):
        Scan1d(MLP, 5).output_shape((2, 4))
    with pytest.raises(ShapeError, match=r"input shape must be \(C, H, W\). Got \(2, 20\)"):
        Scan2d(MLP, 5).output_shape((2, 20))
    with pytest.raises(ShapeError, match=r"layer 0: Residual: its layers must give back"):
        shapes.walk(Sequential(Scan1d(Sequential(Residual(Linear(3))), 5)), (2, 20))
