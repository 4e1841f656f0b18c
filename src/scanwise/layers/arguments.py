"""Checks of constructor arguments: each returns the canonical value or says what was expected."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError

Sizes = int | tuple[int, ...]
Table = Sequence[Sequence[int]] | NDArray[Any]  # as given; a layer keeps a tuple of tuples
Entry = TypeVar("Entry")

LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)  # of those with all digits
# What Python would turn into a float, but which is none.
_NO_NUMBERS = (bool, np.bool_, str, complex, np.complexfloating, np.ma.MaskedArray)


def integer(layer: str, name: str, value: object, *, minimum: int = 1) -> int:
    """`value` as an int of at least `minimum`; numpy integers are taken, bools and floats are not."""
    number = _index(value)
    expected = "a positive integer" if minimum == 1 else f"an integer of at least {minimum}"
    if number is None:
        raise ArgumentTypeError(f"{layer}: {name} must be {expected}. Got {value!r}.")
    if number < minimum:
        raise ArgumentError(f"{layer}: {name} must be {expected}. Got {value!r}.")
    return number


def sizes(layer: str, name: str, value: object, counts: tuple[int, ...], *, minimum: int = 1) -> Sizes:
    """`value` as one int, or as a tuple whose length is one of `counts`.

    Equal entries become one int, so that a layer has one form however it was written: `(5, 5)` is `5`.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        entries = tuple(integer(layer, name, entry, minimum=minimum) for entry in value)
        if len(entries) not in counts:
            raise ArgumentError(f"{layer}: {name} must be {_expected(counts, minimum)}. Got {value!r}.")
        return entries[0] if len(set(entries)) == 1 else entries
    if _index(value) is None:
        raise ArgumentTypeError(f"{layer}: {name} must be {_expected(counts, minimum)}. Got {value!r}.")
    return integer(layer, name, value, minimum=minimum)


def integers(layer: str, name: str, value: object, *, minimum: int = 1) -> tuple[int, ...]:
    """`value` as a tuple of ints of at least `minimum`: a sequence or an array."""
    entries = listed(value)
    if entries is None:
        raise ArgumentTypeError(f"{layer}: {name} must be a sequence of integers. Got {value!r}.")
    return tuple(integer(layer, name, entry, minimum=minimum) for entry in entries)


def per_axis(value: Sizes, count: int) -> tuple[int, ...]:
    """One entry an axis: an int is repeated."""
    return (value,) * count if isinstance(value, int) else value


def boolean(layer: str, name: str, value: object) -> bool:
    """`value` as a bool; nothing else is taken for one."""
    if not isinstance(value, bool):
        raise ArgumentTypeError(f"{layer}: {name} must be True or False. Got {value!r}.")
    return value


def number(layer: str, name: str, value: object) -> float:
    """`value` as a finite float."""
    # Python's own first: tables have many.
    if not (isinstance(value, float) or _is_number(value)):
        raise ArgumentTypeError(f"{layer}: {name} must be a number. Got {value!r}.")
    try:
        result = float(value)
    except (
        OverflowError,
        ValueError,
        TypeError,
    ):  # an int of hundreds of digits; a tensor of several numbers
        result = math.nan
    if not math.isfinite(result):
        raise ArgumentError(f"{layer}: {name} must be a finite number. Got {value!r}.")
    return result


def float32(layer: str, name: str, value: object) -> float:
    """`value` as a float that float32, which the engine computes with, can hold."""
    result = number(layer, name, value)
    if abs(result) > LARGEST_FLOAT32:
        raise ArgumentError(f"{layer}: {name} must be a finite number in float32. Got {value!r}.")
    return result


def positive(layer: str, name: str, value: object) -> float:
    """`value` as a float more than 0, in float32 too."""
    result = float32(layer, name, value)
    if result <= 0:
        raise ArgumentError(f"{layer}: {name} must be more than 0. Got {value!r}.")
    if result < SMALLEST_FLOAT32:  # float32 takes it for 0, or keeps a few digits of it
        raise ArgumentError(f"{layer}: {name} must be at least {SMALLEST_FLOAT32:.3g}. Got {value!r}.")
    return result


def _is_number(value: object) -> TypeGuard[SupportsFloat]:
    if isinstance(value, np.ndarray) and (value.ndim > 0 or value.dtype.kind not in "iuf"):
        return False
    return isinstance(value, SupportsFloat) and not isinstance(value, _NO_NUMBERS)


def choice(layer: str, name: str, value: object, options: tuple[str, ...]) -> str:
    """`value` as one of the `options`."""
    told = ", ".join(repr(option) for option in options)
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{layer}: {name} must be one of {told}. Got {value!r}.")
    if value not in options:
        raise ArgumentError(f"{layer}: {name} must be one of {told}. Got {value!r}.")
    return value


def listed(value: object) -> list[Any] | None:
    """The entries of a sequence or an array; None if it is neither, or a text."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return list(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else None


def bits(layer: str, name: str, value: object) -> tuple[tuple[int, ...], ...]:
    """`value` as a table of 0 and 1, rows of one length: a nested sequence or a two-dimensional array."""
    return _table(layer, name, value, _bit)


def numbers(layer: str, name: str, value: object) -> tuple[tuple[float, ...], ...]:
    """`value` as a table of float32 numbers, rows of one length: a nested sequence or a two-dimensional array."""
    return _table(layer, name, value, float32)


def _table(
    layer: str, name: str, value: object, read: Callable[[str, str, object], Entry]
) -> tuple[tuple[Entry, ...], ...]:
    outer = listed(value)
    inner = [] if outer is None else [listed(row) for row in outer]
    rows = tuple(tuple(read(layer, name, entry) for entry in row) for row in inner if row is not None)
    if outer is None or len(rows) < len(inner):
        raise ArgumentTypeError(f"{layer}: {name} must be a table, a sequence of rows. Got {value!r}.")
    lengths = [len(row) for row in rows]
    if not rows or min(lengths) == 0 or len(set(lengths)) > 1:
        raise ArgumentError(
            f"{layer}: {name} must have rows of one length, at least 1. Got lengths {lengths}."
        )
    return rows


def _bit(layer: str, name: str, value: object) -> int:
    bit = int(value) if isinstance(value, bool | np.bool_) else _index(value)
    if bit not in (0, 1):
        error = ArgumentTypeError if bit is None else ArgumentError
        raise error(f"{layer}: {name} must be a table of 0 and 1. Got the entry {value!r}.")
    return bit


def _index(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _expected(counts: tuple[int, ...], minimum: int) -> str:
    kind = "positive integer" if minimum == 1 else f"integer of at least {minimum}"
    article = "a" if minimum == 1 else "an"
    several = [f"a tuple of {count}" for count in counts if count > 1]
    return " or ".join([f"{article} {kind}", *several])
