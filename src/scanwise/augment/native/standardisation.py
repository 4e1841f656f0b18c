"""`scanwise.augment.standardisation` in native code; the formula stands in the reference."""

from __future__ import annotations

from dataclasses import dataclass

from scanwise.augment.native.change import Change, ChangeKernel, change
from scanwise.augment.native.sample import Sample, Word
from scanwise.augment.native.signals import float32
from scanwise.augment.standardisation import _PerChannel
from scanwise.codegen.emitter import Index, Value


@dataclass(frozen=True)
class PerChannelKernel(ChangeKernel):
    """Settings: factor and offset of each channel."""

    def change(self, sample: Sample) -> None:
        e = sample.e

        def plane(c: Value, x: Value) -> None:
            at = e.mul(2, c)
            factor, offset = (float32(e, sample.setting(e.add(at, Word.OWN + i))) for i in (0, 1))

            def changed(values: Value, _: Index, lanes: int) -> Value:
                return e.fma(values, e.broadcast(factor, lanes), e.broadcast(offset, lanes))

            sample.change(x, sample.area, changed)

        sample.each_plane(plane)


@change.register
def _(augmentation: _PerChannel) -> Change:
    pairs = zip(augmentation.factor, augmentation.offset, strict=True)
    return Change(PerChannelKernel(), [number for pair in pairs for number in pair])
