"""`scanwise.augment.signals` in native code; the formulas stand in the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from scanwise.augment.draws import FIRST_OF_NOISE, GOLDEN
from scanwise.augment.native.change import Change, ChangeKernel, change
from scanwise.augment.native.sample import Sample, Word, clear, copy
from scanwise.augment.signals import AddNoise, FrequencyMask, Gain, TimeMask, TimeShift
from scanwise.codegen.double import number, power_of_ten
from scanwise.codegen.emitter import F32, I32, Emitter, Index, Value
from scanwise.kernels.dropout import mix

__all__ = ["decibels", "float32", "root"]

# A half word's standard deviation is the root of (2^32 - 1) / 12; a sum of four has twice that.
_NOISE_SCALE = math.sqrt(3.0 / (2.0**32 - 1.0))
_NOISE_MEAN = 4 * 65535 // 2


@dataclass(frozen=True)
class TimeShiftKernel(ChangeKernel):
    """Settings: most, wrap."""

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        most, wrap = sample.whole_setting(Word.OWN), sample.whole_setting(Word.OWN + 1)
        s = sample.whole(1, b.neg(most), most)
        T = sample.columns
        back = b.icmp_signed("<", s, e.integer(0))
        # As a shift to the right by `moved`: samples from `moved` on are those up to T - moved.
        moved = b.select(back, b.add(s, T), s)
        kept = b.sub(T, moved)
        wraps = b.icmp_signed("!=", wrap, e.integer(0))

        def plane(_: Value, x: Value) -> None:
            copy(e, x, sample.scratch, T)
            first, last = e.at(x, 0), e.at(x, moved)
            with b.if_else(b.or_(wraps, back)) as (comes_in, otherwise):
                with comes_in:
                    copy(e, e.at(sample.scratch, kept), first, moved)
                with otherwise:
                    clear(e, first, moved)
            with b.if_else(b.and_(back, b.not_(wraps))) as (empty, rest):
                with empty:
                    clear(e, last, kept)
                with rest:
                    copy(e, sample.scratch, last, kept)

        sample.each_plane(plane)


@change.register
def _(augmentation: TimeShift) -> Change:
    return Change(TimeShiftKernel(), (augmentation.most, int(augmentation.wrap)))


@dataclass(frozen=True)
class GainKernel(ChangeKernel):
    """Settings: the interval of decibels."""

    def change(self, sample: Sample) -> None:
        e = sample.e
        factor = float32(e, decibels(sample, 20.0, Word.OWN))
        sample.change(
            sample.values, sample.size, lambda x, _, lanes: e.builder.fmul(x, e.broadcast(factor, lanes))
        )


@change.register
def _(augmentation: Gain) -> Change:
    return Change(GainKernel(), _pair(augmentation.decibels))


@dataclass(frozen=True)
class AddNoiseKernel(ChangeKernel):
    """Settings: the interval of signal-to-noise ratios."""

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        power = sample.mean(sample.values, sample.size, squares=True)
        deviation = root(e, b.fdiv(power, decibels(sample, 10.0, Word.OWN)))
        scale = float32(e, b.fmul(deviation, number(_NOISE_SCALE)))
        channels = b.trunc(sample.channels, I32)

        def plane(c: Value, x: Value) -> None:
            def noisy(values: Value, p: Index, lanes: int) -> Value:
                total = self._halves(e, sample.key, b.trunc(c, I32), channels, p, lanes)
                return e.fma(b.sitofp(total, values.type), e.broadcast(scale, lanes), values)

            sample.change(x, sample.area, noisy)

        sample.each_plane(plane)

    @staticmethod
    def _halves(e: Emitter, key: Value, c: Value, channels: Value, p: Index, lanes: int) -> Value:
        """Four half words less their mean, for each of the positions from p on: element e = p C + c has two words."""
        b = e.builder
        first = b.add(b.mul(b.trunc(e.integer(p), I32), channels), c)
        base = b.add(key, b.mul(b.shl(first, _word(1)), _word(GOLDEN)))
        words = e.broadcast(base, lanes)
        if lanes > 1:
            apart = e.integers([2 * GOLDEN * lane for lane in range(lanes)])
            words = b.add(words, b.mul(e.broadcast(channels, lanes), apart))

        def same(value: int) -> Value:
            return _word(value) if lanes == 1 else e.integers([value] * lanes)

        total = same(-_NOISE_MEAN)
        for place in (1, 2):
            word = mix(e, b.add(words, same(GOLDEN * (FIRST_OF_NOISE + place))))
            total = b.add(total, b.add(b.and_(word, same(0xFFFF)), b.lshr(word, same(16))))
        return total


@change.register
def _(augmentation: AddNoise) -> Change:
    return Change(AddNoiseKernel(), _pair(augmentation.snr))


@dataclass(frozen=True)
class TimeMaskKernel(ChangeKernel):
    """Settings: most, count."""

    def change(self, sample: Sample) -> None:
        e = sample.e

        def mask(start: Value, extent: Value) -> None:
            sample.each_plane(lambda _, x: clear(e, e.at(x, start), extent))

        _each_band(sample, sample.columns, mask)


@dataclass(frozen=True)
class FrequencyMaskKernel(ChangeKernel):
    """Settings: most, count."""

    def change(self, sample: Sample) -> None:
        e = sample.e

        def mask(start: Value, extent: Value) -> None:
            clear(e, e.at(sample.values, e.mul(start, sample.area)), e.mul(extent, sample.area))

        _each_band(sample, sample.channels, mask)


def _each_band(sample: Sample, total: Value, mask: Callable[[Value, Value], None]) -> None:
    e = sample.e
    most, count = sample.whole_setting(Word.OWN), sample.whole_setting(Word.OWN + 1)

    def band(i: Index) -> None:
        draw = e.mul(2, i)
        extent = sample.whole(e.add(draw, 1), 0, most)
        start = sample.whole(e.add(draw, 2), 0, sample.b.sub(total, extent))
        mask(start, extent)

    e.loop(count, band)


@change.register
def _(augmentation: TimeMask) -> Change:
    return Change(TimeMaskKernel(), (augmentation.most, augmentation.count))


@change.register
def _(augmentation: FrequencyMask) -> Change:
    return Change(FrequencyMaskKernel(), (augmentation.most, augmentation.count))


def decibels(sample: Sample, of_ten: float, interval: int) -> Value:
    """10^(g / of_ten) for g from the interval, by draw 1."""
    g = sample.within(1, interval)
    return power_of_ten(sample.e, sample.b.fdiv(g, number(of_ten)))


def root(e: Emitter, x: Value) -> Value:
    """The square root of a float64 number."""
    return e.builder.call(e.declare("llvm.sqrt.f64", x.type, [x.type]), [x])


def float32(e: Emitter, x: Value) -> Value:
    """The float32 number nearest to a float64 number."""
    return e.builder.fptrunc(x, F32)


def _word(value: int) -> Value:
    return ir.Constant(I32, value & 0xFFFFFFFF)


def _pair(interval: object) -> tuple[float, float]:
    """An interval that the augmentation has settled."""
    assert isinstance(interval, tuple)
    return interval
