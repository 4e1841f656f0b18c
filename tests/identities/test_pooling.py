"""Pooling routes gradients and generates none (lecture 7.2 to 7.4).

Every output is looked at alone: sample number i has an upstream gradient at output i and zeros elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.layers import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from tests.backends import BACKENDS
from tests.identities.whole_numbers import Array, gradients, output, whole_numbers

on_both_backends = pytest.mark.parametrize("backend", BACKENDS)


@dataclass(frozen=True)
class Windows:
    """Where the windows of a pooling lie."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    extent: tuple[int, int]

    def mask(self, p: int, q: int) -> NDArray[np.bool_]:
        """Which positions of the map window (p, q) holds."""
        inside = []
        for at, k, s, pad, extent in zip(
            (p, q), self.kernel, self.stride, self.padding, self.extent, strict=True
        ):
            places = np.arange(extent) + pad
            inside.append((places >= at * s) & (places < at * s + k))
        return np.logical_and.outer(*inside)


@st.composite
def windows(draw: st.DrawFn) -> Windows:
    """Windows that overlap, touch, or leave gaps; padded."""
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))
    stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    extent = kernel[0] + draw(st.integers(0, 4)), kernel[1] + draw(st.integers(0, 4))
    return Windows(kernel, stride, padding, extent)


def gradients_of_single_outputs(
    layer: MaxPool2d | AvgPool2d, x: Array, backend: str
) -> list[tuple[tuple[int, ...], Array]]:
    """(index of an output, what a gradient of 1 there gives the input), for all outputs of one sample `(C, H, W)`."""
    shape = layer.output_shape(x.shape)
    size = int(np.prod(shape))
    dy = np.eye(size, dtype=np.float32).reshape(size, *shape)
    dx, found = gradients(layer, np.repeat(x[None], size, axis=0), dy, {}, backend)
    assert found == {}
    return list(zip(np.ndindex(*shape), dx, strict=True))


@on_both_backends
@settings(max_examples=10)
@given(windows(), st.sampled_from([1, 5, 17]), st.integers(0, 1000))
def test_the_first_maximum_alone_takes_the_gradient(
    backend: str, w: Windows, channels: int, seed: int
) -> None:
    """Lecture 7.2. Few different values, so that most windows have several maxima."""
    x = whole_numbers(seed, channels, *w.extent) // 3
    layer = MaxPool2d(w.kernel, w.stride, w.padding)
    y = output(layer, x[None], {}, backend)[0]
    for (c, p, q), dx in gradients_of_single_outputs(layer, x, backend):
        maxima = w.mask(p, q) & (x[c] == x[c][w.mask(p, q)].max())
        expected = np.zeros_like(x)
        expected[c].flat[np.flatnonzero(maxima)[0]] = 1
        np.testing.assert_array_equal(dx, expected)
        assert y[c, p, q] == x[expected == 1]


@on_both_backends
@settings(max_examples=10)
@given(windows(), st.sampled_from([1, 5, 17]), st.integers(0, 1000))
def test_the_average_spreads_the_gradient_evenly(backend: str, w: Windows, channels: int, seed: int) -> None:
    """Lecture 7.3: 1/K^2 for every input of the window, whatever their values."""
    x = whole_numbers(seed, channels, *w.extent)
    layer = AvgPool2d(w.kernel, w.stride, w.padding)
    for (c, p, q), dx in gradients_of_single_outputs(layer, x, backend):
        share = np.float32(1) / np.float32(w.kernel[0] * w.kernel[1])
        expected = np.zeros_like(x)
        expected[c][w.mask(p, q)] = share
        np.testing.assert_array_equal(dx, expected)


@on_both_backends
@pytest.mark.parametrize("layer", [MaxPool2d(3, 1), AvgPool2d((4, 2), 1)], ids=str)
def test_what_windows_send_to_an_input_adds_up(backend: str, layer: MaxPool2d | AvgPool2d) -> None:
    x = whole_numbers(0, 3, 6, 5)
    dy = whole_numbers(1, *layer.output_shape(x.shape))
    singles = [dy[index] * dx for index, dx in gradients_of_single_outputs(layer, x, backend)]
    np.testing.assert_array_equal(
        gradients(layer, x[None], dy[None], {}, backend)[0][0], np.sum(singles, axis=0)
    )


@on_both_backends
@pytest.mark.parametrize("layer", [MaxPool1d(2), MaxPool2d(2), AvgPool1d(2), AvgPool2d(2)], ids=str)
def test_pooling_has_no_parameters(
    backend: str, layer: MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d
) -> None:
    """Lecture 7.4: nothing to learn, no weight gradients."""
    shape = (3, 8, 6)[: layer.axes + 1]
    model = sw.Model(sw.Sequential(layer), shape, backend=backend)
    assert dict(model.parameters) == {}
    x = whole_numbers(0, 2, *shape)
    assert model.gradients(x, model(x))[1] == {}
