"""The work that is timed: the same network in Scanwise and in what a user could take instead.

Everyone gets batches that lie ready in memory; Scanwise gathers its shuffled samples within the timed step. Results are
compared with float64 before anything is timed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import scanwise as sw
from benchmarks import exactness, torch_peer
from benchmarks.networks import Case
from benchmarks.onnx_twin import session_of
from benchmarks.protocol import (
    FAST,
    LEARNING_RATE,
    MOMENTUM,
    ONE_THREAD,
    ONNX_RUNTIME,
    POOL,
    SCANWISE,
    Array,
    Training,
)
from benchmarks.setting import Setting
from benchmarks.timing import Work
from scanwise.augment import Augment
from scanwise.training.native_program import NativeProgram

HAS_JAX = importlib.util.find_spec("jax") is not None


@dataclass(frozen=True)
class Contender:
    """What runs so many calls, and its errors against float64 by what was compared, found before."""

    work: Work
    errors: dict[str, float]


def set_threads(threads: int) -> None:
    """The same number of threads for everyone (ONNX Runtime takes it when its session is made, JAX at its start)."""
    sw.set_threads(threads)
    torch.set_num_threads(threads)


def left_out(setting: Setting) -> list[str]:
    """Which contenders do not take part, and why."""
    reasons = []
    if setting.quick:
        reasons.append("torch.compile (--quick)")
    elif torch_peer.compiler() is None:
        reasons.append("torch.compile (it needs a C++ compiler, and none was found)")
    if not HAS_JAX:
        reasons.append("JAX (not installed; the extra [benchmark] brings it)")
    return reasons


def _compiles(setting: Setting) -> bool:
    return not setting.quick and torch_peer.compiler() is not None


def inference(case: Case, batch: int, setting: Setting) -> dict[str, Contender]:
    """Contenders whose call is one batch through the network."""
    set_threads(setting.threads)
    model = case.model()
    x, _ = case.samples(POOL * batch)
    parts = np.split(x, POOL)
    session = session_of(model, setting.threads)
    functions: dict[str, Callable[[int], object]] = {
        SCANWISE: lambda i: model(parts[i]),
        FAST: lambda i: model(parts[i], precision="fast"),
        ONNX_RUNTIME: lambda i: session.run(None, {"x": parts[i]})[0],
        **torch_peer.inference(model, x, batch, compiled=_compiles(setting)),
    }
    if HAS_JAX:
        from benchmarks import jax_peer

        functions |= jax_peer.inference(model, parts)
    expected = exactness.expected_outputs(model, parts[0])
    contenders = {}
    for name, function in functions.items():
        errors = {"outputs": exactness.relative_error(np.asarray(function(0)), expected)}
        exactness.check(f"{case.name}, {name}", errors, exactness.OUTPUT_BOUND)
        contenders[name] = Contender(_rotating(function), errors)
    return contenders


def _rotating(function: Callable[[int], object]) -> Work:
    position = 0

    def work(calls: int) -> None:
        nonlocal position
        for _ in range(calls):
            function(position)
            position = (position + 1) % POOL

    return work


class ScanwiseTraining:
    """Steps of stochastic gradient descent in the native epoch loop, on `threads` threads (default: as they are)."""

    def __init__(
        self,
        case: Case,
        x: Array,
        y: NDArray[np.int64],
        threads: int | None = None,
        augment: Augment | None = None,
    ) -> None:
        self.case, self.x, self.y, self.threads = case, x, y, threads
        self.program = NativeProgram(
            case.network(),
            case.input_shape,
            loss="cross_entropy",
            optimizer=sw.SGD(LEARNING_RATE, momentum=MOMENTUM),
            batch_size=case.batch,
            seed=0,
            augment=augment,
        )
        self.program.write_parameters(dict(case.model().parameters))
        self.random = np.random.default_rng(0)
        self.order = np.arange(len(x))

    def run(self, steps: int) -> list[float]:
        """The losses. The first call takes the samples in their order, later ones shuffled."""
        if self.threads is not None:
            sw.set_threads(self.threads)
        losses: list[float] = []
        while steps > 0:
            epoch = min(steps, POOL)
            order = self.order[: epoch * self.case.batch].astype(np.int64)
            self.program.begin_epoch(self.x, self.y, order, np.full(epoch, LEARNING_RATE, np.float32))
            while self.program.advance(0.5) < epoch:
                pass
            losses.extend(float(loss) for loss in self.program.losses)
            self.order = self.random.permutation(len(self.x))
            steps -= epoch
        return losses

    def parameters(self) -> dict[str, Array]:
        """After the last step."""
        return self.program.read_parameters()


def training(case: Case, setting: Setting) -> dict[str, Contender]:
    """Contenders whose call is one training step."""
    set_threads(setting.threads)
    x, y = case.samples(POOL * case.batch)
    model = case.model()
    trainings: dict[str, Training] = {SCANWISE: ScanwiseTraining(case, x, y, setting.threads)}
    if setting.threads > 1:
        trainings[ONE_THREAD] = ScanwiseTraining(case, x, y, 1)
    trainings |= torch_peer.training(model, x, y, case.batch, compiled=_compiles(setting))
    if HAS_JAX:
        from benchmarks import jax_peer

        trainings |= jax_peer.training(model, x, y, case.batch)
    expected = exactness.expected_steps(model, x, y, case.batch)
    contenders = {}
    for name, contender in trainings.items():
        errors = exactness.training_errors(exactness.first_steps(contender), expected)
        exactness.check(f"{case.name}, {name}", errors, exactness.TRAINING_BOUND)
        contenders[name] = Contender(contender.run, errors)
    return contenders
