"""The native program where epochs differ in their data, and at the edges of what can be trained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from scanwise.layers import Conv2d, Flatten, Linear, Sequential, Softmax, Tanh
from scanwise.training.native_program import NativeProgram
from scanwise.training.program import Program
from scanwise.training.reference_program import ReferenceProgram

SHAPE = (1, 5, 4)
NETWORK = Sequential(Conv2d(3, 3, padding=1), Tanh(), Flatten(), Linear(4))
SAMPLES, BATCH = 24, 8
STEPS = SAMPLES // BATCH
RATES = np.full(STEPS, 0.1, np.float32)

Parameters = dict[str, NDArray[np.float32]]


def program(
    kind: type[NativeProgram | ReferenceProgram], network: Sequential = NETWORK, **options: Any
) -> Program:
    optimizer = options.pop("optimizer", sw.SGD(0.1, momentum=0.9))
    return kind(
        network, SHAPE, loss="cross_entropy", optimizer=optimizer, batch_size=BATCH, seed=0, **options
    )


def first_parameters() -> Parameters:
    return {name: value.copy() for name, value in sw.Model(NETWORK, SHAPE, seed=1).parameters.items()}


def epoch(trained: Program, x: NDArray[Any], y: NDArray[np.int64]) -> None:
    trained.begin_epoch(x, y, np.arange(SAMPLES), RATES)
    while trained.advance(1.0) < STEPS:
        pass


def data(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (SAMPLES, *SHAPE), np.uint8), generator.integers(0, 4, SAMPLES)


def test_epochs_on_samples_of_different_types() -> None:
    """Each type has its own plan; parameters, moments and the records of the updates belong to all of them."""
    x, y = data()
    kinds: list[type[NativeProgram | ReferenceProgram]] = [NativeProgram, ReferenceProgram]
    results = []
    for kind in kinds:
        trained = program(kind)
        trained.write_parameters(first_parameters())
        for samples in (x, (x / 255).astype(np.float32), x, (x / 255).astype(np.float64), x):
            epoch(trained, samples, y)
        results.append(trained.read_parameters())
    native, expected = results
    for name, value in expected.items():
        np.testing.assert_allclose(native[name], value, rtol=0, atol=2e-5 * np.abs(value).max())


def test_parameters_written_between_two_steps_are_those_of_the_next() -> None:
    x, y = data()
    for fresh in (False, True):
        trained = program(NativeProgram, optimizer=sw.SGD(0.1))
        trained.write_parameters(first_parameters())
        trained.begin_epoch(x, y, np.arange(SAMPLES), RATES)
        if not fresh:
            trained.advance(0.0)  # at least one step
            trained.begin_epoch(x, y, np.arange(SAMPLES), RATES)
            trained.write_parameters(first_parameters())
        while trained.advance(1.0) < STEPS:
            pass
        if not fresh:
            written = trained.read_parameters()
    for name, value in trained.read_parameters().items():
        assert value.tobytes() == written[name].tobytes(), name


def test_a_network_without_parameters_has_losses() -> None:
    x, y = data()
    network = Sequential(Flatten(), Softmax())
    native, reference = program(NativeProgram, network), program(ReferenceProgram, network)
    for trained in (native, reference):
        trained.write_parameters({})
        epoch(trained, x, y)
    np.testing.assert_allclose(native.losses, reference.losses, rtol=1e-6)


def test_an_eps_below_float32_leaves_padding_lanes_alone() -> None:
    x, y = data()
    trained = program(NativeProgram, optimizer=sw.AdamW(0.01, eps=1e-60))
    trained.write_parameters(first_parameters())
    epoch(trained, x, y)
    assert np.isfinite(trained.losses).all()
