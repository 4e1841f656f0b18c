"""Batches on threads that stand by: the same bits, however many come; and values that are not finite are found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scanwise as sw
from scanwise.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from scanwise.plan import attended, gradient_sums
from scanwise.plan.attended import Attended
from scanwise.plan.crew import CREW, LONG, MOST
from scanwise.plan.gradient_sums import shards_for
from tests.plan.drawn_networks import Case
from tests.plan.test_crew import wait_until
from tests.plan.test_robustness import was_interrupted

SMALL = Case(Sequential(Conv2d(6, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(5)), (2, 9, 11))


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


def model_of(case: Case) -> sw.Model:
    return sw.Model(case.network, case.input_shape, seed=1)


class TestBits:
    @pytest.mark.parametrize("threads", [2, 3, MOST])
    @pytest.mark.parametrize("count", [2, 3, 5, 8, 40])
    def test_outputs(self, count: int, threads: int) -> None:
        model, x = model_of(SMALL), SMALL.samples(count)
        sw.set_threads(1)
        expected = model(x)
        sw.set_threads(threads)
        for _ in range(60):
            CREW.attends(threads - 1, wake=True)
            np.testing.assert_array_equal(model(x), expected)

    @pytest.mark.parametrize("count", [2, 3, 6, 30])
    def test_gradients(self, count: int) -> None:
        model, x = model_of(SMALL), SMALL.samples(count)
        dy = np.random.default_rng(2).standard_normal((count, 5)).astype(np.float32)
        sw.set_threads(1)
        dx, by_parameter = model.gradients(x, dy)
        sw.set_threads(3)
        for _ in range(30):
            CREW.attends(2, wake=True)
            again, others = model.gradients(x, dy)
            np.testing.assert_array_equal(again, dx)
            for name, gradient in by_parameter.items():
                np.testing.assert_array_equal(others[name], gradient)

    def test_several_models_in_several_threads(self) -> None:
        """One of them has the threads, and the others do without."""
        x = SMALL.samples(12)
        expected = model_of(SMALL)(x)
        sw.set_threads(3)
        together = threading.Barrier(4)

        def use(_: int) -> bool:
            model = model_of(SMALL)
            together.wait(30)
            return all((model(x) == expected).all() for _ in range(50))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(use, range(4)))

    def test_other_numbers_of_threads_in_turns(self) -> None:
        model, x = model_of(SMALL), SMALL.samples(9)
        expected = model(x)
        for threads in (2, 4, 1, 3, 6, 2) * 3:
            sw.set_threads(threads)
            CREW.attends(3, wake=True)
            np.testing.assert_array_equal(model(x), expected)


class TestThreads:
    def test_a_lone_short_run_wakes_nobody(self) -> None:
        wait_until(lambda: CREW.awake == 0)
        assert Attended.threads_for(LONG - 1, 2) == 1
        assert CREW.awake == 0

    def test_one_that_follows_closely_does(self) -> None:
        wait_until(lambda: CREW.awake == 0)

        def two() -> bool:
            Attended.threads_for(LONG - 1, 2)
            return Attended.threads_for(LONG - 1, 2) == 2

        wait_until(two)

    def test_a_longer_one_wakes_them_for_itself(self) -> None:
        assert Attended.threads_for(LONG, 2) == 2

    def test_a_long_one_has_threads_of_its_own(self) -> None:
        assert Attended.threads_for(attended.SHORT + 1, 2) == 0
        assert Attended.threads_for(LONG, 1) == 0

    def test_shards(self) -> None:
        """Their number decides the order of summation, so it must not be the number of threads."""
        sizes = (1, 2, 3, 4, 15, 16, 24, 32, 640)
        assert [shards_for(n, 1000, 10**6) for n in sizes] == [1, 2, 3, 4, 4, 4, 6, 8, 8]
        assert [shards_for(n, 1000, 2000) for n in sizes] == [1, 1, 1, 1, 3, 4, 6, 8, 8]
        assert [shards_for(n, 1 << 20, 10**9) for n in sizes] == [1, 2, 3, 4, 4, 4, 4, 4, 4]
        assert gradient_sums.SHARDS == 8


class TestFinite:
    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_whatever_sample_it_is_in(self, threads: int) -> None:
        model, x = model_of(SMALL), SMALL.samples(7)
        sw.set_threads(threads)
        for value in (np.nan, np.inf, -np.inf):
            for place in ((0, 0, 0, 0), (3, 1, 8, 10), (6, 0, 4, 3), (6, 1, 8, 10)):
                wrong = x.copy()
                wrong[place] = value
                with pytest.raises(sw.ArgumentError, match="x must be finite") as caught:
                    model(wrong)
                assert f"index {place}" in str(caught.value)
        model(np.full_like(x, np.finfo(np.float32).max))
        assert np.isfinite(model(x)).all()

    @pytest.mark.parametrize("count", [1, 3, 20])
    def test_an_executor_that_is_not_asked_computes_what_is_not(self, count: int) -> None:
        """As the parts of a network between which values have become infinite."""
        runs, x = model_of(SMALL).executor, SMALL.samples(count)
        x[-1, 1, 4, 5] = np.inf
        assert runs.forward_if_finite(x) is None
        y = runs.forward(x)
        assert not np.isfinite(y[-1]).all()
        np.testing.assert_array_equal(y[:-1], model_of(SMALL)(x[:-1]))

    def test_of_uint8_all_are(self) -> None:
        values = np.full((3, 2, 9, 11), 255, np.uint8)
        np.testing.assert_array_equal(model_of(SMALL)(values), model_of(SMALL)(np.ones((3, 2, 9, 11))))

    def test_of_a_memory_that_another_thread_changes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was found is no longer there when it is to be named."""
        model, x = model_of(SMALL), SMALL.samples(3)
        expected = model(x)
        natural, answers = model.executor.forward_if_finite, [None]
        monkeypatch.setattr(
            model.executor,
            "forward_if_finite",
            lambda x, fast: answers.pop() if answers else natural(x, fast=fast),
        )
        np.testing.assert_array_equal(model(x), expected)


@pytest.mark.filterwarnings("ignore:Exception ignored.*:pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_moment() -> None:
    sw.set_threads(2)
    model, x = model_of(SMALL), SMALL.samples(6)
    expected = model(x)

    def use() -> None:
        for _ in range(60):
            assert (model(x) == expected).all()

    use()
    assert sum(was_interrupted(use, 1e-6 * (1 + 13 * i)) for i in range(60)) > 10
    use()
