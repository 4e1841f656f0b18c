"""Activations that are x times a gate, a function that rises from 0 to 1: SiLU and GELU, with their slopes at x.

They fall before they rise, so that their slopes are no functions of what comes out.
"""

import math

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Value

__all__ = ["gelu", "gelu_slope", "gelu_tanh", "gelu_tanh_slope", "silu", "silu_slope"]


# From here on a gate is 0 or 1, and the slope is the gate. A larger x counts as this one, or its cube would overflow,
# and infinity times a slope of zero would be no number.
_LIMIT = 120.0


def _bounded(e: Emitter, x: Value, lanes: int) -> Value:
    """x between -120 and 120."""
    high, low = e.constant(_LIMIT, lanes), e.constant(-_LIMIT, lanes)
    x = e.builder.select(e.builder.fcmp_ordered("<", high, x), high, x)
    return e.fmax(x, low)


# x s(x) with the logistic function s, and its slope s + x s (1 - s)


def silu(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    return e.builder.fmul(x, functions.logistic(e, x, lanes))


def silu_slope(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    x = _bounded(e, x, lanes)
    s = functions.logistic(e, x, lanes)
    rest = e.builder.fsub(e.constant(1.0, lanes), s)
    return e.fma(e.builder.fmul(x, s), rest, s)


# x Phi(x), and its slope Phi(x) + x phi(x)


def gelu(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    return e.builder.fmul(x, functions.normal(e, x, lanes)[0])


def gelu_slope(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    distribution, density = functions.normal(e, x, lanes)
    return e.fma(_bounded(e, x, lanes), density, distribution)


# x s(v) with v = 2 sqrt(2 / pi) (x + 0.044715 x^3), which is x (1 + tanh(v / 2)) / 2, and its slope
# s + x s (1 - s) v', v' = 2 sqrt(2 / pi) (1 + 3 0.044715 x^2)

_GELU_LINEAR = 2.0 * math.sqrt(2.0 / math.pi)
_GELU_CUBIC = _GELU_LINEAR * 0.044715


def _steepness(e: Emitter, x: Value, lanes: int) -> tuple[Value, Value]:
    """(v, x^2) for x within bounds."""
    square = e.builder.fmul(x, x)
    factor = e.fma(square, e.constant(_GELU_CUBIC, lanes), e.constant(_GELU_LINEAR, lanes))
    return e.builder.fmul(factor, x), square


def gelu_tanh(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    v, _square = _steepness(e, _bounded(e, x, lanes), lanes)
    return e.builder.fmul(x, functions.logistic(e, v, lanes))


def gelu_tanh_slope(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    x = _bounded(e, x, lanes)
    v, square = _steepness(e, x, lanes)
    slope = e.fma(square, e.constant(3.0 * _GELU_CUBIC, lanes), e.constant(_GELU_LINEAR, lanes))
    # s(-v) is 1 - s with all of its digits, which x v' multiplies.
    s, rest = functions.logistic(e, v, lanes), functions.logistic(e, e.builder.fneg(v), lanes)
    return e.fma(e.builder.fmul(e.builder.fmul(x, s), rest), slope, s)
