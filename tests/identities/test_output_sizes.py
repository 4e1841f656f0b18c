"""How many outputs there are: floor((N + 2P - K) / S) + 1, and T - K + 1 positions (lecture 1.5, 2.4, 3.4, 5.9)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.layers import Layer, Shape

MLP = sw.Sequential(sw.Linear(2))

# Kind of layer -> (the layer of so many axes with this window, stride and padding; the most padding for a kernel).
WINDOWED: dict[str, tuple[Callable[..., Layer], Callable[[int], int]]] = {
    "conv": (lambda axes, k, s, p: (sw.Conv1d if axes == 1 else sw.Conv2d)(2, k, s, p), lambda k: 9),
    "max": (lambda axes, k, s, p: (sw.MaxPool1d if axes == 1 else sw.MaxPool2d)(k, s, p), lambda k: k // 2),
    "avg": (lambda axes, k, s, p: (sw.AvgPool1d if axes == 1 else sw.AvgPool2d)(k, s, p), lambda k: k // 2),
    "subsample": (lambda axes, k, s, _: (sw.Subsample1d if axes == 1 else sw.Subsample2d)(k, s), lambda k: 0),
    "unfold": (lambda axes, k, s, _: (sw.Unfold1d if axes == 1 else sw.Unfold2d)(k, s), lambda k: 0),
    "scan": (lambda axes, k, s, _: (sw.Scan1d if axes == 1 else sw.Scan2d)(MLP, k, s), lambda k: 0),
    "s-cells": (lambda _, k, s, p: sw.SPlane(2, k, 1.0, s, p), lambda k: k - 1),
    "c-cells": (lambda _, k, s, p: sw.CPlane(k, s, p), lambda k: k - 1),
    # Lecture 5.9 with K = 1: every S-th position.
    "down": (lambda axes, _k, s, _p: (sw.Downsample1d if axes == 1 else sw.Downsample2d)(s), lambda k: 0),
}


def output_size(N: int, K: int, S: int, P: int) -> int:
    """Lecture 5.9."""
    return math.floor((N + 2 * P - K) / S) + 1


@st.composite
def windowed(draw: st.DrawFn, largest: int) -> tuple[Layer, Shape, Shape]:
    """A layer with windows, an input, and the extents of the output that the formula gives."""
    kind = draw(st.sampled_from(sorted(WINDOWED)))
    make, most = WINDOWED[kind]
    axes = 2 if kind in ("s-cells", "c-cells") else draw(st.sampled_from([1, 2]))
    each = st.tuples(*[st.integers(1, largest)] * axes)
    stride, extents = draw(each), draw(each)
    kernel = (1,) * axes if kind == "down" else draw(each)
    padding = tuple(draw(st.integers(0, most(k))) for k in kernel)
    assume(all(n + 2 * p >= k for n, p, k in zip(extents, padding, kernel, strict=True)))
    layer = make(axes, kernel, stride, padding[0] if axes == 1 else padding)
    return layer, extents, tuple(map(output_size, extents, kernel, stride, padding))


@given(windowed(largest=50))
@settings(max_examples=300)
def test_the_formula(case: tuple[Layer, Shape, Shape]) -> None:
    """Sizes that the stride divides, and sizes that it does not."""
    layer, extents, expected = case
    assert layer.output_shape((2, *extents))[1:] == expected


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4), st.integers(0, 4))
def test_transposed_convolution_inverts_the_formula(N: int, K: int, S: int, P: int, more: int) -> None:
    """Its output is a size whose convolution has N positions; `output_padding` chooses among them (lecture 8.8)."""
    assume(more < S and (N - 1) * S + K - 2 * P >= 1)
    (_, size) = sw.ConvTranspose1d(1, K, S, P, more).output_shape((1, N))
    assert size == (N - 1) * S - 2 * P + K + more
    assert output_size(size, K, S, P) == N


@given(windowed(largest=5))
@settings(max_examples=40)
def test_native_outputs_have_that_shape(case: tuple[Layer, Shape, Shape]) -> None:
    layer, extents, expected = case
    y = sw.Model(sw.Sequential(layer), (2, *extents))(np.ones((1, 2, *extents)))
    assert y.shape[2:] == expected
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
