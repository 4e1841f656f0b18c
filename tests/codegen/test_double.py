"""Powers of ten, sine and cosine of float64 numbers: accuracy, and bits on every target."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from scanwise.codegen import double, jit
from scanwise.codegen.emitter import F64, Emitter, Index, Value
from scanwise.codegen.target import Target
from tests.kernels.harness import host_targets

FORMULAS: dict[str, Callable[[Emitter, Value], Value]] = {
    "power of ten": double.power_of_ten,
    "cosine": lambda e, x: double.cosine_and_sine(e, x)[0],
    "sine": lambda e, x: double.cosine_and_sine(e, x)[1],
}


@dataclass(frozen=True)
class Apply:
    """A function of every float64 number. Arguments: x, y."""

    name: str
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments

        def one(i: Index) -> None:
            source, goal = (e.builder.gep(each, [e.integer(i)], source_etype=F64) for each in (x, y))
            e.builder.store(FORMULAS[self.name](e, e.builder.load(source, typ=F64)), goal)

        e.loop(e.n, one)


def applied(name: str, x: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    y = np.empty_like(x)
    call = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    call(jit.address(Apply(name), target))(x.ctypes.data, y.ctypes.data, len(x))
    return y


def on_all_targets(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    first, *others = [applied(name, x, target) for target in host_targets()]
    for other in others:
        assert other.tobytes() == first.tobytes()
    return first


def test_powers_of_ten() -> None:
    x = np.concatenate([np.linspace(-30.0, 30.0, 5001), [0.0, 1.0, -1.0]])
    np.testing.assert_allclose(on_all_targets("power of ten", x), 10.0**x, rtol=1e-13)


def test_powers_of_ten_end_where_numbers_do() -> None:
    found = on_all_targets("power of ten", np.array([-1e30, -400.0, 400.0, 1e30]))
    np.testing.assert_array_equal(found, [2.0**-1022, 2.0**-1022, 2.0**1023, 2.0**1023])


@pytest.mark.parametrize("name", ["cosine", "sine"])
def test_angles(name: str) -> None:
    degrees = np.concatenate([np.linspace(-400.0, 400.0, 4001), np.linspace(-1e6, 1e6, 99)])
    exact = {"cosine": np.cos, "sine": np.sin}[name](np.radians([math.fmod(d, 360.0) for d in degrees]))
    np.testing.assert_allclose(on_all_targets(name, degrees), exact, rtol=0, atol=2e-15)


def test_quarter_turns_are_exact() -> None:
    degrees = np.array([-360.0, -90.0, 0.0, 90.0, 180.0, 270.0, 3600.0])
    np.testing.assert_array_equal(on_all_targets("cosine", degrees), [1, 0, 1, 0, -1, 0, 1])
    np.testing.assert_array_equal(on_all_targets("sine", degrees), [0, -1, 0, 1, 0, -1, 0])
