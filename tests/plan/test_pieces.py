"""One window cut for several threads: which stages, and the same bits from pieces as from the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models
from scanwise.codegen.target import Target
from scanwise.kernels.cut import CHANNELS, COLUMNS, ROWS, Cut, windows_read
from scanwise.layers import Conv1d, Conv2d, Flatten, Linear, MaxPool1d, MaxPool2d, ReLU, Sequential, Tanh
from scanwise.plan import one_sample, pieces, shared_arena
from scanwise.plan.crew import CREW
from scanwise.plan.executor import NativeExecutor
from scanwise.plan.one_sample import OneSample
from tests.plan.drawn_networks import Case, networks
from tests.plan.test_same_bits import TARGETS, assert_same_bits, each_case, executor

THREADS = (2, 3, 4)


@pytest.fixture(autouse=True)
def cut_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plans are cut at the first call."""
    monkeypatch.setattr(one_sample, "CALLS_ALONE", 0)
    before = sw.get_threads()
    yield
    sw.set_threads(before)


@pytest.fixture
def everything_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small it is."""
    monkeypatch.setattr(pieces, "HANDOVER", 0)


def plan_of(runs: NativeExecutor, threads: int, *, fast: bool = False) -> OneSample:
    """What runs one window of float32 on so many threads."""
    sw.set_threads(threads)
    runs.forward(np.ones((1, *runs.input_shape), np.float32), fast=fast)
    return runs._windows[np.dtype(np.float32).num, fast]


def outputs(one: OneSample, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sample by sample from the pieces, on as many threads as come."""
    found = []
    for sample in x:
        one.x[0] = sample
        CREW.attends(3, wake=True)
        assert one.together is not None
        assert one.run(one.together)
        found.append(one.y[0].copy())
    return np.array(found)


def check_same_bits(
    case: Case, target: Target | None = None, *, threads: Sequence[int] = THREADS, fast: bool = False
) -> None:
    x = case.samples(5)
    runs = executor(case, target)
    expected = runs.forward(x, fast=fast)
    for count in threads:
        one = plan_of(runs, count, fast=fast)
        if one.together is not None:
            assert_same_bits(outputs(one, x), expected, (count, case))


class TestSameBits:
    @each_case
    def test_as_they_are_cut(self, case: Case) -> None:
        check_same_bits(case)

    @each_case
    @pytest.mark.usefixtures("everything_is_cut")
    @pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
    def test_everything_is_cut(self, case: Case, target: Target) -> None:
        check_same_bits(case, target, threads=THREADS if target is TARGETS[0] else (3,))

    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        case=networks(),
        target=st.sampled_from(TARGETS),
        threads=st.sampled_from(THREADS),
        fetch=st.sampled_from([0, 16]),
    )
    @pytest.mark.usefixtures("everything_is_cut")
    def test_drawn_networks(self, case: Case, target: Target, threads: int, fetch: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "FETCH", fetch)  # 0: more is cut by channels
            check_same_bits(case, target, threads=(threads,))

    @pytest.mark.usefixtures("everything_is_cut")
    def test_fast_algorithms(self) -> None:
        layers = (Conv2d(16, 3, padding="same"), Conv2d(32, 3, padding="same"), ReLU(), MaxPool2d(2))
        check_same_bits(Case(Sequential(*layers, Flatten(), Linear(3)), (16, 18, 13)), fast=True)

    def test_samples_of_bytes(self) -> None:
        case = Case(Sequential(Conv2d(32, 5), ReLU(), Flatten(), Linear(4)), (1, 24, 24))
        runs = executor(case)
        x = np.random.default_rng(0).integers(0, 256, (30, 1, 24, 24)).astype(np.uint8)
        expected = runs.forward(x)
        sw.set_threads(2)
        alone = np.concatenate([runs.forward(x[i : i + 1]) for i in range(len(x))])
        assert_same_bits(alone, expected, "uint8")


class TestStages:
    def stages(self, network: Sequential, shape: tuple[int, ...], threads: int = 2) -> list[tuple[int, str]]:
        """For each stage the number of pieces, and the kernels of one."""
        one = plan_of(executor(Case(network, shape)), threads)
        assert one.together is not None
        compiled = one._cut(threads)
        found, first = [], 0
        for ends in compiled.stages:
            names = [type(call.kernel).__name__ for call in compiled.calls[first : ends[0]]]
            found.append((len(ends), " ".join(names)))
            first = ends[-1]
        return found

    def test_pooling_goes_with_the_convolution_before_it(self) -> None:
        assert self.stages(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28)) == [
            (1, "Gather"),
            (2, "Correlation MaxForward"),
            (2, "Correlation"),  # five rows of pooling would make the pieces unequal
            (1, "MaxForward"),
            (2, "Correlation"),
            (1, "Correlation Correlation Scatter"),
        ]

    def test_pointwise_layers_go_with_what_is_before_them(self) -> None:
        network = Sequential(Conv1d(32, 5), MaxPool1d(2), Tanh(), Conv1d(32, 3))
        assert [names for _, names in self.stages(network, (16, 100))] == [
            "Gather",
            "Correlation MaxForward ActivationForward",
            "Correlation",
            "Scatter",
        ]

    def test_no_more_pieces_than_there_are_vectors(self) -> None:
        network = Sequential(Flatten(), Linear(40), Linear(3))
        assert self.stages(network, (1, 64, 64), 4)[1] == (3, "Correlation")

    def test_small_networks_are_not_cut(self) -> None:
        runs = executor(Case(Sequential(Conv2d(4, 3), ReLU(), Flatten(), Linear(3)), (1, 8, 8)))
        assert plan_of(runs, 2).together is None


class TestCuts:
    def cut(self, count: int, grain: int = 1, axis: int = ROWS) -> Cut:
        return Cut(axis, count, grain, lambda *_: (), lambda first, stop: (first, stop))

    @pytest.mark.parametrize(
        ("count", "grain", "parts", "points"),
        [
            (10, 1, 2, [0, 5, 10]),
            (10, 1, 4, [0, 2, 5, 7, 10]),
            (3, 1, 4, [0, 1, 2, 3]),
            (40, 16, 2, [0, 16, 40]),
            (40, 16, 4, [0, 16, 32, 40]),
            (7, 4, 2, [0, 4, 7]),
            (1, 1, 3, [0, 1]),
        ],
    )
    def test_points(self, count: int, grain: int, parts: int, points: list[int]) -> None:
        assert self.cut(count, grain, COLUMNS).points(parts) == points
        assert self.cut(count, grain, CHANNELS).points(parts) == points

    def test_what_windows_read(self) -> None:
        reads = windows_read(kernel=3, stride=2, dilation=2, padding=1, extent=20)
        # Windows 2 and 3 begin at inputs 3 and 5, and see every second of five inputs.
        assert reads(2, 4) == (3, 10)
        assert reads(0, 1) == (0, 4)
        assert windows_read(3, 1, 1, 1, 5)(4, 5) == (3, 5)


def test_cutting_does_not_depend_on_what_ran_before() -> None:
    """The number of threads may change at any time; every number has a plan of its own."""
    case = Case(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28))
    runs, x = executor(case), case.samples(1)
    expected = runs.forward(np.repeat(x, 5, 0))[:1]
    for threads in (2, 1, 4, 3, 1, 2):
        sw.set_threads(threads)
        for _ in range(5):
            assert_same_bits(runs.forward(x), expected, threads)


def test_without_memory_for_a_second_arena_windows_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_arena, "available_bytes", lambda: 1000)
    case = Case(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28))
    runs, x = executor(case), case.samples(4)
    assert plan_of(runs, 2).together is None
    assert_same_bits(runs.forward(x[:1]), runs.forward(x)[:1], "alone")
