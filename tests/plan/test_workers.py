"""Threads for native calls: enough of them, whoever else runs, or fewer with the same results."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

import scanwise as sw
from scanwise.plan import workers
from scanwise.plan.executor import NativeExecutor
from scanwise.plan.workers import run_together
from tests.backends import IMAGE_NETWORK, IMAGE_SHAPE, image_model, random_values


def test_all_calls_run_at_the_same_time() -> None:
    """Each waits for all the others, as native calls do."""
    told: list[int] = []
    together = threading.Barrier(40, timeout=30)
    run_together([together.wait] * 40, told.append)
    assert told == [40]


def test_calls_of_several_callers_do_not_wait_for_each_other() -> None:
    all_of_both = threading.Barrier(40, timeout=30)
    callers = [
        threading.Thread(target=run_together, args=([all_of_both.wait] * 20, lambda _: None)) for _ in "ab"
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert all_of_both.broken is False
    assert not any(caller.is_alive() for caller in callers)


def test_fewer_threads_than_wanted_give_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_values(32, *IMAGE_SHAPE)
    executor = NativeExecutor(IMAGE_NETWORK, IMAGE_SHAPE, samples=1)
    executor.load_parameters(dict(image_model("native").parameters))
    expected = executor.forward(x)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    before = sw.get_threads()
    sw.set_threads(5)
    try:
        assert executor.forward(x).tobytes() == expected.tobytes()
    finally:
        sw.set_threads(before)


def test_ctrl_c_before_the_callers_own_part_still_lets_all_come_together() -> None:
    """The other threads have begun and wait in the native code for this one."""
    told: list[int] = []
    ran: list[str] = []
    together = threading.Barrier(3, timeout=30)
    presses = [KeyboardInterrupt()]

    def interrupted() -> None:
        if presses:
            raise presses.pop()
        ran.append("own")
        together.wait()

    calls: list[Callable[[], object]] = [interrupted, together.wait, together.wait]
    with pytest.raises(KeyboardInterrupt):
        run_together(calls, told.append)
    assert ran == ["own"]
    assert told == [3, 3]


def test_a_forked_process_makes_threads_of_its_own() -> None:
    program = """
import os, sys
import numpy as np
import scanwise as sw
sw.set_threads(2)
model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(3)), (1, 4, 4))
x = np.ones((64, 1, 4, 4), np.float32)
y = model(x)
child = os.fork()
if child == 0:
    os._exit(0 if model(x).tobytes() == y.tobytes() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    if not hasattr(os, "fork"):
        return
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_samples_are_let_go_after_a_call() -> None:
    """The engine does not hold on to the caller's arrays."""
    executor = NativeExecutor(IMAGE_NETWORK, IMAGE_SHAPE)
    executor.load_parameters(dict(image_model("native").parameters))
    x = random_values(9, *IMAGE_SHAPE)
    before = sys.getrefcount(x)
    y = executor.forward(x)
    executor.gradients(x, np.ones_like(y))
    executor.loss_and_gradients(x, np.zeros(9, np.int64), "cross_entropy")
    assert sys.getrefcount(x) == before
