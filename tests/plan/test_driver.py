"""The driver's surroundings: the processor's floating-point mode, and code for other processors."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from scanwise.codegen import jit
from scanwise.codegen.emitter import Emitter
from scanwise.codegen.floating_point import FloatingPointMode
from scanwise.codegen.target import TARGETS, Target
from scanwise.layers import Flatten, Linear, Sequential
from scanwise.plan.driver import Driver
from scanwise.plan.executor import NativeExecutor
from scanwise.plan.stages import Calling, StandingBy


@dataclass(frozen=True)
class FlushSmallNumbers:
    """Makes this thread take numbers below 2**-126 as zero, as libraries compiled for speed do."""

    pointers: int = 1

    def emit(self, e: Emitter) -> None:
        FloatingPointMode(e).flush_small_numbers()


@pytest.mark.parametrize("samples", [1, 5])
def test_results_do_not_depend_on_the_threads_floating_point_mode(samples: int) -> None:
    executor = NativeExecutor(Sequential(Flatten(), Linear(3, bias=False)), (1, 2, 3))
    executor.load_parameters({"1.weight": np.ones((3, 6), np.float32)})
    x = np.full((samples, 1, 2, 3), 1e-39, np.float32)
    expected = executor.forward(x)
    assert (expected > 0).all()
    flush = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(jit.address(FlushSmallNumbers()))
    found: list[bytes] = []
    left: list[float] = []

    def elsewhere() -> None:
        flush(None, 0)
        found.append(executor.forward(x).tobytes())
        left.append(float((x * np.float32(0.5)).max()))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [expected.tobytes()]
    assert left == [0.0]  # the thread's own mode is as it was


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("loop", [Driver(), Calling(), StandingBy()], ids=repr)
def test_the_native_loops_compile_for_every_target(loop: jit.Kernel, target: Target) -> None:
    assert "kernel" in jit.assembly(loop, target)
