"""What happens to samples before the network sees them: native calls on float32 samples, channels first.

In training they come between the caller's array and the network's input, on the few samples that an arena holds:
samples are gathered one behind the other as they are, the steps change them in their place, and then they become a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.jit import Kernel
from scanwise.codegen.target import Target, host_target
from scanwise.kernels.dropout import DropoutOperation, SampleKeys
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call
from scanwise.kernels.optimizer import StepRow
from scanwise.kernels.transfer import Gather
from scanwise.plan.compiled import records_of
from scanwise.plan.driver import Driver, Field
from scanwise.plan.parameters import Place, aligned_zeros
from scanwise.plan.records import Base
from scanwise.plan.runner import driver_function

if TYPE_CHECKING:
    from scanwise.plan.program import Program

__all__ = ["SampleStep", "change_samples", "plan_samples"]


@dataclass(frozen=True, eq=False)
class SampleStep:
    """A native call that changes samples. Its arguments: samples, keys (int32, one a sample), settings, scratch.

    Attributes:
        kernel: what is called.
        settings: what its third argument points to.
        scratch: floats that it needs beside.
        keeps: arrays whose addresses are among the settings.
    """

    kernel: Kernel
    settings: NDArray[np.int64]
    scratch: int
    keeps: tuple[NDArray[Any], ...] = ()


def plan_samples(program: Program) -> None:
    """Plan the calls that bring the samples into the network's input, and the keys of what is drawn for them."""
    goal, place = program.values[0]
    drops = any(isinstance(node.operation, DropoutOperation) for node in program.graph.nodes)
    if drops or program.steps:
        program.emit(SampleKeys(), Place(Base.ORDER), Place(Base.STEP_ROW, StepRow.SEED), program.keys)
    if not program.steps:
        gather = Gather(program.dtype, goal, program.goal.scattered)
        program.emit(gather, Place(Base.SAMPLES), Place(Base.ORDER), place)
        return
    size = goal.channels * goal.height * goal.width
    samples = program.floats(size * program.samples)
    as_they_are = Gather(program.dtype, FeatureMap(1, 1, size, 1))
    program.emit(as_they_are, Place(Base.SAMPLES), Place(Base.ORDER), samples)
    for step in program.steps:
        program.reserve_scratch(step.scratch)
        program.emit(step.kernel, samples, program.keys, _place(step.settings), Place(Base.SCRATCH))
    in_order = np.arange(program.samples, dtype=np.int64)
    program.kept += [in_order, *(array for step in program.steps for array in (step.settings, *step.keeps))]
    program.emit(Gather("float32", goal), samples, _place(in_order), place)


def _place(array: NDArray[Any]) -> Place:
    """Where an array lies that is in no arena."""
    return Place(Base.ABSOLUTE, array.ctypes.data // 4)


def change_samples(
    steps: Sequence[SampleStep],
    x: NDArray[np.float32],
    keys: NDArray[np.uint32],
    target: Target | None = None,
) -> None:
    """Carry out steps on samples `(N, ...)` in their place, at least one, outside any plan.

    Args:
        steps: for samples of this shape.
        x: C-contiguous.
        keys: `(N,)`.
        target: instruction set; the host's widest if None.
    """
    target = target or host_target()
    scratch = aligned_zeros(max(step.scratch for step in steps))
    calls = [
        (Call(step.kernel, ()), [_place(each) for each in (x, keys, step.settings, scratch)])
        for step in steps
    ]
    records = records_of(calls, target)
    c, bases = np.zeros(Field.SIZE, np.int64), np.zeros(len(Base), np.int64)
    c[Field.RECORDS], c[Field.RECORD_COUNT] = records.ctypes.data, len(records)
    c[Field.SAMPLES] = c[Field.BATCH] = c[Field.MICRO] = len(x)
    c[Field.THREADS] = c[Field.SHARDS] = c[Field.STEP_END] = 1
    driver_function(Driver(), target)(c.ctypes.data, bases.ctypes.data, 0)
