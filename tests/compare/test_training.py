"""Twenty training steps against PyTorch, for every optimizer: losses and parameters stay together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import scanwise as sw
from benchmarks.networks import CASES
from scanwise.layers import Sequential
from scanwise.plan.training import NativeProgram
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
    "flat": (sw.Sequential(sw.Linear(19), sw.ScaledTanh(), sw.Linear(3)), (13,)),
}


def compare_trajectory(
    network: Sequential,
    shape: tuple[int, ...],
    optimizer: str,
    program: str,
    *,
    batch: int,
    loss: str = "cross_entropy",
    tolerance: float,
) -> None:
    """Runs both sides over the same batches in the same order; the last batch of an epoch is a smaller one."""
    ours, kind, arguments = OPTIMIZERS[optimizer]
    model = sw.Model(network, shape, seed=0)
    n = 5 * batch - batch // 2
    x, y = samples(shape, n), targets(loss, model.output_shape, n)
    trained = PROGRAMS[program](network, shape, loss=loss, optimizer=ours, batch_size=batch, seed=0)
    trained.write_parameters(dict(model.parameters))
    twin = double_twin(model).train()
    theirs = kind(twin.parameters(), **arguments)
    target = torch.tensor(y, dtype=torch.int64 if loss == "cross_entropy" else torch.float64)
    for epoch in range(STEPS // 5):
        order = np.random.default_rng(epoch).permutation(n)
        trained.begin_epoch(x, y, order, np.full(5, arguments["lr"], np.float32))
        while trained.advance(1.0) < 5:
            pass
        expected = []
        for rows in torch.tensor(order).split(batch):
            theirs.zero_grad()
            value = torch_loss(loss, twin(torch.tensor(x, dtype=torch.float64)[rows]), target[rows])
            value.backward()
            theirs.step()
            expected.append(float(value.detach()))
        assert_close(trained.losses, expected, f"losses of epoch {epoch}", tolerance)
    assert_all_close(trained.read_parameters(), values(twin), tolerance)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SMALL)
def test_small_network_trains_as_in_pytorch(name: str, optimizer: str, program: str) -> None:
    network, shape = SMALL[name]
    compare_trajectory(network, shape, optimizer, program, batch=6, tolerance=2e-4)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "mse"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_other_losses_train_as_in_pytorch(loss: str, program: str) -> None:
    network, shape = SMALL["flat"]
    compare_trajectory(network, shape, "momentum", program, batch=6, loss=loss, tolerance=2e-4)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adamw"])
@pytest.mark.parametrize("name", list(CASES))
def test_named_network_trains_as_in_pytorch(name: str, optimizer: str) -> None:
    case = CASES[name]
    compare_trajectory(case.network(), case.input_shape, optimizer, "native", batch=6, tolerance=1e-3)
