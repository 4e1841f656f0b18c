"""Native training: the reference program's trajectory, and the same bits for every number of threads and target."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.codegen import jit
from scanwise.codegen.target import Target, host_target
from scanwise.kernels.conv import Convolution, ParameterGradient
from scanwise.kernels.linear import LARGE
from scanwise.kernels.maps import plain_map
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    Pad2d,
    RadialBasis,
    ReLU,
    Residual,
    ScaledTanh,
    Scan1d,
    Sequential,
    Shape,
    Sigmoid,
    Softmax,
    Subsample2d,
    Tanh,
    UnitBias,
)
from scanwise.training.native_program import NativeProgram
from scanwise.training.optimizers import Optimizer
from scanwise.training.program import Program
from scanwise.training.reference_program import ReferenceProgram
from tests.kernels import harness
from tests.plan.drawn_networks import Case, random_table, random_values
from tests.plan.test_same_bits import TARGETS, assert_same_bits

SAMPLES, BATCH, EPOCHS = 27, 8, 3  # the last step of an epoch has 3 samples
STEPS = -(-SAMPLES // BATCH)

# Of the distance that a parameter array has moved.
TRAJECTORY_TOLERANCE = 2e-4
LOSS_TOLERANCE = 2e-5

# Smooth, so that a rounding never decides which way a step goes; dropout before, between and within.
NETWORKS: dict[str, tuple[Sequential, Shape]] = {
    "image": (
        Sequential(
            Conv2d(5, 3, padding="same"), Tanh(), AvgPool2d(2, ceil_mode=True), Dropout(0.3),
            Conv2d(17, 3), ScaledTanh(), Flatten(), Dropout(0.5), Linear(4),
        ),
        (2, 8, 7),
    ),
    "signal": (
        Sequential(
            Dropout(0.1), Conv1d(6, 3, groups=2), Sigmoid(), AvgPool1d(2),
            Residual(Conv1d(6, 3, padding="same"), Dropout(0.4), Tanh()), Aggregate("logsumexp"), Linear(4),
        ),
        (4, 20),
    ),
    "scan": (
        Sequential(
            Scan1d(Sequential(Linear(6), Tanh(), Dropout(0.3), Linear(5), Sigmoid()), 4),
            Scan1d(Sequential(Dropout(0.2), Linear(4)), 3, 2), Aggregate("logsumexp"),
        ),
        (3, 16),
    ),
    "there and back": (
        Sequential(
            Conv2d(9, 3, stride=2), Tanh(), ConvTranspose2d(4, 3, stride=2, output_padding=1), Tanh(),
            ConvTranspose2d(3, 3), Sigmoid(), Flatten(), Linear(4),
        ),
        (2, 8, 6),
    ),
    "historical": (
        Sequential(
            Pad2d(1, -1.0), Conv2d(4, 3, bias=False), UnitBias(), ScaledTanh(), Subsample2d(2), ScaledTanh(),
            Conv2d(5, 2, connections=random_table(5, 4, seed=0)), ScaledTanh(), Flatten(), Linear(6), ScaledTanh(),
            RadialBasis(random_values(4, 6, seed=1)), Softmax(),
        ),
        (1, 9, 8),
    ),
    "vector": (Sequential(Linear(33), Tanh(), Dropout(0.25), Linear(4)), (19,)),
}  # fmt: skip

# AdamW divides by the gradient's size: eps keeps a gradient of rounding errors from becoming a step.
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": sw.SGD(0.1),
    "momentum and weight decay": sw.SGD(0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": sw.SGD(0.05, momentum=0.8, nesterov=True, weight_decay=0.001),
    "adamw": sw.AdamW(0.01, eps=1e-3, weight_decay=0.05),
}
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


@dataclass(frozen=True)
class Run:
    """Parameters and losses after training."""

    parameters: dict[str, NDArray[np.float32]]
    losses: NDArray[np.float64]
    correct: NDArray[np.int64]
    state: dict[str, NDArray[Any]] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


def samples(shape: Shape, dtype: type = np.float32) -> NDArray[Any]:
    values = np.random.default_rng(0).standard_normal((SAMPLES, *shape))
    if dtype is np.uint8:
        return np.random.default_rng(0).integers(0, 256, values.shape).astype(np.uint8)
    return (10 * values).astype(np.int16) if dtype is np.int16 else values.astype(dtype)


def targets(loss: str, outputs: int) -> NDArray[Any]:
    if loss == "cross_entropy":
        return np.random.default_rng(1).integers(0, outputs, SAMPLES)
    return np.random.default_rng(1).random((SAMPLES, outputs)).astype(np.float32)


def train(program: Program, case: Case, x: NDArray[Any], y: NDArray[Any], seconds: float = 1e9) -> Run:
    """Three epochs with a learning rate that changes; `seconds` is how long a slice of it may take."""
    program.write_parameters(case.parameters)
    losses, hits = [], []
    for epoch in range(EPOCHS):
        order = np.random.default_rng(epoch).permutation(SAMPLES)
        rates = np.linspace(0.1, 0.02, STEPS).astype(np.float32) / np.float32(1 + epoch)
        program.begin_epoch(x, y, order, rates)
        done = 0
        while done < STEPS:
            before, done = done, program.advance(seconds)
            assert done > before
        losses.append(program.losses.copy())
        hits.append(program.correct.copy())
    return Run(program.read_parameters(), np.concatenate(losses), np.concatenate(hits), program.state())


def native(case: Case, optimizer: Optimizer, loss: str, target: Target | None = None) -> NativeProgram:
    return NativeProgram(
        case.network,
        case.input_shape,
        loss=loss,
        optimizer=optimizer,
        batch_size=BATCH,
        seed=5,
        target=target,
    )


def compare(case: Case, optimizer: Optimizer, loss: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    oracle = ReferenceProgram(
        case.network, case.input_shape, loss=loss, optimizer=optimizer, batch_size=BATCH, seed=5
    )
    expected = train(oracle, case, x, y)
    found = train(native(case, optimizer, loss), case, x, y)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=LOSS_TOLERANCE)
    if loss == "cross_entropy":
        np.testing.assert_array_equal(found.correct, expected.correct)
    for name, start in case.parameters.items():
        moved = float(np.abs(expected.parameters[name] - start).max())
        worst = float(np.abs(found.parameters[name] - expected.parameters[name]).max())
        assert moved > 1e-3, name
        assert worst <= TRAJECTORY_TOLERANCE * moved, (name, worst, moved)


class TestTrajectory:
    @each_optimizer
    @pytest.mark.parametrize("network", NETWORKS)
    def test_optimizers(self, network: str, optimizer: Optimizer) -> None:
        case = Case(*NETWORKS[network])
        compare(case, optimizer, "cross_entropy", samples(case.input_shape), targets("cross_entropy", 4))

    @pytest.mark.parametrize("loss", ["binary_cross_entropy", "mse"])
    @pytest.mark.parametrize("network", NETWORKS)
    def test_losses(self, network: str, loss: str) -> None:
        case = Case(*NETWORKS[network])
        compare(case, OPTIMIZERS["nesterov"], loss, samples(case.input_shape), targets(loss, 4))

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
    @pytest.mark.parametrize("network", ["signal", "vector"])
    def test_dtypes(self, network: str, dtype: type) -> None:
        case = Case(*NETWORKS[network])
        x = samples(case.input_shape, dtype)
        compare(case, OPTIMIZERS["sgd"], "cross_entropy", x, targets("cross_entropy", 4))

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
    def test_memory_map(self, dtype: type, tmp_path: Path) -> None:
        case = Case(*NETWORKS["image"])
        x, y = samples(case.input_shape, dtype), targets("cross_entropy", 4)
        np.save(tmp_path / "x.npy", x)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        expected = train(native(case, OPTIMIZERS["sgd"], "cross_entropy"), case, x, y)
        found = train(native(case, OPTIMIZERS["sgd"], "cross_entropy"), case, mapped, y)
        assert_same_run(found, expected, dtype)


# Kinks, ties, depthwise and Winograd convolutions too: the bits must not depend on how they are computed.
BITS = {
    **{name: Case(*network) for name, network in NETWORKS.items()},
    "kinks": Case(
        Sequential(
            Conv2d(16, 3, padding="same"), ReLU(), Conv2d(16, 3, padding="same", groups=16), ReLU(), MaxPool2d(2),
            Conv2d(20, 3, padding=1), ReLU(), Dropout(0.2), MaxPool2d(2, ceil_mode=True), Flatten(), Linear(4),
        ),
        (3, 13, 12),
    ),
}  # fmt: skip


class TestLargeWeights:
    """Gradients that are assigned rather than added to zeros: in shards of several micro-batches, and in shards of a
    last step that have no sample.
    """

    def test_trajectory_and_threads(self) -> None:
        case = Case(Sequential(Linear(LARGE // 2048), Tanh(), Linear(4)), (2048,))
        x = np.random.default_rng(0).standard_normal((259, 2048)).astype(np.float32)
        y = np.random.default_rng(1).random((259, 4)).astype(np.float32)
        kinds = (ReferenceProgram, NativeProgram)
        options = {"loss": "mse", "optimizer": sw.SGD(0.1, momentum=0.5), "batch_size": 256, "seed": 0}
        found = []
        for kind, threads in ((kinds[0], 1), (kinds[1], 1), (kinds[1], 3)):
            sw.set_threads(threads)
            program = kind(case.network, case.input_shape, **options)  # type: ignore[arg-type]
            program.write_parameters(case.parameters)
            for _ in range(2):
                program.begin_epoch(x, y, np.arange(259), np.full(2, 0.05, np.float32))
                while program.advance(1e9) < 2:
                    pass
            found.append(program.read_parameters())
        expected, alone, together = found
        for name, value in expected.items():
            moved = float(np.abs(value - case.parameters[name]).max())
            assert np.abs(alone[name] - value).max() <= TRAJECTORY_TOLERANCE * moved, name
            assert_same_bits(together[name], alone[name], name)

    def test_every_order_of_samples_gives_the_same_bits(self) -> None:
        """The first call assigns whatever lies there before, and the next one adds."""
        c = Convolution(20, 33, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1), (1, 1))
        x_map, dz_map = plain_map(20, 1, 1), plain_map(33, 1, 1)
        kernel = ParameterGradient(c, x_map, dz_map, assigns=True)
        x, dz = (
            np.random.default_rng(i).standard_normal((8, m.size)).astype(np.float32)
            for i, m in enumerate((x_map, dz_map))
        )
        results = []
        for candidate in kernel.candidates(host_target()):
            assert isinstance(candidate, ParameterGradient)
            function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64)(jit.address(candidate))
            dw = np.full(c.weight_size, np.nan, np.float32)
            for turn in (0, 1):
                part = slice(4 * turn, 4 * turn + 4)
                function(x[part].ctypes.data, dz[part].ctypes.data, dw.ctypes.data, turn, 4)
            results.append(dw)
        added = np.zeros_like(results[0])
        harness.call(replace(kernel, assigns=False), 8, x.ravel(), dz.ravel(), added)
        for result in results:
            assert_same_bits(result, added, "dw")


def assert_same_run(found: Run, expected: Run, what: object) -> None:
    np.testing.assert_array_equal(found.losses, expected.losses, err_msg=str(what))
    for name, value in expected.parameters.items():
        assert_same_bits(found.parameters[name], value, (name, what))
    assert found.state.keys() == expected.state.keys()
    for name, moment in expected.state.items():
        np.testing.assert_array_equal(found.state[name], moment, err_msg=str((name, what)))


class TestSameBits:
    @pytest.mark.parametrize("case", BITS.values(), ids=BITS.keys())
    @pytest.mark.parametrize("optimizer", [OPTIMIZERS["nesterov"], OPTIMIZERS["adamw"]], ids=["sgd", "adamw"])
    def test_threads_slices_and_targets(self, case: Case, optimizer: Optimizer) -> None:
        x, y = samples(case.input_shape), targets("cross_entropy", 4)
        sw.set_threads(1)
        expected = train(native(case, optimizer, "cross_entropy"), case, x, y)
        for threads in (1, 2, 3):
            sw.set_threads(threads)
            for seconds in (0.0, 1e-3, 1e9):
                found = train(native(case, optimizer, "cross_entropy"), case, x, y, seconds)
                assert_same_run(found, expected, (threads, seconds))
        for target in TARGETS[1:]:
            found = train(native(case, optimizer, "cross_entropy", target), case, x, y)
            assert_same_run(found, expected, target.name)

    @pytest.mark.parametrize("optimizer", [OPTIMIZERS["nesterov"], OPTIMIZERS["adamw"]], ids=["sgd", "adamw"])
    def test_going_on_from_a_state(self, optimizer: Optimizer) -> None:
        """Parameters and `state` are all that there is to a run: dropout and bias corrections go on where they were."""
        case = BITS["signal"]
        x, y = samples(case.input_shape), targets("cross_entropy", 4)
        order, rates = np.arange(SAMPLES), np.full(STEPS, 0.05, np.float32)
        whole = native(case, optimizer, "cross_entropy")
        whole.write_parameters(case.parameters)
        for _ in range(2):
            whole.begin_epoch(x, y, order, rates)
            whole.advance(1e9)
        first = native(case, optimizer, "cross_entropy")
        first.write_parameters(case.parameters)
        first.begin_epoch(x, y, order, rates)
        first.advance(1e9)
        second = native(case, optimizer, "cross_entropy")
        second.write_parameters(first.read_parameters())
        second.restore(first.state())
        second.begin_epoch(x, y, order, rates)
        second.advance(1e9)
        for name, value in whole.read_parameters().items():
            assert_same_bits(second.read_parameters()[name], value, name)

    def test_fit(self) -> None:
        """As users train: from a seed, with validation, for every number of threads."""
        case = BITS["kinks"]
        x, y = samples(case.input_shape), targets("cross_entropy", 4)
        found = []
        for threads in (1, 2, 3):
            sw.set_threads(threads)
            model = sw.Model(case.network, case.input_shape, seed=3)
            optimizer = sw.AdamW(sw.OneCycle(0.01))
            sw.fit(model, x, y, epochs=3, batch_size=BATCH, optimizer=optimizer, validation_data=0.2, seed=4)
            found.append({name: value.tobytes() for name, value in model.parameters.items()})
        assert found[0] == found[1] == found[2]
