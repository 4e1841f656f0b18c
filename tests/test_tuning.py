"""`autotune`: what it times, what it keeps, and that it changes no bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.codegen import choices
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.plan import timing
from scanwise.plan.executor import NativeExecutor
from scanwise.tuning import _step

SHAPE = (1, 9, 9)
X = np.random.default_rng(0).standard_normal((20, *SHAPE)).astype(np.float32)


@pytest.fixture(autouse=True)
def own_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache folder of the test's own: choices must not reach other tests, nor the user's programs."""
    monkeypatch.setenv("SCANWISE_CACHE", str(tmp_path))
    yield
    choices._tables.clear()


@pytest.fixture
def last_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every measurement finds the last candidate twice as fast as the first."""

    def fastest(measure: Callable[[int], float], count: int) -> tuple[int, float, float]:
        seconds = measure(count - 1)
        return count - 1, 2 * seconds, seconds

    monkeypatch.setattr(timing, "fastest", fastest)


def model(**options: Any) -> sw.Model:
    network = sw.Sequential(sw.Conv2d(20, 3), sw.ReLU(), sw.Flatten(), sw.Linear(3))
    return sw.Model(network, SHAPE, **options)


def schedules(of: sw.Model) -> list[object]:
    """Of the kernels that have several to choose from."""
    executor = of.executor
    assert isinstance(executor, NativeExecutor)
    kernels = [call.kernel for runner in executor.runners for call in runner.compiled.calls]
    return [
        vars(kernel)["schedule"] for kernel in kernels if len(choices.candidates(kernel, executor.target)) > 1
    ]


def test_a_model_takes_what_was_found_and_gives_the_same_bits(last_wins: None) -> None:
    tuned = model()
    y = tuned(X)
    dx, gradients = tuned.gradients(X, np.ones((20, 3)))
    assert set(schedules(tuned)) == {None}
    tuning = sw.autotune(tuned, progress=False)
    assert len(tuning.changed) == len(tuning.kernels) >= 4
    assert {kernel.step for kernel in tuning.kernels} == {"forward", "input gradient", "weight gradient"}
    assert {kernel.layer for kernel in tuning.kernels} == {"0", "3"}
    assert all(kernel.gain > 1.5 for kernel in tuning.kernels)
    assert tuned(X).tobytes() == y.tobytes()
    assert None not in schedules(tuned)
    found_dx, found = tuned.gradients(X, np.ones((20, 3)))
    assert found_dx.tobytes() == dx.tobytes()
    assert all(found[name].tobytes() == gradients[name].tobytes() for name in gradients)


def test_training_takes_them_and_gives_the_same_bits(last_wins: None) -> None:
    parameters = []
    y = np.arange(20) % 3
    for tune in (False, True):
        trained = model()
        if tune:
            assert sw.autotune(trained, progress=False).changed
        sw.fit(trained, X, y, epochs=2, batch_size=6, progress=False)
        parameters.append({name: values.tobytes() for name, values in trained.parameters.items()})
    assert parameters[0] == parameters[1]


def test_real_measurements() -> None:
    tuning = sw.autotune(model(), progress=False)
    assert tuning.kernels
    assert tuning.known == tuning.left == 0
    assert all(0 < kernel.after <= kernel.before < 1 for kernel in tuning.kernels)


def test_the_slowest_kernels_come_first(last_wins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ["input gradient", "forward", "weight gradient"]
    monkeypatch.setattr(
        timing.PlacedKernel, "seconds", lambda kernel: 0.01 * (steps.index(_step(kernel)) + 1)
    )
    timed = [kernel.step for kernel in sw.autotune(model(), progress=False).kernels]
    assert timed == sorted(timed, key=steps.index, reverse=True)
    assert len(set(timed)) == 3


def test_what_is_known_is_not_timed_again(last_wins: None) -> None:
    count = len(sw.autotune(model(), progress=False).kernels)
    choices._tables.clear()  # as in another process
    other = model(seed=1)
    assert sw.autotune(other, progress=False) == sw.Tuning((), known=count)
    other(X)
    assert None not in schedules(other)
    again = sw.autotune(other, again=True, progress=False)
    assert (len(again.kernels), again.known) == (count, 0)


def test_time_that_is_up(last_wins: None) -> None:
    tuning = sw.autotune(model(), seconds=1e-9, progress=False)
    assert tuning.kernels == ()
    assert tuning.left >= 4
    assert f"{tuning.left} left for want of time" in str(tuning)


def test_ctrl_c_leaves_what_is_known_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def interrupted(measure: object, count: int) -> tuple[int, float, float]:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise KeyboardInterrupt
        return 1, 2.0, 1.0

    monkeypatch.setattr(timing, "fastest", interrupted)
    stopped = model()
    with pytest.raises(KeyboardInterrupt):
        sw.autotune(stopped, progress=False)
    assert sw.autotune(stopped, seconds=1e-9, progress=False).known == 2


@pytest.mark.parametrize(
    "network",
    [
        sw.Sequential(sw.Flatten(), sw.Softmax()),
        sw.Sequential(sw.MaxPool2d(2), sw.Conv2d(2, 2), sw.Sigmoid()),
        sw.Sequential(sw.Conv2d(2, 2), sw.Dropout(0.5), sw.Flatten(), sw.Linear(1)),
    ],
    ids=["nothing to tune", "maps as outputs", "one output"],
)
def test_other_networks(network: sw.Sequential, last_wins: None) -> None:
    tuning = sw.autotune(sw.Model(network, SHAPE), progress=False)
    assert len(tuning.kernels) == len(tuning.changed)


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentTypeError, match=r"^model must be a Model. Got int"):
        sw.autotune(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"^model must have the backend 'native'. Got 'reference'"):
        sw.autotune(model(backend="reference"))
    for wrong in ("1", None, True):
        with pytest.raises(ArgumentTypeError, match=r"^seconds must be a number. Got"):
            sw.autotune(model(), seconds=wrong)  # type: ignore[arg-type]
    for small in (0, -1.0, float("nan")):
        with pytest.raises(ArgumentError, match=r"^seconds must be more than 0. Got"):
            sw.autotune(model(), seconds=small)
