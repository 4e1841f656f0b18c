"""Pooling kernels against the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise import layers
from scanwise.errors import ShapeError
from scanwise.kernels.activation import Activation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.pool import AverageBackward, AverageForward, MaxBackward, MaxForward, Pooling
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Border, Float32

Float64 = NDArray[np.float64]

# Maxima are exact; sums of a window are a few units in the last place of its mean size off.
TOLERANCE = 2e-6

SLOPES: dict[Activation | None, Callable[[Float64], Float64]] = {
    None: (lambda x: np.ones_like(x)),
    Activation("relu"): (lambda x: (x > 0).astype(float)),
    Activation("tanh"): (lambda x: 1 - x * x),
    Activation("leaky_relu", 0.1): (lambda x: np.where(x > 0, 1, 0.1)),
}


@dataclass(frozen=True)
class Case:
    """One drawn pooling: what is pooled, by which window."""

    channels: int
    extent: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    ceil_mode: bool
    border: Border = (0, 0, 0, 0)
    samples: int = 2
    seed: int = 0
    activation: Activation | None = None

    def layer(
        self, kind: type[layers.MaxPool2d] | type[layers.AvgPool2d]
    ) -> layers.MaxPool2d | layers.AvgPool2d:
        return kind(self.kernel, self.stride, self.padding, self.ceil_mode)

    @property
    def positions(self) -> tuple[int, int]:
        return self.layer(layers.MaxPool2d).geometry((self.channels, *self.extent)).output

    @property
    def pooling(self) -> Pooling:
        return Pooling(self.kernel, self.stride, self.padding, self.extent, self.positions)

    @property
    def maps(self) -> tuple[FeatureMap, FeatureMap]:
        """Those of x and y."""
        x = harness.bordered(self.channels, *self.extent, border=self.border)
        return x, harness.bordered(self.channels, *self.positions, border=(0, 1, 2, 0))

    def x(self) -> Float32:
        # Few different values: every window has ties.
        rng = np.random.default_rng(self.seed)
        return (rng.integers(-3, 4, (self.samples, self.channels, *self.extent)) / 4).astype(np.float32)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    extent = draw(harness.EXTENTS), draw(harness.EXTENTS)
    kernel = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))
    if draw(st.booleans()):  # as most networks have it
        stride, padding = kernel, (0, 0)
    case = Case(
        draw(harness.CHANNELS),
        extent,
        kernel,
        stride,
        padding,
        draw(st.booleans()),
        draw(harness.BORDERS),
        draw(harness.SAMPLES),
        draw(harness.SEEDS),
        draw(st.sampled_from(list(SLOPES))),
    )
    try:
        assert min(case.positions) > 0
    except ShapeError:
        assume(False)
    return case


WHOLE = Case(20, (5, 7), (5, 7), (1, 1), (0, 0), False)  # global pooling: a loop over the window
HANGING = Case(9, (5, 6), (3, 4), (2, 3), (1, 2), True, (1, 1, 1, 1), activation=Activation("relu"))
GAPS = Case(6, (9, 8), (2, 2), (3, 4), (0, 0), False, activation=Activation("tanh"))
WIDE = Case(80, (4, 4), (2, 2), (2, 2), (0, 0), False)  # more vectors than are written out
LINE = Case(
    4, (1, 9), (1, 2), (1, 2), (0, 0), False, activation=Activation("relu")
)  # the last one in no window
REST = Case(5, (7, 7), (2, 3), (2, 3), (0, 0), False)  # a last row and a last column in no window
SMALL = Case(3, (1, 2), (1, 3), (1, 2), (0, 0), True)  # a window larger than its input


def drawn_and_chosen(check: Callable[[Case], None]) -> Callable[[], None]:
    """A test of forty drawn cases and of those above."""
    test = settings(max_examples=25)(given(cases())(check))
    for case in (WHOLE, HANGING, GAPS, WIDE, LINE, REST, SMALL):
        test = example(case)(test)
    return test


def check_gradient(
    case: Case,
    layer: layers.MaxPool2d | layers.AvgPool2d,
    kind: type[MaxBackward] | type[AverageBackward],
    scale: float | None,
) -> None:
    x, (x_map, y_map) = case.x(), case.maps
    dy = harness.normal(case.seed + 1, case.samples, case.channels, *case.positions)
    dx = harness.output(x_map, case.samples)
    kernel = kind(case.pooling, x_map, y_map, x_map, case.activation)
    harness.call(kernel, case.samples, harness.filled(x_map, x), harness.filled(y_map, dy), dx)
    expected, _ = reference.backward(layer, x.astype(float), dy.astype(float), {})
    slope = SLOPES[case.activation](x.astype(float))
    harness.check_close(dx.values, expected * slope, TOLERANCE, scale)


@drawn_and_chosen
def test_maximum(case: Case) -> None:
    """Ties, of which there are many, included: of equal maxima the first takes the gradient."""
    layer, x, (x_map, y_map) = case.layer(layers.MaxPool2d), case.x(), case.maps
    y = harness.output(y_map, case.samples)
    harness.call(MaxForward(case.pooling, x_map, y_map), case.samples, harness.filled(x_map, x), y)
    np.testing.assert_array_equal(y.values, reference.forward(layer, x.astype(float), {}))
    check_gradient(case, layer, MaxBackward, None)


@drawn_and_chosen
def test_average(case: Case) -> None:
    layer, x, (x_map, y_map) = case.layer(layers.AvgPool2d), case.x(), case.maps
    y = harness.output(y_map, case.samples)
    harness.call(AverageForward(case.pooling, x_map, y_map), case.samples, harness.filled(x_map, x), y)
    harness.check_close(y.values, reference.forward(layer, x.astype(float), {}), TOLERANCE, 1.0)
    check_gradient(case, layer, AverageBackward, 1.0)


@pytest.mark.parametrize("kind", [MaxForward, AverageForward])
def test_a_window_has_the_same_bits_wherever_it_lies(kind: type[MaxForward] | type[AverageForward]) -> None:
    """A sliding window gives what the window by itself gives (contract 3)."""
    channels, kernel, extent = 20, (3, 7), (5, 11)
    x = harness.normal(3, 1, channels, *extent)
    positions = extent[0] - kernel[0] + 1, extent[1] - kernel[1] + 1
    x_map, y_map = harness.bordered(channels, *extent), harness.bordered(channels, *positions)
    y = harness.output(y_map, 1)
    harness.call(
        kind(Pooling(kernel, (1, 1), (0, 0), extent, positions), x_map, y_map), 1, harness.filled(x_map, x), y
    )
    cut_map, one_map = harness.bordered(channels, *kernel), harness.bordered(channels, 1, 1)
    for p in range(positions[0]):
        for q in range(positions[1]):
            one = harness.output(one_map, 1)
            cut = harness.filled(cut_map, x[:, :, p : p + kernel[0], q : q + kernel[1]])
            harness.call(kind(Pooling(kernel, kernel, (0, 0), kernel, (1, 1)), cut_map, one_map), 1, cut, one)
            assert one.values[0, :, 0, 0].tobytes() == np.ascontiguousarray(y.values[0, :, p, q]).tobytes()
