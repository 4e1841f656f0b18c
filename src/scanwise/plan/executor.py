"""The native executor: what `Model` runs."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.target import Target, host_target
from scanwise.kernels.optimizer import StepRow
from scanwise.layers import Sequential
from scanwise.plan.compiled import Compiled, Goal
from scanwise.plan.driver import Field
from scanwise.plan.gradient_sums import GradientSums, uneven
from scanwise.plan.graph import Graph, build_graph
from scanwise.plan.larger_input import Inputs, LargerInput, fitted
from scanwise.plan.losses import goal_for, loss_graph
from scanwise.plan.one_sample import OneSample
from scanwise.plan.parameters import ParameterLayout, aligned_zeros
from scanwise.plan.program import compile_plan
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner
from scanwise.plan.ticks import Columns, Ticks
from scanwise.shapes import receptive_field
from scanwise.threads import get_threads

__all__ = ["NativeExecutor"]

_KEPT_SHAPES = 8
# Positions of an output from which on weights are read often enough by one sample: larger inputs go one by one.
_MANY_POSITIONS = 16


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
        self._parameters = aligned_zeros(self._layout.floats)
        self._version = 0
        self._runners: dict[tuple[object, ...], Runner] = {}
        self._windows: dict[tuple[int, bool], OneSample] = {}
        self._gradient_sums = GradientSums(self._graph, self._layout)
        self._ticks: Ticks | None = None
        self._output_shape = tuple(network.output_shape(self.input_shape))
        self._order = np.arange(64, dtype=np.int64)

    @functools.cached_property
    def _inference_graph(self) -> Graph:
        return self._graph.for_inference()

    @functools.cached_property
    def _fast_graph(self) -> Graph:
        return self._graph.with_fast_algorithms()

    @functools.cached_property
    def _larger_input(self) -> LargerInput:
        return LargerInput(
            self._inference_graph, receptive_field(self.network, self.input_shape)[1], self._outputs
        )

    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take new parameters."""
        with self._lock:
            self._layout.write(parameters, self._parameters)
            self._version += 1

    def forward(self, x: NDArray[Any], *, fast: bool = False) -> NDArray[np.float32]:
        """Outputs `(N, *output_shape)`; with `fast` by algorithms that may round differently (Winograd)."""
        y = self.forward_if_finite(x, fast=fast)
        if y is None:  # the values between two parts of a network may be infinite
            y = np.empty((len(x), *self._output_shape), np.float32)
            with self._lock:
                self._infer_in_order(self._forward_runner(x.dtype, fast), x, y)
        return y

    def forward_if_finite(self, x: NDArray[Any], *, fast: bool = False) -> NDArray[np.float32] | None:
        """The same, or None if a value is not finite."""
        with self._lock:
            if len(x) == 1:
                return self._forward_window(x, fast)
            output = np.empty((len(x), *self._output_shape), np.float32)
            even = len(x) - uneven(len(x), self._graph)
            runner = self._forward_runner(x.dtype, fast)
            if even and not self._infer_in_order(runner, x[:even], output[:even], check=True):
                return None
            for i in range(even, len(x)):
                y = self._forward_window(x[i : i + 1], fast)
                if y is None:
                    return None
                output[i] = y[0]
            return output

    def _forward_window(self, x: NDArray[Any], fast: bool) -> NDArray[np.float32] | None:
        """The latency of one window is mostly Python's, so it has a way of its own."""
        key = (x.dtype.num, fast)  # a dtype itself takes long to look up
        one = self._windows.get(key)
        if one is None:
            one = self._windows[key] = self._one_sample(x.dtype, fast)
        elif one.runner.version != self._version:
            one.runner.refresh(self._version)
        return one(x)

    def _one_sample(self, dtype: np.dtype[Any], fast: bool) -> OneSample:
        runner = self._forward_runner(dtype, fast)
        cut = self._cut(runner.graph, dtype.name, Goal())
        return OneSample(runner, cut, self.input_shape, dtype.name, self._output_shape)

    def _cut(self, graph: Graph, dtype: str, goal: Goal) -> Callable[[int], Compiled]:
        """What compiles a plan on one sample for so many threads."""
        return functools.partial(compile_plan, graph, self._layout, dtype, goal, self.target, 1)

    def _forward_runner(self, dtype: np.dtype[Any], fast: bool) -> Runner:
        graph = self._fast_graph if fast else self._inference_graph
        return self._runner(("forward", dtype.name, fast), graph, dtype.name, Goal())

    def forward_at(
        self, x: Inputs, step: Sequence[int] | None = None, *, until: str | None = None
    ) -> NDArray[np.float32]:
        """Outputs `(N, K, *positions)` of the network on larger inputs."""
        with self._lock:
            y = self._larger_input(x, step, until, check=False)
        assert y is not None
        return y

    def forward_at_if_finite(
        self, x: Inputs, step: Sequence[int] | None = None, *, until: str | None = None
    ) -> NDArray[np.float32] | None:
        """The same, or None if a value is not finite."""
        with self._lock:
            return self._larger_input(x, step, until, check=True)

    def _outputs(
        self, key: tuple[object, ...], graph: Callable[[], Graph], x: Inputs, check: bool
    ) -> NDArray[np.float32] | None:
        """Outputs `(N, K, P, Q)` of a graph; `key` tells it from others, so that it is made once."""
        dtype = x[0].dtype
        key = (*key, dtype.name)
        known = self._runners.get(key)
        made = known.graph if known else graph()
        channels, rows, columns = made.extents[made.output]
        samples = 1 if rows * columns >= _MANY_POSITIONS else self._samples
        runner = self._runner(key, made, dtype.name, Goal(scattered=True), samples)
        output = np.empty((len(x), channels, rows, columns), np.float32)
        inputs = fitted(x, made.extents[0][1:])
        addresses = np.array([each.ctypes.data for each in inputs], np.int64)
        runner.context[Field.APART] = 1
        runner.set_data(Base.SAMPLES, inputs[0])
        runner.set_order((addresses - addresses[0]) // dtype.itemsize)
        return output if self._infer(runner, len(inputs), inputs[0], output, check=check) else None

    def ticks(self) -> Ticks:
        """The network tick by tick, with the present parameters. Only asked for as `forward_at` is."""
        known = self._ticks
        if known is not None and known.runner.version == self._version:
            return known
        with self._lock:
            if self._ticks is None:
                graph = self._inference_graph.with_flat_output()
                (stride,) = receptive_field(self.network, self.input_shape)[1]
                self._ticks = Ticks(graph, stride, self._layout, self._parameters, self.target)
            self._ticks.runner.refresh(self._version)
            return self._ticks

    def run_ticks(self, streams: Sequence[Columns]) -> None:
        """Run the ticks that several streams have loaded, which have their columns from `ticks`."""
        with self._lock:
            assert self._ticks is not None
            self._ticks.run(streams, get_threads())

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
            gradients, _ = self._sums(runner, x, goal)
        return dx, gradients

    def parameter_gradients(self, x: NDArray[Any], dy: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Gradients of `sum(y * dy)` by every parameter."""
        cotangent = np.ascontiguousarray(dy, np.float32)
        with self._lock:
            goal = Goal(backward=True)
            runner = self._runner(("parameter gradients", x.dtype.name), self._graph, x.dtype.name, goal)
            runner.set_data(Base.COTANGENT, cotangent)
            gradients, _ = self._sums(runner, x, goal)
        return gradients

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
            gradients, total = self._sums(runner, x, goal)
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
            self._ticks = None
            self._gradient_sums.forget_plans()

    # --- running --------------------------------------------------------------------------------------------------

    def _runner(
        self, key: tuple[object, ...], graph: Graph, dtype: str, goal: Goal, samples: int | None = None
    ) -> Runner:
        known = self._runners.get(key)
        if known is not None:
            known.refresh(self._version)
            return known
        compiled = compile_plan(graph, self._layout, dtype, goal, self.target, samples or self._samples)
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

    def _infer_in_order(
        self, runner: Runner, x: NDArray[Any], output: NDArray[np.float32], *, check: bool = False
    ) -> bool:
        """`_infer` for samples one behind the other."""
        runner.context[Field.APART] = x[0].size
        runner.set_data(Base.SAMPLES, x)
        runner.set_order(self._identity_order(len(x)))
        return self._infer(runner, len(x), x[0], output, check=check)

    def _infer(
        self, runner: Runner, n: int, first: NDArray[Any], output: NDArray[np.float32], *, check: bool
    ) -> bool:
        """Write the outputs of n samples. With `check`, only those of finite ones are; whether all were."""
        runner.context[Field.CHECKED] = first.size if check and first.dtype == np.float32 else 0
        runner.context[Field.NOT_FINITE] = 0
        runner.set_output(output)
        threads = get_threads()
        shards = -(-n // runner.compiled.samples)
        shards = min(n, -(-shards // threads) * threads)  # results do not depend on how samples are cut
        runner.run_samples(n, shards, threads)
        runner.let_go()
        return not runner.context[Field.NOT_FINITE]

    def _sums(
        self, runner: Runner, x: NDArray[Any], goal: Goal
    ) -> tuple[dict[str, NDArray[np.float32]], float]:
        """Gradients by every parameter, and the total loss."""
        runner.set_data(Base.SAMPLES, x)
        runner.set_order(self._identity_order(len(x)))
        cut = self._cut(runner.graph, x.dtype.name, goal)
        result = self._gradient_sums(runner, len(x), cut)
        runner.let_go()
        return result
