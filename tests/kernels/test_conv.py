"""Convolution kernels against the reference: forward, input gradient, parameter gradient, bias gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise import layers
from scanwise.errors import ShapeError
from scanwise.kernels import conv
from scanwise.kernels.activation import Activation
from scanwise.kernels.conv import Convolution
from scanwise.kernels.maps import FeatureMap
from scanwise.layers import Geometry
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Float32

# Of the sum of the sizes of the terms; one rounding is 6e-8 of a partial sum.
TOLERANCE = 1e-6

Float64 = NDArray[np.float64]
RELU, TANH, SIGMOID = Activation("relu"), Activation("tanh"), Activation("sigmoid")
ACTIVATIONS = {RELU: layers.ReLU(), TANH: layers.Tanh(), SIGMOID: layers.Sigmoid()}
SLOPES: dict[Activation, Callable[[Float64], Float64]] = {
    RELU: lambda y: (y > 0).astype(float),
    TANH: lambda y: 1 - y * y,
    SIGMOID: lambda y: y * (1 - y),
}
Pair = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One drawn convolution."""

    channels: int
    outputs: int
    extent: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair | str = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    flip: bool = False
    samples: int = 2
    seed: int = 0
    activation: Activation | None = None
    tight: bool = False  # a map of x without padding lanes, as a network's input (which no activation made)

    @property
    def layer(self) -> layers.Conv2d:
        return layers.Conv2d(
            self.outputs,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.bias,
            self.flip,
        )

    @cached_property
    def geometry(self) -> Geometry:
        return self.layer.geometry((self.channels, *self.extent))

    @cached_property
    def convolution(self) -> Convolution:
        g = self.geometry
        return Convolution(
            self.channels,
            self.outputs,
            g.kernel,
            g.stride,
            g.dilation,
            (g.padding[0], g.padding[2]),
            self.extent,
            g.output,
            self.groups,
            flip=self.flip,
            bias=self.bias,
        )

    @property
    def x_map(self) -> FeatureMap:
        extent = harness.bordered(self.channels, *self.extent, border=self.geometry.padding)
        if self.tight and not self.convolution.depthwise and self.activation is None:
            return replace(extent, pitch=self.channels)
        return extent

    @property
    def dz_map(self) -> FeatureMap:
        border = conv.input_gradient_border(self.convolution)
        return harness.bordered(self.outputs, *self.geometry.output, border=border)

    def parameters(self) -> dict[str, Float32]:
        shapes = self.layer.parameter_shapes((self.channels, *self.extent))
        return {name: harness.normal(self.seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}

    def x(self) -> Float32:
        return harness.normal(self.seed + 2, self.samples, self.channels, *self.extent)

    def dz(self) -> Float32:
        return harness.normal(self.seed + 3, self.samples, self.outputs, *self.geometry.output)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, outputs = groups * draw(harness.CHANNELS), groups * draw(harness.CHANNELS)
    if draw(st.integers(0, 3)) == 0:  # depthwise
        groups = outputs = channels
    assume(channels * outputs // groups <= 400)
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    stride = draw(pairs) if draw(st.booleans()) else (1, 1)
    case = Case(
        channels,
        outputs,
        (draw(harness.EXTENTS), draw(harness.EXTENTS)),
        draw(st.tuples(st.integers(1, 4), st.integers(1, 5))),
        stride,
        "same" if stride == (1, 1) and draw(st.booleans()) else draw(st.tuples(*[st.integers(0, 3)] * 2)),
        draw(pairs) if draw(st.booleans()) else (1, 1),
        groups,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(harness.SAMPLES),
        draw(harness.SEEDS),
        draw(st.sampled_from([None, *ACTIVATIONS])),
        draw(st.booleans()),
    )
    try:
        assert min(case.geometry.output) > 0
    except ShapeError:
        assume(False)
    return case


EXAMPLES = [
    Case(3, 5, (7, 6), (3, 3), padding=(1, 1), tight=True),
    Case(20, 24, (9, 8), (3, 3), padding=(2, 2), dilation=(2, 2)),
    Case(6, 16, (9, 11), (5, 5), (2, 3), (1, 2), activation=RELU),
    Case(1, 1, (9, 9), (4, 4), (3, 3)),
    Case(5, 9, (4, 4), (3, 3), activation=SIGMOID),  # f(0) is not 0 in padding lanes
    Case(1, 33, (1, 20), (1, 5), (1, 2), flip=True),  # 1-D
    Case(8, 12, (5, 5), (3, 3), padding="same", groups=4, activation=SIGMOID),
    Case(20, 20, (9, 9), (3, 3), (2, 2), (1, 1), groups=20),  # depthwise
    Case(40, 10, (5, 4), (3, 3), groups=2, activation=RELU),  # 16 lanes that do not divide 20
    Case(64, 33, (2, 2), (1, 1), samples=5),
    Case(2, 4, (5, 5), (1, 1), (3, 3)),  # inputs that no tap reaches
    # Long strides: the input gradient's phases are loops.
    Case(2, 5, (1, 60), (1, 9), (1, 7), (0, 2), activation=TANH),
    Case(3, 4, (13, 11), (5, 4), (4, 3), (2, 1), activation=RELU),
    Case(5, 3, (1, 40), (1, 3), (1, 10)),
    Case(4, 4, (9, 31), (2, 3), (2, 5), (0, 3), dilation=(3, 2), groups=4),
    # Long kernels of few channels: the weight gradient's tiles are loops.
    Case(3, 5, (1, 90), (1, 60), activation=RELU),
    Case(3, 17, (1, 90), (1, 61), activation=RELU),
]


def packed(case: Case) -> tuple[Float32, Float32]:
    """Weights and bias as the kernels read them."""
    parameters = case.parameters()
    weight = case.convolution.pack(parameters["weight"])
    np.testing.assert_array_equal(case.convolution.unpack(weight), parameters["weight"])
    if not case.bias:
        return weight, np.zeros(1, np.float32)
    bias = case.convolution.pack_bias(parameters["bias"])
    np.testing.assert_array_equal(case.convolution.unpack_bias(bias), parameters["bias"])
    return weight, bias


def exact(values: dict[str, Float32], *, size: bool = False) -> dict[str, Float64]:
    """In float64; with `size` the absolute values, for the sum of the sizes of all terms."""
    return {name: np.abs(v).astype(float) if size else v.astype(float) for name, v in values.items()}


def check_forward(case: Case) -> None:
    x, parameters, (weight, bias) = case.x(), case.parameters(), packed(case)
    y_map = harness.bordered(case.outputs, *case.geometry.output, border=(1, 0, 0, 2))
    y = harness.output(y_map, case.samples)
    kernel = conv.forward(case.convolution, case.x_map, y_map, case.activation)
    harness.call(kernel, case.samples, harness.filled(case.x_map, x), weight, bias, y, None)
    z = reference.forward(case.layer, x.astype(float), exact(parameters))
    size = reference.forward(case.layer, np.abs(x).astype(float), exact(parameters, size=True))
    if case.activation is not None:
        z = reference.forward(ACTIVATIONS[case.activation], z, {})
    harness.check_close(y.values, z, TOLERANCE, size + 1)


def check_input_gradient(case: Case) -> None:
    x, parameters, dz, (weight, _) = case.x(), case.parameters(), case.dz(), packed(case)
    dx_map = harness.bordered(case.channels, *case.extent, border=(0, 2, 1, 0))
    dx_map = replace(dx_map, pitch=case.x_map.pitch)
    transposed = weight
    if not case.convolution.depthwise:
        turn = conv.TransposeWeights(case.convolution)
        transposed = np.zeros(turn.size, np.float32)
        harness.call(turn, 0, weight, transposed)
    dx = harness.output(dx_map, case.samples)
    saved = case.x_map if case.activation is not None else None
    kernel = conv.input_gradient(case.convolution, case.dz_map, dx_map, case.activation, saved)
    x_field = harness.filled(case.x_map, x)
    harness.call(kernel, case.samples, harness.filled(case.dz_map, dz), transposed, None, dx, x_field)
    slope = np.ones(x.shape) if case.activation is None else SLOPES[case.activation](x.astype(float))
    expected, _ = reference.backward(case.layer, x.astype(float), dz.astype(float), exact(parameters))
    sizes, _ = reference.backward(
        case.layer, x.astype(float), np.abs(dz).astype(float), exact(parameters, size=True)
    )
    harness.check_close(dx.values, expected * slope, TOLERANCE, sizes * (np.abs(slope) + 1))


def check_parameter_gradients(case: Case) -> None:
    x, dz, c = case.x(), case.dz(), case.convolution
    x_field, dz_field = harness.filled(case.x_map, x), harness.filled(case.dz_map, dz)
    parameters = case.parameters()
    before = {name: harness.normal(case.seed + 9, *value.shape) for name, value in parameters.items()}
    zeros = exact({name: np.zeros_like(value) for name, value in parameters.items()})
    _, sums = reference.backward(case.layer, x.astype(float), dz.astype(float), zeros)
    _, sizes = reference.backward(case.layer, np.abs(x).astype(float), np.abs(dz).astype(float), zeros)

    weight = c.pack(before["weight"])  # gradients of parameters add
    kernel = conv.ParameterGradient(c, case.x_map, case.dz_map)
    harness.call(kernel, case.samples, x_field, dz_field, weight)
    expected = before["weight"] + sums["weight"]
    harness.check_close(c.unpack(weight), expected, TOLERANCE, sizes["weight"] + np.abs(before["weight"]))
    # Lanes that are no output channel stay zero: an optimizer walks over all of the buffer.
    assert c.pack(c.unpack(weight)).tobytes() == weight.tobytes()
    if case.bias:
        bias = c.pack_bias(before["bias"])
        harness.call(conv.BiasGradient(c, case.dz_map), case.samples, dz_field, bias)
        expected = before["bias"] + sums["bias"]
        harness.check_close(c.unpack_bias(bias), expected, TOLERANCE, sizes["bias"] + np.abs(before["bias"]))
        assert c.pack_bias(c.unpack_bias(bias)).tobytes() == bias.tobytes()


@pytest.mark.parametrize("case", EXAMPLES)
def test_chosen(case: Case) -> None:
    check_forward(case)
    check_input_gradient(case)
    check_parameter_gradients(case)


@settings(max_examples=10)
@given(cases())
def test_drawn(case: Case) -> None:
    check_forward(case)
    check_input_gradient(case)
    check_parameter_gradients(case)


def test_a_position_has_the_same_bits_wherever_it_lies() -> None:
    """The sum at a position depends neither on the place in the map nor on the samples beside it (contract 2)."""
    whole = Case(17, 33, (6, 13), (3, 3), samples=5)
    weight, bias = packed(whole)
    x = whole.x()

    def run(extent: Pair, values: Float32) -> Float32:
        case = replace(whole, extent=extent, samples=len(values))
        y_map = harness.bordered(33, *case.geometry.output)
        y = harness.output(y_map, len(values))
        kernel = conv.forward(case.convolution, case.x_map, y_map)
        harness.call(kernel, len(values), harness.filled(case.x_map, values), weight, bias, y, None)
        return y.values

    y = run(whole.extent, x)
    for p, q in ((0, 0), (3, 10), (1, 7)):
        one = run((3, 3), x[1:2, :, p : p + 3, q : q + 3])
        assert one[0, :, 0, 0].tobytes() == np.ascontiguousarray(y[1, :, p, q]).tobytes()
