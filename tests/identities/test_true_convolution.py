"""`flip=True` is convolution in the mathematical sense, in all three passes (lecture 9.5, note on flipping).

Against `numpy.convolve`, which knows nothing of this engine, and against `flip=False` with the filters turned by hand.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.backends import BACKENDS
from tests.identities.whole_numbers import Array, Case, cases, gradients, output

on_both_backends = pytest.mark.parametrize("backend", BACKENDS)


def convolved(a: Array, b: Array) -> NDArray[np.float64]:
    """The full two-dimensional convolution: (a * b)(i, j) = sum over m, n of a(m, n) b(i - m, j - n)."""
    result = np.zeros((a.shape[0] + b.shape[0] - 1, a.shape[1] + b.shape[1] - 1))
    for m, row in enumerate(a):
        for r, other in enumerate(b):
            result[m + r] += np.convolve(row.astype(float), other.astype(float))
    return result


def turned(maps: Array) -> Array:
    """By 180 degrees."""
    return maps[..., ::-1, ::-1]


def true_convolution(case: Case) -> Case:
    return replace(case, layer=replace(case.layer, flip=True))


plain_cases = cases(plain=True, bias=False).map(true_convolution)


@on_both_backends
@settings(max_examples=10)
@given(plain_cases, st.tuples(*[st.integers(0, 3)] * 2))
def test_output(backend: str, case: Case, wanted: tuple[int, int]) -> None:
    """z_k = sum over c of w_kc * x_c: the part without overhang, and with padding of K - 1 all of it."""
    x, w = case.x, case.parameters["weight"]
    R, S = w.shape[2:]
    padding = min(wanted[0], R - 1), min(wanted[1], S - 1)
    z = output(replace(case.layer, padding=padding), x, case.parameters, backend)
    top, left = R - 1 - padding[0], S - 1 - padding[1]
    for n, k in np.ndindex(z.shape[:2]):
        full = np.sum([convolved(x[n, c], w[k, c]) for c in range(x.shape[1])], axis=0)
        P, Q = full.shape
        np.testing.assert_array_equal(z[n, k], full[top : P - top, left : Q - left])


@on_both_backends
@settings(max_examples=10)
@given(plain_cases)
def test_input_gradient(backend: str, case: Case) -> None:
    """The flip of the backward pass undoes that of the forward pass: dx_c = sum over k of turned(w_kc) * dz_k."""
    x, dz, w = case.x, case.dz, case.parameters["weight"]
    dx, _ = gradients(case.layer, x, dz, case.parameters, backend)
    for n, c in np.ndindex(x.shape[:2]):
        expected = np.sum([convolved(turned(w[k, c]), dz[n, k]) for k in range(len(w))], axis=0)
        np.testing.assert_array_equal(dx[n, c], expected)


@on_both_backends
@settings(max_examples=10)
@given(plain_cases)
def test_filter_gradient(backend: str, case: Case) -> None:
    """dw_kc = turned(x_c * turned(dz_k)), where the two overlap fully: the correlation of x and dz, turned round."""
    x, dz, w = case.x, case.dz, case.parameters["weight"]
    _, found = gradients(case.layer, x, dz, case.parameters, backend)
    (H, W), (R, S) = x.shape[2:], w.shape[2:]
    for k, c in np.ndindex(w.shape[:2]):
        full = np.sum([convolved(x[n, c], turned(dz[n, k])) for n in range(len(x))], axis=0)
        np.testing.assert_array_equal(found["weight"][k, c], full[H - R : H, W - S : W][::-1, ::-1])


@on_both_backends
@settings(max_examples=10)
@given(st.one_of(cases(1), cases(2)).map(true_convolution))
def test_it_is_cross_correlation_with_the_filters_turned(backend: str, case: Case) -> None:
    x, dz, parameters = case.x, case.dz, case.parameters
    axes = (2,) if x.ndim == 3 else (2, 3)
    other = replace(case.layer, flip=False)
    by_hand = {**parameters, "weight": np.flip(parameters["weight"], axes)}
    np.testing.assert_array_equal(
        output(case.layer, x, parameters, backend), output(other, x, by_hand, backend)
    )
    dx, found = gradients(case.layer, x, dz, parameters, backend)
    dx_by_hand, expected = gradients(other, x, dz, by_hand, backend)
    np.testing.assert_array_equal(dx, dx_by_hand)
    np.testing.assert_array_equal(found["weight"], np.flip(expected["weight"], axes))
    if case.layer.bias:
        np.testing.assert_array_equal(found["bias"], expected["bias"])
