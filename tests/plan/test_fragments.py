"""Outputs at any step within a network's stride: the bits of single windows, and work that is shared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.codegen.target import host_target
from scanwise.executor import ReferenceExecutor
from scanwise.plan.compiled import Goal
from scanwise.plan.executor import NativeExecutor
from scanwise.plan.fragments import fragments, strides
from scanwise.plan.graph import build_graph
from scanwise.plan.parameters import ParameterLayout
from scanwise.plan.program import compile_plan
from scanwise.scanning import obstacle
from scanwise.shapes import receptive_field
from tests.plan.drawn_networks import Case, networks, random_values
from tests.plan.test_same_bits import TARGETS, assert_same_bits, drawn_detector

STEPS = st.tuples(st.integers(1, 7), st.integers(1, 7))
MORE = st.tuples(st.integers(0, 12), st.integers(0, 9))
DEEP = sw.Sequential(
    *[sw.Conv2d(8, 3), sw.ReLU(), sw.MaxPool2d(2)] * 2, sw.Conv2d(16, (3, 2)), sw.ReLU(), sw.Aggregate("max")
)
DEEP_SHAPE = (1, 20, 18)


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


def executor(case: Case, target: object = None) -> NativeExecutor:
    made = NativeExecutor(case.network, case.input_shape, target=target)  # type: ignore[arg-type]
    made.load_parameters(case.parameters)
    return made


def signals(case: Case, more: Sequence[int]) -> NDArray[np.float32]:
    extents = [extent + m for extent, m in zip(case.input_shape[1:], more, strict=False)]
    return random_values(2, case.input_shape[0], *extents, seed=6)


def one_by_one(runs: NativeExecutor, x: NDArray[np.float32], steps: Sequence[int]) -> NDArray[np.float32]:
    """Outputs `(N, K, *positions)` of `forward` on every window."""
    axes = tuple(range(2, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(x, runs.input_shape[1:], axis=axes)
    windows = windows[(slice(None), slice(None), *(slice(None, None, step) for step in steps))]
    windows = np.moveaxis(windows, 1, x.ndim - 1)
    places = windows.shape[: x.ndim - 1]
    y = runs.forward(np.ascontiguousarray(windows.reshape(-1, *runs.input_shape)))
    return np.moveaxis(y.reshape(*places, -1), -1, 1)


class TestBits:
    @settings(max_examples=25, deadline=None)
    @given(case=networks(padding=False, flat=False), more=MORE, step=STEPS, threads=st.sampled_from([1, 2]))
    def test_drawn_networks(self, case: Case, more: Sequence[int], step: Sequence[int], threads: int) -> None:
        model = drawn_detector(case)
        if model is None:
            return
        whole = Case(model.network, case.input_shape)
        x, steps = signals(whole, more), step[: len(case.input_shape) - 1]
        sw.set_threads(threads)
        for target in TARGETS[:2]:
            runs = executor(whole, target)
            expected = one_by_one(executor(whole), x, steps)
            assert_same_bits(runs.forward_at(list(x), steps), expected, (target.name, steps, whole))

    @settings(max_examples=25, deadline=None)
    @given(case=networks(flat=False), more=MORE, step=STEPS, threads=st.sampled_from([1, 2]))
    def test_up_to_the_first_layer_that_is_not_shared(
        self, case: Case, more: Sequence[int], step: Sequence[int], threads: int
    ) -> None:
        found = obstacle(case.network, case.input_shape)
        if found is None:
            return
        x, steps = signals(case, more), step[: len(case.input_shape) - 1]
        runs = executor(case)
        sw.set_threads(threads)
        assert_same_bits(
            runs.forward_at(list(x), steps, until=found.layer), one_by_one(runs, x, steps), (steps, case)
        )

    @pytest.mark.parametrize("dtype", [np.float32, np.uint8])
    @pytest.mark.parametrize("step", [(1, 1), (2, 1), (4, 4), (3, 8), (5, 100), None])
    def test_one_network(self, dtype: type, step: tuple[int, int] | None) -> None:
        runs = executor(Case(DEEP, DEEP_SHAPE))
        x: NDArray[Any] = np.random.default_rng(0).integers(0, 255, (3, 1, 37, 29)).astype(dtype)
        assert_same_bits(runs.forward_at(list(x), step), one_by_one(runs, x, step or (4, 4)), step)

    def test_of_the_reference(self) -> None:
        network = sw.Sequential(sw.Conv1d(3, 3, stride=2), sw.Flatten(), sw.Linear(2))
        case = Case(network, (2, 9))
        oracle = ReferenceExecutor(network, (2, 9))
        oracle.load_parameters(case.parameters)
        x = random_values(1, 2, 20, seed=1)
        y = oracle.forward_at(list(x), (3,))
        assert y.shape == (1, 2, 4)
        np.testing.assert_array_equal(y[:, :, 2], oracle.forward(np.ascontiguousarray(x[:, :, 6:15])))
        np.testing.assert_allclose(executor(case).forward_at(list(x), (3,)), y, rtol=1e-5, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(case=networks(padding=False, flat=False))
def test_operations_have_the_strides_of_their_layers(case: Case) -> None:
    graph = build_graph(case.network, case.input_shape)
    stride = receptive_field(case.network, case.input_shape)[1]
    assert strides(graph)[graph.output][2 - len(stride) :] == stride


class TestSharing:
    """What the plan of a finer step computes, not how long it takes."""

    @pytest.mark.parametrize("step", [1, 2])
    def test_the_first_layers_are_computed_once(self, step: int) -> None:
        graph = build_graph(DEEP, DEEP_SHAPE)
        fine = fragments(graph, (64 // step, 64 // step), (step, step))
        coarse = fragments(graph, (16, 16), (4, 4))
        assert strides(graph)[graph.output] == (4, 4)
        names = [node.name for node in fine.nodes]
        assert [names.count(name) for name in ("0", "3", "6")] == [1, (2 // step) ** 2, (4 // step) ** 2]
        outputs = [n.operation.output[1:] for n in fine.nodes if n.name == "8"]
        assert sum(map(math.prod, outputs)) == (64 // step) ** 2
        # Far less than going over the network once for every shift.
        assert fine.work < (4 // step) ** 2 * coarse.work / 2

    def test_fragments_share_their_memory_and_kernels(self) -> None:
        graph = build_graph(DEEP, DEEP_SHAPE)
        layout = ParameterLayout.of(graph)
        plans = [
            compile_plan(fragments(graph, n, step), layout, "float32", Goal(), host_target(), 1)
            for n, step in (((64, 64), (1, 1)), ((16, 16), (4, 4)))
        ]
        fine, coarse = plans
        assert fine.arena_floats < 1.2 * coarse.arena_floats + 16 * 64 * 64
        assert len({call.kernel for call in fine.calls}) <= len({call.kernel for call in coarse.calls}) + 1
        assert len(fine.calls) > 3 * len(coarse.calls)

    def test_only_fragments_with_a_wanted_output(self) -> None:
        graph = build_graph(sw.Sequential(sw.Conv1d(2, 3, stride=10), sw.Conv1d(3, 2)), (1, 13))
        few = fragments(graph, (1, 3), (1, 1))
        assert [node.shift for node in few.nodes if node.name == "0"] == [(0, 0), (0, 1), (0, 2)]
