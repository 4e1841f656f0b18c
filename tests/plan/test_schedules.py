"""Contract 2 over schedules: whole networks whose kernels take any of their schedules leave the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.codegen import choices
from scanwise.codegen.jit import Kernel
from scanwise.codegen.target import Target
from scanwise.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from scanwise.plan.executor import NativeExecutor
from scanwise.training.native_program import NativeProgram
from tests.kernels.harness import host_targets
from tests.plan.drawn_networks import Case, networks, random_values

# Tiles of rows, columns and samples; columns that share a vector; Winograd in training and with precision="fast".
CASE = Case(
    Sequential(
        Conv2d(6, 5, padding="same"), ReLU(), Conv2d(32, 3, padding=1), ReLU(), Conv2d(32, 3, padding=1),
        MaxPool2d(2), Flatten(), Linear(40), ReLU(), Linear(3),
    ),
    (1, 8, 8),
)  # fmt: skip


@contextmanager
def drawn_schedules(seed: int) -> Iterator[list[Kernel]]:
    """Every kernel takes one of its candidates by chance; gives those that are not the model's choice."""
    generator, taken = np.random.default_rng(seed), []

    def chosen(kernel: Kernel, target: Target) -> Kernel:
        found = choices.candidates(kernel, target)
        number = int(generator.integers(len(found)))
        if number:
            taken.append(found[number])
        return found[number]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choices, "chosen", chosen)
        yield taken


def results(case: Case, target: Target) -> dict[str, bytes]:
    executor = NativeExecutor(case.network, case.input_shape, target=target)
    executor.load_parameters(case.parameters)
    x = case.samples(11)
    dx, gradients = executor.gradients(x, random_values(11, *case.output_shape, seed=9))
    found = {"y": executor.forward(x), "fast": executor.forward(x, fast=True), "dx": dx, **gradients}
    return {name: values.tobytes() for name, values in found.items()}


def check(case: Case, seed: int, targets: list[Target]) -> int:
    expected = results(case, targets[0])
    count = 0
    for target in targets:
        with drawn_schedules(seed) as taken:
            assert results(case, target) == expected, (target.name, taken)
        count += len(taken)
    return count


def test_predictions_and_gradients() -> None:
    assert check(CASE, 1, host_targets()[:2]) >= 10


@settings(max_examples=6)
@given(networks(most=3), st.integers(0, 99))
def test_drawn_networks(case: Case, seed: int) -> None:
    check(case, seed, host_targets()[:1])


def trained() -> dict[str, bytes]:
    program = NativeProgram(
        CASE.network,
        CASE.input_shape,
        loss="cross_entropy",
        optimizer=sw.AdamW(0.01),
        batch_size=9,
        seed=0,
    )
    program.write_parameters(CASE.parameters)
    x, y = CASE.samples(20), CASE.target(20, "cross_entropy")
    program.begin_epoch(x, y, np.arange(20, dtype=np.int64), np.full(3, 0.01, np.float32))
    while program.advance(10.0) < 3:
        pass
    return {name: values.tobytes() for name, values in program.read_parameters().items()}


def test_training() -> None:
    expected = trained()
    with drawn_schedules(2) as taken:
        assert trained() == expected, taken
    assert len(taken) >= 5
