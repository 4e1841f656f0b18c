"""PyTorch as a contender: eagerly in both memory layouts where images have two, and compiled in the quicker one."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import scanwise as sw
from benchmarks.protocol import LEARNING_RATE, MOMENTUM, POOL, PYTORCH, Array
from benchmarks.timing import interleaved
from benchmarks.torch_twin import twin_of

COMPILED = f"{PYTORCH} compiled"
LAYOUTS = {PYTORCH: torch.contiguous_format, f"{PYTORCH} channels_last": torch.channels_last}

# In this process: worker processes would outlive the compilation.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def compiler() -> str | None:
    """The C++ compiler that `torch.compile` needs, or None."""
    names = (os.environ.get("CXX"), "g++", "clang++")
    return next((name for name in names if name and shutil.which(name)), None)


def _compiled(module: nn.Module, options: dict[str, Any] | None = None) -> Callable[..., torch.Tensor]:
    """For one shape and as one graph: PyTorch may not fall back on running parts eagerly.

    It would after some compilations of one function, and takes all modules for one; so it forgets the earlier ones.
    """
    torch.compiler.reset()
    compiled: Callable[..., torch.Tensor] = torch.compile(
        module, dynamic=False, fullgraph=True, options=options
    )
    return compiled


def layouts_of(model: sw.Model) -> dict[str, torch.memory_format]:
    """A signal has one layout in PyTorch."""
    return LAYOUTS if len(model.input_shape) == 3 else {PYTORCH: torch.contiguous_format}


def module_in(model: sw.Model, layout: torch.memory_format) -> nn.Module:
    module: nn.Module = twin_of(model).to(memory_format=layout)  # type: ignore[call-overload]
    return module


def _batches(x: Array, batch: int, layout: torch.memory_format) -> list[torch.Tensor]:
    return [part.contiguous(memory_format=layout) for part in torch.from_numpy(x).split(batch)]


# --- inference ------------------------------------------------------------------------------------------------------


def inference(model: sw.Model, x: Array, batch: int, *, compiled: bool) -> dict[str, Callable[[int], object]]:
    """By name: the function that runs batch number `i`. The batches lie ready as tensors."""
    found = {}
    modules = {name: module_in(model, layout).eval() for name, layout in layouts_of(model).items()}
    for name, module in modules.items():
        found[name] = _forward(module, _batches(x, batch, LAYOUTS[name]))
    if compiled:
        best = _quickest({name: lambda calls, run=run: _repeat(run, calls) for name, run in found.items()})  # type: ignore[misc]
        # Freezing takes the weights as constants: what PyTorch offers for inference on CPUs.
        quick = _compiled(copy.deepcopy(modules[best]), {"freezing": True})
        found[COMPILED] = _forward(quick, _batches(x, batch, LAYOUTS[best]))
    return found


def _forward(
    module: Callable[[torch.Tensor], torch.Tensor], batches: list[torch.Tensor]
) -> Callable[[int], object]:
    def run(index: int) -> object:
        with torch.inference_mode():
            return module(batches[index])

    return run


def _repeat(run: Callable[[int], object], calls: int) -> None:
    for call in range(calls):
        run(call % POOL)


def _quickest(works: dict[str, Callable[[int], object]]) -> str:
    """Roughly: the name that a short timing finds quickest."""
    if len(works) == 1:
        return next(iter(works))
    taken = interleaved(works, rounds=3, seconds=0.05)
    return min(taken, key=lambda name: taken[name])


# --- training -------------------------------------------------------------------------------------------------------


class TorchTraining:
    """Steps of stochastic gradient descent with momentum; the optimizer is PyTorch's fused one, its quickest."""

    def __init__(
        self, module: nn.Module, batches: list[torch.Tensor], labels: list[torch.Tensor], compiled: bool
    ) -> None:
        self.module, self.batches, self.labels = module, batches, labels
        self.forward = _compiled(module) if compiled else module
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(module.parameters(), LEARNING_RATE, momentum=MOMENTUM, fused=True)
        self.position = 0

    def run(self, steps: int) -> list[torch.Tensor]:
        """The losses."""
        losses = []
        for _ in range(steps):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.forward(self.batches[self.position]), self.labels[self.position])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            self.position = (self.position + 1) % len(self.batches)
        return losses

    def parameters(self) -> dict[str, NDArray[np.floating]]:
        """After the last step."""
        return {name: value.detach().numpy().copy() for name, value in self.module.named_parameters()}


def training(
    model: sw.Model, x: Array, y: NDArray[np.int64], batch: int, *, compiled: bool
) -> dict[str, TorchTraining]:
    """By name."""
    labels = list(torch.from_numpy(y).split(batch))

    def make(layout: torch.memory_format, compiled: bool) -> TorchTraining:
        return TorchTraining(module_in(model, layout).train(), _batches(x, batch, layout), labels, compiled)

    found = {name: make(layout, False) for name, layout in layouts_of(model).items()}
    if compiled:
        best = _quickest({name: make(LAYOUTS[name], False).run for name in found})
        found[COMPILED] = make(LAYOUTS[best], True)
    return found
