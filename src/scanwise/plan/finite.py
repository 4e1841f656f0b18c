"""Emits the check that values are finite."""

from scanwise.codegen.emitter import Emitter, Index, Value

__all__ = ["all_finite"]

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
