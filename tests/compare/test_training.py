"""Twenty training steps against PyTorch, for every optimizer: losses and parameters stay together.

ReLU and maximum pooling have kinks: of the millions of values in twenty steps of a named network, one may lie within a
rounding of one, and then takes another way. PyTorch's own float32 parts from its float64 like that. So named networks
are compared closely with smooth functions in the kinks' places, and as they are by how far they moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.networks import CASES
from scanwise.layers import Layer, Sequential
from scanwise.training.native_program import NativeProgram
from scanwise.training.reference_program import ReferenceProgram
from tests.compare.comparison import (
    assert_all_close,
    assert_close,
    double_twin,
    samples,
    targets,
    torch_loss,
    values,
)

STEPS = 20
PROGRAMS: dict[str, Any] = {"native": NativeProgram, "reference": ReferenceProgram}

# AdamW divides by the gradient's size. With its usual eps of 1e-8 the step of a parameter whose gradient is zero but
# for rounding would be rounding alone, on both sides; 1e-3 keeps the comparison about the formula.
OPTIMIZERS: dict[str, tuple[sw.SGD | sw.AdamW, type[torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (sw.SGD(0.02), torch.optim.SGD, {"lr": 0.02}),
    "momentum": (
        sw.SGD(0.01, momentum=0.9, weight_decay=0.01),
        torch.optim.SGD,
        {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.01},
    ),
    "nesterov": (
        sw.SGD(0.01, momentum=0.9, nesterov=True),
        torch.optim.SGD,
        {"lr": 0.01, "momentum": 0.9, "nesterov": True},
    ),
    "adamw": (
        sw.AdamW(2e-3, eps=1e-3, weight_decay=0.05),
        torch.optim.AdamW,
        {"lr": 2e-3, "eps": 1e-3, "weight_decay": 0.05},
    ),
}

SMALL: dict[str, tuple[Sequential, tuple[int, ...]]] = {
    "image": (
        sw.Sequential(
            sw.Conv2d(5, 3, padding="same"),
            sw.ReLU(),
            sw.MaxPool2d(2),
            sw.Conv2d(17, 3, stride=2),
            sw.Tanh(),
            sw.Flatten(),
            sw.Linear(6),
        ),
        (2, 10, 9),
    ),
    "series": (
        sw.Sequential(
            sw.Conv1d(8, 3, groups=2),
            sw.LeakyReLU(),
            sw.AvgPool1d(2),
            sw.Residual(sw.Conv1d(8, 3, padding="same"), sw.Sigmoid()),
            sw.Aggregate("logsumexp"),
            sw.Linear(4),
        ),
        (4, 24),
    ),
    "normalised": (
        sw.Sequential(
            sw.Conv2d(9, 3, padding="same", bias=False),
            sw.BatchNorm(),
            sw.SiLU(),
            sw.AvgPool2d(2),
            sw.Conv2d(17, 3, bias=False),
            sw.BatchNorm(momentum=0.3, affine=False),
            sw.GELU(),
            sw.Flatten(),
            sw.Linear(12),
            sw.PReLU(12),
            sw.BatchNorm(eps=1e-3),
            sw.Linear(6),
        ),
        (2, 10, 9),
    ),
    "flat": (sw.Sequential(sw.Linear(19), sw.ScaledTanh(), sw.Linear(3)), (13,)),
}


@dataclass(frozen=True)
class Trajectory:
    """What twenty steps led to, on both sides."""

    initial: Mapping[str, NDArray[np.float32]]
    losses: NDArray[np.float64]
    parameters: dict[str, NDArray[np.float32]]
    expected_losses: NDArray[np.float64]
    expected: dict[str, NDArray[np.float64]]

    def assert_close(self, tolerance: float) -> None:
        """Every loss and every parameter."""
        assert_close(self.losses, self.expected_losses, "losses", tolerance)
        assert_all_close(self.parameters, self.expected, tolerance)

    def assert_moved_alike(self, tolerance: float) -> None:
        """The distance between the end points, as a share of the way from the beginning."""
        assert sorted(self.parameters) == sorted(self.expected)
        apart = sum(np.sum((self.parameters[name] - value) ** 2) for name, value in self.expected.items())
        way = sum(np.sum((self.initial[name] - value) ** 2) for name, value in self.expected.items())
        assert np.sqrt(apart / way) < tolerance


def trajectory(
    network: Sequential,
    shape: tuple[int, ...],
    optimizer: str,
    program: str,
    *,
    loss: str = "cross_entropy",
    rate_factor: float = 1.0,
) -> Trajectory:
    """Runs both sides over the same batches in the same order; the last batch of an epoch is a smaller one."""
    batch = 6
    ours, kind, arguments = OPTIMIZERS[optimizer]
    arguments = {**arguments, "lr": arguments["lr"] * rate_factor}
    model = sw.Model(network, shape, seed=0)
    n = 5 * batch - batch // 2
    x, y = samples(shape, n), targets(loss, model.output_shape, n)
    trained = PROGRAMS[program](network, shape, loss=loss, optimizer=ours, batch_size=batch, seed=0)
    trained.write_parameters(dict(model.parameters))
    twin = double_twin(model).train()
    theirs = kind(twin.parameters(), **arguments)
    target = torch.tensor(y, dtype=torch.int64 if loss == "cross_entropy" else torch.float64)
    losses, expected_losses = [], []
    for epoch in range(STEPS // 5):
        order = np.random.default_rng(epoch).permutation(n)
        trained.begin_epoch(x, y, order, np.full(5, arguments["lr"], np.float32))
        while trained.advance(1.0) < 5:
            pass
        losses.append(np.array(trained.losses))
        for rows in torch.tensor(order).split(batch):
            theirs.zero_grad()
            value = torch_loss(loss, twin(torch.tensor(x, dtype=torch.float64)[rows]), target[rows])
            value.backward()
            theirs.step()
            expected_losses.append(float(value.detach()))
    return Trajectory(
        model.parameters,
        np.concatenate(losses),
        trained.read_parameters(),
        np.array(expected_losses),
        values(twin),
    )


def smooth(network: Sequential) -> Sequential:
    """The network with smooth functions of the same shapes in place of those with kinks."""
    return Sequential(*[_smooth_layer(layer) for layer in network.layers])


def _smooth_layer(layer: Layer) -> Layer:
    match layer:
        case sw.ReLU():
            return sw.Tanh()
        case sw.MaxPool1d():
            return sw.AvgPool1d(layer.kernel_size)
        case sw.MaxPool2d():
            return sw.AvgPool2d(layer.kernel_size)
        case sw.Aggregate(mode="max"):
            return sw.Aggregate("logsumexp")
    return layer


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SMALL)
def test_small_network_trains_as_in_pytorch(name: str, optimizer: str, program: str) -> None:
    trajectory(*SMALL[name], optimizer, program).assert_close(1e-4)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "mse"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_other_losses_train_as_in_pytorch(loss: str, program: str) -> None:
    trajectory(*SMALL["flat"], "momentum", program, loss=loss).assert_close(1e-4)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adamw"])
@pytest.mark.parametrize("name", list(CASES))
def test_smooth_named_network_trains_as_in_pytorch(name: str, optimizer: str) -> None:
    case = CASES[name]
    trajectory(smooth(case.network()), case.input_shape, optimizer, "native").assert_close(2e-4)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adamw"])
@pytest.mark.parametrize("name", list(CASES))
def test_named_network_trains_as_in_pytorch(name: str, optimizer: str) -> None:
    case = CASES[name]
    trained = trajectory(case.network(), case.input_shape, optimizer, "native", rate_factor=0.1)
    trained.assert_moved_alike(0.2)
