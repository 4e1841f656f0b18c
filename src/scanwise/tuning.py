"""`autotune`: the fastest schedule of every kernel of a model, by timing, for this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scanwise.codegen import choices
from scanwise.codegen.jit import Kernel
from scanwise.codegen.target import Target
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.model import Model
from scanwise.plan.executor import NativeExecutor
from scanwise.plan.runner import Runner
from scanwise.plan.timing import PlacedKernel, placed_kernels
from scanwise.training.native_program import NativeProgram
from scanwise.training.optimizers import SGD

__all__ = ["TunedKernel", "Tuning", "autotune"]

_BATCH = 128  # samples in a training step, as `fit` has it if nothing else is asked for


@dataclass(frozen=True)
class TunedKernel:
    """One kernel that was timed.

    Attributes:
        layer: its layer's place in the network.
        step: `"forward"`, `"input gradient"` or `"weight gradient"`.
        before: seconds of a call with the schedule that the engine chooses by itself.
        after: seconds of a call with the schedule that is taken from now on.
        schedule: that schedule; None where it is the engine's own.
    """

    layer: str
    step: str
    before: float
    after: float
    schedule: object

    @property
    def gain(self) -> float:
        """How many times faster the kernel is expected to be."""
        return self.before / self.after


@dataclass(frozen=True)
class Tuning:
    """What `autotune` has found; prints as a table of the kernels that take another schedule.

    Attributes:
        kernels: those that were timed, the slowest first.
        known: how many were not timed, because they had been before.
        left: how many were not reached in the given time.

    >>> from scanwise.tuning import TunedKernel
    >>> print(Tuning((TunedKernel("0", "forward", 3e-5, 2e-5, "a schedule"),), known=2))
    layer  step     us before  us after  times faster
    0      forward       30.0      20.0          1.50
    1 kernels timed, 1 changed; 2 known from before, 0 left for want of time
    """

    kernels: tuple[TunedKernel, ...]
    known: int = 0
    left: int = 0

    @property
    def changed(self) -> tuple[TunedKernel, ...]:
        """The kernels that take another schedule than the engine's own."""
        return tuple(kernel for kernel in self.kernels if kernel.schedule is not None)

    def __str__(self) -> str:
        head = [("layer", "step", "us before", "us after", "times faster")]
        rows = [
            (k.layer, k.step, f"{k.before * 1e6:.1f}", f"{k.after * 1e6:.1f}", f"{k.gain:.2f}")
            for k in self.changed
        ]
        lines = _aligned(head + rows) if rows else []
        counts = f"{len(self.kernels)} kernels timed, {len(self.changed)} changed"
        rest = f"{self.known} known from before, {self.left} left for want of time"
        return "\n".join([*lines, f"{counts}; {rest}"])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Two columns of words, then numbers that end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def autotune(model: Model, *, seconds: float = 60.0, again: bool = False, progress: bool = True) -> Tuning:
    """Time the schedules that each kernel of the model can take, on one thread, and take the fastest from now on.

    A schedule is how many channels, positions and samples a kernel works on at once. The engine chooses one by a model
    of the processor; timing can know better. No schedule changes a bit of any result. Choices are kept in the cache
    folder, for this kind of processor: other models, trainings and processes take them where they have the same layers
    at the same shapes. Without a cache folder they last as long as the process.

    Kernels of predictions, of gradients and of training steps of 128 samples are timed, the slowest first. A scan of
    larger signals has kernels of its own, which are not. Other work on the machine disturbs the measurements.

    Args:
        model: the model, of backend `"native"`. It uses the choices from now on; a running `fit` does not.
        seconds: time after which no further kernel is begun, more than 0. What is left can be timed by another call.
        again: whether to time kernels again whose choice is known.
        progress: whether to show a progress bar if standard error is a terminal.

    Raises:
        ArgumentTypeError, ArgumentError: an argument is not as stated.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv2d(8, 3), sw.ReLU(), sw.Flatten(), sw.Linear(2)), input_shape=(1, 6, 6))
    >>> x = np.random.default_rng(0).normal(size=(4, 1, 6, 6))
    >>> y = model(x)
    >>> tuning = sw.autotune(model, seconds=5)
    >>> np.array_equal(model(x), y)
    True
    """
    executor = _native(model)
    deadline = time.perf_counter() + _checked_seconds(seconds)
    placed = _distinct_kernels(model, executor.target)
    todo = [p for p in placed if again or not choices.is_known(p.kernel, p.target)]
    todo.sort(key=PlacedKernel.seconds, reverse=True)
    timed: list[TunedKernel] = []
    numbers: dict[Kernel, int] = {}
    try:
        for each in _shown(todo, wanted=bool(progress)):
            if time.perf_counter() >= deadline:
                break
            measured = each.measure()
            numbers[each.kernel] = measured.number
            schedule = getattr(measured.kernel, "schedule", None)
            timed.append(TunedKernel(each.owner, _step(each), measured.before, measured.after, schedule))
    finally:  # Ctrl-C leaves what is known by then
        choices.keep(numbers, executor.target)
        executor.forget_plans()
    return Tuning(tuple(timed), len(placed) - len(todo), len(todo) - len(timed))


def _native(model: object) -> NativeExecutor:
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    executor = model.executor
    if not isinstance(executor, NativeExecutor):
        raise ArgumentError(f"model must have the backend 'native'. Got {model.backend!r}.")
    return executor


def _checked_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentTypeError(f"seconds must be a number. Got {value!r}.")
    if not value > 0:
        raise ArgumentError(f"seconds must be more than 0. Got {value}.")
    return float(value)


def _distinct_kernels(model: Model, target: Target) -> list[PlacedKernel]:
    """Every kernel with schedules to choose from, once, where it is called first."""
    found: dict[Kernel, PlacedKernel] = {}
    for runner in _plans(model, target):
        for placed in placed_kernels(runner, target):
            found.setdefault(placed.kernel, placed)
    return list(found.values())


def _plans(model: Model, target: Target) -> Iterator[Runner]:
    """The plans of predictions, gradients and training, with memory of their own."""
    executor = NativeExecutor(model.network, model.input_shape, target=target)
    executor.load_parameters(model.parameters)
    x = np.zeros((2, *model.input_shape), np.float32)
    for samples in (x[:1], x):
        executor.forward(samples)
        executor.forward(samples, fast=True)
    executor.gradients(x, np.zeros((2, *model.output_shape), np.float32))
    yield from executor.runners
    labels = len(model.output_shape) == 1 and model.output_shape[0] > 1
    loss = model.loss or ("cross_entropy" if labels else "mse")
    y = np.zeros(2, np.int64) if loss == "cross_entropy" else np.zeros((2, *model.output_shape), np.float32)
    program = NativeProgram(
        model.network,
        model.input_shape,
        loss=loss,
        optimizer=SGD(1.0),
        batch_size=_BATCH,
        seed=0,
        target=target,
    )
    program.write_parameters(model.parameters)
    program.begin_epoch(x, y, np.arange(2, dtype=np.int64), np.zeros(1, np.float32))  # compiles it
    if program.runner is not None:
        yield program.runner


def _shown(kernels: Sequence[PlacedKernel], *, wanted: bool) -> Iterable[PlacedKernel]:
    """The kernels one by one, with a bar on standard error if that is a terminal."""
    if not wanted:
        return kernels
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(kernels, "timing schedules", console=console, disable=not console.is_terminal)


def _step(kernel: PlacedKernel) -> str:
    if "dx" in kernel.arguments:
        return "input gradient"
    return "weight gradient" if "d weight" in kernel.arguments else "forward"
