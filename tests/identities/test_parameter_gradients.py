"""Gradients of shared parameters: sums over everywhere they are used (lecture 6.3, 9.5 to 9.7)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from scanwise.layers import ConvTranspose2d, Linear
from tests.backends import BACKENDS
from tests.identities.whole_numbers import Case, cases, gradients, spread, whole_numbers

on_both_backends = pytest.mark.parametrize("backend", BACKENDS)

biased = st.one_of(cases(1), cases(2)).map(lambda case: replace(case, layer=replace(case.layer, bias=True)))


@on_both_backends
@settings(max_examples=12)
@given(cases(flips=False, bias=False))
def test_filter_gradient_is_the_correlation_of_input_map_and_error_map(backend: str, case: Case) -> None:
    """Lecture 9.5, 9.6: the error map slides over the padded input map; all samples and positions are summed.

    It is spread by the stride; of its places a dilation leaves every d-th.
    """
    geometry, groups = case.layer.geometry(case.shape), case.layer.groups
    top, bottom, left, right = geometry.padding
    x, dz = np.pad(case.x, ((0, 0), (0, 0), (top, bottom), (left, right))), spread(case.dz, geometry.stride)
    (R, S), (dh, dw) = geometry.kernel, geometry.dilation
    windows = sliding_window_view(x, dz.shape[2:], axis=(2, 3))[:, :, ::dh, ::dw][:, :, :R, :S]
    parts = zip(np.split(dz, groups, axis=1), np.split(windows, groups, axis=1), strict=True)
    expected = [np.einsum("nkpq,ncrspq->kcrs", errors, maps, dtype=float) for errors, maps in parts]
    _, found = gradients(case.layer, case.x, case.dz, case.parameters, backend)
    np.testing.assert_array_equal(found["weight"], np.concatenate(expected))


@on_both_backends
@settings(max_examples=8)
@given(biased)
def test_gradients_add_over_the_batch(backend: str, case: Case) -> None:
    """Lecture 9.6."""
    case = replace(case, samples=5)
    x, dz, parameters = case.x, case.dz, case.parameters
    _, together = gradients(case.layer, x, dz, parameters, backend)
    alone = [gradients(case.layer, x[n : n + 1], dz[n : n + 1], parameters, backend)[1] for n in range(5)]
    for name, gradient in together.items():
        np.testing.assert_array_equal(gradient, np.sum([each[name] for each in alone], axis=0))


@on_both_backends
@settings(max_examples=8)
@given(biased)
def test_gradients_add_over_positions(backend: str, case: Case) -> None:
    """Lecture 6.3, 6.4: a filter is used at every position. Here each position's error is a sample of its own."""
    case = replace(case, samples=1)
    x, dz, parameters = case.x, case.dz, case.parameters
    _, together = gradients(case.layer, x, dz, parameters, backend)
    positions = dz[0, 0].size
    alone = np.eye(positions, dtype=np.float32).reshape(positions, 1, *dz.shape[2:]) * dz
    _, apart = gradients(case.layer, np.repeat(x, positions, axis=0), alone, parameters, backend)
    for name, gradient in together.items():
        np.testing.assert_array_equal(gradient, apart[name])


@on_both_backends
@settings(max_examples=10)
@given(biased)
def test_bias_gradient_is_the_sum_of_the_error_map(backend: str, case: Case) -> None:
    """Lecture 9.7."""
    _, found = gradients(case.layer, case.x, case.dz, case.parameters, backend)
    np.testing.assert_array_equal(
        found["bias"], np.moveaxis(case.dz, 1, 0).reshape(case.dz.shape[1], -1).sum(1)
    )


@on_both_backends
def test_bias_gradient_of_other_layers(backend: str) -> None:
    """`Linear` has one position, a transposed convolution those of its output."""
    layer, x, dz = Linear(7), whole_numbers(0, 6, 5), whole_numbers(1, 6, 7)
    parameters = {"weight": whole_numbers(2, 7, 5), "bias": whole_numbers(3, 7)}
    np.testing.assert_array_equal(gradients(layer, x, dz, parameters, backend)[1]["bias"], dz.sum(0))

    spreading, x, dz = (
        ConvTranspose2d(6, 3, 2, groups=2),
        whole_numbers(0, 3, 4, 5, 2),
        whole_numbers(1, 3, 6, 11, 5),
    )
    parameters = {"weight": whole_numbers(2, 4, 3, 3, 3), "bias": whole_numbers(3, 6)}
    found = gradients(spreading, x, dz, parameters, backend)[1]
    np.testing.assert_array_equal(found["bias"], dz.sum((0, 2, 3)))
