"""The loop nest's own tricks: skipped products of zeros change no bit, fused loops walk in the same order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from llvmlite import ir

from scanwise.codegen.emitter import Emitter
from scanwise.codegen.target import GENERIC
from scanwise.kernels import conv, nest, sweep
from scanwise.kernels.conv import Convolution
from scanwise.kernels.sweep import Axis, Inside, fuse_axes
from tests.kernels import harness

Pair = tuple[int, int]
ONE = (1, 1)


@dataclass(frozen=True)
class Case:
    """A convolution whose taps may meet the border of its input, and of its output's gradient."""

    channels: int
    outputs: int
    extent: Pair
    kernel: Pair
    padding: Pair
    stride: Pair = ONE
    dilation: Pair = ONE
    groups: int = 1
    seed: int = 0

    @property
    def convolution(self) -> Convolution:
        rows, columns = (
            (h + 2 * p - d * (k - 1) - 1) // s + 1
            for h, p, k, s, d in zip(
                self.extent, self.padding, self.kernel, self.stride, self.dilation, strict=True
            )
        )
        return Convolution(
            self.channels,
            self.outputs,
            self.kernel,
            self.stride,
            self.dilation,
            self.padding,
            self.extent,
            (rows, columns),
            groups=self.groups,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    channels, outputs, groups = draw(
        st.sampled_from(
            [(1, 6, 1), (3, 8, 1), (6, 16, 1), (8, 3, 1), (16, 20, 1), (5, 33, 1), (4, 8, 2), (17, 17, 17)]
        )
    )
    case = Case(
        channels,
        outputs,
        (draw(st.integers(1, 9)), draw(st.integers(1, 20))),
        kernel,
        (draw(st.integers(0, kernel[0])), draw(st.integers(0, kernel[1]))),
        (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        groups,
        draw(harness.SEEDS),
    )
    assume(min(case.convolution.positions) >= 1)
    return case


def check_skipping(case: Case) -> None:
    """Products of zeros are left out everywhere, or nowhere: the bits are the same."""
    results = []
    for least in (-1.0, 2.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweep, "LEAST_BORDER", least)
            results.append([forward(case), input_gradient(case, 1)])
            together = conv.backward_columns(case.convolution)
            if together > 1:
                results[-1].append(input_gradient(case, together))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one.view(np.uint32), other.view(np.uint32))


def weights(case: Case) -> harness.Float32:
    c = case.convolution
    return c.pack(harness.normal(case.seed, c.outputs, c.channels // c.groups, *c.kernel))


def forward(case: Case) -> harness.Float32:
    c = case.convolution
    top, left = c.padding
    # Below and right of the map, windows may reach over less than the padding or, with a stride, all of it.
    x_map = harness.bordered(c.channels, *c.extent, border=(top, top, left, left))
    y_map = harness.bordered(c.outputs, *c.positions, border=(0, 1, 0, 2))
    x, y = (
        harness.filled(x_map, harness.normal(case.seed + 1, 2, c.channels, *c.extent)),
        harness.output(y_map, 2),
    )
    together = conv.forward_columns(c)
    derived = conv.forward_weights(c, together)
    w = weights(case)
    if derived is not None:
        ((kernel, _, _),) = derived.parts
        widened = np.zeros(derived.size, np.float32)
        harness.call(kernel, 0, w, widened, np.zeros(derived.scratch, np.float32))
        w = widened
    bias = c.pack_bias(harness.normal(case.seed + 2, c.outputs))
    harness.call(conv.forward(c, x_map, y_map, None, together), 2, x, w, bias, y, None)
    return np.ascontiguousarray(y.values)


def input_gradient(case: Case, together: int) -> harness.Float32:
    c = case.convolution
    dz_map = harness.bordered(c.outputs, *c.positions, border=conv.input_gradient_border(c))
    dx_map = harness.bordered(c.channels, *c.extent, border=(1, 0, 2, 0))
    dz = harness.filled(dz_map, harness.normal(case.seed + 1, 2, c.outputs, *c.positions))
    derived = conv.backward_weights(c, together)
    w = weights(case)
    if derived is not None:
        turned = np.zeros(derived.size, np.float32)
        for kernel, source, goal in derived.parts:
            scratch = [np.zeros(derived.scratch, np.float32)] * (kernel.pointers - 2)
            harness.call(kernel, 0, w[source:], turned[goal:], *scratch)
        w = turned
    dx = harness.output(dx_map, 2)
    harness.call(conv.input_gradient(c, dz_map, dx_map, together=together), 2, dz, w, None, dx, None)
    return np.ascontiguousarray(dx.values)


@pytest.mark.parametrize(
    "case",
    [
        Case(6, 16, (14, 14), (5, 5), (0, 0)),  # LeNet-5's second layer
        Case(1, 6, (12, 12), (5, 5), (2, 2)),  # its first: one input channel, columns side by side
        Case(16, 32, (8, 8), (3, 3), (1, 1)),
        Case(3, 5, (4, 4), (3, 3), (1, 1)),  # a row of dz is as long as the widened kernel
        Case(6, 1, (2, 2), (5, 2), (2, 0)),  # one output channel: its loop is gone
        Case(8, 5, (1, 4), (4, 1), (3, 0)),  # more kernel rows than rows
        Case(1, 20, (9, 10), (10, 4), (5, 1), (2, 2)),  # the first layer of a keyword network
        Case(20, 20, (5, 5), (3, 3), (1, 1), groups=20),
        Case(4, 4, (1, 3), (3, 5), (3, 4), (2, 3)),  # positions that meet nothing but the border
    ],
)
def test_skipped_products_of_zeros_change_no_bit(case: Case) -> None:
    check_skipping(case)


@settings(max_examples=7)
@given(cases())
def test_skipped_products_of_zeros_change_no_bit_of_drawn_sizes(case: Case) -> None:
    check_skipping(case)


@given(st.integers(-6, 6), st.integers(1, 3), st.sampled_from([1, -1]), st.integers(1, 20), st.integers(1, 9))
def test_taps_that_meet_the_map(start: int, step: int, tap: int, extent: int, count: int) -> None:
    inside = Inside(start, step, tap, extent)
    e = Emitter(ir.Module(), "taps", 1, GENERIC)
    for first, positions in ((0, 1), (2, 1), (1, 3)):
        begin, end = inside.taps(e, first, positions, count)
        assert isinstance(begin, int)
        assert isinstance(end, int)
        met = {t for t in range(count) for p in range(first, first + positions) if inside.meets(p, t)}
        # With a step, the rows between those of neighbouring positions count too.
        assert met <= set(range(begin, end))
        if positions == 1:
            assert met == set(range(begin, end))


@given(st.integers(0, 6), st.integers(1, 20), st.integers(1, 20), st.integers(1, 7))
def test_taps_are_skipped_where_many_meet_the_border(
    start: int, extent: int, positions: int, taps: int
) -> None:
    missed = [not 0 <= start + p - t < extent for p in range(positions) for t in range(taps)]
    if abs(float(np.mean(missed)) - sweep.LEAST_BORDER) > 1e-9:
        assert Inside(start, 1, -1, extent).pays(positions, taps) == (np.mean(missed) > sweep.LEAST_BORDER)


@pytest.mark.parametrize("outputs", [5, 20, 33])
def test_any_number_of_samples_gives_the_bits_of_each_alone(outputs: int) -> None:
    """A single position: tiles go over eight samples, over four, over one."""
    c = Convolution(7, outputs, ONE, ONE, ONE, (0, 0), ONE, ONE)
    x_map, y_map = harness.bordered(7, 1, 1), harness.bordered(outputs, 1, 1)
    kernel = conv.forward(c, x_map, y_map)
    weight, bias = c.pack(harness.normal(0, outputs, 7, 1, 1)), c.pack_bias(harness.normal(1, outputs))
    x = harness.normal(2, 15, 7, 1, 1)
    together = harness.output(y_map, 15)
    harness.call(kernel, 15, harness.filled(x_map, x), weight, bias, together, None)
    for n in range(15):
        alone = harness.output(y_map, 1)
        harness.call(kernel, 1, harness.filled(x_map, x[n : n + 1]), weight, bias, alone, None)
        np.testing.assert_array_equal(alone.values[0], together.values[n])


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
    steps = nest.steps_without_overlap(offsets, step)
    assert 1 <= steps <= 8
    reads = [offset + u * step for u in range(steps) for offset in offsets]
    assert len(set(reads)) == len(reads)
    if step and steps < 8:
        assert not set(offsets).isdisjoint(offset + steps * step for offset in offsets)
