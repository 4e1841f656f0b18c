"""`scanwise.augment.background` in native code; the formula stands in the reference."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from llvmlite import ir

from scanwise.augment.background import MixBackground
from scanwise.augment.native.change import Change, ChangeKernel, change
from scanwise.augment.native.sample import Sample, Word, over
from scanwise.augment.native.signals import decibels, float32, root
from scanwise.codegen.double import number
from scanwise.codegen.emitter import F32, I8, I32, POINTER, Index, Value

__all__: list[str] = []


class _Of(IntEnum):
    """Of each recording."""

    ADDRESS = 0
    LENGTH = 1
    BYTES = 2  # 1 if it is uint8, else 0
    SIZE = 3


_COUNT = Word.OWN + 2
_TABLE = Word.OWN + 3


@dataclass(frozen=True)
class MixBackgroundKernel(ChangeKernel):
    """Settings: the interval of signal-to-noise ratios, the number of recordings, and of each what `_Of` says."""

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        one = e.integer(1)
        which = sample.whole(2, 0, b.sub(sample.whole_setting(_COUNT), one))
        address, length, as_bytes = (
            sample.whole_setting(e.add(_TABLE + of, e.mul(which, _Of.SIZE)))
            for of in (_Of.ADDRESS, _Of.LENGTH, _Of.BYTES)
        )
        T = sample.columns
        covers = b.icmp_signed(">=", length, T)
        start = sample.whole(3, 0, b.select(covers, b.sub(length, T), b.sub(length, one)))
        recording = b.inttoptr(address, POINTER)
        with b.if_else(b.icmp_signed("!=", as_bytes, e.integer(0))) as (bytes_, floats):
            with bytes_:
                self._copy(sample, recording, length, start, I8)
            with floats:
                self._copy(sample, recording, length, start, F32)
        self._mix(sample)

    @staticmethod
    def _copy(sample: Sample, recording: Value, length: Value, start: Value, kind: ir.Type) -> None:
        """The stretch into the scratch, from `start` on, again and again until the sample is covered."""
        e, b = sample.e, sample.b
        T = sample.columns

        def load(source: Value, i: Index, lanes: int) -> Value:
            at = b.gep(source, [e.integer(i)], source_etype=kind)
            shaped = [each if lanes == 1 else ir.VectorType(each, lanes) for each in (kind, I32, F32)]
            raw = b.load(at, align=1 if kind == I8 else 4, typ=shaped[0])
            if kind == F32:
                return raw
            value = b.uitofp(b.zext(raw, shaped[1]), shaped[2])
            return b.fmul(value, e.constant(1.0 / 255.0, lanes))

        def channel(c: Index) -> None:
            goal = e.at(sample.scratch, e.mul(c, T))
            turns = b.sdiv(b.add(b.add(start, T), b.sub(length, e.integer(1))), length)

            def turn(i: Index, filled: Value) -> list[Value]:
                first = b.select(b.icmp_signed("==", e.integer(i), e.integer(0)), start, e.integer(0))
                count = e.integer(e.minimum(b.sub(T, filled), b.sub(length, first)))
                source = b.gep(recording, [e.affine((c, length), (1, first))], source_etype=kind)
                out = e.at(goal, filled)
                over(e, count, lambda j, lanes: e.store(load(source, j, lanes), out, j))
                return [b.add(filled, count)]

            e.loop(turns, turn, [e.integer(0)])

        e.loop(sample.channels, channel)

    @staticmethod
    def _mix(sample: Sample) -> None:
        e, b = sample.e, sample.b
        power = sample.mean(sample.scratch, sample.size, squares=True)
        with b.if_then(b.fcmp_ordered(">", power, number(0.0))):
            own = sample.mean(sample.values, sample.size, squares=True)
            ratio = b.fdiv(b.fdiv(own, power), decibels(sample, 10.0, Word.OWN))
            scale = float32(e, root(e, ratio))

            def mixed(x: Value, i: Index, lanes: int) -> Value:
                return e.fma(e.load(sample.scratch, i, lanes), e.broadcast(scale, lanes), x)

            sample.change(sample.values, sample.size, mixed)


@change.register
def _(augmentation: MixBackground) -> Change:
    assert isinstance(augmentation.snr, tuple)
    signals = augmentation.recordings.signals
    table = [(int(each.ctypes.data), each.shape[1], int(each.dtype == np.uint8)) for each in signals]
    settings = (*augmentation.snr, len(signals), *(word for row in table for word in row))
    return Change(MixBackgroundKernel(), settings, keeps=signals)
