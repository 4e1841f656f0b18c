"""Batch normalisation in plans: folded into the layer before it with the same bits, and trained on whole batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import reference
from scanwise.codegen.target import Target
from scanwise.layers import (
    GELU,
    Aggregate,
    BatchNorm,
    Conv1d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    PReLU,
    ReLU,
    Residual,
    Sequential,
    Shape,
    Sigmoid,
    SiLU,
    Tanh,
)
from scanwise.plan.executor import NativeExecutor
from scanwise.training.native_program import NativeProgram
from scanwise.training.optimizers import Optimizer
from scanwise.training.program import Program
from scanwise.training.reference_program import ReferenceProgram
from tests.plan.drawn_networks import random_values
from tests.plan.test_same_bits import TARGETS

Values = dict[str, NDArray[np.float32]]

NETWORKS: dict[str, tuple[Sequential, Shape]] = {
    "flat": (Sequential(Linear(7), BatchNorm(), Tanh(), Linear(3)), (5,)),
    "image": (
        Sequential(
            Conv2d(20, 3, padding=1), BatchNorm(), SiLU(), MaxPool2d(2), Conv2d(6, 3), BatchNorm(affine=False),
            GELU(), Flatten(), Linear(17), BatchNorm(momentum=0.3), Sigmoid(), Linear(3),
        ),
        (2, 9, 8),
    ),
    "series": (
        Sequential(
            BatchNorm(), Conv1d(6, 3, groups=2), PReLU(6), Dropout(0.2),
            Residual(Conv1d(6, 3, padding="same"), BatchNorm(), Tanh()), Aggregate("mean"), Linear(3), BatchNorm(),
        ),
        (2, 30),
    ),
}  # fmt: skip
each_network = pytest.mark.parametrize("name", NETWORKS)
SAMPLES, BATCH, EPOCHS = 41, 10, 2  # the last step of an epoch has one sample, and shards without any


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


def parameters_of(network: Sequential, shape: Shape, seed: int = 1) -> Values:
    """Random ones, statistics too."""
    values = dict(sw.Model(network, shape, seed=seed).parameters)
    for i, (name, value) in enumerate(values.items()):
        noise = random_values(*value.shape, seed=i)
        if name.endswith("running_var"):
            values[name] = np.abs(noise) + np.float32(0.1)
        elif value.ndim == 1:
            values[name] = noise
    return values


def executor(network: Sequential, shape: Shape, target: Target | None = None) -> NativeExecutor:
    made = NativeExecutor(network, shape, target=target)
    made.load_parameters(parameters_of(network, shape))
    return made


def unfolded(network: Sequential, shape: Shape) -> NativeExecutor:
    """The same with every normalisation and every activation of x as a step of its own."""
    made = executor(network, shape)
    made._inference_graph = made._graph
    return made


# --- inference ----------------------------------------------------------------------------------------------------


@st.composite
def folding(draw: st.DrawFn) -> tuple[Sequential, Shape]:
    """A convolution or `Linear`, a normalisation, perhaps an activation, and something that reads them."""
    outputs = draw(st.sampled_from([1, 3, 6, 8, 16, 17, 20, 36]))
    groups = draw(st.sampled_from([1, 1, outputs, 2 if outputs % 2 == 0 else 1]))
    channels = groups * draw(st.integers(1, 2))
    bias = draw(st.booleans())
    first: Layer
    shape: Shape
    if draw(st.booleans()):
        stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, 1))
        first = Conv2d(outputs, 3, stride=stride, padding=padding, groups=groups, bias=bias)
        shape = (channels, draw(st.integers(3, 8)), draw(st.integers(3, 20)))
    else:
        first, shape = Linear(outputs, bias=bias), (draw(st.integers(1, 20)),)
    functions: list[list[Layer]] = [[], [ReLU()], [Sigmoid()], [GELU()], [SiLU()], [PReLU()]]
    activation = draw(st.sampled_from(functions))
    after: list[Layer] = [Linear(3)] if len(shape) == 1 else [Conv2d(3, 1, padding=1)]
    return Sequential(first, BatchNorm(affine=draw(st.booleans())), *activation, *after), shape


@settings(max_examples=10)
@given(folding())
def test_folded_is_unfolded_bit_for_bit(drawn: tuple[Sequential, Shape]) -> None:
    network, shape = drawn
    x = random_values(5, *shape, seed=3)
    folded = executor(network, shape)
    assert not any(n.operation.folds_into for n in folded._inference_graph.nodes)
    y = folded.forward(x)
    np.testing.assert_array_equal(y, unfolded(network, shape).forward(x))
    expected = reference.forward(network, x, parameters_of(network, shape))
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-5 * max(float(np.abs(expected).max()), 1.0))


@each_network
def test_inference_has_the_same_bits_on_every_target_and_number_of_threads(name: str) -> None:
    network, shape = NETWORKS[name]
    x = random_values(7, *shape, seed=3)
    y = executor(network, shape).forward(x)
    for target in TARGETS:
        np.testing.assert_array_equal(executor(network, shape, target).forward(x), y)
    for threads in (1, 3):
        sw.set_threads(threads)
        again = executor(network, shape)
        for i in range(7):
            np.testing.assert_array_equal(again.forward(x[i : i + 1])[0], y[i])


def test_one_window_in_pieces() -> None:
    """Enough work that threads share rows and channels of one window."""
    sw.set_threads(4)
    for groups in (1, 4):
        network = Sequential(
            Conv2d(64, 3, groups=groups), BatchNorm(), ReLU(), Conv2d(36, 3), BatchNorm(), SiLU()
        )
        x = random_values(1, 8, 40, 40, seed=0)
        y = executor(network, (8, 40, 40)).forward(x)
        np.testing.assert_array_equal(y, unfolded(network, (8, 40, 40)).forward(x))


def test_fast_precision_is_close() -> None:
    network = Sequential(Conv2d(32, 3, padding=1), BatchNorm(), ReLU())
    x = random_values(2, 32, 16, 16, seed=0)
    made = executor(network, (32, 16, 16))
    exact, fast = made.forward(x), made.forward(x, fast=True)
    np.testing.assert_allclose(fast, exact, rtol=0, atol=1e-4 * np.abs(exact).max())


def window_model() -> sw.Model:
    network = Sequential(
        Conv1d(8, 5, bias=False), BatchNorm(), GELU(), Conv1d(8, 3, stride=2), PReLU(8), BatchNorm(),
        Flatten(), Linear(6), BatchNorm(), SiLU(), Linear(2),
    )  # fmt: skip
    model = sw.Model(network, (2, 31))
    model.parameters.update(parameters_of(network, (2, 31)))
    return model


@pytest.mark.parametrize("step", [1, 3])
def test_a_scan_is_its_windows(step: int) -> None:
    model, signal = window_model(), random_values(2, 120, seed=5)
    result = sw.scan(model, signal, step=step)
    assert result.method == "shared"
    windows = np.stack([signal[:, p : p + 31] for p in result.positions])
    np.testing.assert_array_equal(result.scores, model(windows).T)
    stream = sw.Stream(model, step=2)
    parts = [stream.feed(part) for part in np.array_split(signal, 7, axis=1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), sw.scan(model, signal, step=2).scores)


def test_larger_input_as_convolutions() -> None:
    model, signal = window_model(), random_values(2, 120, seed=5)
    larger = sw.fully_convolutional(model, (2, 120))
    np.testing.assert_array_equal(larger(signal[None])[0], sw.scan(model, signal).scores)


def test_equivalent_matrix_has_the_running_statistics() -> None:
    network = Sequential(BatchNorm(eps=0.1), BatchNorm(affine=False))
    parameters = parameters_of(network, (3, 4))
    matrix = sw.equivalent_matrix(network, (3, 4), parameters)
    x = random_values(1, 3, 4, seed=2)
    y = matrix.matrix @ x.ravel() + matrix.bias
    np.testing.assert_allclose(y, reference.forward(network, x, parameters).ravel(), rtol=1e-5, atol=1e-5)


def test_route_goes_through() -> None:
    network = Sequential(Conv1d(3, 3), BatchNorm(), PReLU(3), GELU(), SiLU(), Aggregate("max"))
    (choice,) = sw.route(sw.Model(network, (1, 12)), random_values(1, 12, seed=0), 1).path
    assert choice.place == "5"


# --- training -----------------------------------------------------------------------------------------------------


def data(shape: Shape) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((SAMPLES, *shape)).astype(np.float32) * 2 + 1
    return x, generator.integers(0, 3, SAMPLES)


def trained(name: str, kind: type[NativeProgram] | type[ReferenceProgram], optimizer: Optimizer) -> Program:
    network, shape = NETWORKS[name]
    program = kind(network, shape, loss="cross_entropy", optimizer=optimizer, batch_size=BATCH, seed=3)
    program.write_parameters(sw.Model(network, shape, seed=1).parameters)
    run(program, shape, EPOCHS)
    return program


def run(program: Program, shape: Shape, epochs: int) -> None:
    x, y = data(shape)
    steps = -(-SAMPLES // BATCH)
    for _ in range(epochs):
        program.begin_epoch(x, y, np.arange(SAMPLES), np.full(steps, 0.02, np.float32))
        while program.advance(1.0) < steps:
            pass


@each_network
@pytest.mark.parametrize(
    "optimizer", [sw.SGD(0.02, momentum=0.9, weight_decay=0.01), sw.AdamW(0.02, eps=1e-2)], ids=str
)
def test_training_follows_the_reference(name: str, optimizer: Optimizer) -> None:
    """Running statistics and losses too. No optimizer touches the statistics."""
    native, oracle = (trained(name, kind, optimizer) for kind in (NativeProgram, ReferenceProgram))
    np.testing.assert_allclose(native.losses, oracle.losses, rtol=0, atol=2e-5)
    found, expected = native.read_parameters(), oracle.read_parameters()
    assert list(found) == list(expected)
    for key, value in expected.items():
        scale = max(float(np.abs(value).max()), 0.1)
        np.testing.assert_allclose(found[key], value, rtol=0, atol=2e-4 * scale, err_msg=key)


@each_network
def test_training_has_the_same_bits_for_every_number_of_threads(name: str) -> None:
    states = []
    for threads in (1, 2, 3, 8):
        sw.set_threads(threads)
        program = trained(name, NativeProgram, sw.AdamW(0.02))
        states.append({**program.read_parameters(), **program.state()})
    for other in states[1:]:
        for key, value in states[0].items():
            np.testing.assert_array_equal(other[key], value, err_msg=key)


@each_network
def test_training_has_the_same_bits_on_every_target(name: str) -> None:
    network, shape = NETWORKS[name]
    found = []
    for target in TARGETS:
        program = NativeProgram(
            network, shape, loss="cross_entropy", optimizer=sw.SGD(0.02, momentum=0.9), batch_size=BATCH, seed=3,
            target=target,
        )  # fmt: skip
        program.write_parameters(sw.Model(network, shape, seed=1).parameters)
        run(program, shape, 1)
        found.append(program.read_parameters())
    for other in found[1:]:
        for key, value in found[0].items():
            np.testing.assert_array_equal(other[key], value, err_msg=key)


def test_training_goes_on_from_its_state() -> None:
    """As after a check-point: parameters, among them the running statistics, and the program's state are all of it."""
    name = "series"
    network, shape = NETWORKS[name]
    whole = trained(name, NativeProgram, sw.AdamW(0.02))
    state, parameters = whole.state(), whole.read_parameters()
    run(whole, shape, 1)
    again = NativeProgram(
        network, shape, loss="cross_entropy", optimizer=sw.AdamW(0.02), batch_size=BATCH, seed=3
    )
    again.write_parameters(parameters)
    again.restore(state)
    run(again, shape, 1)
    expected = whole.read_parameters()
    for key, value in again.read_parameters().items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)


def test_fit_learns_and_a_file_keeps_the_statistics(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = (generator.standard_normal((200, 2, 12)) * 30 + 500).astype(np.float32)
    y = (x[:, 0].mean(axis=1) > x[:, 1].mean(axis=1)).astype(np.int64)
    network = Sequential(
        BatchNorm(), Conv1d(8, 3, bias=False), BatchNorm(), SiLU(), Aggregate("mean"), Linear(2)
    )
    model = sw.Model(network, (2, 12), seed=0)
    sw.fit(model, x, y, epochs=20, batch_size=20, progress=False)
    assert (model(x).argmax(axis=1) == y).mean() > 0.8
    np.testing.assert_allclose(model.parameters["0.running_mean"], x.mean((0, 2)), rtol=0.01)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(sw.load(tmp_path / "model.safetensors")(x), model(x))


def test_schedules_are_timed_in_phases_too() -> None:
    """`autotune` runs single calls of a plan in phases."""
    network, shape = NETWORKS["image"]
    model = sw.Model(network, shape)
    x, y = data(shape)
    sw.fit(model, x, y, epochs=1, batch_size=BATCH, progress=False)
    before = dict(model.parameters)
    sw.autotune(model, seconds=0.2, progress=False)
    for key, value in before.items():
        np.testing.assert_array_equal(model.parameters[key], value)
