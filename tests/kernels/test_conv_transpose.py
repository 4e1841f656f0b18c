"""The kernels of a transposed convolution against the reference, as the plan calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise import layers
from scanwise.errors import ShapeError
from scanwise.kernels import conv, lower
from scanwise.kernels.activation import Activation
from scanwise.kernels.conv_transpose import ConvTransposeOperation
from scanwise.kernels.operation import Call, Derived, Maps
from scanwise.layers import ConvTranspose2d
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Field, Float32

# Of the sum of the sizes of the terms; one rounding is 6e-8 of a partial sum.
TOLERANCE = 1e-6

Float64 = NDArray[np.float64]
Argument = Field | NDArray[np.float32] | None
ACTIVATIONS = {Activation("relu"): layers.ReLU(), Activation("sigmoid"): layers.Sigmoid()}


@dataclass(frozen=True)
class Case:
    """One drawn transposed convolution."""

    layer: ConvTranspose2d
    shape: tuple[int, int, int]
    activation: Activation | None = None
    samples: int = 2
    seed: int = 0

    @property
    def operation(self) -> ConvTransposeOperation:
        (operation,) = lower(self.layer, self.shape, self.shape)
        assert isinstance(operation, ConvTransposeOperation)
        return replace(operation, activation=self.activation)

    @property
    def maps(self) -> Maps:
        operation = self.operation
        y = harness.bordered(*operation.output, border=(1, 0, 0, 2))
        dy = harness.bordered(*operation.output, border=operation.gradient_border())
        dx = harness.bordered(*self.shape, border=(0, 2, 1, 0))
        return Maps(harness.bordered(*self.shape, border=operation.border), y, None, dy, dx, self.samples)

    def parameters(self) -> dict[str, Float32]:
        shapes = self.layer.parameter_shapes(self.shape)
        return {name: harness.normal(self.seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}

    def x(self) -> Float32:
        return harness.normal(self.seed + 2, self.samples, *self.shape)

    def dz(self) -> Float32:
        return harness.normal(self.seed + 3, self.samples, *self.operation.output)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, outputs = groups * draw(harness.CHANNELS), groups * draw(harness.CHANNELS)
    if draw(st.integers(0, 3)) == 0:  # depthwise
        groups = outputs = channels
    assume(channels * outputs // groups <= 400)
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    stride, dilation = ((draw(pairs) if draw(st.booleans()) else (1, 1)) for _ in range(2))
    layer = ConvTranspose2d(
        outputs,
        draw(st.tuples(st.integers(1, 4), st.integers(1, 5))),
        stride,
        draw(st.tuples(*[st.integers(0, 3)] * 2)),
        tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)),
        groups,
        draw(st.booleans()),
        dilation,
        draw(st.booleans()),
    )
    shape = channels, draw(st.integers(1, 5)), draw(st.integers(1, 6))
    try:
        layer.output_shape(shape)
    except ShapeError:
        assume(False)
    activation = draw(st.sampled_from([None, *ACTIVATIONS]))
    return Case(layer, shape, activation, draw(harness.SAMPLES), draw(harness.SEEDS))


RELU, SIGMOID = ACTIVATIONS
# Few channels: neighbouring columns share a vector in the forward pass, in the input gradient.
COLUMNS = {
    Case(ConvTranspose2d(4, 3), (5, 4, 6), RELU): (4, 1),
    Case(ConvTranspose2d(8, (1, 5)), (9, 1, 12)): (2, 1),
    Case(ConvTranspose2d(3, (2, 5)), (4, 2, 12)): (4, 4),
    Case(ConvTranspose2d(33, (1, 10), (1, 2)), (8, 1, 4)): (1, 2),
}
EXAMPLES = [
    Case(ConvTranspose2d(5, 3, padding=1), (3, 7, 6)),
    *COLUMNS,
    Case(ConvTranspose2d(4, 3), (5, 4, 6), SIGMOID),  # f(0) is not 0 in padding lanes: no columns together
    Case(ConvTranspose2d(5, 3), (3, 4, 6), SIGMOID),
    Case(ConvTranspose2d(20, 4, 2, 1), (24, 3, 4), RELU),
    Case(ConvTranspose2d(3, 3, 2, 1, 1), (4, 4, 4)),
    Case(ConvTranspose2d(16, (5, 5), (2, 3), (1, 2), (1, 2), flip=True), (6, 3, 2), SIGMOID),
    Case(ConvTranspose2d(12, 3, groups=4), (8, 5, 5), SIGMOID),
    Case(ConvTranspose2d(20, 3, 2, 1, groups=20), (20, 5, 4), SIGMOID),  # depthwise
    Case(ConvTranspose2d(10, 3, groups=2), (40, 3, 4), RELU),  # 16 lanes that do not divide 20
    Case(ConvTranspose2d(33, 1), (64, 2, 2), samples=5),
    Case(ConvTranspose2d(4, 1, 3), (2, 2, 3), SIGMOID),  # outputs that no input reaches: their bias
    Case(ConvTranspose2d(4, 2, dilation=3, output_padding=2), (2, 2, 3)),  # output_padding beyond the stride
    Case(ConvTranspose2d(3, 2, 1, (0, 3)), (3, 1, 6)),  # inputs whose window is cut off
    Case(ConvTranspose2d(5, (1, 9), (1, 7), (0, 2)), (2, 1, 8)),  # long strides: phases are loops
    Case(ConvTranspose2d(1, 1), (1, 1, 1)),
]


def exact(values: Mapping[str, Float32], *, size: bool = False) -> dict[str, Float64]:
    """In float64; with `size` the absolute values, for the sum of the sizes of all terms."""
    return {name: np.abs(v).astype(float) if size else v.astype(float) for name, v in values.items()}


def packed(case: Case, values: Mapping[str, Float32]) -> dict[str, Float32]:
    """As the kernels read them."""
    found = {}
    for parameter in case.operation.parameters():
        value = values[parameter.name]
        found[parameter.name] = parameter.pack(value)
        assert found[parameter.name].shape == (parameter.size,)
        np.testing.assert_array_equal(parameter.unpack(found[parameter.name]).reshape(value.shape), value)
    return found


def derive(derived: Derived | None, weight: Float32) -> Float32 | None:
    if derived is None:
        return None
    result, scratch = np.zeros(derived.size, np.float32), np.zeros(derived.scratch, np.float32)
    for kernel, source, goal in derived.parts:
        arguments = (weight[source:], result[goal:], scratch)
        harness.call(kernel, 0, *arguments[: kernel.pointers])
    return result


def run(case: Case, call: Call, arguments: Mapping[str, Argument]) -> None:
    harness.call(call.kernel, case.samples, *(arguments[name] for name in call.arguments))


def check_forward(case: Case) -> None:
    operation, maps, parameters = case.operation, case.maps, case.parameters()
    values = packed(case, parameters)
    y = harness.output(maps.y, case.samples)
    arguments: dict[str, Argument] = {**values, "x": harness.filled(maps.x, case.x()), "y": y, "none": None}
    arguments["transformed"] = derive(operation.transformed(), values["weight"])
    (call,) = operation.forward(maps)
    run(case, call, arguments)
    x = case.x().astype(float)
    z = reference.forward(case.layer, x, exact(parameters))
    size = reference.forward(case.layer, np.abs(x), exact(parameters, size=True))
    if case.activation is not None:
        z = reference.forward(ACTIVATIONS[case.activation], z, {})
    harness.check_close(y.values, z, TOLERANCE, size + 1)


def check_gradients(case: Case) -> None:
    operation, maps, parameters = case.operation, case.maps, case.parameters()
    assert maps.dy is not None
    assert maps.dx is not None
    values = packed(case, parameters)
    before = {name: harness.normal(case.seed + 9, *value.shape) for name, value in parameters.items()}
    found = packed(case, before)  # gradients of parameters add
    dx = harness.output(maps.dx, case.samples)
    arguments: dict[str, Argument] = {f"d {name}": value for name, value in found.items()}
    arguments |= {"x": harness.filled(maps.x, case.x()), "dy": harness.filled(maps.dy, case.dz()), "dx": dx}
    arguments |= {"derived": derive(operation.derived(maps), values["weight"]), **values, "none": None}
    for call in (*operation.backward(maps, None), *operation.parameter_gradients(maps)):
        run(case, call, arguments)

    x, dz = case.x().astype(float), case.dz().astype(float)
    expected, sums = reference.backward(case.layer, x, dz, exact(parameters))
    sizes, weight_sizes = reference.backward(case.layer, np.abs(x), np.abs(dz), exact(parameters, size=True))
    harness.check_close(dx.values, expected, TOLERANCE, sizes + 1e-6)
    for parameter in operation.parameters():
        name = parameter.name
        actual = parameter.unpack(found[name]).reshape(before[name].shape)
        harness.check_close(
            actual, before[name] + sums[name], TOLERANCE, weight_sizes[name] + np.abs(before[name])
        )
        # Lanes that are no channel stay zero: an optimizer walks over all of the buffer.
        assert parameter.pack(actual).tobytes() == found[name].tobytes()


@pytest.mark.parametrize("case", EXAMPLES, ids=str)
def test_chosen(case: Case) -> None:
    check_forward(case)
    check_gradients(case)


@pytest.mark.parametrize(("case", "together"), COLUMNS.items(), ids=str)
def test_columns_share_vectors(case: Case, together: tuple[int, int]) -> None:
    adjoint = case.operation.adjoint
    assert (conv.backward_columns(adjoint, case.activation), conv.forward_columns(adjoint)) == together


@settings(max_examples=8)
@given(cases())
def test_drawn(case: Case) -> None:
    check_forward(case)
    check_gradients(case)
