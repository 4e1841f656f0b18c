"""Emits the check that values are finite."""

from llvmlite import ir

from scanwise.codegen.emitter import I1, I64, Emitter, Index, Value

__all__ = ["all_finite", "samples_finite"]

_LANES = 16
_SUMS = 4


def all_finite(e: Emitter, values: Value, count: Index) -> Value:
    """Whether `count` float32 values are finite: times zero they are zero, but infinities and NaN make a NaN.

    The samples that are looked at are then in the cache for what reads them next.
    """
    b = e.builder
    zero, block = e.constant(0.0, _LANES), _LANES * _SUMS

    def add(total: Value, index: Index, lanes: int) -> Value:
        return b.fadd(total, b.fmul(e.load(values, index, lanes), e.constant(0.0, lanes)))

    def many(i: Value, *sums: Value) -> list[Value]:
        return [add(total, e.add(e.mul(i, block), v * _LANES), _LANES) for v, total in enumerate(sums)]

    blocks = b.sdiv(e.integer(count), e.integer(block))
    first, second, third, fourth = e.loop(blocks, many, [zero] * _SUMS)
    total = e.horizontal(b.fadd(b.fadd(first, second), b.fadd(third, fourth)), _LANES, b.fadd)
    (total,) = e.loop(count, lambda i, rest: [add(rest, i, 1)], [total], start=e.mul(blocks, block))
    return b.fcmp_ordered("==", total, e.constant(0.0, 1))


def samples_finite(e: Emitter, samples: Value, order: Value, n: Value, floats: Value, apart: Value) -> Value:
    """Whether the first `floats` values are finite of each of n samples; none are looked at if `floats` is 0.

    Args:
        samples: where float32 values begin.
        order: n numbers, each times `apart` the place of a sample among the values.
    """
    b = e.builder

    def sample(i: Index, so_far: Value) -> list[Value]:
        number = b.load(b.gep(order, [e.integer(i)], source_etype=I64), typ=I64)
        return [b.and_(so_far, all_finite(e, e.at(samples, b.mul(number, apart)), floats))]

    looked_at = b.select(b.icmp_signed(">", floats, e.integer(0)), n, e.integer(0))
    (finite,) = e.loop(looked_at, sample, [ir.Constant(I1, 1)])
    return finite
