"""The native executor: what `Model` runs."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.target import Target, host_target
from scanwise.kernels.optimizer import StepRow
from scanwise.layers import Sequential
from scanwise.plan.compiled import Compiled, Goal
from scanwise.plan.driver import STATISTICS, Field
from scanwise.plan.graph import Graph, build_graph, extent_of
from scanwise.plan.losses import goal_for, loss_graph
from scanwise.plan.one_sample import OneSample
from scanwise.plan.parameters import ParameterLayout, aligned_zeros
from scanwise.plan.program import compile_plan
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner
from scanwise.threads import get_threads

__all__ = ["SHARDS", "NativeExecutor", "shards_for"]

# Parts of a batch whose gradients are summed apart. It decides the order of summation, so it depends on the batch and
# the network alone, never on the number of threads.
SHARDS = 8
_KEPT_SHAPES = 8


def shards_for(batch: int, parameters: int) -> int:
    """Shards of a batch: enough for many threads, but few where gradients are large, since each shard has its own."""
    most, few = (4, 2) if parameters > 1 << 18 else (SHARDS, 4)
    return min(most, max(batch // 4, min(batch, few)))


class NativeExecutor:
    """Runs one network at one input shape with compiled kernels. Safe for use from several threads, one at a time.

    Args:
        network: the layers.
        input_shape: shape of one sample.
        target: instruction set to compile for; the host's widest if None.
        samples: most samples that the arena may hold (tests: results do not depend on it).
    """

    def __init__(
        self,
        network: Sequential,
        input_shape: tuple[int, ...],
        *,
        target: Target | None = None,
        samples: int | None = None,
    ) -> None:
        self.network, self.input_shape = network, tuple(input_shape)
        self.target = target or host_target()
        self._samples = samples
        self._lock = threading.Lock()
        self._graph = build_graph(network, self.input_shape)
        self._layout = ParameterLayout.of(self._graph)
        self._parameters = aligned_zeros(self._layout.size)
        self._version = 0
        self._runners: dict[tuple[object, ...], Runner] = {}
        self._windows: dict[tuple[int, bool], OneSample] = {}
        self._output_shape = tuple(network.output_shape(self.input_shape))
        self._order = np.arange(64, dtype=np.int64)

    @functools.cached_property
    def _fast_graph(self) -> Graph:
        return self._graph.with_fast_algorithms()

    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take new parameters."""
        with self._lock:
            self._layout.write(parameters, self._parameters)
            self._version += 1

    def forward(self, x: NDArray[Any], *, fast: bool = False) -> NDArray[np.float32]:
        """Outputs `(N, *output_shape)`; with `fast` by algorithms that may round differently (Winograd)."""
        y = self.forward_if_finite(x, fast=fast)
        assert y is not None
        return y

    def forward_if_finite(self, x: NDArray[Any], *, fast: bool = False) -> NDArray[np.float32] | None:
        """The same, or None if a value is not finite."""
        if len(x) == 1:
            return self._forward_window(x, fast)
        output = np.empty((len(x), *self._output_shape), np.float32)
        with self._lock:
            finite = self._infer(self._forward_runner(x.dtype, fast), x, output)
        return output if finite else None

    def _forward_window(self, x: NDArray[Any], fast: bool) -> NDArray[np.float32] | None:
        """The latency of one window is mostly Python's, so it has a way of its own."""
        key = (x.dtype.num, fast)  # a dtype itself takes long to look up
        with self._lock:
            one = self._windows.get(key)
            if one is None:
                one = self._windows[key] = self._one_sample(x.dtype, fast)
            elif one.runner.version != self._version:
                one.runner.refresh(self._version)
            return one(x)

    def _one_sample(self, dtype: np.dtype[Any], fast: bool) -> OneSample:
        runner = self._forward_runner(dtype, fast)

        def cut(parts: int) -> Compiled:
            return compile_plan(runner.graph, self._layout, dtype.name, Goal(), self.target, 1, parts)

        return OneSample(runner, cut, self.input_shape, dtype.name, self._output_shape)

    def _forward_runner(self, dtype: np.dtype[Any], fast: bool) -> Runner:
        graph = self._fast_graph if fast else self._graph
        return self._runner(("forward", dtype.name, fast), graph, dtype.name, Goal())

    def forward_at(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs `(N, K, *positions)` of the network on a larger input."""
        extent = extent_of(x.shape[1:])
        with self._lock:
            key = ("at", x.dtype.name, extent)
            known = self._runners.get(key)
            graph = known.graph if known else self._graph.with_flat_output().resized(*extent[1:])
            runner = self._runner(key, graph, x.dtype.name, Goal())
            channels, rows, columns = graph.extents[graph.output]
            positions = (columns,) if x.ndim == 3 else (rows, columns)
            output = np.empty((len(x), channels, *positions), np.float32)
            self._infer(runner, x, output)
        return output

    def gradients(
        self, x: NDArray[Any], dy: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Gradients of `sum(y * dy)` by the input and by every parameter."""
        dx = np.empty(x.shape, np.float32)
        cotangent = np.ascontiguousarray(dy, np.float32)
        with self._lock:
            goal = Goal(backward=True, input_gradient=True)
            runner = self._runner(("gradients", x.dtype.name), self._graph, x.dtype.name, goal)
            runner.set_output(dx)
            runner.set_data(Base.COTANGENT, cotangent)
            gradients, _ = self._shards(runner, x)
        return dx, gradients

    def loss_and_gradients(
        self, x: NDArray[Any], target: NDArray[Any], loss: str
    ) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """Mean loss and its gradient by every parameter."""
        with self._lock:
            goal = goal_for(self.network, loss)
            graph = loss_graph(self._graph, self.network, loss)
            runner = self._runner(("loss", x.dtype.name, loss), graph, x.dtype.name, goal)
            runner.set_data(Base.TARGETS, np.ascontiguousarray(target))
            runner.step_rows[0, StepRow.SCALE] = 1.0 / len(x)
            gradients, total = self._shards(runner, x)
        return total / len(x), gradients

    @property
    def runners(self) -> tuple[Runner, ...]:
        """The plans that have been compiled so far."""
        return tuple(self._runners.values())

    def forget_plans(self) -> None:
        """Compile every plan again at its next use, with the schedules that are chosen then."""
        with self._lock:
            self._runners.clear()
            self._windows.clear()

    # --- running --------------------------------------------------------------------------------------------------

    def _runner(self, key: tuple[object, ...], graph: Graph, dtype: str, goal: Goal) -> Runner:
        known = self._runners.get(key)
        if known is not None:
            known.refresh(self._version)
            return known
        compiled = compile_plan(graph, self._layout, dtype, goal, self.target, self._samples)
        runner = Runner(graph, compiled, self._layout, self._parameters, self.target)
        shapes = [k for k in self._runners if k[0] == "at"]
        if key[0] == "at" and len(shapes) >= _KEPT_SHAPES:
            del self._runners[shapes[0]]
        self._runners[key] = runner
        runner.refresh(self._version)
        return runner

    def _identity_order(self, n: int) -> NDArray[np.int64]:
        if len(self._order) < n:
            self._order = np.arange(2 * n, dtype=np.int64)
        return self._order

    def _infer(self, runner: Runner, x: NDArray[Any], output: NDArray[np.float32]) -> bool:
        """Write the outputs; whether all values of x are finite."""
        n = len(x)
        runner.context[Field.CHECKED] = x[0].size if x.dtype == np.float32 else 0
        runner.context[Field.NOT_FINITE] = 0
        runner.set_data(Base.SAMPLES, x)
        runner.set_order(self._identity_order(n))
        runner.set_output(output)
        shards = -(-n // runner.compiled.samples)
        threads = get_threads()
        if shards < threads and n >= threads:
            shards = threads  # results do not depend on how samples are cut
        runner.run_samples(n, shards, threads)
        runner.let_go()
        return not runner.context[Field.NOT_FINITE]

    def _shards(self, runner: Runner, x: NDArray[Any]) -> tuple[dict[str, NDArray[np.float32]], float]:
        """Run shards with gradients of their own; their sums in order, and the total loss."""
        shards = shards_for(len(x), self._layout.size)
        floats = self._layout.size + STATISTICS
        sums = aligned_zeros(shards * floats)
        runner.context[Field.GRADIENTS] = sums.ctypes.data
        runner.context[Field.GRADIENT_FLOATS] = floats
        runner.set_data(Base.SAMPLES, x)
        runner.set_order(self._identity_order(len(x)))
        runner.run_samples(len(x), shards, get_threads())
        runner.let_go()
        parts = sums.reshape(shards, floats)
        total = parts[0, : self._layout.size]
        for part in parts[1:]:
            total += part[: self._layout.size]
        return self._layout.read(total), float(parts[:, self._layout.size].astype(np.float64).sum())
