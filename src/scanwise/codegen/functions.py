"""exp, log, tanh, the logistic function and the normal distribution as polynomials in emitted code: the same bits on
every processor.

Each is a chain of fused multiply-adds on vectors. Errors, measured in tests over the whole range, are below 1 unit in
the last place for exp and log, 1.5 for tanh, 2.6 for the logistic function, 7 for the normal distribution and 3 for its
density (results below 2**-126 are zero). Coefficients: Cephes (S. L. Moshier, single precision) for log and tanh; the
Taylor series for exp, whose truncation on |r| <= ln(2)/2 is below 2**-26; our own fit for the normal distribution.
"""

from collections.abc import Sequence

from llvmlite import ir

from scanwise.codegen.emitter import I32, Emitter, Value

__all__ = ["exp", "log", "logistic", "normal", "tanh"]

_ROUND = 12582912.0  # 1.5 * 2**23: adding it rounds a float to an integer held in its low bits
_LN2_HIGH, _LN2_LOW = (
    0.693359375,
    -2.12194440e-4,
)  # the high part has 9 significant bits: products with it are exact


def _polynomial(e: Emitter, x: Value, coefficients: Sequence[float], lanes: int) -> Value:
    """Horner's rule, highest power first."""
    total = e.constant(coefficients[0], lanes)
    for coefficient in coefficients[1:]:
        total = e.fma(total, x, e.constant(coefficient, lanes))
    return total


def _integers(lanes: int) -> ir.Type:
    return I32 if lanes == 1 else ir.VectorType(I32, lanes)


def _integer(value: int, lanes: int) -> Value:
    return ir.Constant(I32, value) if lanes == 1 else ir.Constant(ir.VectorType(I32, lanes), [value] * lanes)


def exp(e: Emitter, x: Value, lanes: int) -> Value:
    """e**x = 2**n * e**r with n = round(x / ln 2) and |r| <= ln(2) / 2. Overflows to infinity, underflows to zero."""
    b = e.builder
    x = e.fmax(
        b.select(b.fcmp_ordered("<", e.constant(89.0, lanes), x), e.constant(89.0, lanes), x),
        e.constant(-105.0, lanes),
    )
    shifted = e.fma(x, e.constant(1.4426950408889634, lanes), e.constant(_ROUND, lanes))
    n = b.fsub(shifted, e.constant(_ROUND, lanes))
    r = e.fma(n, e.constant(-_LN2_HIGH, lanes), x)
    r = e.fma(n, e.constant(-_LN2_LOW, lanes), r)
    value = _polynomial(e, r, (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0), lanes)
    # Scaling in two halves reaches infinity and the subnormal numbers without an exponent that does not exist.
    kind = _integers(lanes)
    power = b.sub(b.bitcast(shifted, kind), b.bitcast(e.constant(_ROUND, lanes), kind))
    half = b.ashr(power, _integer(1, lanes))
    for part in (half, b.sub(power, half)):
        scale = b.shl(b.add(part, _integer(127, lanes)), _integer(23, lanes))
        value = b.fmul(value, b.bitcast(scale, value.type))
    return value


def log(e: Emitter, x: Value, lanes: int) -> Value:
    """ln x = n ln 2 + ln(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2). Values below 2**-126 count as 2**-126."""
    b = e.builder
    kind = _integers(lanes)
    x = e.fmax(x, e.constant(2.0**-126, lanes))
    bits = b.bitcast(x, kind)
    root_half = _integer(0x3F3504F3, lanes)
    exponent = b.ashr(b.sub(bits, root_half), _integer(23, lanes))
    mantissa = b.sub(bits, b.shl(exponent, _integer(23, lanes)))
    f = b.fsub(b.bitcast(mantissa, x.type), e.constant(1.0, lanes))
    n = b.sitofp(exponent, x.type)
    square = b.fmul(f, f)
    coefficients = (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
    tail = b.fmul(b.fmul(_polynomial(e, f, coefficients, lanes), f), square)
    tail = e.fma(n, e.constant(_LN2_LOW, lanes), tail)
    tail = e.fma(square, e.constant(-0.5, lanes), tail)
    return e.fma(n, e.constant(_LN2_HIGH, lanes), b.fadd(f, tail))


def tanh(e: Emitter, x: Value, lanes: int) -> Value:
    """An odd polynomial for |x| < 0.625, else 1 - 2 / (exp(2 |x|) + 1) with the sign of x."""
    b = e.builder
    size = e.absolute(x)
    square = b.fmul(x, x)
    coefficients = (
        -5.70498872745e-3,
        2.06390887954e-2,
        -5.37397155531e-2,
        1.33314422036e-1,
        -3.33332819422e-1,
    )
    small = e.fma(b.fmul(_polynomial(e, square, coefficients, lanes), square), x, x)
    one = e.constant(1.0, lanes)
    grown = exp(e, b.fadd(size, size), lanes)
    large = b.fsub(one, b.fdiv(e.constant(2.0, lanes), b.fadd(grown, one)))
    return b.select(b.fcmp_ordered("<", size, e.constant(0.625, lanes)), small, e.copysign(large, x))


def logistic(e: Emitter, x: Value, lanes: int) -> Value:
    """1 / (1 + exp(-x))."""
    b = e.builder
    one = e.constant(1.0, lanes)
    return b.fdiv(one, b.fadd(one, exp(e, b.fneg(x), lanes)))


# Q(x) = erfc(x / sqrt(2)) / 2 = exp(-x^2 / 2) t R(t) with t = 1 / (1 + 0.26 x), for 0 <= x <= 15: R is the polynomial
# whose squared relative error over Chebyshev nodes is smallest; the error is 1.3e-8 at most. Highest power first.
_TAIL_SCALE = 0.26
_TAIL = (
    0.006592278564,
    -0.004357153796,
    -0.07308435388,
    0.148126973,
    -0.06743422553,
    0.1174047513,
    0.06565535145,
    0.09998087563,
    0.1033744312,
    0.1037410784,
)
_LARGEST_TAIL = 15.0  # exp(-x^2 / 2) is zero from 14.5 on
_DENSITY_AT_ZERO = 0.3989422804014327  # 1 / sqrt(2 pi)


def normal(e: Emitter, x: Value, lanes: int) -> tuple[Value, Value]:
    """(Phi(x), phi(x)): the standard normal distribution (1 + erf(x / sqrt(2))) / 2, and its density.

    Both tails keep their digits: Phi(-x) is Q(x), not 1 less something near 1. The square's rounding error d is put
    back, exp(-(s + d) / 2) = exp(-s / 2) (1 - d / 2), or it would be some hundred units in the last place far out.
    """
    b = e.builder
    one, limit = e.constant(1.0, lanes), e.constant(_LARGEST_TAIL, lanes)
    size = e.absolute(x)
    size = b.select(b.fcmp_ordered("<", size, limit), size, limit)
    square = b.fmul(size, size)
    error = e.fma(size, size, b.fneg(square))
    half = e.constant(-0.5, lanes)
    bell = exp(e, b.fmul(square, half), lanes)
    bell = e.fma(b.fmul(bell, half), error, bell)
    t = b.fdiv(one, e.fma(e.constant(_TAIL_SCALE, lanes), size, one))
    tail = b.fmul(b.fmul(bell, t), _polynomial(e, t, _TAIL, lanes))
    below = b.fcmp_ordered("<", x, e.constant(0.0, lanes))
    distribution = b.select(below, tail, b.fsub(one, tail))
    return distribution, b.fmul(bell, e.constant(_DENSITY_AT_ZERO, lanes))
