"""Unfold's kernels against the reference, which they equal: they copy, and add few values in one order."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanwise.kernels.operation import Maps
from scanwise.kernels.unfold import UnfoldOperation
from scanwise.layers import Unfold2d
from scanwise.reference import layer as reference
from tests.kernels import harness

Pair = tuple[int, int]
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=8)
@given(harness.CHANNELS, SIZES, SIZES, SIZES, harness.BORDERS, harness.SEEDS)
@example(5, (2, 3), (1, 2), (2, 3), (1, 1, 1, 1), 0)
@example(17, (1, 3), (1, 1), (1, 3), (0, 0, 0, 0), 0)
def test_unfold(
    channels: int, window: Pair, stride: Pair, spare: Pair, border: harness.Border, seed: int
) -> None:
    rows, columns = window[0] + spare[0], window[1] + spare[1]
    layer, operation = Unfold2d(window, stride), UnfoldOperation((channels, rows, columns), window, stride)
    x = harness.normal(seed, 2, channels, rows, columns)
    x_map = harness.bordered(channels, rows, columns, border)
    y_map = harness.bordered(*operation.output, border=(0, 1, 1, 0))
    y = harness.output(y_map, 2)
    (call,) = operation.forward(Maps(x_map, y_map))
    harness.call(call.kernel, 2, harness.filled(x_map, x), y)
    harness.check_close(y.values, reference.forward(layer, x.astype(float), {}), 0)

    dy = harness.normal(seed + 1, *y.values.shape)
    dx = harness.output(x_map, 2)
    (call,) = operation.backward(Maps(x_map, y_map, dy=y_map, dx=x_map), None)
    harness.call(call.kernel, 2, harness.filled(y_map, dy), dx)
    expected, _ = reference.backward(layer, x.astype(float), dy.astype(float), {})
    harness.check_close(dx.values, expected, 1e-6)
