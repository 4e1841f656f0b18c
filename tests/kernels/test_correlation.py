"""The loop nest's own tricks: skipped border rows change no bit, fused loops walk in the same order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scanwise.codegen.schedule import LEAST_BORDER, Skip
from scanwise.kernels import conv, correlation
from scanwise.kernels.columns import VECTOR, ColumnWeights
from scanwise.kernels.conv import Convolution, TransposeWeights
from scanwise.kernels.maps import lanes_for
from scanwise.kernels.sweep import Axis, fuse_axes
from tests.kernels import harness

Pair = tuple[int, int]
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Case:
    """An input gradient of several columns in a vector, the nest whose border rows are skipped."""

    channels: int
    outputs: int
    rows: int
    columns: int  # vectors along a row
    kernel: Pair
    padding: Pair
    seed: int = 0

    @property
    def together(self) -> int:
        return VECTOR // lanes_for(self.channels)

    @property
    def convolution(self) -> Convolution:
        extent = self.rows, self.columns * self.together
        rows, columns = (h + 2 * p - k + 1 for h, p, k in zip(extent, self.padding, self.kernel, strict=True))
        one = (1, 1)
        return Convolution(
            self.channels, self.outputs, self.kernel, one, one, self.padding, extent, (rows, columns)
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel = draw(st.integers(2, 5)), draw(st.integers(1, 5))
    case = Case(
        draw(st.sampled_from([3, 6, 8])),
        draw(st.sampled_from([1, 5, 16])),
        draw(st.integers(1, 9)),
        draw(st.integers(1, 3)),
        kernel,
        (draw(st.integers(0, kernel[0] - 1)), draw(st.integers(0, kernel[1] - 1))),
        draw(harness.SEEDS),
    )
    assume(min(case.convolution.positions) >= 1)
    return case


def check_skipping(case: Case) -> None:
    c = case.convolution
    dz_map = harness.bordered(c.outputs, *c.positions, border=conv.input_gradient_border(c))
    dx_map = harness.bordered(c.channels, *c.extent, border=(1, 0, 2, 0))
    weight = c.pack(harness.normal(case.seed, c.outputs, c.channels, *c.kernel))
    dz = harness.filled(dz_map, harness.normal(case.seed + 1, 2, c.outputs, *c.positions))
    widened = ColumnWeights(c, case.together, backward=True)
    columns = np.zeros(widened.size, np.float32)
    harness.call(widened, 0, weight, columns, np.zeros(widened.scratch, np.float32))
    kernel = conv.input_gradient(c, dz_map, dx_map, together=case.together)
    (sweep,) = kernel.sweeps
    results = []
    for skip in (
        None,
        Skip(c.padding[0], c.positions[0], c.kernel[0], -1),
    ):  # the second also where it would not pay
        dx = harness.output(dx_map, 2)
        chosen = replace(kernel, sweeps=(replace(sweep, skips=(skip, None)),))
        harness.call(chosen, 2, dz, columns, None, dx, None)
        results.append(np.ascontiguousarray(dx.values).view(np.uint32))
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize(
    "case",
    [
        Case(6, 16, 14, 7, (5, 5), (0, 0)),  # LeNet-5's second layer
        Case(3, 5, 4, 1, (3, 3), (1, 1)),  # a row of dz is as long as the widened kernel
        Case(6, 1, 2, 1, (5, 2), (2, 0)),  # one output channel: its loop is gone
        Case(8, 5, 1, 2, (4, 1), (3, 0)),  # more kernel rows than rows
    ],
)
def test_skipped_border_rows_change_no_bit(case: Case) -> None:
    check_skipping(case)


@settings(max_examples=10)
@given(cases())
def test_skipped_border_rows_change_no_bit_of_drawn_sizes(case: Case) -> None:
    check_skipping(case)


@settings(max_examples=15)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.tuples(st.integers(1, 5), st.integers(1, 9)),
    st.sampled_from([(1, 1, 1), (5, 17, 1), (20, 9, 1), (6, 10, 2)]),
    st.sampled_from([0, 1, 2, 3]),
    harness.SEEDS,
)
def test_taps_that_meet_only_the_border_change_no_bit(
    kernel: Pair, stride: Pair, dilation: Pair, positions: Pair, sizes: Triple, samples: int, seed: int
) -> None:
    """Along both axes, for every phase of a stride, in tiles over positions and over samples."""
    channels, outputs, groups = sizes
    reach = [
        (p - 1) * s + (k - 1) * d + 1 for p, s, k, d in zip(positions, stride, kernel, dilation, strict=True)
    ]
    c = Convolution(
        channels, outputs, kernel, stride, dilation, (0, 0), (reach[0], reach[1]), positions, groups
    )
    dz_map = harness.bordered(outputs, *positions, border=conv.input_gradient_border(c))
    dx_map = harness.bordered(channels, *c.extent)
    weight = c.pack(harness.normal(seed, outputs, channels // groups, *kernel))
    dz = harness.filled(dz_map, harness.normal(seed + 1, 3, outputs, *positions))
    transposed = np.zeros(TransposeWeights(c).size, np.float32)
    harness.call(TransposeWeights(c), 0, weight, transposed)
    skipping = conv.input_gradient(c, dz_map, dx_map, samples=samples)
    whole = replace(skipping, sweeps=tuple(replace(s, skips=(None, None)) for s in skipping.sweeps))
    results = []
    for chosen in (skipping, whole):
        dx = harness.output(dx_map, 3)
        harness.call(chosen, 3, dz, transposed, None, dx, None)
        results.append(np.ascontiguousarray(dx.values).view(np.uint32))
    np.testing.assert_array_equal(results[0], results[1])


@settings(max_examples=10)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.tuples(st.integers(1, 6), st.integers(1, 9)),
    st.sampled_from([(1, 1, 1), (5, 17, 1), (20, 9, 1), (6, 10, 2)]),
    harness.SEEDS,
)
def test_padding_that_is_skipped_changes_no_bit(
    kernel: Pair, stride: Pair, dilation: Pair, extent: Pair, sizes: Triple, seed: int
) -> None:
    """The forward pass with so much padding that some windows lie in it altogether."""
    channels, outputs, groups = sizes
    padding = dilation[0] * kernel[0], dilation[1] * kernel[1]
    positions = [
        (h + 2 * p - (k - 1) * d - 1) // s + 1
        for h, p, k, d, s in zip(extent, padding, kernel, dilation, stride, strict=True)
    ]
    whole = (positions[0], positions[1])
    c = Convolution(channels, outputs, kernel, stride, dilation, padding, extent, whole, groups)
    x_map = harness.bordered(channels, *extent, border=(padding[0], padding[0], padding[1], padding[1]))
    y_map = harness.bordered(outputs, *whole)
    weight = c.pack(harness.normal(seed, outputs, channels // groups, *kernel))
    bias = c.pack_bias(harness.normal(seed + 1, outputs))
    x = harness.filled(x_map, harness.normal(seed + 2, 2, channels, *extent))
    skipping = conv.forward(c, x_map, y_map)
    plain = replace(skipping, sweeps=tuple(replace(s, skips=(None, None)) for s in skipping.sweeps))
    results = []
    for chosen in (skipping, plain):
        y = harness.output(y_map, 2)
        harness.call(chosen, 2, x, weight, bias, y, None)
        results.append(np.ascontiguousarray(y.values).view(np.uint32))
    np.testing.assert_array_equal(results[0], results[1])


@given(
    st.integers(-6, 6),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 7),
    st.sampled_from([-3, -2, -1, 1, 2, 3]),
    st.integers(1, 3),
)
def test_taps_are_skipped_where_many_meet_the_border(
    start: int, extent: int, positions: int, taps: int, step: int, stride: int
) -> None:
    missed = [not 0 <= start + stride * p + step * t < extent for p in range(positions) for t in range(taps)]
    skip = Skip(start, extent, taps, step, stride)
    assert skip.share(positions, 1) == pytest.approx(1 - float(np.mean(missed)))
    if abs(float(np.mean(missed)) - LEAST_BORDER) > 1e-9:
        assert skip.pays(positions) == (float(np.mean(missed)) > LEAST_BORDER)
    # A tile runs what any of its positions needs.
    assert skip.share(positions, positions) >= skip.share(positions, 1) - 1e-9


def walk(axes: tuple[Axis, ...]) -> list[Pair]:
    """Every index into input and weights, in order."""
    return [
        (
            sum(i * axis.x for i, axis in zip(place, axes, strict=True)),
            sum(i * axis.w for i, axis in zip(place, axes, strict=True)),
        )
        for place in itertools.product(*(range(axis.count) for axis in axes))
    ]


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 5), st.integers(-9, 9), st.integers(1, 4))
def test_fused_loops_walk_in_the_same_order(r: int, s: int, c: int, row: int, column: int) -> None:
    axes = (Axis(r, row, s * c), Axis(s, column, c), Axis(c, 1, 1))
    assert walk(fuse_axes(axes)) == walk(axes)


def test_loops_over_one_run_of_memory_become_one() -> None:
    assert fuse_axes((Axis(3, 40, 60), Axis(4, 10, 15), Axis(5, 2, 3))) == (Axis(60, 2, 3),)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True), st.integers(-5, 20))
def test_a_body_reads_no_input_twice(offsets: list[int], step: int) -> None:
    steps = correlation._steps_without_overlap(offsets, step)
    assert 1 <= steps <= 8
    reads = [offset + u * step for u in range(steps) for offset in offsets]
    assert len(set(reads)) == len(reads)
    if step and steps < 8:
        assert not set(offsets).isdisjoint(offset + steps * step for offset in offsets)
