"""The work that is timed: the same network in Scanwise, PyTorch and ONNX Runtime.

PyTorch runs eagerly (`torch.compile` was slower on all five networks), in both memory layouts where images have two.
Its batches lie ready in memory; Scanwise gathers its shuffled samples within the timed step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import scanwise as sw
from benchmarks.networks import Case
from benchmarks.onnx_twin import session_of
from benchmarks.timing import Work
from benchmarks.torch_twin import twin_of
from scanwise.training.native_program import NativeProgram

POOL = 16
"""Batches that the inputs rotate through."""

LEARNING_RATE = 1e-3
MOMENTUM = 0.9

SCANWISE = "Scanwise"
ONNX_RUNTIME = "ONNX Runtime"

Array = NDArray[np.float32]


def set_threads(threads: int) -> None:
    """The same number of threads for everyone (ONNX Runtime takes it when its session is made)."""
    sw.set_threads(threads)
    torch.set_num_threads(threads)


def layouts_of(
    module: nn.Module, input_shape: tuple[int, ...]
) -> dict[str, tuple[nn.Module, torch.memory_format]]:
    """The module in each memory layout that PyTorch has for such inputs."""
    twins = {"PyTorch": (module, torch.contiguous_format)}
    if len(input_shape) == 3:
        other = copy.deepcopy(module).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        twins["PyTorch channels_last"] = (other, torch.channels_last)
    return twins


def _batches(x: Array, batch: int, layout: torch.memory_format) -> list[torch.Tensor]:
    whole = torch.from_numpy(x).split(batch)
    return [part.contiguous(memory_format=layout) for part in whole if len(part) == batch]


def inference(case: Case, batch: int, threads: int) -> dict[str, Work]:
    """Contenders whose call is one batch through the network; their results are compared first."""
    model = case.model()
    x, _ = case.samples(POOL * batch)
    session = session_of(model, threads)
    functions: dict[str, Callable[[int], object]] = {}
    parts = np.split(x, POOL)
    functions[SCANWISE] = lambda i: model(parts[i])
    functions[ONNX_RUNTIME] = lambda i: session.run(None, {"x": parts[i]})[0]
    for name, (module, layout) in layouts_of(twin_of(model).eval(), case.input_shape).items():
        functions[name] = _torch_forward(module, _batches(x, batch, layout))
    _check_equal({name: np.asarray(function(0)) for name, function in functions.items()})
    return {name: _rotating(function) for name, function in functions.items()}


def _torch_forward(module: nn.Module, batches: list[torch.Tensor]) -> Callable[[int], object]:
    def forward(index: int) -> object:
        with torch.inference_mode():
            return module(batches[index])

    return forward


def _rotating(function: Callable[[int], object]) -> Work:
    position = 0

    def work(calls: int) -> None:
        nonlocal position
        for _ in range(calls):
            function(position)
            position = (position + 1) % POOL

    return work


def _check_equal(results: dict[str, NDArray[np.floating]]) -> None:
    expected = results[SCANWISE]
    scale = float(np.abs(expected).max())
    for name, result in results.items():
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4 * scale, err_msg=name)


class ScanwiseTraining:
    """Steps of stochastic gradient descent in the native epoch loop."""

    def __init__(self, case: Case, x: Array, y: NDArray[np.int64]) -> None:
        self.case, self.x, self.y = case, x, y
        self.program = NativeProgram(
            case.network(),
            case.input_shape,
            loss="cross_entropy",
            optimizer=sw.SGD(LEARNING_RATE, momentum=MOMENTUM),
            batch_size=case.batch,
            seed=0,
        )
        self.program.write_parameters(dict(case.model().parameters))
        self.random = np.random.default_rng(0)

    def run(self, steps: int, shuffle: bool = True) -> list[float]:
        losses: list[float] = []
        while steps > 0:
            epoch = min(steps, POOL)
            order = self.random.permutation(len(self.x)) if shuffle else np.arange(len(self.x))
            order = order[: epoch * self.case.batch].astype(np.int64)
            self.program.begin_epoch(self.x, self.y, order, np.full(epoch, LEARNING_RATE, np.float32))
            while self.program.advance(0.5) < epoch:
                pass
            losses.extend(float(loss) for loss in self.program.losses)
            steps -= epoch
        return losses

    def work(self, calls: int) -> None:
        """So many steps, as work to time."""
        self.run(calls)


class TorchTraining:
    """The same steps in PyTorch."""

    def __init__(self, module: nn.Module, batches: list[torch.Tensor], labels: list[torch.Tensor]) -> None:
        self.module, self.batches, self.labels = module, batches, labels
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(module.parameters(), LEARNING_RATE, momentum=MOMENTUM)
        self.position = 0

    def run(self, steps: int) -> list[torch.Tensor]:
        losses = []
        for _ in range(steps):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.module(self.batches[self.position]), self.labels[self.position])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            self.position = (self.position + 1) % POOL
        return losses


def training(case: Case) -> dict[str, Work]:
    """Contenders whose call is one training step; their first losses are compared first."""
    x, y = case.samples(POOL * case.batch)
    ours = ScanwiseTraining(case, x, y)
    expected = ours.run(3, shuffle=False)
    works: dict[str, Work] = {SCANWISE: ours.work}
    labels = list(torch.from_numpy(y).split(case.batch))
    for name, (module, layout) in layouts_of(twin_of(case.model()).train(), case.input_shape).items():
        theirs = TorchTraining(module, _batches(x, case.batch, layout), labels)
        losses = [float(loss) for loss in theirs.run(3)]
        np.testing.assert_allclose(losses, expected, rtol=1e-3, err_msg=name)
        works[name] = lambda calls, theirs=theirs: _discard(theirs.run(calls))  # type: ignore[misc]
    return works


def _discard(_: object) -> None:
    """A timed call returns nothing."""
