"""exp, log, tanh and the logistic function: accuracy over the whole range of float32, bits on every target."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from scanwise.codegen import functions, jit
from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.target import Target
from tests.kernels.harness import host_targets

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def distribution(e: Emitter, x: Value, lanes: int) -> Value:
    return functions.normal(e, x, lanes)[0]


def density(e: Emitter, x: Value, lanes: int) -> Value:
    return functions.normal(e, x, lanes)[1]


FORMULAS = {
    "exp": functions.exp,
    "log": functions.log,
    "tanh": functions.tanh,
    "logistic": functions.logistic,
    "normal": distribution,
    "density": density,
}


def exact_logistic(x: Float64) -> Float64:
    return 1 / (1 + np.exp(-x))


exact_normal = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), otypes=[np.float64])


def exact_density(x: Float64) -> Float64:
    return np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)


# The bounds that the module states, in units in the last place.
CASES: dict[str, tuple[Callable[[Float64], Float64], float]] = {
    "exp": (np.exp, 1.0),
    "log": (np.log, 1.0),
    "tanh": (np.tanh, 1.5),
    "logistic": (exact_logistic, 2.6),
    "normal": (exact_normal, 7.0),
    "density": (exact_density, 3.0),
}


@dataclass(frozen=True)
class Pointwise:
    """y = f(x) on vectors."""

    function: str
    lanes: int
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments

        def vector(i: Index) -> None:
            at = e.mul(i, self.lanes)
            e.store(FORMULAS[self.function](e, e.load(x, at, self.lanes), self.lanes), y, at)

        e.loop(e.n, vector)


def evaluate(function: str, x: Float32, lanes: int = 16, target: Target | None = None) -> Float32:
    y = np.zeros_like(x)
    native = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    address = jit.address(Pointwise(function, lanes), target)
    native(address)(x.ctypes.data, y.ctypes.data, len(x) // lanes)
    return y


def whole_range(function: str, step: int) -> Float32:
    """Every step-th finite normal float32 of both signs (of one sign for log), a multiple of 16 of them."""
    bits = np.arange(0x00800000, 0x7F800000, step, dtype=np.uint32)
    bits = bits[: len(bits) // 16 * 16]
    positive = bits.view(np.float32)
    return positive if function == "log" else np.concatenate([positive, -positive])


@pytest.mark.parametrize("function", CASES)
def test_accuracy(function: str) -> None:
    exact_function, bound = CASES[function]
    x = whole_range(function, 997)
    with np.errstate(over="ignore", under="ignore"):
        exact = exact_function(x.astype(np.float64))
        nearest = exact.astype(np.float32)
    y = evaluate(function, x)
    unit = np.spacing(np.minimum(np.abs(nearest), np.float32(2.0**127))).astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.where(y == nearest, 0.0, np.abs(y - exact) / unit)
    if function == "logistic":  # results below 2**-126 are zero
        error[x < -87.33] = 0
        assert (y[x < -87.33] <= 2.0**-125).all()
    if function in ("normal", "density"):
        small = nearest < 2.0**-126
        assert (y[small] <= 2.0**-125).all()
        error[small] = 0
    worst = int(error.argmax())
    assert error[worst] < bound, f"{function}({x[worst]!r}) = {y[worst]!r}, exact {exact[worst]!r}"


@pytest.mark.parametrize("function", CASES)
def test_same_bits_on_every_target_and_width(function: str) -> None:
    x = whole_range(function, 65521)
    first = evaluate(function, x)
    for target in host_targets():
        for lanes in (1, 4, 16):
            assert evaluate(function, x, lanes, target).tobytes() == first.tobytes()


def test_values_at_the_ends() -> None:
    ends = np.array([0.0, -0.0, 3.4e38, -3.4e38, 88.7, -103.9, 1e-45, -1e-45] * 2, np.float32)
    exp = evaluate("exp", ends)
    assert exp[:4].tolist() == [1, 1, np.inf, 0]
    assert np.isfinite(exp[4])
    assert exp[5] == np.float32(1e-45)  # the least subnormal number
    tanh = evaluate("tanh", ends)
    assert tanh[:4].tolist() == [0, 0, 1, -1]
    assert evaluate("logistic", ends)[:4].tolist() == [0.5, 0.5, 1, 0]
    # Zero and what is smaller than every normal number count as the least normal number: log stays finite.
    assert evaluate("log", ends)[[0, 6]].tolist() == [np.log(np.float32(2.0**-126))] * 2
    assert evaluate("log", np.ones(16, np.float32))[0] == 0
