"""The native training program: whole epochs in compiled code, in time slices so that Python can show progress."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.codegen.target import Target, host_target
from scanwise.errors import ArgumentError
from scanwise.executor import Target as Targets
from scanwise.kernels.optimizer import CHUNK, AdamWUpdate, SGDUpdate, StepRow
from scanwise.layers import Sequential
from scanwise.memory import require
from scanwise.plan.driver import STATISTICS, Field
from scanwise.plan.gradient_sums import shards_for
from scanwise.plan.graph import build_graph
from scanwise.plan.losses import goal_for, loss_graph
from scanwise.plan.parameters import ParameterLayout, aligned_zeros
from scanwise.plan.program import compile_plan
from scanwise.plan.records import RECORD_WORDS, Base
from scanwise.plan.runner import Runner
from scanwise.plan.sample_steps import SampleStep
from scanwise.threads import get_threads
from scanwise.training.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from scanwise.augment import Augment

__all__ = ["NativeProgram"]


class NativeProgram:
    """Trains one network natively: see `scanwise.training.program.Program`, whose contract this keeps.

    Args:
        network: the layers.
        input_shape: shape of one sample.
        loss: "cross_entropy", "binary_cross_entropy" or "mse".
        optimizer: its learning rate is not read; `begin_epoch` gives one for every step.
        batch_size: samples in a step.
        seed: of dropout and augmentation.
        augment: what happens to samples first.
        target: instruction set to compile for; the host's widest if None.
    """

    def __init__(
        self,
        network: Sequential,
        input_shape: tuple[int, ...],
        *,
        loss: str,
        optimizer: Optimizer,
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
        target: Target | None = None,
    ) -> None:
        self._target = target or host_target()
        self._optimizer, self._batch, self._seed = optimizer, batch_size, seed
        whole = build_graph(network, input_shape, training=True)
        self._layout = ParameterLayout.of(whole)
        self._graph = loss_graph(whole, network, loss).with_fast_algorithms()
        self._goal = goal_for(network, loss)
        self._steps: list[SampleStep] = []
        if augment is not None:
            from scanwise.augment.native import sample_steps

            self._steps = sample_steps(augment, input_shape)
        self._shards = shards_for(batch_size, self._layout.size, whole.cost)
        copies = 1 + optimizer.moments + self._shards
        require(
            4 * self._layout.size * copies, f"{copies} copies of the parameters: gradients and moments too"
        )
        self._parameters = aligned_zeros(self._layout.floats)
        self._moments = [aligned_zeros(self._layout.size) for _ in range(optimizer.moments)]
        self._stride = self._layout.size + STATISTICS
        self._gradients = aligned_zeros(self._shards * self._stride)
        self._runners: dict[str, Runner] = {}
        self._runner: Runner | None = None
        self._steps_before = 0  # the running epoch
        self._epochs = 0  # begun
        self._done_elsewhere = 0  # steps of the epoch that a restored state is in
        self._diverged = False
        self._step_seconds = 0.0
        self._statistics = np.zeros((0, 2), np.float64)
        self._counts = np.zeros(0, np.int64)

    def write_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from."""
        self._layout.write(parameters, self._parameters)
        if self._runner is not None:
            self._runner.derive()

    def read_parameters(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters after the last finished step."""
        return self._layout.read(self._parameters)

    def begin_epoch(
        self, x: NDArray[Any], y: Targets, order: NDArray[np.int64], learning_rates: NDArray[np.float32]
    ) -> None:
        """Prepare one epoch over `x[order]`."""
        steps = -(-len(order) // self._batch)
        if len(learning_rates) != steps:
            raise ArgumentError(
                f"learning_rates must have one entry a step, {steps}. Got {len(learning_rates)}."
            )
        runner = self._prepare(x.dtype.name)
        done = self._done
        if self._runner is not None or done == len(
            self._counts
        ):  # else a restored state is within this epoch
            self._steps_before, self._epochs = self._steps_before + done, self._epochs + 1
            done = 0
            self._counts = np.full(steps, self._batch, np.int64)
            self._counts[-1:] = len(order) - (steps - 1) * self._batch
            self._statistics = np.zeros((steps, 2), np.float64)
        runner.set_step_rows(self._step_rows(learning_rates), self._statistics)
        runner.set_data(Base.SAMPLES, x)
        runner.set_data(Base.TARGETS, y)
        runner.set_order(np.ascontiguousarray(order, np.int64))
        c = runner.context
        c[Field.SAMPLES], c[Field.BATCH] = len(order), self._batch
        c[Field.STEP] = c[Field.STEP_END] = done
        runner.derive()
        self._diverged = False
        self._runner = runner

    def advance(self, seconds: float) -> int:
        """Run for about `seconds`; gives the steps finished in this epoch."""
        runner = self._runner
        if runner is None:
            raise ArgumentError("begin_epoch must come before advance.")
        c = runner.context
        steps, deadline = len(self._counts), time.perf_counter() + seconds
        while c[Field.STEP] < steps:
            left = deadline - time.perf_counter()
            count = int(left / self._step_seconds) if self._step_seconds > 0.0 else 1
            first = int(c[Field.STEP])
            c[Field.STEP_END] = min(steps, first + max(1, count))
            started = time.perf_counter()
            # More threads than shards would find nothing to do but wait.
            runner.run(min(get_threads(), self._shards))
            done = int(c[Field.STEP]) - first
            if int(c[Field.STEP]) < int(c[Field.STEP_END]):
                self._diverged = True
                break
            self._step_seconds = (time.perf_counter() - started) / done
            if time.perf_counter() + self._step_seconds >= deadline:
                break
        return int(c[Field.STEP])

    @property
    def runner(self) -> Runner | None:
        """The plan of the running epoch."""
        return self._runner

    @property
    def losses(self) -> NDArray[np.float64]:
        """Mean loss of every step."""
        return self._statistics[:, 0] / np.maximum(self._counts, 1)

    @property
    def correct(self) -> NDArray[np.int64]:
        """How many of every step's samples were right."""
        return np.rint(self._statistics[:, 1]).astype(np.int64)

    @property
    def diverged(self) -> bool:
        """Whether the loss of the step after the last finished one is not finite."""
        return self._diverged

    @property
    def _done(self) -> int:
        """Finished steps of the running epoch: the native loop's own count, right whenever a Ctrl-C comes."""
        return self._done_elsewhere if self._runner is None else int(self._runner.context[Field.STEP])

    def state(self) -> dict[str, NDArray[Any]]:
        """Moments by parameter, counts of steps and epochs, and what there is of the running epoch."""
        state: dict[str, NDArray[Any]] = {
            "steps": np.array(self._steps_before + self._done, np.int64),
            "epochs": np.array(self._epochs, np.int64),
            "done": np.array(self._done, np.int64),
            "counts": self._counts.copy(),
            "statistics": self._statistics.copy(),
        }
        for i, moment in enumerate(self._moments):
            state |= {
                f"moment{i}.{name}": values for name, values in self._layout.read_trained(moment).items()
            }
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        self._runner = None
        self._done_elsewhere, self._epochs = int(state["done"]), int(state["epochs"])
        self._steps_before = int(state["steps"]) - self._done_elsewhere
        self._counts = np.array(state["counts"], np.int64)
        self._statistics = np.array(state["statistics"], np.float64)
        for i, moment in enumerate(self._moments):
            prefix = f"moment{i}."
            given = {name[len(prefix) :]: values for name, values in state.items() if name.startswith(prefix)}
            self._layout.write_trained(given, moment)

    # --- preparation ----------------------------------------------------------------------------------------------

    def _prepare(self, dtype: str) -> Runner:
        known = self._runners.get(dtype)
        if known is not None:
            return known
        runner = self._runner_for(dtype, -(-self._batch // self._shards))
        c = runner.context
        c[Field.SHARDS] = self._shards
        c[Field.GRADIENTS] = self._gradients.ctypes.data
        c[Field.GRADIENT_FLOATS] = self._stride
        runner.set_updates(self._updates)
        self._runners[dtype] = runner
        return runner

    def _runner_for(self, dtype: str, largest: int) -> Runner:
        """A plan on shards of at most `largest` samples: depth first, or in phases where samples come together."""
        graph, layout, target = self._graph, self._layout, self._target
        if graph.merges:
            from scanwise.plan.phases import PhasedRunner, compile_phases

            phases = compile_phases(graph, layout, dtype, self._goal, target, largest, self._steps)
            return PhasedRunner(graph, phases, layout, self._parameters, target, self._shards)
        compiled = compile_plan(graph, layout, dtype, self._goal, target, largest, steps=self._steps)
        return Runner(graph, compiled, layout, self._parameters, target)

    @functools.cached_property
    def _updates(self) -> NDArray[np.int64]:
        """One call for every chunk of the parameters.

        Gradients are addressed absolutely: shard 0 comes first.
        """
        optimizer = self._optimizer
        kernel: jit.Kernel
        if isinstance(optimizer, SGD):
            kernel = SGDUpdate(self._stride, optimizer.momentum, optimizer.nesterov, optimizer.weight_decay)
        else:
            kernel = AdamWUpdate(self._stride, optimizer.betas, optimizer.eps)
        moments = [moment.ctypes.data for moment in self._moments]
        moments += [self._parameters.ctypes.data] * (2 - len(moments))  # not read
        records = np.zeros((self._layout.size // CHUNK, RECORD_WORDS), np.int64)
        records[:, 0], records[:, 1] = jit.address(kernel, self._target), 5
        at = np.arange(len(records)) * CHUNK * 4
        bases = (Base.PARAMETERS, Base.ABSOLUTE, Base.ABSOLUTE, Base.ABSOLUTE, Base.STEP_ROW)
        starts = (0, self._gradients.ctypes.data, *moments)
        for i, base in enumerate(bases):
            records[:, 2 + 2 * i] = base
            records[:, 3 + 2 * i] = starts[i] + at if i < 4 else 0
        return records

    def _step_rows(self, learning_rates: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.zeros((len(learning_rates), StepRow.SIZE), np.float32)
        rates = learning_rates.astype(np.float64)
        rows[:, StepRow.SCALE] = 1.0 / self._counts
        rows[:, StepRow.LEARNING_RATE] = rates
        if not isinstance(self._optimizer, SGD):
            b1, b2 = self._optimizer.betas
            t = self._steps_before + 1.0 + np.arange(len(rates))
            rows[:, StepRow.STEP_SIZE] = rates / (1.0 - b1**t)
            rows[:, StepRow.ROOT_CORRECTION] = 1.0 / np.sqrt(1.0 - b2**t)
            rows[:, StepRow.DECAY] = 1.0 - rates * self._optimizer.weight_decay
        rows[:, StepRow.SEED] = np.full(
            len(rates), _epoch_seed(self._seed, self._epochs - 1), np.uint32
        ).view(np.float32)
        return rows


def _epoch_seed(seed: int, epoch: int) -> int:
    """The seed of one epoch's sample keys: mix(seed + golden ratio * (epoch + 1)), in 32 bits."""
    h = (seed + 0x9E3779B9 * (epoch + 1)) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h ^= h >> shift
        h = h * factor & 0xFFFFFFFF
    return h
