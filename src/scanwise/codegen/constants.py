"""Constants of the intermediate representation, each made once.

llvmlite keeps the text of a constant with the object. A kernel that is written out has thousands of constants but few
different ones: making each once, and a shuffle's zeros as `zeroinitializer`, halves the time that writing the text of a
kernel takes and most of the text's length.
"""

import functools
from collections.abc import Sequence

from llvmlite import ir

__all__ = ["integer", "integers", "mask", "splat", "undefined"]

_I1, _I32, _I64, _F32 = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.FloatType()


@functools.cache
def integer(value: int, bits: int = 64) -> ir.Constant:
    """An integer."""
    return ir.Constant(_I32 if bits == 32 else _I64, value)


def splat(value: float, lanes: int) -> ir.Constant:
    """`value` in all lanes; a scalar if there is one lane."""
    return _splat(float(value).hex(), lanes)  # -0.0 equals 0.0, but is not the same constant


@functools.cache
def _splat(digits: str, lanes: int) -> ir.Constant:
    value = float.fromhex(digits)
    return (
        ir.Constant(_F32, value) if lanes == 1 else ir.Constant(ir.VectorType(_F32, lanes), [value] * lanes)
    )


def integers(values: Sequence[int]) -> ir.Constant:
    """A vector of 32-bit integers."""
    return _integers(tuple(values))


@functools.cache
def _integers(values: tuple[int, ...]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(values)), list(values) if any(values) else None)


@functools.cache
def mask(lanes: int, valid: int) -> ir.Constant:
    """True in the first `valid` lanes."""
    return ir.Constant(ir.VectorType(_I1, lanes), [int(lane < valid) for lane in range(lanes)])


@functools.cache
def undefined(kind: ir.Type) -> ir.Constant:
    """What a shuffle does not look at."""
    return ir.Constant(kind, ir.Undefined)
