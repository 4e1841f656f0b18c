"""The backward pass to feature maps is the forward pass's adjoint: a transposed convolution (lecture 8.6 to 8.8)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from scanwise.layers import Conv1d, ConvTranspose1d, ConvTranspose2d
from tests.backends import BACKENDS
from tests.identities.whole_numbers import Array, Case, cases, gradients, output, spread, whole_numbers

on_both_backends = pytest.mark.parametrize("backend", BACKENDS)

without_bias = st.one_of(cases(1, bias=False), cases(2, bias=False))


def transposed(case: Case) -> ConvTranspose1d | ConvTranspose2d:
    """The transposed convolution of the same arguments, back to the size of the convolution's input."""
    layer = case.layer
    _, stride, dilation, padding = layer.sliding_window()
    weight = case.parameters["weight"]
    # What the strides left over at the end of the input.
    more = tuple(
        (extent + sum(ends) - d * (k - 1) - 1) % s
        for extent, ends, k, s, d in zip(
            case.shape[1:], padding, weight.shape[2:], stride, dilation, strict=True
        )
    )
    assert not isinstance(layer.padding, str)
    kind = ConvTranspose1d if isinstance(layer, Conv1d) else ConvTranspose2d
    return kind(
        case.shape[0],
        layer.kernel_size,
        layer.stride,
        layer.padding,
        more,
        layer.groups,
        False,
        layer.dilation,
        layer.flip,
    )


def slid(padded: Array, w: Array) -> NDArray[np.float64]:
    """Filters w `(K, C, R, S)` slid over maps `(N, K, H, W)`, summed over k: `(N, C, H - R + 1, W - S + 1)`."""
    windows = sliding_window_view(padded, w.shape[2:], axis=(2, 3))
    summed: NDArray[np.float64] = np.einsum("nkijrs,kcrs->ncij", windows, w, dtype=float)
    return summed


@on_both_backends
@settings(max_examples=10)
@given(cases(plain=True, flips=False, bias=False))
def test_flipped_filters_slide_over_the_padded_gradient(backend: str, case: Case) -> None:
    """Lecture 8.6: a convolution with flipped filters, summed over output channels; 8.7: zeros of K - 1 all round."""
    w = case.parameters["weight"]
    R, S = w.shape[2:]
    padded = np.pad(case.dz, ((0, 0), (0, 0), (R - 1, R - 1), (S - 1, S - 1)))
    dx, _ = gradients(case.layer, case.x, case.dz, case.parameters, backend)
    np.testing.assert_array_equal(dx, slid(padded, w[:, :, ::-1, ::-1]))


@on_both_backends
@settings(max_examples=12)
@given(cases(flips=False, bias=False))
def test_the_same_with_stride_padding_dilation_and_groups(backend: str, case: Case) -> None:
    """A stride spreads the gradient, a dilation the filter; what flows into the padding of x is dropped."""
    geometry = case.layer.geometry(case.shape)
    w, dz = spread(case.parameters["weight"], geometry.dilation), spread(case.dz, geometry.stride)
    (H, W), (R, S), (top, _, left, _) = case.shape[1:], w.shape[2:], geometry.padding
    padded = np.pad(dz, ((0, 0), (0, 0), (R - 1, R - 1), (S - 1, S - 1)))
    groups = case.layer.groups
    parts = zip(np.split(padded, groups, axis=1), np.split(w[:, :, ::-1, ::-1], groups), strict=True)
    padded_dx = np.concatenate([slid(part, filters) for part, filters in parts], axis=1)
    # Inputs behind the last window meet no output.
    padded_dx = np.pad(padded_dx, ((0, 0), (0, 0), (0, H), (0, W)))
    dx, _ = gradients(case.layer, case.x, case.dz, case.parameters, backend)
    np.testing.assert_array_equal(dx, padded_dx[:, :, top : top + H, left : left + W])


@on_both_backends
@settings(max_examples=12)
@given(without_bias)
def test_it_is_the_transposed_convolution_with_the_same_weights(backend: str, case: Case) -> None:
    dx, _ = gradients(case.layer, case.x, case.dz, case.parameters, backend)
    np.testing.assert_array_equal(dx, output(transposed(case), case.dz, case.parameters, backend))


@on_both_backends
@settings(max_examples=12)
@given(without_bias)
def test_the_transposed_convolution_is_the_adjoint(backend: str, case: Case) -> None:
    """<A x, y> = <x, A' y> for every x and y."""
    x, y = case.x, whole_numbers(case.seed + 9, *case.dz.shape)
    forth = output(case.layer, x, case.parameters, backend)
    back = output(transposed(case), y, case.parameters, backend)
    for n in range(len(x)):
        assert np.vdot(forth[n].astype(float), y[n]) == np.vdot(x[n].astype(float), back[n])


@on_both_backends
@settings(max_examples=12)
@given(without_bias)
def test_the_adjoint_of_the_adjoint_is_the_convolution(backend: str, case: Case) -> None:
    """The transposed convolution's input gradient is the convolution; its filter gradient has x and dz exchanged."""
    x, dz, parameters = case.x, case.dz, case.parameters
    dy, found = gradients(transposed(case), dz, x, parameters, backend)
    np.testing.assert_array_equal(dy, output(case.layer, x, parameters, backend))
    _, expected = gradients(case.layer, x, dz, parameters, backend)
    np.testing.assert_array_equal(found["weight"], expected["weight"])


def test_it_is_no_inverse() -> None:
    """Lecture 8.8: "deconvolution" misleads; A' A x is not x."""
    case = Case(Conv1d(1, 2, bias=False), (1, 4), samples=1, seed=0)
    x, parameters = np.array([[[1, 0, 0, 0]]], np.float32), {"weight": np.array([[[2, 1]]], np.float32)}
    there = output(case.layer, x, parameters)
    assert there.tolist() == [[[2, 0, 0]]]
    assert output(transposed(case), there, parameters).tolist() == [[[4, 2, 0, 0]]]
