"""How many outputs there are: floor((N + 2P - K) / S) + 1, and T - K + 1 positions (lecture 1.5, 2.4, 3.4, 5.9)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.layers import Layer, Shape

WINDOWED: dict[int, dict[str, Any]] = {
    1: {"conv": sw.Conv1d, "max": sw.MaxPool1d, "avg": sw.AvgPool1d, "down": sw.Downsample1d},
    2: {"conv": sw.Conv2d, "max": sw.MaxPool2d, "avg": sw.AvgPool2d, "down": sw.Downsample2d},
}


def output_size(N: int, K: int, S: int, P: int) -> int:
    """Lecture 5.9."""
    return math.floor((N + 2 * P - K) / S) + 1


@st.composite
def windowed(draw: st.DrawFn, largest: int) -> tuple[Layer, Shape, Shape]:
    """A layer with windows, an input, and the extents of the output that the formula gives."""
    axes, kind = draw(st.sampled_from([1, 2])), draw(st.sampled_from(["conv", "max", "avg", "down"]))
    each = st.tuples(*[st.integers(1, largest)] * axes)
    stride, extents = draw(each), draw(each)
    if kind == "down":  # lecture 5.9 with K = 1: every S-th position
        layer, kernel, padding = WINDOWED[axes][kind](stride), (1,) * axes, (0,) * axes
    else:
        kernel = draw(each)
        most = [largest if kind == "conv" else k // 2 for k in kernel]
        padding = tuple(draw(st.integers(0, most[axis])) for axis in range(axes))
        outputs = (2,) if kind == "conv" else ()
        layer = WINDOWED[axes][kind](*outputs, kernel, stride, padding[0] if axes == 1 else padding)
    assume(all(n + 2 * p >= k for n, p, k in zip(extents, padding, kernel, strict=True)))
    expected = tuple(map(output_size, extents, kernel, stride, padding))
    return layer, extents, expected


@given(windowed(largest=50))
@settings(max_examples=300)
def test_the_formula(case: tuple[Layer, Shape, Shape]) -> None:
    """Sizes that the stride divides, and sizes that it does not."""
    layer, extents, expected = case
    assert layer.output_shape((2, *extents)) == (2, *expected)


@given(windowed(largest=5))
@settings(max_examples=40)
def test_native_outputs_have_that_shape(case: tuple[Layer, Shape, Shape]) -> None:
    layer, extents, expected = case
    y = sw.Model(sw.Sequential(layer), (2, *extents))(np.ones((1, 2, *extents)))
    assert y.shape == (1, 2, *expected)
    assert np.isfinite(y).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9))
def test_a_scan_has_as_many_windows(T: int, K: int, s: int) -> None:
    """Lecture 1.5 and 2.4: floor((T - K) / s) + 1, which is T - K + 1 for s = 1."""
    assume(T >= K)
    model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(1)), (1, K), backend="reference")
    signal = np.zeros((1, T))
    assert sw.scan(model, signal).scores.shape == (1, T - K + 1)
    assert sw.scan(model, signal, step=s).scores.shape == (1, (T - K) // s + 1)
    assert sw.Conv1d(1, K).output_shape((1, T)) == (1, T - K + 1)
    assert sw.Conv1d(1, K, stride=s).output_shape((1, T)) == (1, (T - K) // s + 1)


@pytest.mark.parametrize(
    ("T", "K", "s", "positions", "unread"),
    [(10, 3, 1, 8, 0), (10, 3, 3, 3, 1), (10, 3, 4, 2, 3), (9, 3, 3, 3, 0), (3, 3, 5, 1, 0)],
)
def test_by_hand(T: int, K: int, s: int, positions: int, unread: int) -> None:
    """Stride 1 overlaps most, stride K not at all (lecture 1.5); what the last window does not reach is not read."""
    layer = sw.Conv1d(1, K, stride=s)
    assert layer.output_shape((1, T)) == (1, positions)
    model = sw.Model(sw.Sequential(layer), (1, T))
    model.parameters["0.weight"] = np.ones((1, 1, K))
    dx, _ = model.gradients(np.zeros((1, 1, T)), np.ones((1, 1, positions)))
    last = np.flatnonzero(dx)[-1]
    assert T - 1 - last == unread
    assert dx.max() == (1 if s >= K else min(K, positions))
