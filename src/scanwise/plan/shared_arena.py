"""The memory of threads that run one sample together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.memory import available_bytes
from scanwise.plan.compiled import Compiled
from scanwise.plan.parameters import aligned_zeros
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner

__all__ = ["SharedArena"]


@dataclass(frozen=True)
class SharedArena:
    """One arena for all threads, and a scratch for each.

    Attributes:
        memory: all of it.
        bases: of every thread; samples, order and output are left to be set.
    """

    memory: NDArray[np.float32]
    bases: NDArray[np.int64]

    @classmethod
    def of(cls, runner: Runner, compiled: Compiled, threads: int) -> SharedArena | None:
        """For a plan whose parameters `runner` has; None if it was not cut, or if there is not enough memory."""
        floats = compiled.arena_floats + threads * compiled.scratch_floats
        if all(len(ends) == 1 for ends in compiled.stages) or 4 * floats > available_bytes():
            return None
        memory = aligned_zeros(floats)
        address = int(memory.ctypes.data)
        bases = np.tile(runner.bases_of(0), (threads, 1))
        bases[:, Base.ARENA] = address
        scratch = compiled.arena_floats + compiled.scratch_floats * np.arange(threads)
        bases[:, Base.SCRATCH] = address + 4 * scratch
        return cls(memory, bases)
