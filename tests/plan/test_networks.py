"""Whole networks on the native engine against the reference: outputs, gradients, losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.typing import NDArray

from scanwise import reference
from scanwise.inputs import LOSSES
from scanwise.layers import (
    GELU,
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    CPlane,
    Downsample1d,
    Downsample2d,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    LogMel,
    MaxByLabel,
    MaxPool1d,
    MaxPool2d,
    Pad1d,
    Pad2d,
    PReLU,
    RadialBasis,
    ReLU,
    Residual,
    ScaledTanh,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    SPlane,
    Subsample1d,
    Subsample2d,
    Tanh,
    Unfold1d,
    Unfold2d,
    UnitBias,
)
from scanwise.plan.executor import NativeExecutor
from tests.plan.drawn_networks import Case, classifiers, networks, random_values

SAMPLES = 5
# Of the largest expected value, whatever the array's size. Outputs of float32 chains are right to about 5e-7.
OUTPUT_TOLERANCE = 2e-5
GRADIENT_TOLERANCE = 1e-4
# Where a softmax or tanh is saturated, every gradient is a small difference of large numbers. What is smaller than this
# is compared as if it were this large (samples and upstream gradients are about 1).
SMALLEST_SCALE = 3e-2

FIRST_LAYERS: list[tuple[Layer, Shape]] = [
    (Linear(5), (7,)),
    (Conv1d(5, 3), (3, 9)),
    (Conv1d(6, 3, groups=3, padding="causal"), (3, 9)),
    (Conv2d(5, 3, padding="same", flip=True), (2, 5, 4)),
    (Conv2d(17, (2, 3), stride=2, dilation=(2, 1)), (1, 9, 8)),
    (ConvTranspose1d(5, 3, 2, (3, 0)), (3, 9)),
    (ConvTranspose1d(6, 4, groups=6, dilation=2), (6, 5)),
    (ConvTranspose2d(17, 3, 2, 1, 1, flip=True), (2, 3, 4)),
    (ConvTranspose2d(4, (2, 3)), (5, 4, 6)),
    (Conv2d(5, 3, flip=True, connections=[[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]]), (3, 5, 4)),
    (Conv1d(2, 3, stride=2, bias=False, connections=[[1, 0], [1, 1]]), (2, 9)),
    (MaxPool1d(2, ceil_mode=True), (3, 9)),
    (MaxPool2d(3, 2, 1), (3, 6, 5)),
    (AvgPool1d(3, 1, 1), (17, 9)),
    (AvgPool2d(2, ceil_mode=True), (3, 5, 5)),
    (Subsample1d(3, 2), (5, 8)),
    (Subsample2d(2), (17, 5, 4)),
    (Downsample1d(3), (5, 8)),
    (Downsample2d((2, 1)), (5, 5, 4)),
    (Pad1d((2, 1)), (3, 5)),
    (Pad2d((1, 0, 2, 1)), (3, 4, 2)),
    (Pad1d(2, -1.0), (5, 4)),
    (Pad2d((1, 0, 2, 1), 0.5), (17, 4, 2)),
    (ReLU(), (3, 4, 4)),
    (LeakyReLU(0.2), (17,)),
    (Sigmoid(), (3, 5)),
    (Tanh(), (4, 3, 3)),
    (ScaledTanh(), (1, 6)),
    (PReLU(), (3, 5, 4)),
    (PReLU(init=-0.3), (17,)),
    (PReLU(17), (17, 9)),
    (PReLU(5, init=-0.5), (5, 4, 3)),
    (GELU(), (5, 4, 3)),
    (GELU("tanh"), (17,)),
    (SiLU(), (4, 9)),
    (UnitBias(), (5, 3, 4)),
    (UnitBias(), (17, 3)),
    (UnitBias(), (6,)),
    (RadialBasis(random_values(5, 7, seed=0)), (7,)),
    (RadialBasis(random_values(17, 3, seed=0)), (3,)),
    (Softmax(), (5, 3)),
    (Flatten(), (3, 4, 2)),
    (Flatten(), (6,)),
    (Dropout(0.5), (3, 4)),
    *((Aggregate(mode), (5, 3, 2)) for mode in Aggregate.modes),
    (LogMel(8000, 16, 4, 5), (1, 40)),
    (Unfold1d(3, 2), (2, 9)),
    (Unfold2d((2, 3), (1, 2)), (5, 4, 7)),
    (Scan1d(Sequential(Linear(5), ReLU(), Linear(3)), 4), (2, 9)),
    (Scan2d(Sequential(Flatten(), Tanh(), Linear(17), Softmax()), 2, (1, 2)), (3, 4, 5)),
    (Scan1d(Sequential(Softmax(), Linear(3), Residual(Linear(3), Sequential(Tanh()))), 3, 2), (2, 8)),
    (Scan2d(Sequential(Sigmoid()), 2), (1, 3, 3)),
    (SPlane(5, 3, 2.0, padding=1), (2, 5, 4)),
    (SPlane(17, (2, 3), 0.5, (2, 1), gamma=1.0), (20, 5, 5)),
    (CPlane(3, 2, 1, surround=0.5), (5, 6, 5)),
    (CPlane((1, 4), sigma=0.5), (1, 3, 9)),
    (MaxByLabel((0, 1, 0, 2, 2)), (5, 3, 2)),
    (MaxByLabel((0,) * 9 + (1,) * 8), (17,)),
    (Sequential(Sequential(Tanh())), (3, 4)),
    (Residual(Flatten(), Linear(6), Residual(ReLU())), (6,)),
    (Residual(Residual(ReLU()), Conv2d(3, 3, padding="same")), (3, 4, 4)),
]


def assert_close(actual: NDArray[Any], expected: NDArray[Any], tolerance: float, what: object) -> None:
    assert actual.shape == expected.shape, what
    scale = max(float(np.abs(expected).max(initial=0.0)), SMALLEST_SCALE)
    worst = float(np.abs(actual - expected).max(initial=0.0))
    assert worst <= tolerance * scale, f"{what}: {worst:.3g} of {scale:.3g}"


def native(case: Case) -> NativeExecutor:
    executor = NativeExecutor(case.network, case.input_shape)
    executor.load_parameters(case.parameters)
    return executor


def check_output_and_gradients(case: Case) -> None:
    x, parameters = case.samples(SAMPLES), case.parameters
    executor = native(case)
    y = reference.forward(case.network, x, parameters)
    assert_close(executor.forward(x), y, OUTPUT_TOLERANCE, ("output", case))
    dy = random_values(*y.shape, seed=5)
    dx, expected = reference.gradients(case.network, x, dy, parameters)
    native_dx, found = executor.gradients(x, dy)
    assert_close(native_dx, dx, GRADIENT_TOLERANCE, ("dx", case))
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(found[name], gradient, GRADIENT_TOLERANCE, (name, case))


def check_loss(case: Case, loss: str) -> None:
    x, target, parameters = case.samples(SAMPLES), case.target(SAMPLES, loss), case.parameters
    value, expected = reference.loss_and_gradients(case.network, x, target, parameters, loss)
    found_value, found = native(case).loss_and_gradients(x, target, loss)
    assert_close(np.array(found_value), np.array(value), OUTPUT_TOLERANCE, (loss, case))
    for name, gradient in expected.items():
        assert_close(found[name], gradient, GRADIENT_TOLERANCE, (loss, name, case))


@settings(max_examples=28)
@given(networks())
def test_drawn_networks(case: Case) -> None:
    check_output_and_gradients(case)


@settings(max_examples=16)
@given(networks(most=3))
def test_losses_of_drawn_outputs(case: Case) -> None:
    """Values of any shape as the target: maps, vectors, single numbers."""
    for loss in ("binary_cross_entropy", "mse"):
        check_loss(case, loss)


@settings(max_examples=16)
@given(classifiers())
def test_losses_of_drawn_classifiers(case: Case) -> None:
    if case.network.layers[-1] == Aggregate("softmax"):
        # Losses of probabilities: where these come close to 1, float32 has no digits of 1 - p left.
        assume(reference.forward(case.network, case.samples(SAMPLES), case.parameters).max() < 0.99)
    for loss in LOSSES:
        check_loss(case, loss)


@pytest.mark.parametrize(("layer", "shape"), FIRST_LAYERS, ids=lambda value: str(value))
def test_each_layer_alone_and_before_others(layer: Layer, shape: Shape) -> None:
    check_output_and_gradients(Case(Sequential(layer), shape))
    case = Case(Sequential(layer, Tanh(), Flatten(), Linear(4)), shape)
    check_output_and_gradients(case)
    check_loss(case, "cross_entropy")


@pytest.mark.parametrize(
    "layers",
    [
        (Conv2d(5, 3), Flatten(), Softmax()),
        (Conv2d(5, 3), Flatten(), Residual(Linear(60), Tanh())),
        (Conv2d(5, 3), ReLU(), Flatten(), ReLU(), Dropout(0.5), Linear(3), Sigmoid()),
        (Flatten(), Softmax(), Flatten(), Linear(3)),
        (Conv2d(5, 3), Sequential(Flatten(), Sequential(Flatten()))),
        (Conv2d(5, 3), Tanh(), Flatten(), RadialBasis(random_values(4, 60, seed=0) / 8)),
        (MaxPool2d(2), Flatten(), Linear(20), Residual(Linear(20), Residual(Linear(20)))),
        (
            Residual(Residual(Conv2d(2, 1), Tanh()), Residual(Conv2d(2, 3, padding="same"))),
            Aggregate("softmax"),
        ),
        (Conv2d(4, 1), Residual(ReLU(), Residual(ReLU())), Sigmoid()),
    ],
    ids=lambda layers: ", ".join(map(str, layers)),
)
def test_flat_order_and_nesting(layers: tuple[Layer, ...]) -> None:
    case = Case(Sequential(*layers), (2, 6, 5))
    check_output_and_gradients(case)
    for loss in LOSSES:
        if loss != "cross_entropy" or len(case.output_shape) == 1:
            check_loss(case, loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "last", [Linear(4), Softmax(), Sigmoid(), Sequential(Sigmoid()), Residual(Sigmoid())], ids=str
)
def test_ends_that_a_loss_has_in_itself(last: Layer, loss: str) -> None:
    check_loss(Case(Sequential(Linear(4), last), (6,)), loss)
    check_loss(Case(Sequential(Linear(4), Dropout(0.5), last), (6,)), loss)


@pytest.mark.parametrize(
    "layers",
    [
        (MaxPool2d(3, 2, 1),),
        (Conv2d(17, 3), Tanh(), MaxPool2d(2)),
        (Conv2d(3, 1), ReLU(), MaxPool2d(3, 1), Flatten(), Linear(4)),
        (Conv2d(5, 3), Aggregate("max")),
    ],
    ids=lambda layers: ", ".join(map(str, layers)),
)
def test_the_first_of_equal_maxima_takes_the_gradient(layers: tuple[Layer, ...]) -> None:
    """In row-major order. On a constant input all values of a window are equal."""
    case = Case(Sequential(*layers), (2, 8, 7))
    x = np.full((2, 2, 8, 7), 0.5, np.float32)
    dy = random_values(2, *case.output_shape, seed=5)
    expected = reference.gradients(case.network, x, dy, case.parameters)[0]
    found = native(case).gradients(x, dy)[0]
    np.testing.assert_array_equal(found == 0, expected == 0)
    assert_close(found, expected, GRADIENT_TOLERANCE, case)


def test_uint8_is_taken_as_0_to_1() -> None:
    case = Case(Sequential(Conv2d(5, 3), ReLU(), Flatten(), Linear(3)), (2, 6, 5))
    x = np.random.default_rng(0).integers(0, 256, (SAMPLES, 2, 6, 5)).astype(np.uint8)
    expected = reference.forward(case.network, x.astype(np.float32) * np.float32(1 / 255), case.parameters)
    assert_close(native(case).forward(x), expected, OUTPUT_TOLERANCE, "uint8")
