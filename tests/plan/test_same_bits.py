"""Contract 2: a window's output has the same bits whatever runs beside it, wherever it lies, whoever computes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models
from scanwise.codegen.target import AVX2, AVX512, GENERIC, NEON, Target, host_target
from scanwise.errors import ShapeError
from scanwise.layers import (
    Aggregate,
    AvgPool2d,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Linear,
    LogMel,
    MaxPool1d,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Softmax,
    Tanh,
)
from scanwise.plan.executor import NativeExecutor
from scanwise.scanning import obstacle
from tests.plan.drawn_networks import Case, networks, random_values

THREADS = (1, 2, 3)
MOST = 40

# What this processor can run, its own first.
TARGETS = {
    "avx512": [AVX512, AVX2, GENERIC],
    "avx2": [AVX2, GENERIC],
    "generic": [GENERIC],
    "neon": [NEON],
}[host_target().name]

CASES = {
    "lenet5": Case(models.get("lenet5", (1, 20, 20), 10), (1, 20, 20)),
    "ds-cnn": Case(models.get("ds-cnn", (1, 20, 6), 5), (1, 20, 6)),
    "wide": Case(Sequential(Conv2d(33, 3, padding="same"), ReLU(), AvgPool2d(2), Conv2d(20, 3)), (3, 8, 9)),
    "large linear": Case(Sequential(Flatten(), Linear(300), ReLU(), Linear(7), Softmax()), (1, 30, 30)),
    "recording": Case(
        Sequential(LogMel(8000, 32, 8, 10), Conv1d(17, 3), Tanh(), MaxPool1d(2), Aggregate("logsumexp")),
        (1, 128),
    ),
    "there and back": Case(
        Sequential(Conv2d(9, 3, stride=2), ReLU(), ConvTranspose2d(4, 4, stride=2), ConvTranspose2d(3, 3)),
        (3, 9, 8),
    ),
    "residual": Case(
        Sequential(
            Conv2d(9, 3, groups=3), Residual(Conv2d(9, 1), ReLU()), MaxPool2d(3, 1), Aggregate("softmax")
        ),
        (3, 9, 9),
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


def executor(case: Case, target: Target | None = None, samples: int | None = None) -> NativeExecutor:
    made = NativeExecutor(case.network, case.input_shape, target=target, samples=samples)
    made.load_parameters(case.parameters)
    return made


def assert_same_bits(actual: NDArray[np.float32], expected: NDArray[np.float32], what: object) -> None:
    """Also tells 0.0 from -0.0."""
    assert actual.shape == expected.shape, what
    same = np.ascontiguousarray(actual).view(np.uint32) == np.ascontiguousarray(expected).view(np.uint32)
    assert same.all(), (
        f"{what}: {np.count_nonzero(~same)} of {same.size} differ, first at {np.argwhere(~same)[0]}"
    )


class TestInference:
    @each_case
    def test_every_batch_size(self, case: Case) -> None:
        x = case.samples(MOST)
        runs = executor(case)
        alone = np.concatenate([runs.forward(x[i : i + 1]) for i in range(MOST)])
        for count in range(1, MOST + 1):
            assert_same_bits(runs.forward(x[:count]), alone[:count], count)
        assert_same_bits(runs.forward(x[7:36]), alone[7:36], "from the middle")

    @each_case
    def test_threads(self, case: Case) -> None:
        x = case.samples(MOST)
        runs = executor(case)
        expected = runs.forward(x)
        for threads in THREADS:
            sw.set_threads(threads)
            for count in (1, 2, 5, MOST):
                assert_same_bits(runs.forward(x[:count]), expected[:count], (threads, count))

    @each_case
    @pytest.mark.parametrize("samples", [1, 2, 3, 5, 16])
    def test_samples_that_go_together(self, case: Case, samples: int) -> None:
        x = case.samples(19)
        assert_same_bits(executor(case, samples=samples).forward(x), executor(case).forward(x), samples)

    @each_case
    def test_targets(self, case: Case) -> None:
        x = case.samples(19)
        expected = executor(case).forward(x)
        for target in TARGETS:
            assert_same_bits(executor(case, target).forward(x), expected, target.name)

    @settings(max_examples=16)
    @given(
        case=networks(),
        count=st.integers(1, MOST),
        samples=st.integers(1, 16),
        threads=st.sampled_from(THREADS),
    )
    def test_drawn_networks(self, case: Case, count: int, samples: int, threads: int) -> None:
        x = case.samples(MOST)
        expected = executor(case).forward(x)
        sw.set_threads(threads)
        for target in TARGETS:
            runs = executor(case, target, samples)
            assert_same_bits(runs.forward(x[:count]), expected[:count], (target.name, case))
            assert_same_bits(runs.forward(x[MOST - count :]), expected[MOST - count :], (target.name, case))


class TestScan:
    """The network on a larger input against the network on every window."""

    @settings(max_examples=16)
    @given(case=networks(padding=False, flat=False), more=st.tuples(st.integers(0, 9), st.integers(0, 5)))
    def test_drawn_networks(self, case: Case, more: tuple[int, int]) -> None:
        model = drawn_detector(case)
        if model is None:
            return
        extents = zip(case.input_shape[1:], more, strict=False)
        signal = random_values(case.input_shape[0], *(extent + m for extent, m in extents), seed=6)
        result = sw.scan(model, signal)
        for place in np.ndindex(result.scores.shape[1:]):
            start = np.atleast_1d(result.positions[place])
            window = tuple(slice(s, s + w) for s, w in zip(start, case.input_shape[1:], strict=True))
            expected = model(signal[(None, slice(None), *window)]).reshape(-1)
            assert_same_bits(result.scores[(slice(None), *place)], expected, (place, model))

    @each_case
    def test_threads(self, case: Case) -> None:
        if obstacle(case.network, case.input_shape) is not None:
            return
        runs = executor(case)
        x = random_values(3, case.input_shape[0], *(extent + 11 for extent in case.input_shape[1:]), seed=7)
        expected = runs.forward_at(list(x))
        for threads in THREADS:
            sw.set_threads(threads)
            assert_same_bits(runs.forward_at(list(x)), expected, threads)

    @each_case
    def test_targets(self, case: Case) -> None:
        if obstacle(case.network, case.input_shape) is not None:
            return
        x = random_values(2, case.input_shape[0], *(extent + 6 for extent in case.input_shape[1:]), seed=8)
        expected = executor(case).forward_at(list(x))
        for target in TARGETS:
            assert_same_bits(executor(case, target).forward_at(list(x)), expected, target.name)


def drawn_detector(case: Case) -> sw.Model | None:
    """A model with one vector of scores per window that can share its work, if the network makes one."""
    layers = list(case.network.layers)
    if np.prod(case.output_shape[1:], dtype=int) != 1:
        layers += [Flatten(), Linear(3)]
    network = Sequential(*layers)
    if obstacle(network, case.input_shape) is not None:
        return None
    try:
        return sw.Model(network, case.input_shape, seed=1)
    except ShapeError:
        return None


class TestGradients:
    @each_case
    def test_threads_and_targets(self, case: Case) -> None:
        self.check(case)

    @settings(max_examples=12)
    @given(networks(most=4))
    def test_drawn_networks(self, case: Case) -> None:
        self.check(case)

    def check(self, case: Case) -> None:
        x = case.samples(21)
        dy = random_values(21, *case.output_shape, seed=9)
        dx, gradients = executor(case).gradients(x, dy)
        loss, from_loss = executor(case).loss_and_gradients(x, dy, "mse")
        for target in TARGETS:
            runs = executor(case, target)
            for threads in THREADS if target is TARGETS[0] else (2,):
                sw.set_threads(threads)
                what = (target.name, threads)
                found_dx, found = runs.gradients(x, dy)
                assert_same_bits(found_dx, dx, ("dx", *what))
                found_loss, found_from_loss = runs.loss_and_gradients(x, dy, "mse")
                assert found_loss == loss, what
                for name, expected in gradients.items():
                    assert_same_bits(found[name], expected, (name, *what, case))
                    assert_same_bits(found_from_loss[name], from_loss[name], (name, *what, case))
