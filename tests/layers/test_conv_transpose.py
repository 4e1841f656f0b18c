"""Transposed convolution's shapes and arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Geometry

small = st.integers(1, 5)


@given(st.integers(1, 40), small, small, st.integers(0, 4), small)
def test_output_padding_picks_one_of_the_sizes_that_the_convolution_maps_to_the_input(
    n: int, k: int, s: int, p: int, d: int
) -> None:
    """A strided convolution takes s sizes to one; the transposed one comes back to each of them."""
    extent = (n - 1) * s - 2 * p + d * (k - 1) + 1
    assume(extent >= 1)
    for more in range(s):
        layer = ConvTranspose1d(1, k, s, p, more, dilation=d)
        assert layer.output_shape((1, n)) == (1, extent + more)
        assert Conv1d(1, k, s, p, d).output_shape((1, extent + more)) == (1, n)


@pytest.mark.parametrize(
    ("layer", "input_shape", "output_shape"),
    [
        (ConvTranspose2d(6, 4, stride=2, padding=1), (3, 7, 1), (6, 14, 2)),
        (ConvTranspose2d(6, (1, 3), stride=(2, 1), padding=(0, 1)), (3, 4, 4), (6, 7, 4)),
        (ConvTranspose2d(1, 3, output_padding=(0, 1), dilation=(1, 2)), (1, 2, 2), (1, 4, 7)),
        (ConvTranspose1d(8, 5), (4, 10), (8, 14)),
        (ConvTranspose1d(8, 5, padding=(1, 3)), (4, 10), (8, 10)),
        (ConvTranspose1d(8, 5, padding=(4, 9)), (4, 10), (8, 1)),
        (ConvTranspose1d(1, 1), (1, 1), (1, 1)),
    ],
    ids=str,
)
def test_output_shape(
    layer: ConvTranspose1d | ConvTranspose2d, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
) -> None:
    assert layer.output_shape(input_shape) == output_shape


def test_windows_lie_in_the_output() -> None:
    """One for each input position, where the convolution of the output has them."""
    layer = ConvTranspose2d(1, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2))
    convolution = Conv2d(1, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2))
    assert layer.geometry((1, 5, 4)) == convolution.geometry(layer.output_shape((1, 5, 4)))
    assert ConvTranspose1d(4, 3, stride=2, padding=(0, 1)).geometry((1, 10)) == Geometry(
        kernel=(1, 3), stride=(1, 2), dilation=(1, 1), padding=(0, 0, 0, 1), output=(1, 10)
    )


def test_parameter_shapes_are_pytorchs() -> None:
    layer = ConvTranspose2d(12, (3, 5), groups=4)
    assert layer.parameter_shapes((8, 9, 9)) == {"weight": (8, 3, 3, 5), "bias": (12,)}
    assert ConvTranspose1d(6, 3, groups=6, bias=False).parameter_shapes((6, 9)) == {"weight": (6, 1, 3)}


def test_operations() -> None:
    # 2 x 7 x 7 inputs, each 6 filters of 25 products and sums; 6 x 11 x 11 biases
    assert ConvTranspose2d(6, 5).operations((2, 7, 7)) == 2 * 7 * 7 * 6 * 50 + 6 * 11 * 11
    assert ConvTranspose2d(6, 5, groups=2, bias=False).operations((2, 7, 7)) == 2 * 7 * 7 * 3 * 50


def test_shape_errors() -> None:
    with pytest.raises(ShapeError, match=r"input channels must be a multiple of groups 2\. Got 3"):
        ConvTranspose2d(4, 3, groups=2).output_shape((3, 9, 9))
    with pytest.raises(
        ShapeError, match=r"output extent W must be at least 1\. Got 0 \(input shape \(1, 9, 2"
    ):
        ConvTranspose2d(4, 3, padding=2).output_shape((1, 9, 2))
    with pytest.raises(ShapeError, match=r"output extent T must be at least 1\. Got -3"):
        ConvTranspose1d(4, 1, padding=2).output_shape((1, 1))
    with pytest.raises(ShapeError, match=r"input shape must be \(C, T\)\. Got \(1, 9, 9\)"):
        ConvTranspose1d(4, 1).output_shape((1, 9, 9))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"out_channels": 0}, ArgumentError, "out_channels must be a positive integer. Got 0"),
        ({"kernel_size": (3, 3, 3)}, ArgumentError, "kernel_size must be a positive integer or a tuple of 2"),
        ({"stride": -1}, ArgumentError, "stride must be"),
        ({"dilation": 0}, ArgumentError, "dilation must be"),
        ({"padding": -1}, ArgumentError, "padding must be an integer of at least 0"),
        ({"padding": "same"}, ArgumentTypeError, "padding must be"),
        ({"padding": (1, 1, 1, 1)}, ArgumentError, "padding must be"),
        ({"output_padding": -1}, ArgumentError, "output_padding must be an integer of at least 0"),
        ({"output_padding": 1}, ArgumentError, "output_padding must be smaller than stride 1 or dilation 1. Got 1"),
        ({"output_padding": (1, 2), "stride": 2}, ArgumentError, "output_padding must be smaller than stride 2"),
        ({"output_padding": 3, "dilation": (4, 3)}, ArgumentError, "output_padding must be smaller than stride 1"),
        ({"groups": 3}, ArgumentError, "out_channels must be a multiple of groups 3. Got 4"),
        ({"bias": 1}, ArgumentTypeError, "bias must be True or False"),
        ({"flip": "no"}, ArgumentTypeError, "flip must be True or False"),
    ],
)  # fmt: skip
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"ConvTranspose2d: {message}"):
        ConvTranspose2d(**{"out_channels": 4, "kernel_size": 3, **arguments})
