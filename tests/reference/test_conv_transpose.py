"""Transposed convolution worked by hand."""

from __future__ import annotations

import numpy as np

from scanwise.layers import ConvTranspose1d, ConvTranspose2d, Sequential
from scanwise.reference import forward, gradients

X = [[1.0, 2, 3]]  # one channel, three time steps


def outputs(layer: ConvTranspose1d, *weights: list[float], bias: float = 0.0) -> list[float]:
    parameters = {"0.weight": np.array([weights], dtype=float), "0.bias": np.array([bias])}
    return forward(Sequential(layer), np.array([X]), parameters)[0, 0].tolist()  # type: ignore[no-any-return]


def test_each_input_puts_the_filter_down() -> None:
    """1 x (10, 1) at 0, 2 x (10, 1) at 1, 3 x (10, 1) at 2."""
    assert outputs(ConvTranspose1d(1, 2), [10, 1]) == [10, 21, 32, 3]
    assert outputs(ConvTranspose1d(1, 2), [10, 1], bias=0.5) == [10.5, 21.5, 32.5, 3.5]


def test_without_stride_it_is_convolution_in_the_mathematical_sense() -> None:
    assert outputs(ConvTranspose1d(1, 2), [10, 1]) == np.convolve(X[0], [10, 1], "full").tolist()


def test_flip_turns_the_filter_round() -> None:
    assert outputs(ConvTranspose1d(1, 2, flip=True), [10, 1]) == [1, 12, 23, 30]


def test_stride_moves_the_places_apart() -> None:
    assert outputs(ConvTranspose1d(1, 2, stride=2), [10, 1]) == [10, 1, 20, 2, 30, 3]
    # Where no tap comes there is only the bias.
    assert outputs(ConvTranspose1d(1, 1, stride=2), [10], bias=0.5) == [10.5, 0.5, 20.5, 0.5, 30.5]


def test_dilation_spreads_the_filter() -> None:
    assert outputs(ConvTranspose1d(1, 2, dilation=2), [10, 1]) == [10, 20, 31, 2, 3]


def test_padding_cuts_off() -> None:
    assert outputs(ConvTranspose1d(1, 2, padding=1), [10, 1]) == [21, 32]
    assert outputs(ConvTranspose1d(1, 2, padding=(0, 1)), [10, 1]) == [10, 21, 32]
    assert outputs(ConvTranspose1d(1, 2, padding=(3, 0)), [10, 1]) == [3]


def test_output_padding_cuts_off_less_or_adds_nothing() -> None:
    assert outputs(ConvTranspose1d(1, 2, stride=2, padding=1), [10, 1]) == [1, 20, 2, 30]
    assert outputs(ConvTranspose1d(1, 2, stride=2, padding=1, output_padding=1), [10, 1]) == [1, 20, 2, 30, 3]
    assert outputs(ConvTranspose1d(1, 1, stride=2, output_padding=1), [1], bias=0.5) == [
        1.5, 0.5, 2.5, 0.5, 3.5, 0.5
    ]  # fmt: skip


def test_groups_do_not_see_each_other() -> None:
    """Axis 0 of the weight is the input channel, axis 1 the output channel of its group."""
    x = np.array([[[1.0], [2], [3], [4]]])
    parameters = {"0.weight": np.array([[[1.0]], [[10.0]], [[100.0]], [[1000.0]]])}
    y = forward(Sequential(ConvTranspose1d(2, 1, groups=2, bias=False)), x, parameters)
    assert y.tolist() == [[[1 + 20], [300 + 4000]]]


def test_an_image() -> None:
    x = np.array([[[[1.0, 2]]]])
    parameters = {"0.weight": np.array([[[[1000.0, 100], [10, 1]]]]), "0.bias": np.array([0.5])}
    y = forward(Sequential(ConvTranspose2d(1, 2)), x, parameters)
    assert y.tolist() == [[[[1000.5, 2100.5, 200.5], [10.5, 21.5, 2.5]]]]


def test_gradients() -> None:
    """z = (w0 x0, w1 x0 + w0 x1, w1 x1 + w0 x2, w1 x2) + b with dz = (1, 0, 2, 3)."""
    parameters = {"0.weight": np.array([[[10.0, 1]]]), "0.bias": np.array([0.0])}
    dz = np.array([[[1.0, 0, 2, 3]]])
    dx, found = gradients(Sequential(ConvTranspose1d(1, 2)), np.array([X]), dz, parameters)
    assert dx.tolist() == [[[10 * 1 + 1 * 0, 10 * 0 + 1 * 2, 10 * 2 + 1 * 3]]]
    assert found["0.weight"].tolist() == [[[1 * 1 + 2 * 0 + 3 * 2, 1 * 0 + 2 * 2 + 3 * 3]]]
    assert found["0.bias"].tolist() == [6]
