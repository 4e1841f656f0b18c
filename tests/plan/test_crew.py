"""Threads that stand by: whoever comes, and whenever, results are the same; and they go when nobody calls."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scanwise as sw
from scanwise import models
from scanwise.codegen import jit
from scanwise.codegen.target import host_target
from scanwise.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from scanwise.plan import crew, one_sample
from scanwise.plan.crew import CREW, MOST, Crew
from scanwise.plan.processor import leave, this_processor
from scanwise.plan.stages import NO_CALL, Board, StandingBy
from tests.plan.drawn_networks import Case
from tests.plan.test_pieces import outputs, plan_of
from tests.plan.test_robustness import was_interrupted
from tests.plan.test_same_bits import assert_same_bits, executor

LENET5 = Case(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28))
WIDE = Case(
    Sequential(Conv2d(32, 3, padding="same"), ReLU(), MaxPool2d(2), Conv2d(48, 3), Flatten(), Linear(5)),
    (3, 20, 20),
)


@pytest.fixture(autouse=True)
def cut_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(one_sample, "CALLS_ALONE", 0)
    before = sw.get_threads()
    yield
    sw.set_threads(before)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class TestSleep:
    def test_threads_sleep_soon_after_the_last_call(self) -> None:
        one = plan_of(executor(LENET5), 3)
        outputs(one, LENET5.samples(3))
        assert CREW.awake
        wait_until(lambda: CREW.awake == 0)
        time.sleep(0.01)
        before = time.process_time()
        time.sleep(0.2)
        assert time.process_time() - before < 0.1

    def test_a_lone_call_of_a_small_network_wakes_nobody(self) -> None:
        model = sw.Model(LENET5.network, LENET5.input_shape)
        sw.set_threads(2)
        wait_until(lambda: CREW.awake == 0)
        for _ in range(5):
            model(LENET5.samples(1))
            time.sleep(0.01)
        assert CREW.awake == 0

    def test_calls_that_follow_closely_wake_them(self) -> None:
        model, x = sw.Model(LENET5.network, LENET5.input_shape), LENET5.samples(1)
        sw.set_threads(2)

        def call() -> bool:
            for _ in range(20):
                model(x)
            return CREW.awake > 0

        wait_until(call)

    def test_a_lone_call_of_a_large_network_wakes_them_for_itself(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crew, "LONG", 0)
        model, x = sw.Model(LENET5.network, LENET5.input_shape), LENET5.samples(1)
        sw.set_threads(2)
        model(x)
        wait_until(lambda: CREW.awake == 0)
        before = CREW.rounds
        time.sleep(0.01)
        model(x)
        assert CREW.rounds > before

    def test_one_thread_wakes_nobody(self) -> None:
        model, x = sw.Model(LENET5.network, LENET5.input_shape), LENET5.samples(1)
        sw.set_threads(1)
        wait_until(lambda: CREW.awake == 0)
        for _ in range(200):
            model(x)
        assert CREW.awake == 0


class TestResults:
    def test_many_calls(self) -> None:
        """Threads come and go at any moment: a few thousand calls see many orders of events."""
        x = LENET5.samples(8)
        runs = executor(LENET5)
        expected = runs.forward(x)
        for threads in (2, MOST):
            one = plan_of(runs, threads)
            for _ in range(150):
                assert_same_bits(outputs(one, x), expected, threads)

    def test_several_models_in_several_threads(self) -> None:
        """One of them has the crew, and the others do without."""
        sw.set_threads(3)
        cases = [LENET5, WIDE, LENET5, WIDE]
        expected = [executor(case).forward(case.samples(20)) for case in cases]
        together = threading.Barrier(len(cases))

        def use(i: int) -> bool:
            runs, x = executor(cases[i]), cases[i].samples(20)
            one = plan_of(runs, 3)
            together.wait(30)
            return all((outputs(one, x) == expected[i]).all() for _ in range(20))

        with ThreadPoolExecutor(len(cases)) as pool:
            assert all(pool.map(use, range(len(cases))))

    def test_two_models_in_turns(self) -> None:
        """With different numbers of pieces."""
        plans = [(plan_of(executor(case), n), case.samples(4)) for case, n in ((LENET5, 4), (WIDE, 2))]
        expected = [executor(case).forward(case.samples(4)) for case in (LENET5, WIDE)]
        for _ in range(50):
            for (one, x), y in zip(plans, expected, strict=True):
                assert_same_bits(outputs(one, x), y, "in turns")

    def test_one_model_in_several_threads(self) -> None:
        sw.set_threads(2)
        model, x = sw.Model(WIDE.network, WIDE.input_shape), WIDE.samples(10)
        expected = model(x)

        def use(_: int) -> bool:
            return all((model(x[i : i + 1]) == expected[i]).all() for _ in range(10) for i in range(10))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(use, range(4)))

    def test_changed_parameters(self) -> None:
        sw.set_threads(2)
        model, x = sw.Model(WIDE.network, WIDE.input_shape), WIDE.samples(5)
        for seed in range(3):
            model.parameters = sw.Model(WIDE.network, WIDE.input_shape, seed=seed).parameters
            expected = model(x)
            for i in range(30):
                np.testing.assert_array_equal(model(x[i % 5][None])[0], expected[i % 5])

    def test_values_that_are_not_finite(self) -> None:
        """They are found in native code, wherever they are, and reported as ever."""
        sw.set_threads(2)
        model, x = sw.Model(WIDE.network, WIDE.input_shape), WIDE.samples(1)
        model(x)
        for value in (np.nan, np.inf, -np.inf):
            for place in ((0, 0, 0, 0), (0, 1, 7, 3), (0, 2, 19, 19)):
                wrong = x.copy()
                wrong[place] = value
                with pytest.raises(sw.ArgumentError, match="x must be finite") as caught:
                    model(wrong)
                assert f"index {place}" in str(caught.value)
        largest = np.full_like(x, np.finfo(np.float32).max)
        model(largest)
        model(-largest)

    def test_any_memory_order(self) -> None:
        model, x = sw.Model(WIDE.network, WIDE.input_shape), WIDE.samples(1)
        expected = model(x)
        np.testing.assert_array_equal(model(np.asfortranarray(x)), expected)
        np.testing.assert_array_equal(model(x[:, :, ::-1][:, :, ::-1]), expected)


@pytest.mark.filterwarnings("ignore:Exception ignored.*:pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_moment() -> None:
    sw.set_threads(2)
    model, x = sw.Model(WIDE.network, WIDE.input_shape), WIDE.samples(5)
    expected = model(x)

    def use() -> None:
        for i in range(100):
            assert (model(x[i % 5][None]) == expected[i % 5]).all()

    use()
    assert sum(was_interrupted(use, 1e-6 * (1 + 13 * i)) for i in range(120)) > 20
    use()


def test_no_more_threads_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert Crew().attends(2, wake=True) is False


def test_a_thread_stays_while_a_call_goes_on() -> None:
    """A stage may be one long task, and the next one many."""
    board = crew.new_board()
    board[Board.PATIENCE], board[Board.WORKERS] = 1, 2
    board[Board.STATE] = 1 << 32  # a call, with no free task
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    stand_by = kind(jit.address(StandingBy(), host_target()))
    thread = threading.Thread(target=stand_by, args=(board.ctypes.data, 1))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    board[Board.STATE] |= NO_CALL
    thread.join(20.0)
    assert not thread.is_alive()


def test_a_thread_goes_while_a_call_goes_on_that_it_has_no_part_in() -> None:
    board = crew.new_board()
    board[Board.PATIENCE], board[Board.WORKERS] = 1, 1
    board[Board.STATE] = 1 << 32
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(jit.address(StandingBy(), host_target()))(
        board.ctypes.data, 1
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot move a thread")
def test_a_thread_leaves_the_processor_of_the_one_that_wakes_it() -> None:
    """To one that it may use, and without forgetting which these are."""

    def left(_: int) -> bool:
        allowed, here = os.sched_getaffinity(0), this_processor()
        leave(here)
        assert os.sched_getaffinity(0) == allowed
        return this_processor() != here

    with ThreadPoolExecutor(1) as pool:
        assert any(pool.map(left, range(10))) or len(os.sched_getaffinity(0)) == 1


def test_patience_is_measured() -> None:
    """Looks take between a nanosecond and a microsecond."""
    assert 2e-4 / 1e-6 < crew._looks(2e-4) < 2e-4 / 1e-10


PROGRAM = """
import os, sys
import numpy as np
import scanwise as sw
from scanwise import models
from scanwise.plan.crew import CREW
sw.set_threads(3)
model = sw.Model(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28))
x = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)
y = model(x)
for _ in range(200):
    assert (model(x) == y).all()
CREW.attends(2, wake=True)
"""
FORK = """
child = os.fork()
same = all((model(x) == y).all() for _ in range(200))
if child == 0:
    os._exit(0 if same and CREW.attends(2, wake=True) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)


def test_the_interpreter_ends_while_threads_stand_by() -> None:
    for _ in range(3):
        result = run(PROGRAM)
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_a_crew_of_its_own() -> None:
    result = run(PROGRAM + FORK)
    assert (result.returncode, result.stderr) == (0, "")
