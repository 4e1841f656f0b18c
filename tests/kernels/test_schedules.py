"""Every schedule that can be chosen for a kernel leaves the bytes of the model's choice, on every target."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanwise.codegen.schedule import SAMPLES
from scanwise.kernels import conv
from scanwise.kernels.activation import Activation
from scanwise.kernels.conv import Convolution, ParameterGradient, TransposeWeights
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.winograd import WinogradConvolution, WinogradWeights, overhang
from tests.kernels import harness
from tests.kernels.harness import Field, Float32

Scheduled = Correlation | ParameterGradient | WinogradConvolution
ONE = (1, 1)


def check_schedules(kernel: Scheduled, samples: int, *arguments: Field | Float32 | None) -> int:
    """Runs each target's candidates on it; gives the number of those of the widest."""
    targets = harness.host_targets()
    expected: list[bytes] = []
    for target in targets:
        candidates = kernel.candidates(target)
        assert candidates[0] == kernel
        assert len(set(candidates)) == len(candidates)
        for candidate in candidates:
            given = copy.deepcopy(arguments)
            harness.call(candidate, samples, *given, targets=[target])
            left = [harness._array(argument).tobytes() for argument in given]
            expected = expected or left
            assert left == expected, (target.name, candidate)
    return len(kernel.candidates(targets[0]))


def maps_of(c: Convolution, samples: int, seed: int) -> tuple[Field, Field]:
    """x, and dz with the border that the input gradient reads."""
    x = harness.filled(
        harness.bordered(c.channels, *c.extent), harness.normal(seed, samples, c.channels, *c.extent)
    )
    dz_map = harness.bordered(c.outputs, *c.positions, border=conv.input_gradient_border(c))
    return x, harness.filled(dz_map, harness.normal(seed + 1, samples, c.outputs, *c.positions))


def weights_of(c: Convolution, seed: int) -> Float32:
    return c.pack(harness.normal(seed + 2, c.outputs, c.channels // c.groups, *c.kernel))


def check_forward(c: Convolution, samples: int, seed: int) -> int:
    x, _ = maps_of(c, samples, seed)
    y = harness.output(harness.bordered(c.outputs, *c.positions, border=(1, 0, 0, 2)), samples)
    bias = c.pack_bias(harness.normal(seed + 3, c.outputs))
    kernel = conv.forward(c, x.extent, y.extent, Activation("relu"))
    return check_schedules(kernel, samples, x, weights_of(c, seed), bias, y, None)


def check_input_gradient(c: Convolution, samples: int, seed: int) -> int:
    x, dz = maps_of(c, samples, seed)
    weight = weights_of(c, seed)
    if not c.depthwise:
        turned = np.zeros(TransposeWeights(c).size, np.float32)
        for part, source, goal in TransposeWeights(c).parts():
            harness.call(part, 0, weight[source:], turned[goal:])
        weight = turned
    dx = harness.output(harness.bordered(c.channels, *c.extent), samples)
    kernel = conv.input_gradient(c, dz.extent, dx.extent, Activation("relu"), x.extent)
    return check_schedules(kernel, samples, dz, weight, None, dx, x)


def check_weight_gradient(c: Convolution, samples: int, seed: int) -> int:
    x, dz = maps_of(c, samples, seed)
    return check_schedules(ParameterGradient(c, x.extent, dz.extent), samples, x, dz, weights_of(c, seed))


Check = Callable[[Convolution, int, int], int]
KERNELS: tuple[Check, ...] = (check_forward, check_input_gradient, check_weight_gradient)
each_kernel = pytest.mark.parametrize("check", KERNELS)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """Strided, dilated, grouped and depthwise ones, some with a single position."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 19]))
    channels, outputs = draw(st.sampled_from([1, 5, 17])), draw(st.sampled_from([1, 3, 20, 40]))
    channels, outputs = (groups, groups) if groups == 19 else (groups * channels, groups * outputs)
    kernel = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    positions = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)) | st.just(ONE))
    stride, dilation = draw(st.sampled_from([ONE, ONE, (2, 1), (1, 2)])), draw(st.sampled_from([ONE, (1, 2)]))
    rows, columns = (
        (p - 1) * s + d * (k - 1) + 1 for p, s, d, k in zip(positions, stride, dilation, kernel, strict=True)
    )
    return Convolution(
        channels, outputs, kernel, stride, dilation, (0, 0), (rows, columns), positions, groups=groups
    )


@each_kernel
@settings(max_examples=4)
@given(c=convolutions(), samples=st.integers(1, SAMPLES + 1), seed=harness.SEEDS)
def test_drawn_convolutions(check: Check, c: Convolution, samples: int, seed: int) -> None:
    check(c, samples, seed)


@each_kernel
@pytest.mark.parametrize(
    "c",
    [
        Convolution(17, 40, (2, 3), ONE, ONE, (0, 0), (4, 13), (3, 11)),  # tiles of columns
        Convolution(33, 35, ONE, ONE, ONE, (0, 0), ONE, ONE),  # `Linear`: tiles of samples
        Convolution(17, 20, (3, 3), (2, 2), ONE, (0, 0), (9, 9), (4, 4)),  # phases of different sizes
    ],
    ids=["columns", "samples", "phases"],
)
def test_there_are_schedules_to_choose_from(check: Check, c: Convolution) -> None:
    assert check(c, SAMPLES + 3, 0) >= 2  # narrow processors have fewer registers to share out


@pytest.mark.parametrize(("extent", "samples"), [(5, 3), (13, 2)], ids=["samples together", "one by one"])
def test_winograd(extent: int, samples: int) -> None:
    c = Convolution(16, 32, (3, 3), ONE, ONE, (1, 1), (extent, extent), (extent, extent))
    below, right = overhang(c.positions)
    x = harness.filled(
        harness.bordered(16, extent, extent, border=(1, 1 + below, 1, 1 + right)),
        harness.normal(1, samples, 16, extent, extent),
    )
    y = harness.output(harness.bordered(32, extent, extent), samples)
    transform = WinogradWeights(c, backward=False)
    weight, transformed = weights_of(c, 2), np.zeros(transform.size, np.float32)
    for part, source, goal in transform.parts():
        harness.call(part, 0, weight[source:], transformed[goal:], None)
    kernel = WinogradConvolution(x.extent, y.extent, c.padding, True, None, None, samples)
    scratch = np.zeros(kernel.scratch, np.float32)
    bias = c.pack_bias(harness.normal(3, 32))
    assert check_schedules(kernel, samples, x, transformed, bias, y, scratch) >= 2
