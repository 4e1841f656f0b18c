"""Winograd's algorithm against the reference: weights, forward pass, both gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise import layers
from scanwise.kernels.activation import Activation
from scanwise.kernels.conv import Convolution, ConvOperation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Derived, Maps
from scanwise.kernels.winograd import POINTS, WinogradWeights
from scanwise.kernels.winograd_operation import WinogradOperation, faster, is_suitable
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Float32

# Of the sum of the sizes of the terms. The transforms multiply by up to 8 and cancel again, so that an error is some
# ten times that of the direct sum (whose tolerance is 1e-6).
TOLERANCE = 1e-5

RELU, SIGMOID = Activation("relu"), Activation("sigmoid")
LAYERS: dict[Activation, layers.Layer] = {RELU: layers.ReLU(), SIGMOID: layers.Sigmoid()}
Pair = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One drawn convolution that the algorithm is for."""

    channels: int
    outputs: int
    extent: Pair
    padding: Pair = (1, 1)
    bias: bool = True
    activation: Activation | None = None
    flip: bool = False
    samples: int = 2
    spare: int = 0  # samples that the arena holds beside those of the call
    seed: int = 0

    @property
    def layer(self) -> layers.Conv2d:
        return layers.Conv2d(self.outputs, 3, padding=self.padding, bias=self.bias, flip=self.flip)

    @property
    def positions(self) -> Pair:
        rows, columns = (h + 2 * pad - 2 for h, pad in zip(self.extent, self.padding, strict=True))
        return rows, columns

    @cached_property
    def operation(self) -> WinogradOperation:
        one = (1, 1)
        convolution = Convolution(
            self.channels,
            self.outputs,
            (3, 3),
            one,
            one,
            self.padding,
            self.extent,
            self.positions,
            flip=self.flip,
            bias=self.bias,
        )
        top, left = self.padding
        direct = ConvOperation((self.channels, *self.extent), convolution, (top, top, left, left))
        operation = faster(replace(direct, activation=self.activation))
        assert isinstance(operation, WinogradOperation)
        return operation

    @property
    def x_map(self) -> FeatureMap:
        """With more border than the operation asks for, as where another layer reads the same map."""
        return harness.bordered(self.channels, *self.extent, border=(1, 0, 0, 3)).with_border(
            self.operation.border
        )

    @property
    def dy_map(self) -> FeatureMap:
        border = self.operation.gradient_border()
        return harness.bordered(self.outputs, *self.positions, border=(0, 1, 1, 0)).with_border(border)

    def parameters(self) -> dict[str, Float32]:
        shapes = self.layer.parameter_shapes((self.channels, *self.extent))
        return {name: harness.normal(self.seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}

    def x(self) -> Float32:
        return harness.normal(self.seed + 2, self.samples, self.channels, *self.extent)

    def dy(self) -> Float32:
        return harness.normal(self.seed + 3, self.samples, self.outputs, *self.positions)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    case = Case(
        draw(st.sampled_from([16, 32, 48])),
        draw(st.sampled_from([16, 32, 48])),
        (draw(st.integers(4, 11)), draw(st.integers(4, 17))),
        (draw(st.integers(0, 2)), draw(st.integers(0, 2))),
        draw(st.booleans()),
        draw(st.sampled_from([None, RELU, SIGMOID])),
        draw(st.booleans()),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 2)),
        draw(harness.SEEDS),
    )
    assume(min(case.positions) >= 4)
    return case


def derived(what: Derived | None, weight: Float32) -> Float32:
    """U, with every float of it written by some part."""
    assert what is not None
    result = np.full(what.size, np.nan, np.float32)
    for kernel, source, goal in what.parts:
        harness.call(kernel, 0, weight[source:], result[goal:], np.full(what.scratch, np.nan, np.float32))
    assert np.isfinite(result).all()
    return result


def run(call: Call, case: Case, maps: Maps, arguments: dict[str, harness.Field | Float32 | None]) -> None:
    given = {**arguments, "none": None, "scratch": harness.Scratch(case.operation.scratch(maps))}
    harness.call(call.kernel, case.samples, *(given[name] for name in call.arguments))


def sizes(values: dict[str, Float32]) -> dict[str, NDArray[np.float64]]:
    return {name: np.abs(value).astype(float) for name, value in values.items()}


def exact(values: dict[str, Float32]) -> dict[str, NDArray[np.float64]]:
    return {name: value.astype(float) for name, value in values.items()}


def check_forward(case: Case) -> None:
    operation, parameters, x = case.operation, case.parameters(), case.x()
    c = operation.convolution
    y_map = harness.bordered(case.outputs, *case.positions, border=(1, 0, 0, 2))
    maps = Maps(case.x_map, y_map, samples=case.samples + case.spare)
    y = harness.output(y_map, case.samples)
    (call,) = operation.forward(maps)
    transformed = derived(operation.transformed(), c.pack(parameters["weight"]))
    bias = c.pack_bias(parameters["bias"]) if case.bias else None
    run(
        call,
        case,
        maps,
        {"x": harness.filled(case.x_map, x), "transformed": transformed, "bias": bias, "y": y},
    )
    z = reference.forward(case.layer, x.astype(float), exact(parameters))
    size = reference.forward(case.layer, np.abs(x).astype(float), sizes(parameters))
    if case.activation is not None:
        z = reference.forward(LAYERS[case.activation], z, {})
    harness.check_close(y.values, z, TOLERANCE, size)


def check_input_gradient(case: Case) -> None:
    operation, parameters, x, dy = case.operation, case.parameters(), case.x(), case.dy()
    dx_map = harness.bordered(case.channels, *case.extent, border=(0, 2, 1, 0))
    dx = harness.output(dx_map, case.samples)
    y_map = harness.bordered(case.outputs, *case.positions)
    maps = Maps(case.x_map, y_map, None, case.dy_map, dx_map, case.samples + case.spare)
    (call,) = operation.backward(maps, case.activation)
    turned = derived(operation.derived(maps), operation.convolution.pack(parameters["weight"]))
    dy_field, x_field = harness.filled(case.dy_map, dy), harness.filled(case.x_map, x)
    run(call, case, maps, {"dy": dy_field, "derived": turned, "x": x_field, "dx": dx})
    expected, _ = reference.backward(case.layer, x.astype(float), dy.astype(float), exact(parameters))
    size, _ = reference.backward(case.layer, x.astype(float), np.abs(dy).astype(float), sizes(parameters))
    slope = np.ones(x.shape)
    if case.activation == RELU:
        slope = (x > 0).astype(float)
    elif case.activation == SIGMOID:
        slope = x.astype(float) * (1 - x)
    harness.check_close(dx.values, expected * slope, TOLERANCE, size * (np.abs(slope) + 1e-30))


def check_weight_gradient(case: Case) -> None:
    """dw is added to what is there, and a call of several samples leaves the same whatever lies behind its scratch."""
    operation, x, dy = case.operation, case.x(), case.dy()
    c = operation.convolution
    y_map = harness.bordered(case.outputs, *case.positions)
    maps = Maps(case.x_map, y_map, None, case.dy_map, None, case.samples + case.spare)
    call = operation.weight_gradient(maps)
    before = harness.normal(case.seed + 4, *case.parameters()["weight"].shape)
    d_weight = c.pack(before)
    x_field, dy_field = harness.filled(case.x_map, x), harness.filled(case.dy_map, dy)
    run(call, case, maps, {"x": x_field, "dy": dy_field, "d weight": d_weight})
    weight = {"weight": case.parameters()["weight"].astype(float)}
    layer = replace(case.layer, bias=False)
    _, found = reference.backward(layer, x.astype(float), dy.astype(float), weight)
    _, size = reference.backward(layer, np.abs(x).astype(float), np.abs(dy).astype(float), weight)
    expected = before + found["weight"]
    harness.check_close(c.unpack(d_weight), expected, TOLERANCE, size["weight"] + np.abs(before))


EXAMPLES = [
    Case(32, 16, (16, 16), activation=RELU),  # whole tiles, sample by sample
    Case(16, 32, (4, 4), samples=3),  # one tile a sample: samples are multiplied together
    Case(16, 16, (7, 9), (2, 0), bias=False, spare=2),
    Case(48, 16, (6, 5), (1, 1), activation=SIGMOID, flip=True),
    Case(16, 16, (6, 13), (0, 2), samples=1),
    Case(16, 16, (14, 14), samples=7),  # tiles hang over, samples in groups of 4 and 3
]


@pytest.mark.parametrize("case", EXAMPLES)
def test_chosen(case: Case) -> None:
    check_forward(case)
    check_input_gradient(case)
    check_weight_gradient(case)


@settings(max_examples=2)
@given(cases())
def test_drawn(case: Case) -> None:
    check_forward(case)
    check_input_gradient(case)
    check_weight_gradient(case)


@pytest.mark.parametrize("backward", [False, True])
def test_weights(backward: bool) -> None:
    """U = G g G' with the paper's G (Lavin and Gray, equation 11, for the points 0, 1, -1, 2, -2)."""
    G = np.array(
        [
            [1 / 4, 0, 0],
            [-1 / 6] * 3,
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
    )
    case = Case(48, 32, (8, 8))
    weight = case.parameters()["weight"]
    kernel = WinogradWeights(case.operation.convolution, backward)
    what = Derived(kernel.size, kernel.parts(), kernel.scratch)
    u = derived(what, case.operation.convolution.pack(weight))
    g = (
        weight[..., ::-1, ::-1].transpose(1, 0, 2, 3) if backward else weight
    )  # [outputs of the pass][its inputs]
    expected = np.einsum("ir,kcrs,js->ijkc", G, g.astype(float), G)
    size = np.einsum("ir,kcrs,js->ijkc", abs(G), abs(g.astype(float)), abs(G))
    outputs, inputs = g.shape[:2]
    found = u.reshape(POINTS, outputs // 16, inputs, 16).transpose(0, 1, 3, 2).reshape(6, 6, outputs, inputs)
    harness.check_close(found, expected, 1e-6, size)


def test_only_convolutions_that_it_is_for() -> None:
    suitable = Case(16, 16, (8, 8)).operation.convolution
    assert is_suitable(suitable)
    for other in (
        replace(suitable, kernel=(3, 1)),
        replace(suitable, stride=(1, 2)),
        replace(suitable, dilation=(2, 1)),
        replace(suitable, groups=2),
        replace(suitable, channels=17),
        replace(suitable, outputs=8),
        replace(suitable, positions=(8, 3)),
        replace(suitable, padding=(3, 1)),
    ):
        assert not is_suitable(other)
        operation = ConvOperation((16, 8, 8), other, (1, 1, 1, 1))
        assert faster(operation) is operation
