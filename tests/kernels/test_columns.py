"""Several columns in one vector: the same bits as one column a vector, forward and input gradient.

The reference is not asked here: `test_conv` compares the plain nest with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scanwise import models
from scanwise.kernels import conv
from scanwise.kernels.activation import Activation
from scanwise.kernels.columns import LEAST_GAIN, VECTOR, ColumnWeights, columns_together
from scanwise.kernels.conv import Convolution, ConvOperation, TransposeWeights
from scanwise.kernels.maps import FeatureMap, lanes_for
from scanwise.plan.graph import build_graph
from tests.kernels import harness
from tests.kernels.harness import Float32

Pair = tuple[int, int]
RELU, TANH, LEAKY = Activation("relu"), Activation("tanh"), Activation("leaky_relu", 0.2)


@dataclass(frozen=True)
class Case:
    """A convolution whose narrow side fills a part of a vector; `columns` counts vectors along a row."""

    narrow: int  # K forward, C for the input gradient
    wide: int
    rows: int
    columns: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    bias: bool = True
    activation: Activation | None = None
    samples: int = 2
    seed: int = 0
    tight: bool = False
    tiny: bool = False  # all products underflow: sums are zeros, of which sign?

    def numbers(self, which: int, *shape: int) -> Float32:
        """Values among which there are zeros of both signs and numbers whose products underflow."""
        generator = np.random.default_rng(self.seed + which)
        kind = generator.integers(0, 6, shape)
        values = generator.standard_normal(shape)
        if self.tiny:
            return (values * 1e-30).astype(np.float32)
        values = np.where(kind < 2, values * 1e-30, values)
        return np.where(kind == 2, 0.0 * values, values).astype(np.float32)

    @property
    def together(self) -> int:
        return VECTOR // lanes_for(self.narrow)


@st.composite
def cases(draw: st.DrawFn, *, strides: bool) -> Case:
    case = Case(
        draw(st.sampled_from([1, 3, 4, 5, 6, 8])),
        draw(st.sampled_from([1, 3, 5, 16, 17])),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 3)),
        (draw(st.integers(1, 4)), draw(st.integers(1, 6))),
        (draw(st.integers(1, 2)), draw(st.integers(1, 3))) if strides else (1, 1),
        (draw(st.integers(0, 2)), draw(st.integers(0, 3))),
        draw(st.booleans()),
        draw(st.sampled_from([None, RELU, TANH, LEAKY])),
        draw(st.integers(1, 2)),
        draw(harness.SEEDS),
        draw(st.booleans()),
    )
    assume(all(padding < kernel for padding, kernel in zip(case.padding, case.kernel, strict=True)))
    sizes = forward_sizes(case) if strides else backward_sizes(case)
    assume(min(*sizes.extent, *sizes.positions) >= 1)
    return case


# --- forward ----------------------------------------------------------------------------------------------------------


def forward_sizes(case: Case) -> Convolution:
    """The convolution with exactly `columns` vectors of output columns."""
    positions = case.rows, case.columns * case.together
    extent = [
        (p - 1) * s + k - 2 * pad
        for p, s, k, pad in zip(positions, case.stride, case.kernel, case.padding, strict=True)
    ]
    return Convolution(
        case.wide,
        case.narrow,
        case.kernel,
        case.stride,
        (1, 1),
        case.padding,
        (extent[0], extent[1]),
        positions,
        bias=case.bias,
    )


def check_forward(case: Case) -> None:
    c = forward_sizes(case)
    top, left = c.padding
    x_map = harness.bordered(c.channels, *c.extent, border=(top, top, left, left))
    if case.tight:
        x_map = replace(x_map, pitch=c.channels)
    y_map = harness.bordered(c.outputs, *c.positions, border=(1, 0, 0, 2))
    weight = c.pack(case.numbers(0, c.outputs, c.channels, *c.kernel))
    bias = c.pack_bias(case.numbers(1, c.outputs)) if case.bias else np.zeros(1, np.float32)
    x = harness.filled(x_map, case.numbers(2, case.samples, c.channels, *c.extent))

    widened = ColumnWeights(c, case.together, backward=False)
    columns = np.full(widened.size, 7, np.float32)
    harness.call(widened, 0, weight, columns, np.zeros(widened.scratch, np.float32))
    results = []
    for together, weights in ((1, weight), (case.together, columns)):
        y = harness.output(y_map, case.samples)
        kernel = conv.forward(c, x_map, y_map, case.activation, together)
        harness.call(kernel, case.samples, x, weights, bias, y, None)
        results.append(np.ascontiguousarray(y.values).view(np.uint32))
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize(
    "case",
    [
        Case(6, 1, 4, 3, (5, 5), padding=(2, 2), activation=RELU, tight=True),  # LeNet-5's first layer
        Case(5, 3, 3, 2, (3, 5), stride=(2, 2), padding=(1, 2), activation=TANH),
        Case(3, 17, 2, 2, (2, 4), stride=(1, 3), bias=False),
        Case(4, 5, 1, 3, (1, 1), activation=LEAKY),
        Case(5, 1, 2, 4, (1, 2), bias=False, tiny=True),
        Case(5, 1, 2, 4, (1, 2), bias=False, tiny=True, activation=RELU),
    ],
)
def test_forward_of_chosen_sizes(case: Case) -> None:
    check_forward(case)


@settings(max_examples=8)
@given(cases(strides=True))
def test_forward_of_drawn_sizes(case: Case) -> None:
    check_forward(case)


# --- input gradient ---------------------------------------------------------------------------------------------------


def backward_sizes(case: Case) -> Convolution:
    extent = case.rows, case.columns * case.together
    positions = [h + 2 * pad - k + 1 for h, k, pad in zip(extent, case.kernel, case.padding, strict=True)]
    return Convolution(
        case.narrow,
        case.wide,
        case.kernel,
        (1, 1),
        (1, 1),
        case.padding,
        extent,
        (positions[0], positions[1]),
    )


def transposed(c: Convolution, weight: Float32) -> Float32:
    kernel = TransposeWeights(c)
    result = np.full(kernel.size, 7, np.float32)
    for part, source, goal in kernel.parts():
        harness.call(part, 0, weight[source:], result[goal:])
    return result


def check_input_gradient(case: Case) -> None:
    c = backward_sizes(case)
    dz_map = harness.bordered(c.outputs, *c.positions, border=conv.input_gradient_border(c))
    dx_map = harness.bordered(c.channels, *c.extent, border=(0, 2, 1, 0))
    saved: FeatureMap | None = None
    if case.activation is not None:
        saved = harness.bordered(c.channels, *c.extent, border=(1, 1, 1, 1))
    weight = c.pack(case.numbers(0, c.outputs, c.channels, *c.kernel))
    dz = harness.filled(dz_map, case.numbers(1, case.samples, c.outputs, *c.positions))
    x = None
    if saved is not None:
        x = harness.filled(saved, case.numbers(2, case.samples, c.channels, *c.extent))

    widened = ColumnWeights(c, case.together, backward=True)
    columns = np.full(widened.size, 7, np.float32)
    harness.call(widened, 0, weight, columns, np.zeros(widened.scratch, np.float32))
    results = []
    for together, weights in ((1, transposed(c, weight)), (case.together, columns)):
        dx = harness.output(dx_map, case.samples)
        kernel = conv.input_gradient(c, dz_map, dx_map, case.activation, saved, together)
        harness.call(kernel, case.samples, dz, weights, None, dx, x)
        results.append(np.ascontiguousarray(dx.values).view(np.uint32))
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize(
    "case",
    [
        Case(6, 16, 14, 7, (5, 5), activation=RELU),  # LeNet-5's second layer
        Case(
            3, 5, 4, 1, (3, 3), padding=(1, 1)
        ),  # rows of dz as long as the widened kernel: loops that could be joined
        Case(8, 8, 2, 1, (5, 5), padding=(2, 2)),
        Case(4, 17, 1, 2, (1, 4), padding=(0, 2), activation=TANH),
        Case(1, 1, 3, 1, (3, 6), padding=(2, 3)),
        Case(5, 1, 3, 4, (1, 2), tiny=True),
    ],
)
def test_input_gradient_of_chosen_sizes(case: Case) -> None:
    check_input_gradient(case)


@settings(max_examples=8)
@given(cases(strides=False))
def test_input_gradient_of_drawn_sizes(case: Case) -> None:
    check_input_gradient(case)


# --- when -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 11), st.integers(1, 4))
def test_columns_go_together_where_that_saves_work(
    channels: int, columns: int, kernel: int, step: int
) -> None:
    together = columns_together(channels, columns, kernel, step)
    assert columns % together == 0
    if together > 1:
        assert together * lanes_for(channels) == VECTOR
        assert together * kernel >= LEAST_GAIN * (kernel + (together - 1) * step)


def test_lenet_puts_columns_together_in_the_layers_it_was_made_for() -> None:
    network = models.get("lenet5", (1, 28, 28), 10)
    graph = build_graph(network, (1, 28, 28))
    first = graph.nodes[0].operation
    assert isinstance(first, ConvOperation)
    transformed = first.transformed()
    assert transformed is not None
    assert transformed.size == 5 * 6 * VECTOR  # a 5 x 5 kernel widened to 5 x 6, two columns of 8 lanes
