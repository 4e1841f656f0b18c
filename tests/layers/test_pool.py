"""Pooling's shapes and arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5))
def test_output_size_is_the_lectures_formula(n: int, k: int, s: int) -> None:
    if n >= k:
        assert MaxPool1d(k, stride=s).output_shape((3, n)) == (3, (n - k) // s + 1)  # lecture 5.9
        assert AvgPool1d(k, stride=s).output_shape((3, n)) == (3, (n - k) // s + 1)


@pytest.mark.parametrize(
    ("extent", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (7, 2, 2, 0, 3, 4),
        (8, 2, 2, 0, 4, 4),
        (5, 2, 3, 0, 2, 2),
        (6, 2, 3, 0, 2, 2),  # a third window would start at 6, behind the input
        (7, 2, 3, 0, 2, 3),  # it starts at 6, the last position
        (4, 3, 3, 1, 2, 2),  # a third would start at 6 of 1 + 4 + 1: in the padding behind, so it is left out
    ],
)
def test_ceil_mode(extent: int, kernel: int, stride: int, padding: int, floor: int, ceil: int) -> None:
    assert MaxPool1d(kernel, stride, padding).output_shape((1, extent)) == (1, floor)
    assert MaxPool1d(kernel, stride, padding, ceil_mode=True).output_shape((1, extent)) == (1, ceil)


def test_ceil_mode_takes_an_input_smaller_than_the_window() -> None:
    assert AvgPool2d(2, ceil_mode=True).output_shape((1, 1, 1)) == (1, 1, 1)
    with pytest.raises(ShapeError, match="must be at least the window's 4"):
        AvgPool1d(4, stride=1, ceil_mode=True).output_shape((1, 2))


def test_windows_lie_side_by_side_by_default() -> None:
    assert MaxPool2d((2, 3)).geometry((1, 6, 6)).stride == (2, 3)
    assert MaxPool2d((2, 3)) == MaxPool2d((2, 3), stride=(2, 3))


@pytest.mark.parametrize("kind", [MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d])
def test_bad_arguments(kind: type[MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d]) -> None:
    name = kind.__name__
    with pytest.raises(ArgumentError, match=f"{name}: kernel_size must be a positive integer.* Got 0"):
        kind(0)
    with pytest.raises(ArgumentTypeError, match=f"{name}: kernel_size must be"):
        kind(2.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=f"{name}: stride must be"):
        kind(2, stride=0)
    with pytest.raises(ArgumentError, match=f"{name}: padding must be at most half of kernel_size 3. Got 2"):
        kind(3, padding=2)
    with pytest.raises(ArgumentTypeError, match=f"{name}: ceil_mode must be True or False. Got 1"):
        kind(3, ceil_mode=1)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=f"{name}.*: input extent"):
        kind(3).output_shape((1, 2, 2)[: kind.axes + 1])
