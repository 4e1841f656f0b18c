"""A sweep of drawn convolutions against PyTorch, forward and backward.

Forward is `model(x)`, exact, against PyTorch's module in inference mode. Backward is `model.gradients(x, dy)` (forward
pass and all gradients) against `module(x).backward(dy)` with gradients of the input and of every parameter. PyTorch
counts in its better memory layout. Results are compared before anything is timed.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import scanwise as sw
from benchmarks.contenders import set_threads
from benchmarks.drawn_layers import DrawnLayer, draw
from benchmarks.figure import Figure
from benchmarks.layer import relative_error
from benchmarks.protocol import PYTORCH, SCANWISE
from benchmarks.report import Section
from benchmarks.timing import Work, interleaved
from benchmarks.torch_peer import layouts_of, module_in
from scanwise.layers import Conv1d, Conv2d

__all__ = ["SHAPES", "Ratios", "figures", "sections"]

SHAPES = 200
MINIMUM = 0.9
WORST = 10
POOL = 2  # batches that inputs rotate through
# Calls that are not timed: a model finds out in its first calls whether single windows gain from several threads.
SETTLING = 12
# Beyond this the two do not compute the same.
LARGEST_DIFFERENCE = 1e-4

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Ratios:
    """One drawn layer: seconds of a call, by contender.

    Attributes:
        number: its place among the drawn.
        name: the call that makes it, and its input.
        forward, backward: median seconds of one call.
    """

    number: int
    name: str
    forward: dict[str, float]
    backward: dict[str, float]

    def ratio(self, direction: str) -> float:
        """How many times as long PyTorch takes, in its better layout."""
        seconds = self.forward if direction == "forward" else self.backward
        return min(value for name, value in seconds.items() if name != SCANWISE) / seconds[SCANWISE]

    def ratio_in_same_layout(self, direction: str) -> float:
        """The same in the layout of the arrays that Scanwise is given."""
        seconds = self.forward if direction == "forward" else self.backward
        return seconds[PYTORCH] / seconds[SCANWISE]


def figures(
    threads: int, numbers: Sequence[int] = range(SHAPES), *, rounds: int = 5, seconds: float = 0.02
) -> list[Ratios]:
    """Times the drawn layers of these numbers."""
    set_threads(threads)
    drawn = draw(max(numbers) + 1)
    found = []
    for number in numbers:
        found.append(_of(number, drawn[number], rounds, seconds))
        ratios = ", ".join(f"{d} {found[-1].ratio(d):.2f}" for d in ("forward", "backward"))
        print(f"{number}: {found[-1].name}: {ratios}", file=sys.stderr, flush=True)
    return found


def _of(number: int, drawn: DrawnLayer, rounds: int, seconds: float) -> Ratios:
    model = sw.Model(sw.Sequential(drawn.layer), drawn.input_shape, seed=0)
    random = np.random.default_rng(number)
    xs = random.uniform(0.05, 1.0, (POOL, drawn.samples, *drawn.input_shape)).astype(np.float32)
    dys = random.standard_normal((POOL, drawn.samples, *model.output_shape)).astype(np.float32)
    calls: dict[str, Callable[[int], list[Array]]] = {SCANWISE: lambda i: [model(xs[i])]}
    gradients: dict[str, Callable[[int], list[Array]]] = {
        SCANWISE: lambda i: _gradients(model, xs[i], dys[i])
    }
    for name, layout in layouts_of(model).items():
        if layout is torch.channels_last and _crashes(drawn.layer):
            continue
        twin = _Twin(module_in(model, layout), layout, xs, dys)
        calls[name], gradients[name] = twin.forward, twin.backward
    for direction in (calls, gradients):
        _compare(str(drawn), {name: call(0) for name, call in direction.items()})
        for i in range(SETTLING):
            direction[SCANWISE](i % POOL)
    forward, backward = (
        interleaved({n: _rotating(c) for n, c in direction.items()}, rounds=rounds, seconds=seconds)
        for direction in (calls, gradients)
    )
    return Ratios(number, str(drawn), forward, backward)


def _crashes(layer: Conv1d | Conv2d) -> bool:
    """Whether PyTorch 2.13's backward pass ends the process in this memory layout: a strided 1 x 1 convolution, by
    itself and without Scanwise (12 to 32 channels, 305 samples of 34 x 34).
    """
    return isinstance(layer, Conv2d) and layer.kernel_size in (1, (1, 1)) and layer.stride not in (1, (1, 1))


def _gradients(model: sw.Model, x: Array, dy: Array) -> list[Array]:
    dx, by_parameter = model.gradients(x, dy)
    return [dx, by_parameter["0.weight"], by_parameter["0.bias"]]


class _Twin:
    """PyTorch's side in one memory layout. Its results are views of its tensors: nothing is copied."""

    def __init__(self, module: nn.Module, layout: torch.memory_format, xs: Array, dys: Array) -> None:
        self.module = module
        self.xs, self.dys = (
            [torch.from_numpy(part).contiguous(memory_format=layout) for part in arrays]
            for arrays in (xs, dys)
        )
        self.parameters = dict(module.named_parameters())

    def forward(self, index: int) -> list[Array]:
        with torch.inference_mode():
            return [self.module(self.xs[index]).numpy()]

    def backward(self, index: int) -> list[Array]:
        x = self.xs[index].requires_grad_()
        leaves = [x, self.parameters["0.weight"], self.parameters["0.bias"]]
        for leaf in leaves:
            leaf.grad = None
        self.module(x).backward(self.dys[index])
        found = [leaf.grad.numpy() for leaf in leaves if leaf.grad is not None]
        x.requires_grad_(False)
        return found


def _rotating(call: Callable[[int], object]) -> Work:
    def work(calls: int) -> None:
        for i in range(calls):
            call(i % POOL)

    return work


def _compare(name: str, results: dict[str, list[Array]]) -> None:
    expected = [np.asarray(result, np.float64) for result in results[SCANWISE]]
    for contender, found in results.items():
        for result, exact in zip(found, expected, strict=True):
            if relative_error(result, exact) > LARGEST_DIFFERENCE:
                raise AssertionError(f"{name}: {contender} gives something else")


def _spread(ratios: list[float]) -> list[str]:
    """Of sorted ratios: how many reach the minimum, the least, the quartiles, and the most."""
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    reached = sum(ratio >= MINIMUM for ratio in ratios)
    return [f"{reached} of {len(ratios)}", *(f"{cell:.2f}" for cell in (ratios[0], *quartiles, ratios[-1]))]


def sections(rows: list[Ratios]) -> list[Section]:
    """The tables of the report: the distribution, and the worst."""
    spread, worst, judged = [], [], []
    for direction in ("forward", "backward"):
        ordered = sorted(rows, key=lambda row: row.ratio(direction))
        best = [row.ratio(direction) for row in ordered]
        same = sorted(row.ratio_in_same_layout(direction) for row in rows)
        spread += [[direction, "the better", *_spread(best)], [direction, "the same", *_spread(same)]]
        judged.append(Figure(f"slowest drawn convolution, {direction}: times faster", best[0], "", MINIMUM))
        worst += [
            [direction, str(row.number), row.name]
            + [f"{ratio:.2f}" for ratio in (row.ratio(direction), row.ratio_in_same_layout(direction))]
            for row in ordered[:WORST]
        ]
    note = (
        f"{len(rows)} convolutions drawn with a fixed seed: how many times faster than PyTorch, in its better memory "
        "layout or in the same as Scanwise: arrays have channels first. Where channels last is better, PyTorch is "
        "given its arrays in that order, and Scanwise has to turn them. Backward is the forward pass with the "
        "gradients of input and parameters."
    )
    head = [
        "direction",
        "PyTorch's layout",
        f"at least {MINIMUM}",
        "least",
        "quarter",
        "median",
        "three quarters",
        "most",
    ]
    return [
        Section("Drawn convolutions against PyTorch", note, head, spread, judged),
        Section(
            "The slowest of them",
            "",
            ["direction", "number", "layer and input", "ratio", "same layout"],
            worst,
        ),
    ]
