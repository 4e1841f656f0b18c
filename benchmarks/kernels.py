"""How close each compiled kernel comes to the machine's measured peak, in its place in the plan, on one thread.

A network is trained for a step and run once, so that its plans, arrays and parameters are those of real work. Then each
native call of the plan runs by itself, again and again, on those arrays.

Operations are those of the direct formula. An algorithm that needs fewer (Winograd) can pass 100 %.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.contenders import ScanwiseTraining
from benchmarks.networks import Case
from benchmarks.peak import peak_gflops
from benchmarks.timing import Work, interleaved
from scanwise import shapes
from scanwise.plan.executor import NativeExecutor
from scanwise.plan.runner import Runner

PASSES = ("inference", "training forward", "input gradient", "parameter gradients")


@dataclass(frozen=True)
class Efficiency:
    """One layer's kernels.

    Attributes:
        layer: its place, the call that makes it, and its input shape.
        gflops: billions of operations a second, by pass.
        peak: the machine's measured peak on one thread.
    """

    layer: str
    gflops: dict[str, float]
    peak: float


def of(case: Case, *, rounds: int, seconds: float) -> list[Efficiency]:
    """Every layer of the network that multiplies weights."""
    sw.set_threads(1)
    works = dict(_works(case))
    taken = interleaved({name: work for name, (work, _) in works.items()}, rounds=rounds, seconds=seconds)
    rows = []
    for layer in shapes.walk(case.network(), case.input_shape):
        speeds = {}
        for name in PASSES:
            key = f"{layer.name} {name}"
            if key in works:
                speeds[name] = layer.operations * works[key][1] / taken[key] / 1e9
        if speeds:
            title = f"{layer.name} {layer.layer!r} on {'x'.join(map(str, layer.input_shape))}"
            rows.append(Efficiency(title, speeds, peak_gflops(1)))
    return rows


def runners_of(case: Case) -> tuple[tuple[Runner, object, bool], ...]:
    """The network's plans for inference and for training, each run once: runner, what owns its memory, whether it
    trains.
    """
    model = case.model()
    x, y = case.samples(case.batch)
    executor = model.executor
    assert isinstance(executor, NativeExecutor)
    model(x)
    training = ScanwiseTraining(case, x, y)
    training.run(1)
    trainer = training.program.runner
    assert trainer is not None
    (inference,) = executor.runners
    return (inference, executor, False), (trainer, training, True)


def _works(case: Case) -> Iterator[tuple[str, tuple[Work, int]]]:
    """For each layer with weights and each pass: the work, and the samples that one call of it takes."""
    weighted = {name.rpartition(".")[0] for name in case.model().parameters}
    for runner, owner_of_memory, trains in runners_of(case):
        compiled = runner.compiled
        calls: dict[str, list[NDArray[np.int64]]] = {}
        for record, call, owner in zip(compiled.records, compiled.calls, compiled.owners, strict=True):
            if owner in weighted:
                calls.setdefault(f"{owner} {pass_of(call.arguments, trains)}", []).append(record)
        for name, records in calls.items():
            yield name, (Repeated(records, runner, compiled.samples, owner_of_memory), compiled.samples)


def pass_of(arguments: tuple[str, ...], trains: bool) -> str:
    """The pass that a layer's native call belongs to."""
    if any(argument.startswith("d ") for argument in arguments):
        return "parameter gradients"
    if "dx" in arguments:
        return "input gradient"
    if "dy" in arguments:  # what parameter gradients start from
        return "parameter gradients"
    return "training forward" if trains else "inference"


class Repeated:
    """Runs native calls one after another, on the first thread's arrays. Holds what owns the memory that they use."""

    def __init__(self, records: list[NDArray[np.int64]], runner: Runner, samples: int, owner: object) -> None:
        self.owner = owner
        self.calls = []
        bases = runner._bases[0]
        for record in records:
            count = int(record[1])
            places = record[2 : 2 + 2 * count].reshape(count, 2)
            kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (count + 1))
            pointers = [int(bases[base]) + int(offset) for base, offset in places]
            self.calls.append((kind(int(record[0])), (*pointers, samples)))

    def __call__(self, calls: int) -> None:
        for _ in range(calls):
            for function, arguments in self.calls:
                function(*arguments)
