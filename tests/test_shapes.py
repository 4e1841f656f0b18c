"""The walk over a network: shapes, receptive field, counts, the table, and the error that prints it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise import reference
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Downsample1d,
    Flatten,
    Layer,
    Linear,
    LogMel,
    MaxPool1d,
    MaxPool2d,
    Pad1d,
    Pad2d,
    RadialBasis,
    ReLU,
    Residual,
    Sequential,
    Shape,
    Subsample2d,
    UnitBias,
)
from scanwise.shapes import (
    added_positions,
    padding_before,
    parameter_shapes,
    receptive_field,
    summary_table,
    walk,
)

LENET = Sequential(
    Conv2d(6, 5, padding="same"),
    ReLU(),
    MaxPool2d(2),
    Sequential(Conv2d(16, 5), ReLU()),
    Flatten(),
    Linear(10),
)


def test_rows() -> None:
    rows = walk(LENET, (1, 28, 28))
    assert [row.name for row in rows] == ["0", "1", "2", "3.0", "3.1", "4", "5"]
    assert [row.output_shape for row in rows][2:4] == [(6, 14, 14), (16, 10, 10)]
    assert rows[3].input_shape == (6, 14, 14)
    assert rows[3].parameters == 16 * 6 * 25 + 16
    assert rows[3].operations == 16 * 10 * 10 * (2 * 150 + 1)
    assert rows[3].receptive_field == (14, 14)
    assert rows[3].stride == (2, 2)
    assert sum(row.parameters for row in rows) == 156 + 2416 + 16010


def test_parameter_names_and_order() -> None:
    assert list(parameter_shapes(LENET, (1, 28, 28))) == [
        "0.weight", "0.bias", "3.0.weight", "3.0.bias", "5.weight", "5.bias"
    ]  # fmt: skip


def test_residual_shows_its_layers_and_the_sum() -> None:
    rows = walk(Sequential(Residual(Conv1d(2, 3, padding="same"), ReLU())), (2, 9))
    assert [(row.name, row.parameters, row.operations) for row in rows] == [
        ("0.0", 14, 18 * 13),
        ("0.1", 0, 18),
        ("0", 0, 18),
    ]
    assert rows[-1].receptive_field == (3,)


@pytest.mark.parametrize(
    ("layer", "shape", "connections"),
    [
        (Linear(10), (84,), 850),
        (Linear(10, bias=False), (84,), 840),
        (Conv2d(6, 5), (1, 32, 32), 28 * 28 * 6 * (25 + 1)),
        (Conv2d(6, 5, padding="same"), (1, 32, 32), 32 * 32 * 6 * (25 + 1)),  # places in the padding count
        (Conv2d(4, 3, groups=2, bias=False), (6, 5, 5), 9 * 4 * 27),
        (Conv1d(2, 3, connections=((1, 1, 0), (0, 0, 1))), (3, 10), 8 * (3 * 3 + 2)),
        (Subsample2d(2), (6, 28, 28), 14 * 14 * 6 * (4 + 1)),
        (UnitBias(), (12, 8, 8), 768),
        (RadialBasis([[1.0] * 84] * 10), (84,), 840),
        (MaxPool2d(2), (6, 28, 28), 0),
        (Sequential(Residual(Linear(4), ReLU()), Linear(2)), (4,), 20 + 10),
    ],
    ids=lambda value: value.label() if isinstance(value, Layer) else str(value),
)
def test_connections(layer: Layer, shape: Shape, connections: int) -> None:
    assert layer.connection_count(shape) == connections
    assert sum(row.connections for row in walk(Sequential(layer), shape)) == connections


windowed: st.SearchStrategy[Layer] = st.one_of(
    st.builds(Conv1d, st.just(1), st.integers(1, 4), st.integers(1, 3), st.just(0), st.integers(1, 3)),
    st.builds(AvgPool1d, st.integers(1, 4), st.integers(1, 3)),
    st.builds(Downsample1d, st.integers(1, 3)),
)


@given(st.lists(windowed, min_size=1, max_size=3))
def test_receptive_field_is_what_an_output_depends_on(chain: list[Layer]) -> None:
    network, length = Sequential(*chain), 200
    (field,), (stride,) = receptive_field(network, (1, length))
    parameters = {name: np.ones(shape) for name, shape in parameter_shapes(network, (1, length)).items()}
    for p in (0, 1):
        dy = np.zeros((1, *network.output_shape((1, length))))
        dy[0, 0, p] = 1
        dx, _ = reference.gradients(network, np.zeros((1, 1, length)), dy, parameters)
        (seen,) = np.nonzero(dx[0, 0])
        assert seen[0] == p * stride
        assert seen[-1] == p * stride + field - 1


spreading: st.SearchStrategy[Layer] = st.builds(
    ConvTranspose1d, st.just(1), st.integers(1, 5), st.integers(1, 4), dilation=st.integers(1, 3)
)


@given(st.lists(windowed, max_size=1), spreading, st.lists(windowed | spreading, max_size=2))
def test_receptive_field_after_a_transposed_convolution_is_an_upper_bound(
    before: list[Layer], layer: Layer, after: list[Layer]
) -> None:
    network, length = Sequential(*before, layer, *after), 30
    (field,), _ = receptive_field(network, (1, length))
    parameters = {name: np.ones(shape) for name, shape in parameter_shapes(network, (1, length)).items()}
    (_, outputs) = network.output_shape((1, length))
    dy = np.eye(outputs)[:, None, :]  # one sample for each output
    dx, _ = reference.gradients(network, np.zeros((outputs, 1, length)), dy, parameters)
    for each in dx[:, 0]:
        (seen,) = np.nonzero(each)
        assert seen.size == 0 or seen[-1] - seen[0] < field


def test_receptive_field_of_a_transposed_convolution() -> None:
    """Without dilation the bound is met. The step of 1/2 is told as 1."""
    assert receptive_field(Sequential(ConvTranspose1d(1, 5, 2)), (1, 9)) == ((3,), (1,))
    assert receptive_field(Sequential(ConvTranspose2d(1, (2, 4), 2)), (1, 9, 9)) == ((1, 2), (1, 1))
    doubled = Sequential(MaxPool1d(3), ConvTranspose1d(1, 4, 2), Conv1d(1, 3))
    assert receptive_field(doubled, (1, 30)) == ((3 + 3 + 2 * 3,), (3,))


def test_flat_layers_see_everything_before_them() -> None:
    assert receptive_field(LENET, (1, 28, 28)) == ((32, 32), (2, 2))
    assert receptive_field(Sequential(Conv1d(4, 5), Aggregate("max"), Linear(3)), (1, 20)) == ((20,), (1,))
    graded = Sequential(Conv1d(4, 5), Aggregate("max", grid=3))  # cells of 5, 5 and 6 positions
    assert receptive_field(graded, (1, 20)) == ((10,), (5,))
    assert receptive_field(Sequential(graded, Flatten(), Linear(3)), (1, 20)) == ((20,), (5,))
    assert receptive_field(Sequential(LogMel(8000, 200, 80, 40), Conv1d(4, 3)), (1, 8000)) == ((360,), (80,))
    assert receptive_field(Sequential(Linear(3)), (7,)) == ((), ())


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (Sequential(Conv1d(2, 3), MaxPool1d(2)), None),
        (Sequential(Conv1d(2, 3), Conv1d(2, 3, padding="same")), "1"),
        (Sequential(Conv1d(2, 1, padding="same")), None),  # nothing to add around a kernel of one
        (Sequential(Sequential(ReLU(), Conv1d(2, 3, padding="causal"))), "0.1"),
        (Sequential(Residual(Conv1d(1, 3, padding=1))), "0.0"),
        (Sequential(Pad1d(0)), None),
        (Sequential(Pad1d((0, 1))), "0"),
        (Sequential(MaxPool1d(2, ceil_mode=True)), None),  # 10 positions: the last window is whole
        (Sequential(MaxPool1d(3, ceil_mode=True)), "0"),
        (Sequential(AvgPool1d(3, padding=1)), "0"),
    ],
)
def test_added_positions(network: Sequential, name: str | None) -> None:
    rows = walk(network, (1, 10))
    assert next((row.name for row in rows if any(added_positions(row))), None) == name


def test_misfit_prints_the_table_up_to_it() -> None:
    with pytest.raises(ShapeError) as caught:
        walk(LENET, (1, 9, 9))
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "layer 3.0: Conv2d(16, 5): input extent H with padding must be at least the window's 5. "
        "Got 4 (input shape (6, 4, 4))."
    )
    assert [line.split()[0] for line in lines[1:]] == ["place", "input", "0", "1", "2", "3.0"]
    assert lines[-1].endswith("does not fit")


def test_padding_before_the_first_output() -> None:
    network = Sequential(
        Pad2d((1, 2, 3, 4)), Conv2d(2, 3, stride=2, padding=1), ReLU(), Residual(Conv2d(2, 3, padding="same"))
    )
    assert padding_before(network, (1, 20, 20)) == (3 + 1 + 2, 1 + 1 + 2)
    assert padding_before(Sequential(Conv1d(2, 3, padding="causal"), Flatten(), Linear(3)), (1, 9)) == (2,)
    assert padding_before(Sequential(MaxPool2d(2)), (1, 8, 8)) == (0, 0)


def test_misfit_inside_and_of_a_residual() -> None:
    with pytest.raises(ShapeError, match=r"layer 0\.1: Linear\(3\)"):
        walk(Sequential(Residual(ReLU(), Linear(3))), (2, 9))
    with pytest.raises(ShapeError, match=r"layer 1: Residual: its layers must give back"):
        walk(Sequential(ReLU(), Residual(Conv1d(2, 3))), (2, 9))


def test_summary_table() -> None:
    assert summary_table(Sequential(Conv1d(2, 3), ReLU(), Flatten(), Linear(1000)), (4, 9)).splitlines() == [
        "place  layer         output shape  parameters  operations  receptive field",
        "       input         4x9                                   1",
        "0      Conv1d(2, 3)  2x7           26          350         3",
        "1      ReLU()        2x7           0           14          3",
        "2      Flatten()     14            0           0           9",
        "3      Linear(1000)  1000          15,000      29,000      9",
        "       total                       15,026      29,364",
    ]


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((), ArgumentError),
        ((1, 2, 3, 4), ArgumentError),
        ((0, 5), ArgumentError),
        ((1, -5), ArgumentError),
        ((1, 5.0), ArgumentTypeError),
        (5, ArgumentTypeError),
        ("abc", ArgumentTypeError),
        (None, ArgumentTypeError),
    ],
)
def test_input_shape_is_checked(shape: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="input_shape must be"):
        walk(LENET, shape)
