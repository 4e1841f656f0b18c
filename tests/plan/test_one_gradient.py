"""Gradients of single samples, and what remains of few samples, on several threads: the same bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.layers import Conv1d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Residual, Sequential, Tanh
from scanwise.plan import gradient_sums, one_gradient, one_sample, pieces, shared_arena
from scanwise.plan.compiled import Compiled
from scanwise.plan.crew import MOST
from scanwise.plan.executor import NativeExecutor
from tests.plan.drawn_networks import Case, networks
from tests.plan.test_same_bits import assert_same_bits, each_case, executor

THREADS = (2, 3, MOST)
DEEP = Case(
    Sequential(
        Conv2d(8, 3, padding="same"),
        Tanh(),
        Residual(Conv2d(8, 3, padding=1), ReLU()),
        Conv2d(40, 3, stride=2),
        MaxPool2d(2),
        Flatten(),
        Linear(5),
    ),
    (3, 17, 14),
)


@pytest.fixture(autouse=True)
def everything_is_worth_it() -> Iterator[None]:
    """However small it is, and at the first call."""
    before = sw.get_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "HANDOVER", 0)
        for module in (one_gradient, gradient_sums):
            patch.setattr(module, "LONG", 0)
        for module in (one_gradient, one_sample):
            patch.setattr(module, "CALLS_ALONE", 0)
        yield
    sw.set_threads(before)


def check_gradients(case: Case, count: int = 1) -> None:
    x = case.samples(count)
    dy = np.random.default_rng(1).standard_normal((count, *case.output_shape)).astype(np.float32)
    runs = executor(case)
    sw.set_threads(1)
    expected, by_parameter = runs.gradients(x, dy)
    for threads in THREADS:
        sw.set_threads(threads)
        for _ in range(3):
            dx, found = runs.gradients(x, dy)
            assert_same_bits(dx, expected, (threads, case))
            for name, gradient in by_parameter.items():
                assert_same_bits(found[name], gradient, (threads, name, case))


def cut_of(runs: NativeExecutor, threads: int) -> Compiled:
    (one,) = runs._gradient_sums._ones.values()
    return one._cut(threads)


class TestSameBits:
    @each_case
    def test_one_sample(self, case: Case) -> None:
        check_gradients(case)

    @pytest.mark.parametrize("count", [2, 3, 4])
    def test_a_few_samples(self, count: int) -> None:
        check_gradients(DEEP, count)

    @settings(max_examples=20)
    @given(case=networks(), count=st.sampled_from([1, 1, 3]))
    def test_drawn_networks(self, case: Case, count: int) -> None:
        check_gradients(case, count)

    @pytest.mark.parametrize("count", [1, 3])
    def test_loss(self, count: int) -> None:
        x, y = DEEP.samples(count), np.arange(count)
        runs = executor(DEEP)
        sw.set_threads(1)
        loss, by_parameter = runs.loss_and_gradients(x, y, "cross_entropy")
        for threads in THREADS:
            sw.set_threads(threads)
            again, found = runs.loss_and_gradients(x, y, "cross_entropy")
            assert again == loss
            for name, gradient in by_parameter.items():
                assert_same_bits(found[name], gradient, (threads, name))

    @pytest.mark.parametrize("count", [2, 3, 5, 7, 11])
    def test_outputs_of_a_few_samples(self, count: int) -> None:
        x, runs = DEEP.samples(count), executor(DEEP)
        sw.set_threads(1)
        expected = runs.forward(x)
        for threads in THREADS:
            sw.set_threads(threads)
            assert_same_bits(runs.forward(x), expected, threads)
            wrong = x.copy()
            wrong[-1, 2, 16, 13] = np.nan
            assert runs.forward_if_finite(wrong) is None

    def test_changed_parameters(self) -> None:
        model, x = sw.Model(DEEP.network, DEEP.input_shape), DEEP.samples(1)
        dy = np.ones((1, 5), np.float32)
        for seed in range(3):
            model.parameters = sw.Model(DEEP.network, DEEP.input_shape, seed=seed).parameters
            sw.set_threads(1)
            expected, _ = model.gradients(x, dy)
            sw.set_threads(2)
            np.testing.assert_array_equal(model.gradients(x, dy)[0], expected)


class TestStages:
    def stages(self, case: Case, threads: int) -> list[tuple[str, ...]]:
        """Of the backward pass, those with several pieces: the kernels of each."""
        runs, x = executor(case), case.samples(1)
        sw.set_threads(threads)
        runs.gradients(x, np.ones((1, *case.output_shape), np.float32))
        compiled = cut_of(runs, threads)
        found, first = [], 0
        for ends in compiled.stages:
            names = []
            for end in ends:
                names.append(" ".join(type(call.kernel).__name__ for call in compiled.calls[first:end]))
                first = end
            if len(ends) > 1:
                found.append(tuple(names))
        return found[len(found) // 2 :]

    def test_both_gradients_of_a_layer_at_the_same_time(self) -> None:
        case = Case(Sequential(Conv2d(20, 3)), (17, 9, 9))
        (stage,) = self.stages(case, 2)
        assert stage == ("ParameterGradient BiasGradient", "Correlation", "Correlation")

    def test_a_strided_layer_is_cut_by_channels(self) -> None:
        case = Case(Sequential(Conv1d(20, 3, stride=2)), (50, 31))
        (stage,) = self.stages(case, 3)
        assert stage == ("ParameterGradient BiasGradient", *["Correlation"] * 3)


class TestWhen:
    def test_not_for_small_networks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(one_gradient, "LONG", 10**9)
        self.check_alone()

    def test_not_without_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shared_arena, "available_bytes", lambda: 1000)
        self.check_alone()

    def test_not_at_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(one_gradient, "CALLS_ALONE", 100)
        self.check_alone()

    def check_alone(self) -> None:
        runs = executor(DEEP)
        sw.set_threads(2)
        runs.gradients(DEEP.samples(1), np.ones((1, 5), np.float32))
        (one,) = runs._gradient_sums._ones.values()
        assert one._prepared is None
        check_gradients(DEEP)
