"""A sample while native code augments it: its values, its random numbers, its augmentation's settings.

Samples are float32, channels first, one behind the other: `x[c][h][w]`, with H = 1 for signals. Extents and settings
are read at run time, so that there is one compiled function for each kind of augmentation, whatever the samples.

Settings are 64-bit words: those of `Word`, then the augmentation's own, whole numbers or float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from scanwise.augment.draws import GOLDEN, STREAM
from scanwise.codegen.double import number
from scanwise.codegen.emitter import F64, I32, I64, Emitter, Index, Value
from scanwise.kernels.dropout import mix
from scanwise.layers import Shape

__all__ = ["LANES", "Sample", "Word", "settings_of"]

LANES = 16
_SUM_LANES = 8  # of sums over a sample, in float64


class Word(IntEnum):
    """Settings that every augmentation has."""

    STEP = 0  # what is added to a sample's key, hashed, to make that of the step
    THRESHOLD = 1  # of the word that decides whether it is applied
    CHANNELS = 2
    ROWS = 3
    COLUMNS = 4
    OWN = 5  # the first of the augmentation's own


def settings_of(step: int, p: float, shape: Shape, own: Sequence[int | float]) -> NDArray[np.int64]:
    """Settings as native code reads them.

    Args:
        step: the augmentation's number in the row.
        p: probability that it is applied.
        shape: of a sample, `(C, T)` or `(C, H, W)`.
        own: whole numbers stay whole.
    """
    rows, columns = (1, shape[1]) if len(shape) == 2 else shape[1:]
    words = [GOLDEN * (step + 1) % 2**32, int(p * 2.0**32), shape[0], rows, columns]
    words += [value if isinstance(value, int) else int(np.float64(value).view(np.int64)) for value in own]
    return np.array(words, np.int64)


class Sample:
    """Emits code about sample number n."""

    def __init__(self, e: Emitter, n: Index) -> None:
        samples, keys, self.settings, self.scratch = e.arguments
        self.e, self.b = e, e.builder
        self.channels, self.rows, self.columns = (
            self.whole_setting(word) for word in (Word.CHANNELS, Word.ROWS, Word.COLUMNS)
        )
        self.area = self.b.mul(self.rows, self.columns)
        self.size = self.b.mul(self.channels, self.area)
        self.values = e.at(samples, e.mul(n, self.size))
        # The key of `draws.step_keys`.
        stream = mix(e, self.b.add(e.load_integer(keys, n), ir.Constant(I32, STREAM)))
        self.key = mix(e, self.b.add(stream, self.b.trunc(self.whole_setting(Word.STEP), I32)))

    # --- settings -------------------------------------------------------------------------------------------------

    def whole_setting(self, word: Index) -> Value:
        return self._setting(word, I64)

    def setting(self, word: Index) -> Value:
        return self._setting(word, F64)

    def _setting(self, word: Index, kind: ir.Type) -> Value:
        place = self.b.gep(self.settings, [self.e.integer(word)], source_etype=I64)
        return self.b.load(place, typ=kind)

    # --- draws, as of `draws.Draws` -------------------------------------------------------------------------------

    def happens(self) -> Value:
        return self.b.icmp_unsigned("<", self.word(0), self.whole_setting(Word.THRESHOLD))

    def within(self, draw: int, interval: int) -> Value:
        """A number from the interval that two settings give."""
        return self.between(draw, self.setting(interval), self.setting(interval + 1))

    def between(self, draw: int, low: Value, high: Value) -> Value:
        b = self.b
        fraction = b.fmul(b.sitofp(b.lshr(self.word(draw), ir.Constant(I64, 8)), F64), number(2.0**-24))
        return b.fadd(low, b.fmul(fraction, b.fsub(high, low)))

    def whole(self, draw: Index, low: Index, high: Index) -> Value:
        b, e = self.b, self.e
        span = (
            e.add(high, 1)
            if isinstance(low, int) and low == 0
            else b.sub(e.integer(e.add(high, 1)), e.integer(low))
        )
        chosen = b.lshr(b.mul(self.word(draw), e.integer(span)), ir.Constant(I64, 32))
        return b.add(e.integer(low), chosen)

    def word(self, draw: Index) -> Value:
        """32 random bits, as an i64."""
        b = self.b
        count = self.e.integer(self.e.add(draw, 1))
        counter = b.mul(b.trunc(count, I32), ir.Constant(I32, GOLDEN))
        return b.zext(mix(self.e, b.add(self.key, counter)), I64)

    # --- values ---------------------------------------------------------------------------------------------------

    def each_plane(self, body: Callable[[Value, Value], None]) -> None:
        """Run `body(channel, its values)` for every channel."""
        e = self.e
        e.loop(self.channels, lambda c: body(c, e.at(self.values, e.mul(c, self.area))))

    def change(self, pointer: Value, count: Index, body: Callable[[Value, Index, int], Value]) -> None:
        """Replace values by `body(values, index of the first, lanes)`, some at a time."""
        e = self.e
        over(e, count, lambda i, lanes: e.store(body(e.load(pointer, i, lanes), i, lanes), pointer, i))

    def mean(self, pointer: Value, count: Value, *, squares: bool) -> Value:
        """The mean of values or of their squares, in float64, added up in one order."""
        e, b = self.e, self.b
        kind = ir.VectorType(F64, _SUM_LANES)

        def term(raw: Value, wide: ir.Type) -> Value:
            value = b.fpext(raw, wide)
            return b.fmul(value, value) if squares else value

        full = e.divide(count, _SUM_LANES)
        (lanes,) = e.loop(
            full,
            lambda i, total: [b.fadd(total, term(e.load(pointer, e.mul(i, _SUM_LANES), _SUM_LANES), kind))],
            [ir.Constant(kind, [0.0] * _SUM_LANES)],
        )
        (total,) = e.loop(
            count,
            lambda i, total: [b.fadd(total, term(e.load(pointer, i, 1), F64))],
            [e.horizontal(lanes, _SUM_LANES, b.fadd)],
            start=e.mul(full, _SUM_LANES),
        )
        return b.fdiv(total, b.sitofp(count, F64))


def over(e: Emitter, count: Index, body: Callable[[Index, int], None]) -> None:
    """Run `body(first, lanes)` over 0..count: whole vectors, then single values."""
    full = e.divide(count, LANES)
    e.loop(full, lambda i: body(e.mul(i, LANES), LANES))
    e.loop(count, lambda i: body(i, 1), start=e.mul(full, LANES))


def copy(e: Emitter, source: Value, goal: Value, count: Index) -> None:
    """Copy values to where none of them is."""
    over(e, count, lambda i, lanes: e.store(e.load(source, i, lanes), goal, i))


def clear(e: Emitter, pointer: Value, count: Index) -> None:
    """Set values to zero."""
    over(e, count, lambda i, lanes: e.store(e.constant(0.0, lanes), pointer, i))
