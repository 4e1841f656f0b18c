"""What a plan is for, and what it is once compiled: records that the driver runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.codegen.target import Target
from scanwise.kernels.operation import Call
from scanwise.plan.parameters import Place
from scanwise.plan.records import ARGUMENTS, RECORD_WORDS

__all__ = ["Compiled", "Goal", "records_of"]


@dataclass(frozen=True)
class Goal:
    """What a plan is for.

    Attributes:
        loss: name of the loss, or None for the gradient of a given cotangent (with `backward`) or none at all.
        backward: whether gradients are computed.
        input_gradient: whether dx is.
        probabilities: whether the loss is of probabilities rather than logits.
        scattered: whether samples lie anywhere in memory, rather than one behind the other.
    """

    loss: str | None = None
    backward: bool = False
    input_gradient: bool = False
    probabilities: bool = False
    scattered: bool = False


@dataclass
class Compiled:
    """A plan that the driver can run.

    Attributes:
        records: the calls on a few samples, as the driver's records.
        derived_records: the calls that derive things from the parameters.
        derived_floats: size of what is derived.
        arena_floats: size of a thread's arena.
        scratch_floats: size of the scratch behind it.
        samples: how many samples the arena holds.
        calls: the calls themselves, for tests and benchmarks.
        owners: for each call the place of its layer in the network, or "" where it belongs to none.
        zeroed: of a shard's gradients, pairs (first float, floats) that calls add to.
        stages: pieces that threads may run at the same time: for each the number of calls up to its end.
        kept: arrays that calls point to.
    """

    records: NDArray[np.int64]
    derived_records: NDArray[np.int64]
    derived_floats: int
    arena_floats: int
    scratch_floats: int
    samples: int
    zeroed: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    calls: list[Call] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    stages: list[list[int]] = field(default_factory=list)
    kept: list[NDArray[Any]] = field(default_factory=list)


def records_of(calls: list[tuple[Call, list[Place]]], target: Target) -> NDArray[np.int64]:
    """The driver's records of calls with the places of their arguments; compiles what is not compiled yet."""
    records = np.zeros((len(calls), RECORD_WORDS), np.int64)
    records[:, 0] = jit.addresses([call.kernel for call, _ in calls], target)
    for record, (_, places) in zip(records, calls, strict=True):
        assert len(places) <= ARGUMENTS
        record[1] = len(places)
        record[2 : 2 + 2 * len(places)] = [word for p in places for word in (int(p.base), 4 * p.offset)]
    return records
