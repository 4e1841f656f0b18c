"""Gradients through a max pooling, summed over its windows, against the reference's layers one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise import layers
from scanwise.kernels.activation import Activation
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.operation import Call
from scanwise.kernels.routes import Routed
from scanwise.kernels.window import Pooling
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Float32

TOLERANCE = 1e-6  # of the sum of the sizes of the terms
Pair = tuple[int, int]
ONE = (1, 1)
Argument = harness.Field | harness.Scratch | Float32
SLOPES: dict[str | None, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    None: np.ones_like,
    "relu": lambda y: (y > 0).astype(float),
    "sigmoid": lambda y: y * (1 - y),
}


@dataclass(frozen=True)
class Case:
    """A convolution and the max pooling behind it."""

    channels: int
    outputs: int
    extent: Pair
    kernel: Pair
    padding: Pair = (0, 0)
    stride: Pair = ONE
    dilation: int = 1  # of rows
    pool: Pair = (2, 2)
    pool_stride: Pair = (2, 2)
    pool_padding: int = 0
    activation: str | None = "relu"
    samples: int = 2
    seed: int = 0
    tight: bool = False  # no padding lanes in x, as in a network's input

    @property
    def layer(self) -> layers.Conv2d:
        return layers.Conv2d(
            self.outputs, self.kernel, stride=self.stride, padding=self.padding, dilation=(self.dilation, 1)
        )

    @property
    def pooling_layer(self) -> layers.MaxPool2d:
        padding = (self.pool_padding, 0)
        return layers.MaxPool2d(self.pool, stride=self.pool_stride, padding=padding, ceil_mode=True)

    def routed(self, x_border: harness.Border) -> Routed:
        geometry = self.layer.geometry((self.channels, *self.extent))
        convolution = Convolution.of(geometry, (self.channels, *self.extent), self.outputs)
        pooled = self.pooling_layer.geometry((self.outputs, *geometry.output))
        padding = pooled.padding[0], pooled.padding[2]
        pooling = Pooling(pooled.kernel, pooled.stride, padding, geometry.output, pooled.output)
        x = harness.bordered(self.channels, *self.extent, border=x_border).with_border(geometry.padding)
        return Routed(
            convolution,
            pooling,
            replace(x, pitch=self.channels) if self.tight else x,
            harness.bordered(self.outputs, *geometry.output, border=(1, 0, 2, 0)),
            harness.bordered(self.outputs, *pooled.output, border=(0, 1, 0, 0)),
            None if self.activation is None else Activation(self.activation),
            self.samples + 1,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    pool = draw(pair)
    case = Case(
        draw(st.sampled_from([1, 3, 6, 17])),
        draw(st.sampled_from([1, 6, 16, 20])),
        (draw(st.integers(1, 9)), draw(st.integers(1, 12))),
        (draw(st.integers(1, 4)), draw(st.integers(1, 5))),
        draw(st.sampled_from([(0, 0), (1, 2)])),
        draw(st.sampled_from([ONE, (2, 1), (1, 2)])),
        draw(st.integers(1, 2)),
        pool,
        draw(pair),
        draw(st.integers(0, pool[0] // 2)),
        draw(st.sampled_from([None, "relu", "sigmoid"])),
        draw(st.integers(1, 3)),
        draw(harness.SEEDS),
        draw(st.booleans()),
    )
    reach = [
        h + 2 * p - d * (k - 1)
        for h, p, k, d in zip(case.extent, case.padding, case.kernel, (case.dilation, 1), strict=True)
    ]
    assume(min(reach) >= 1)
    rows, columns = ((r - 1) // s + 1 for r, s in zip(reach, case.stride, strict=True))
    assume(rows + 2 * case.pool_padding >= pool[0] and columns >= pool[1])
    return case


def run(calls: Sequence[Call], arrays: dict[str, Argument], samples: int) -> None:
    for call in calls:
        harness.call(call.kernel, samples, *(arrays[name] for name in call.arguments))


def check(case: Case, x_border: harness.Border = (0, 0, 0, 0)) -> None:
    routed = case.routed(x_border)
    c, n = routed.convolution, case.samples
    x = harness.normal(case.seed, n, case.channels, *case.extent)
    y = harness.normal(case.seed + 1, n, case.outputs, *c.positions).round(1)  # with ties
    if case.activation is not None:
        y = np.maximum(y, 0) if case.activation == "relu" else np.clip(abs(y), 0, 1)
    dy = harness.normal(case.seed + 2, n, case.outputs, *routed.pooling.positions)
    weight = harness.normal(case.seed + 3, case.outputs, case.channels, *case.kernel)
    arrays: dict[str, Argument] = {
        "x": harness.filled(routed.x, x),
        "y": harness.filled(routed.y, y),
        "dy": harness.filled(routed.dy, dy),
        "routes": np.zeros(routed.size, np.float32),
        "scratch": harness.Scratch(routed.scratch),
        "d weight": np.zeros(c.weight_size, np.float32),
        "d bias": np.zeros(c.bias_size, np.float32),
    }
    run(routed.calls(), arrays, n)

    pooled, _ = reference.backward(case.pooling_layer, y.astype(float), dy.astype(float), {})
    slope = SLOPES[case.activation](y.astype(float))
    dz = pooled * slope
    terms, _ = reference.backward(case.pooling_layer, y.astype(float), abs(dy).astype(float), {})
    parameters: dict[str, NDArray[np.float64]] = {
        "weight": weight.astype(float),
        "bias": np.zeros(case.outputs),
    }
    sizes = {name: abs(value) for name, value in parameters.items()}
    dx, gradients = reference.backward(case.layer, x.astype(float), dz, parameters)
    dx_size, size = reference.backward(case.layer, abs(x).astype(float), terms * slope, sizes)
    d_weight, d_bias = arrays["d weight"], arrays["d bias"]
    assert isinstance(d_weight, np.ndarray)
    assert isinstance(d_bias, np.ndarray)
    harness.check_close(c.unpack(d_weight), gradients["weight"], TOLERANCE, size["weight"])
    harness.check_close(c.unpack_bias(d_bias), gradients["bias"], TOLERANCE, size["bias"])

    if any(case.padding):
        return
    dx_map = harness.bordered(case.channels, *case.extent)
    derived = routed.derived(dx_map)
    patches, found = np.full(derived.size, np.nan, np.float32), harness.output(dx_map, n)
    for kernel, source, goal in derived.parts:
        harness.call(kernel, 0, c.pack(weight)[source:], patches[goal:])
    run(routed.input_calls(dx_map), {**arrays, "derived": patches, "dx": found}, n)
    harness.check_close(found.values, dx, TOLERANCE, dx_size)


EXAMPLES = [
    Case(1, 6, (10, 12), (5, 5), (2, 2), tight=True),  # LeNet-5's layers
    Case(6, 16, (8, 9), (5, 5), samples=3),
    Case(40, 20, (1, 23), (1, 5), pool=(1, 2), pool_stride=(1, 2)),  # a TDNN's
    Case(20, 33, (1, 9), (1, 3), pool=(1, 7), pool_stride=(1, 7)),  # the whole map is one window
    Case(3, 5, (7, 8), (3, 2), pool=(3, 3), pool_stride=(2, 1), pool_padding=1, activation=None),
    Case(17, 4, (9, 6), (2, 3), (1, 1), (2, 1), 2, activation="sigmoid"),
]


@pytest.mark.parametrize("case", EXAMPLES)
def test_chosen(case: Case) -> None:
    check(case)
    check(replace(case, samples=1), x_border=(1, 2, 0, 1))


@settings(max_examples=8)
@given(cases())
def test_drawn(case: Case) -> None:
    check(case)


def test_where_it_pays() -> None:
    """Small kernels with few channels, or few windows; not where the direct sum does nearly as little."""
    assert EXAMPLES[0].routed((0, 0, 0, 0)).pays
    second = EXAMPLES[1].routed((0, 0, 0, 0))
    assert second.pays
    assert second.input_gradient_pays(harness.bordered(6, 8, 9))
    assert EXAMPLES[3].routed((0, 0, 0, 0)).pays
    every = replace(EXAMPLES[1], pool=ONE, pool_stride=ONE).routed((0, 0, 0, 0))
    assert not every.pays
    padded = EXAMPLES[0].routed((0, 0, 0, 0))
    assert not padded.input_gradient_pays(harness.bordered(1, 10, 12))
    assert not second.input_gradient_pays(replace(harness.bordered(6, 8, 9), pitch=6))
