"""Powers of ten, sine and cosine of one float64 number in emitted code: the same bits on every processor.

They are for numbers that are needed once a sample, so they are series, not the shortest polynomials: no fused
operation, nothing of the system's library. Errors, measured in tests: 1e-13 of a power of ten (its exponent's rounding)
and 2e-16 of a sine or cosine.
"""

import math

from llvmlite import ir

from scanwise.codegen.emitter import F64, I64, Emitter, Value

__all__ = ["cosine_and_sine", "number", "power_of_ten"]

_ROUND = 1.5 * 2.0**52  # adding it rounds to an integer, which taking it away again leaves
_EXPONENT_BIAS, _MANTISSA_BITS = 1023, 52


def number(value: float) -> Value:
    """A constant."""
    return ir.Constant(F64, value)


def _rounded(e: Emitter, x: Value) -> Value:
    """The nearest whole number."""
    return e.builder.fsub(e.builder.fadd(x, number(_ROUND)), number(_ROUND))


def _series(e: Emitter, x: Value, coefficients: list[float]) -> Value:
    """Horner's rule, highest power first."""
    b = e.builder
    total: Value = number(coefficients[0])
    for coefficient in coefficients[1:]:
        total = b.fadd(b.fmul(total, x), number(coefficient))
    return total


def power_of_ten(e: Emitter, x: Value) -> Value:
    """10**x = 2**n exp(r ln 2) with n + r = x log2(10), |r| <= 1/2; from 2**-1022 to 2**1023, and no further."""
    b = e.builder
    y = b.fmul(x, number(math.log2(10.0)))
    for relation, bound in (("<", -1022.0), (">", 1023.0)):
        y = b.select(b.fcmp_ordered(relation, y, number(bound)), number(bound), y)
    n = _rounded(e, y)
    r = b.fmul(b.fsub(y, n), number(math.log(2.0)))
    # The first term left out is below (ln(2) / 2)^15 / 15! = 1e-19.
    value = _series(e, r, [1.0 / math.factorial(i) for i in range(14, -1, -1)])
    bits = b.shl(b.add(b.fptosi(n, I64), ir.Constant(I64, _EXPONENT_BIAS)), ir.Constant(I64, _MANTISSA_BITS))
    return b.fmul(value, b.bitcast(bits, F64))


def cosine_and_sine(e: Emitter, degrees: Value) -> tuple[Value, Value]:
    """Of an angle of less than 2**62 degrees. Whole turns and quarters are taken away from it exactly.

    With the quarter q and the rest x, |x| <= 45 degrees, they are (cos x, sin x), (-sin x, cos x), (-cos x, -sin x) or
    (sin x, -cos x).
    """
    b = e.builder
    whole = b.fptosi(degrees, I64)
    fraction = b.fsub(degrees, b.sitofp(whole, F64))
    turned = b.fadd(b.sitofp(b.srem(whole, ir.Constant(I64, 360)), F64), fraction)
    quarters = _rounded(e, b.fmul(turned, number(1.0 / 90.0)))
    x = b.fmul(b.fsub(turned, b.fmul(quarters, number(90.0))), number(math.pi / 180.0))
    square = b.fmul(x, x)
    # The first terms left out are below (pi / 4)^18 / 18! = 2e-18 and (pi / 4)^19 / 19!.
    cosine = _series(e, square, [(-1.0) ** i / math.factorial(2 * i) for i in range(8, -1, -1)])
    odd = _series(e, square, [(-1.0) ** i / math.factorial(2 * i + 1) for i in range(8, -1, -1)])
    sine = b.fmul(x, odd)
    q = b.and_(b.fptosi(quarters, I64), ir.Constant(I64, 3))

    def is_quarter(*numbers: int) -> Value:
        found = [b.icmp_signed("==", q, ir.Constant(I64, each)) for each in numbers]
        return found[0] if len(found) == 1 else b.or_(*found)

    swapped = is_quarter(1, 3)
    c, s = b.select(swapped, sine, cosine), b.select(swapped, cosine, sine)
    return (
        b.select(is_quarter(1, 2), b.fneg(c), c),
        b.select(is_quarter(2, 3), b.fneg(s), s),
    )
