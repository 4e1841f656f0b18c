"""Networks that scan do not notice shifts by multiples of their stride; others do (lecture 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import shapes
from scanwise.layers import Layer, Shape


@dataclass(frozen=True)
class Scanner:
    """A network that scans, and an input whose content lies in the middle of zeros, far from the borders."""

    layers: tuple[Layer, ...]
    axes: int
    mode: str

    @property
    def reach(self) -> tuple[Shape, Shape]:
        """Receptive field and stride of what is before the aggregation."""
        return shapes.receptive_field(sw.Sequential(*self.layers), (2, *(200,) * self.axes))

    def model(self, margin: int) -> sw.Model:
        field, stride = self.reach
        extents = (4 + 2 * (f + (margin + 1) * s) for f, s in zip(field, stride, strict=True))
        network = sw.Sequential(*self.layers, sw.Aggregate(self.mode), sw.Linear(3))
        model = sw.Model(network, (2, *extents))
        if self.mode == "max":  # with a mean the answer to zeros must be zero: rounding depends on order
            model.parameters.update(
                {
                    n: np.random.default_rng(0).normal(size=p.shape)
                    for n, p in model.parameters.items()
                    if p.ndim == 1
                }
            )
        return model


def content_in_the_middle(shape: Shape, samples: int = 2) -> NDArray[np.float32]:
    x = np.zeros((samples, *shape), np.float32)
    middle: tuple[Any, ...] = (..., *(slice(extent // 2 - 2, extent // 2 + 2) for extent in shape[1:]))
    inner = x[middle].shape
    x[middle] = np.random.default_rng(1).normal(size=inner)
    return x


ACTIVATIONS = st.sampled_from([sw.ReLU(), sw.Tanh(), sw.LeakyReLU(0.1), sw.ScaledTanh()])


@st.composite
def scanners(draw: st.DrawFn) -> Scanner:
    axes = draw(st.sampled_from([1, 1, 2]))
    small = st.integers(1, 3 if axes == 1 else 2)
    kinds: list[Any] = [sw.MaxPool1d, sw.AvgPool1d] if axes == 1 else [sw.MaxPool2d, sw.AvgPool2d]
    layers: list[Layer] = []
    for _ in range(draw(st.integers(1, 2))):
        convolution: Any = sw.Conv1d if axes == 1 else sw.Conv2d
        layers.append(
            convolution(draw(st.sampled_from([2, 5])), draw(small), stride=draw(small), dilation=draw(small))
        )
        layers.append(draw(ACTIVATIONS))
        if draw(st.booleans()):
            layers.append(draw(st.sampled_from(kinds))(draw(small)))
    return Scanner(tuple(layers), axes, draw(st.sampled_from(["max", "mean"])))


@pytest.mark.parametrize("mode", sw.Aggregate.modes)
@pytest.mark.parametrize("axes", [1, 2])
def test_a_scanning_mlp_answers_the_same_elsewhere(axes: int, mode: str) -> None:
    """With biases, so that silence has an answer too: a maximum keeps its bits, and sums are rounded at most."""
    mlp = sw.Sequential(sw.Linear(6), sw.Tanh(), sw.Linear(4))
    scan: Layer = sw.Scan1d(mlp, 5, 2) if axes == 1 else sw.Scan2d(mlp, 4, 2)
    shape = (2, *(40,) * axes)
    model = sw.Model(sw.Sequential(scan, sw.Aggregate(mode)), shape)
    model.parameters.update(
        {n: np.random.default_rng(1).normal(size=p.shape) for n, p in model.parameters.items()}
    )
    x = content_in_the_middle(shape)
    kept = sw.shift_response(model, x, [-6, -2, 2, 4, 8])
    if mode == "max":
        assert kept.invariant
    else:
        assert kept.change.max() < 2e-6 * np.abs(model(x)).max()
    moved_between = sw.shift_response(model, x, [1, 3])
    assert moved_between.change.min() > 1e-4, "a shift that the stride does not divide"


@given(scanners())
@settings(max_examples=25)
def test_shifts_by_multiples_of_the_stride_change_not_a_bit(scanner: Scanner) -> None:
    model = scanner.model(margin=3)
    _, stride = scanner.reach
    times = [-3, -1, 0, 2, 3]
    shifts = [tuple(t * s for s in stride) for t in times] + [(0,) * (scanner.axes - 1) + (stride[-1],)]
    x = content_in_the_middle(model.input_shape)
    response = sw.shift_response(model, x, shifts)
    assert response.shifts == tuple(shifts)
    assert response.invariant
    np.testing.assert_array_equal(response.change, 0)
    for output in response.outputs:
        assert output.tobytes() == model(x).tobytes()


class TestStrides:
    """The network answers exactly when the shift is a multiple of its stride."""

    def test_downsampling(self) -> None:
        network = sw.Sequential(sw.Conv1d(1, 1, bias=False), sw.Downsample1d(3), sw.Aggregate("max"))
        model = sw.Model(network, (1, 60))
        model.parameters["0.weight"] = [[[1.0]]]
        x = np.zeros((1, 60))
        x[0, 30] = 1.0
        response = sw.shift_response(model, x, range(-9, 10))
        np.testing.assert_array_equal(response.unchanged, [shift % 3 == 0 for shift in range(-9, 10)])
        assert not response.invariant

    def test_max_pooling(self) -> None:
        """Two neighbours fall into one window or into two, and the filter behind counts windows."""
        network = sw.Sequential(sw.MaxPool1d(2), sw.Conv1d(1, 2, bias=False), sw.Aggregate("max"))
        model = sw.Model(network, (1, 40))
        model.parameters["1.weight"] = [[[1.0, 1.0]]]
        x = np.zeros((1, 40))
        x[0, 20:22] = 1.0
        response = sw.shift_response(model, x, range(-5, 6))
        np.testing.assert_array_equal(response.change, [shift % 2 for shift in range(-5, 6)])

    def test_images_along_each_axis(self) -> None:
        network = sw.Sequential(sw.Downsample2d((2, 3)), sw.Conv2d(4, 2), sw.Aggregate("max"))
        model = sw.Model(network, (1, 30, 30))
        x = np.zeros((1, 30, 30))
        x[0, 12, 12] = 1.0
        moves = [(i, j) for i in range(-4, 5) for j in range(-4, 5)]
        response = sw.shift_response(model, x, moves)
        np.testing.assert_array_equal(response.unchanged, [i % 2 == 0 and j % 3 == 0 for i, j in moves])


def test_an_mlp_notices_every_shift() -> None:
    """Lecture 1.1: moving a pattern by one position makes another input vector."""
    mlp = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(8), sw.Tanh(), sw.Linear(2)), (1, 30))
    x = content_in_the_middle((1, 30))
    response = sw.shift_response(mlp, x, [-5, -1, 0, 1, 7])
    np.testing.assert_array_equal(response.unchanged, [False, False, True, False, False])
    flat = sw.Model(sw.Sequential(sw.Linear(2)), (30,))
    assert not sw.shift_response(flat, x[:, 0], [1]).invariant


class TestMoving:
    IDENTITY = sw.Model(sw.Sequential(sw.Dropout()), (1, 2, 4))

    @pytest.mark.parametrize(
        ("shift", "rows"),
        [
            (0, [[1, 2, 3, 4], [5, 6, 7, 8]]),
            (1, [[9, 1, 2, 3], [9, 5, 6, 7]]),
            (-3, [[4, 9, 9, 9], [8, 9, 9, 9]]),
            ((1, -1), [[9, 9, 9, 9], [2, 3, 4, 9]]),
            ((-1, 0), [[5, 6, 7, 8], [9, 9, 9, 9]]),
            ((5, -7), [[9] * 4] * 2),
        ],
    )
    def test_content_moves_and_the_rest_is_filled(self, shift: Any, rows: list[list[float]]) -> None:
        x = np.arange(1, 9).reshape(1, 2, 4)
        response = sw.shift_response(self.IDENTITY, x, [shift], fill=9)
        assert response.outputs.tolist() == [[[rows]]]
        assert response.change.tolist() == [np.abs(np.array(rows) - x).max()]

    def test_bytes_are_taken_as_0_to_1(self) -> None:
        x = np.full((3, 1, 2, 4), 255, np.uint8)
        response = sw.shift_response(self.IDENTITY, x, [1, np.int64(2)], fill=0.5)
        assert response.outputs.shape == (2, 3, 1, 2, 4)
        assert response.outputs[0, 2, 0, 1].tolist() == [0.5, 1, 1, 1]


class TestErrors:
    MODEL = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max")), (1, 8))

    @pytest.mark.parametrize(
        ("shifts", "error", "message"),
        [
            (3, sw.ArgumentTypeError, "shifts must be whole numbers. Got 3"),
            ([1.5], sw.ArgumentTypeError, "shifts must be whole numbers"),
            ([(1, 2)], sw.ArgumentError, "shifts must be whole numbers"),
            ([], sw.ArgumentError, "at least one. Got none"),
            ([True], sw.ArgumentTypeError, "shifts must be whole numbers"),
            ([1, [2, [3]]], sw.ArgumentTypeError, "shifts must be whole numbers"),
            (["1"], sw.ArgumentTypeError, "shifts must be whole numbers"),
            (range(10**12), sw.ArgumentError, "shifts must be few enough .* Got some that need .* GiB"),
            (range(10**400), sw.ArgumentError, "Got some that need more than"),
        ],
    )
    def test_shifts(self, shifts: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            sw.shift_response(self.MODEL, np.zeros((1, 8)), shifts)

    def test_images_want_pairs(self) -> None:
        with pytest.raises(sw.ArgumentError, match=r"pairs \(rows, columns\)"):
            sw.shift_response(TestMoving.IDENTITY, np.zeros((1, 2, 4)), [(1, 2, 3)])

    def test_samples(self) -> None:
        with pytest.raises(sw.ShapeError, match=r"x must have shape \(N, 1, 8\)"):
            sw.shift_response(self.MODEL, np.zeros((1, 9)), [1])
        with pytest.raises(sw.ShapeError, match="at least one sample"):
            sw.shift_response(self.MODEL, np.zeros((0, 1, 8)), [1])
        with pytest.raises(sw.ArgumentError, match="x must be finite"):
            sw.shift_response(self.MODEL, np.full((1, 8), np.nan), [1])
        with pytest.raises(sw.ArgumentError, match="fill must be a finite number"):
            sw.shift_response(self.MODEL, np.zeros((1, 8)), [1], fill=np.inf)
        with pytest.raises(sw.ArgumentError, match=r"fill must be a finite number in float32. Got 1e"):
            sw.shift_response(self.MODEL, np.zeros((1, 8)), [1], fill=1e39)
        with pytest.raises(sw.ArgumentTypeError, match="model must be a Model"):
            sw.shift_response(self.MODEL.network, np.zeros((1, 8)), [1])  # type: ignore[arg-type]

    def test_outputs_that_leave_float32(self) -> None:
        model = sw.Model(sw.Sequential(sw.Conv1d(1, 1)), (1, 2))
        model.parameters["0.weight"] = [[[1e30]]]
        with pytest.raises(sw.ArgumentError, match="the output for x must be finite"):
            sw.shift_response(model, [[1e30, 0.0]], [1])
        with pytest.raises(sw.ArgumentError, match=r"the output for x shifted by \(1,\) must be finite"):
            sw.shift_response(model, [[1.0, 0.0]], [1], fill=1e30)
