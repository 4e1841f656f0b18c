"""The kernels of S-cells and C-cells, and of the readout by label, against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise.kernels.max_by_label import MaxByLabelBackward, MaxByLabelForward
from scanwise.kernels.s_cell import CellBackward, CellForward, InhibitionBackward, InhibitionGradient
from scanwise.kernels.v_cell import VCellBackward, VCellForward
from scanwise.kernels.window import Pooling
from scanwise.layers import MaxByLabel, SPlane
from scanwise.reference import layer as reference
from tests.kernels import harness

Pair = tuple[int, int]
TOLERANCE = 4e-6
KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 4))
STRIDES = st.tuples(st.integers(1, 2), st.integers(1, 2))
SPARE = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=6)
@given(harness.CHANNELS, KERNELS, STRIDES, SPARE, st.integers(0, 1), harness.BORDERS, harness.SEEDS)
@example(3, (3, 3), (1, 1), (2, 2), 1, (1, 1, 1, 1), 0)
@example(20, (2, 3), (2, 1), (0, 1), 0, (0, 0, 0, 0), 0)
def test_v_cells(
    channels: int, kernel: Pair, stride: Pair, spare: Pair, pad: int, border: harness.Border, seed: int
) -> None:
    """v and its gradient in double precision: sqrt(sum w x^2), and dx = dv w x / v summed over windows."""
    padding = tuple(min(pad, k - 1) for k in kernel)
    layer = SPlane(1, kernel, 1.0, stride, padding, gamma=0.8)
    rows, columns = (k + extra for k, extra in zip(kernel, spare, strict=True))
    geometry = layer.geometry((channels, rows, columns))
    pooling = Pooling(kernel, stride, (padding[0], padding[1]), (rows, columns), geometry.output)
    w = layer.falloff(channels).astype(np.float32)
    x = harness.normal(seed, 2, channels, rows, columns)
    x[0] = 0  # where nothing is seen, v = 0 and so is the gradient
    x_map = harness.bordered(channels, rows, columns, border)
    v_map = harness.bordered(1, *geometry.output, border=(0, 1, 1, 0))
    v = harness.output(v_map, 2)
    harness.call(VCellForward(pooling, x_map, v_map), 2, harness.filled(x_map, x), w.ravel(), v)

    dv = harness.normal(seed + 1, *v.values.shape)
    expected, dx_expected = _v_cells(layer, x.astype(float), dv.astype(float))
    harness.check_close(v.values[:, 0], expected, TOLERANCE)
    dx = harness.output(x_map, 2)
    harness.call(
        VCellBackward(pooling, x_map, v_map, v_map, x_map),
        2, harness.filled(x_map, x), w.ravel(), v, harness.filled(v_map, dv), dx,
    )  # fmt: skip
    harness.check_close(dx.values, dx_expected, TOLERANCE, np.abs(dx_expected) + 1)


def _v_cells(
    layer: SPlane, x: NDArray[Any], dv: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    (R, S), (sh, sw) = layer.sliding_window()[:2]
    (top, _), (left, _) = layer.sliding_window()[3]
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    w, dx = layer.falloff(x.shape[1]), np.zeros_like(padded)
    v = np.zeros((len(x), *dv.shape[2:]))
    for p, q in np.ndindex(*v.shape[1:]):
        here = (slice(None), slice(None), slice(p * sh, p * sh + R), slice(q * sw, q * sw + S))
        v[:, p, q] = np.sqrt((w * padded[here] ** 2).sum(axis=(1, 2, 3)))
        share = np.divide(dv[:, 0, p, q], v[:, p, q], out=np.zeros(len(x)), where=v[:, p, q] > 0)
        dx[here] += share[:, None, None, None] * w * padded[here]
    return v, dx[:, :, top : top + x.shape[2], left : left + x.shape[3]]


@settings(max_examples=6)
@given(harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.BORDERS, harness.SEEDS)
@example(17, 3, 2, (0, 2, 1, 0), 0)
def test_s_cells(planes: int, height: int, width: int, border: harness.Border, seed: int) -> None:
    """The reference sees e as the only input of 1 x 1 cells with weight 1, where v is |x|; here v is given."""
    e_map = harness.bordered(planes, height, width, border)
    v_map, y_map = harness.bordered(1, height, width), harness.bordered(planes, height, width, (1, 0, 0, 1))
    r, g = 2.5, 5.0 / 3.5
    e, dy = harness.normal(seed, 2, 2, planes, height, width) * 3
    v, b = np.abs(harness.normal(seed + 1, 2, 1, height, width)), np.abs(harness.normal(seed + 2, planes))
    inhibition = harness.filled(harness.bordered(planes, 1, 1), b[None]).grid.ravel().copy()

    h = 1 + g * b[:, None, None].astype(float) * v
    ratio = (1 + e.astype(float)) / h
    active = ratio > 1
    by_h = np.where(active, -dy * r * ratio / h, 0)

    given_maps = harness.filled(e_map, e), harness.filled(v_map, v), inhibition
    y = harness.output(y_map, 2)
    harness.call(CellForward(e_map, v_map, r, y_map), 2, *given_maps, y)
    harness.check_close(y.values, r * np.maximum(ratio - 1, 0), TOLERANCE, ratio * r + 1)

    errors = harness.filled(y_map, dy)
    de, dv = harness.output(e_map, 2), harness.output(v_map, 2)
    harness.call(CellBackward(e_map, v_map, r, y_map, e_map), 2, *given_maps, errors, de)
    harness.check_close(de.values, np.where(active, dy * r / h, 0), TOLERANCE)
    harness.call(InhibitionBackward(e_map, v_map, r, y_map, v_map), 2, *given_maps, errors, dv)
    terms = by_h * g * b[:, None, None]
    harness.check_close(dv.values[:, 0], terms.sum(axis=1), TOLERANCE, np.abs(terms).sum(axis=1) + 1)

    db = np.zeros_like(inhibition)
    db[:planes] = 3  # gradients of parameters add to what is there
    harness.call(InhibitionGradient(e_map, v_map, r, y_map), 2, *given_maps, errors, db)
    terms = by_h * g * v
    harness.check_close(
        db[:planes], 3 + terms.sum(axis=(0, 2, 3)), TOLERANCE, np.abs(terms).sum(axis=(0, 2, 3)) + 4
    )
    assert not db[planes:].any()


@settings(max_examples=6)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), harness.EXTENTS, harness.SEEDS)
@example([0] * 9 + [1] * 8, 2, 0)
def test_max_by_label(drawn: list[int], width: int, seed: int) -> None:
    layer = MaxByLabel((0, *drawn, 1, 2))
    x = np.round(harness.normal(seed, 2, len(layer.labels), 1, width))  # many are equal
    x_map = harness.bordered(len(layer.labels), 1, width, (0, 1, 1, 0))
    y_map = harness.bordered(3, 1, width, (1, 0, 0, 0))
    y = harness.output(y_map, 2)
    harness.call(MaxByLabelForward(layer.labels, x_map, y_map), 2, harness.filled(x_map, x), y)
    np.testing.assert_array_equal(y.values, reference.forward(layer, x.astype(float), {}))

    dy = harness.normal(seed + 1, *y.values.shape)
    dx = harness.output(x_map, 2)
    kernel = MaxByLabelBackward(layer.labels, x_map, y_map, x_map)
    harness.call(kernel, 2, harness.filled(x_map, x), harness.filled(y_map, dy), dx)
    np.testing.assert_array_equal(
        dx.values, reference.backward(layer, x.astype(float), dy.astype(float), {})[0]
    )
