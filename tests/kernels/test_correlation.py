"""The loop nest's own tricks: skipped border rows change no bit, fused loops walk in the same order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scanwise.kernels import conv, correlation
from scanwise.kernels.columns import VECTOR, ColumnWeights
from scanwise.kernels.conv import Convolution
from scanwise.kernels.maps import lanes_for
from scanwise.kernels.sweep import LEAST_BORDER, Axis, fuse_axes, skip_border
from tests.kernels import harness

Pair = tuple[int, int]


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
    for inside in (None, (c.padding[0], c.positions[0])):  # the second also where it would not pay
        dx = harness.output(dx_map, 2)
        chosen = replace(kernel, sweeps=(replace(sweep, inside=inside),))
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


@given(st.integers(0, 6), st.integers(1, 20), st.integers(1, 20), st.integers(1, 7))
def test_rows_are_skipped_where_many_meet_the_border(
    start: int, rows: int, positions: int, kernel: int
) -> None:
    missed = [not 0 <= start + p - r < rows for p in range(positions) for r in range(kernel)]
    worth = float(np.mean(missed)) > LEAST_BORDER
    if abs(float(np.mean(missed)) - LEAST_BORDER) > 1e-9:
        assert skip_border(start, rows, positions, kernel) == ((start, rows) if worth else None)


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
