"""What bounds each network: time at the multiply-add peak and at the bandwidth of cache and memory beside the time that
is measured.

One thread. Each native call of the plan runs by itself on the arrays of real work, and calls are added up by pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.bandwidth import FAR, NEAR, copy_work
from benchmarks.kernels import PASSES, Repeated, pass_of, runners_of
from benchmarks.networks import Case
from benchmarks.peak import peak_work
from benchmarks.report import Section
from benchmarks.timing import Work, interleaved
from scanwise import shapes

__all__ = ["Bound", "figures", "moved_bytes", "section"]

FLOAT = 4


@dataclass(frozen=True)
class Bound:
    """One network's pass, for one sample.

    Attributes:
        operations: by the direct formula.
        moved: bytes that must be read and written.
        peak: seconds at the multiply-add peak.
        cache, memory: seconds for moving the bytes within the second-level cache, where micro-batches stay, and
            through memory.
        measured: seconds.
    """

    network: str
    name: str
    operations: int
    moved: float
    peak: float
    cache: float
    memory: float
    measured: float

    @property
    def share(self) -> float:
        """Of the measured time, what arithmetic at the peak or moving within the cache takes, whichever is more."""
        return max(self.peak, self.cache) / self.measured


def moved_bytes(row: shapes.Row, name: str, samples: int) -> float:
    """Bytes that a pass of a layer must read and write for one sample: its input and output once (or their gradients),
    and its parameters once for every `samples` samples. Their gradients are read and written.
    """
    maps = math.prod(row.input_shape) + math.prod(row.output_shape)
    parameters = row.parameters * (2 if name == "parameter gradients" else 1)
    return FLOAT * (maps + parameters / samples)


def figures(case: Case, *, rounds: int, seconds: float) -> list[Bound]:
    """The passes of one network."""
    sw.set_threads(1)
    works = {name: (work, samples) for name, work, samples in _works(case)}
    limits = {"peak": peak_work(1), "cache": copy_work(NEAR), "memory": copy_work(FAR)}
    contenders: dict[str, Work] = {
        **{name: work for name, (work, _) in works.items()},
        **{name: work for name, (work, _) in limits.items()},
    }
    taken = interleaved(contenders, rounds=rounds, seconds=seconds)
    peak, cache, memory = (taken[name] / amount for name, (_, amount) in limits.items())
    found = []
    rows = shapes.walk(case.network(), case.input_shape)
    for name in PASSES:
        samples = works[name][1]
        layers = _layers(rows, name)
        operations = sum(row.operations for row in layers)
        moved = sum(moved_bytes(row, name, samples) for row in layers)
        bounds = operations * peak, moved * cache, moved * memory
        found.append(Bound(case.name, name, operations, moved, *bounds, taken[name] / samples))
    return found


def _layers(rows: list[shapes.Row], name: str) -> list[shapes.Row]:
    """The layers that have this pass: the first needs no input gradient."""
    if name == "parameter gradients":
        return [row for row in rows if row.parameters]
    return rows[1:] if name == "input gradient" else rows


def _works(case: Case) -> Iterator[tuple[str, Repeated, int]]:
    for runner, owner, trains in runners_of(case):
        compiled = runner.compiled
        calls: dict[str, list[NDArray[np.int64]]] = {}
        for record, call, layer in zip(compiled.records, compiled.calls, compiled.owners, strict=True):
            if layer:  # not the transfer to and from the caller's arrays, nor the loss
                calls.setdefault(pass_of(call.arguments, trains), []).append(record)
        for name, records in calls.items():
            yield name, Repeated(records, runner, compiled.samples, owner), compiled.samples


def section(bounds: list[Bound]) -> Section:
    """The table of the report."""
    rows = [
        [
            bound.network,
            bound.name,
            f"{bound.operations / 1e6:.3g}",
            f"{bound.moved / 1e3:.3g}",
            *(f"{value * 1e6:.3g}" for value in (bound.peak, bound.cache, bound.memory, bound.measured)),
            f"{bound.share:.0%}",
        ]
        for bound in bounds
    ]
    note = (
        "Microseconds for one sample on one thread. Bytes: input and output of every layer once, parameters once for "
        "the samples that are worked on together; activations are layers here, though they are computed in the step "
        "before. The share is of arithmetic at the peak or of moving within the second-level cache, whichever is more; "
        "Winograd's algorithm, which needs fewer operations, can pass 100 %."
    )
    head = ["network", "pass", "Mop", "kB", "at peak", "in cache", "through memory", "measured", "share"]
    return Section("What bounds each network", note, head, rows)
