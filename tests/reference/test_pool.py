"""Pooling worked by hand: ties, overlaps, padding, `ceil_mode`."""

from __future__ import annotations

import numpy as np
import pytest

from scanwise.layers import AvgPool1d, AvgPool2d, Layer, MaxPool1d, MaxPool2d, Sequential
from scanwise.reference import forward, gradients


def pooled(layer: Layer, x: list[float]) -> list[float]:
    return forward(Sequential(layer), np.array([[x]], dtype=float), {})[0, 0].tolist()  # type: ignore[no-any-return]


def routed(layer: Layer, x: list[float], dy: list[float]) -> list[float]:
    dx, _ = gradients(Sequential(layer), np.array([[x]], dtype=float), np.array([[dy]], dtype=float), {})
    return dx[0, 0].tolist()  # type: ignore[no-any-return]


def test_max() -> None:
    assert pooled(MaxPool1d(2), [1, 3, 2, 0, 9]) == [3, 2]
    assert pooled(MaxPool1d(2, ceil_mode=True), [1, 3, 2, 0, 9]) == [3, 2, 9]
    assert pooled(MaxPool1d(3, stride=1), [1, 3, 2, 0, 9]) == [3, 3, 9]


def test_padding_never_wins() -> None:
    assert pooled(MaxPool1d(3, stride=2, padding=1), [-5, -3, -4, -1]) == [-3, -1]


def test_max_gradient_goes_to_the_maximum_alone() -> None:
    assert routed(MaxPool1d(2), [1, 3, 2, 0], [5, 7]) == [0, 5, 7, 0]


def test_overlapping_windows_add() -> None:
    assert routed(MaxPool1d(3, stride=1), [1, 3, 2, 0, 9], [1, 10, 100]) == [0, 11, 0, 0, 100]
    assert routed(AvgPool1d(2, stride=1), [0, 0, 0], [2, 4]) == [1, 3, 2]


def test_first_of_equal_maxima_takes_the_gradient() -> None:
    x = np.array([[[[1.0, 2], [2, 2]]]])
    dx, _ = gradients(Sequential(MaxPool2d(2)), x, np.ones((1, 1, 1, 1)), {})
    assert dx.tolist() == [[[[0, 1], [0, 0]]]]  # row-major: the right one of the first row
    assert routed(MaxPool1d(3), [0, 0, 0], [1]) == [1, 0, 0]
    assert routed(MaxPool1d(3, stride=2, padding=1), [4, 4, 4], [1, 1]) == [1, 1, 0]


def test_minus_infinity_is_a_value() -> None:
    low = -np.inf
    assert pooled(MaxPool1d(2, padding=1), [low, low]) == [low, low]
    assert routed(MaxPool1d(2, padding=1), [low, low], [1, 1]) == [1, 1]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (AvgPool1d(2), [2, 4]),
        (AvgPool1d(2, ceil_mode=True), [2, 4, 9]),  # the last window holds one value, and divides by one
        (AvgPool1d(3, stride=2, padding=1), [4 / 3, 11 / 3, 5]),  # zeros count
        (AvgPool1d(4, stride=4, padding=2, ceil_mode=True), [1, 17 / 4]),
    ],
)
def test_average(layer: Layer, expected: list[float]) -> None:
    np.testing.assert_allclose(pooled(layer, [1, 3, 2, 6, 9]), np.array(expected), rtol=1e-15)


def test_average_of_an_image_divides_by_the_window() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    y = forward(Sequential(AvgPool2d(2)), x, {})
    assert y.tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    dx, _ = gradients(Sequential(AvgPool2d(2)), x, np.array([[[[4.0, 8], [12, 16]]]]), {})
    assert dx[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
