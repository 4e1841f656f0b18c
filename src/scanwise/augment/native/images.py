"""`scanwise.augment.images` in native code, but for resampling; the formulas stand in the reference."""

from __future__ import annotations

from dataclasses import dataclass

from scanwise.augment.images import Brightness, Contrast, Crop, Cutout, Flip, Rotate, Scale, Shift
from scanwise.augment.native.change import Change, ChangeKernel, change
from scanwise.augment.native.resampling import BORDER, CropKernel, RotateKernel, ScaleKernel
from scanwise.augment.native.sample import Sample, Word, clear, copy
from scanwise.augment.native.signals import float32
from scanwise.codegen.emitter import Index, Value
from scanwise.layers.arguments import per_axis

__all__: list[str] = []


@dataclass(frozen=True)
class ShiftKernel(ChangeKernel):
    """Settings: most rows, most columns."""

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        rows, columns = sample.whole_setting(Word.OWN), sample.whole_setting(Word.OWN + 1)
        r, s = sample.whole(1, b.neg(rows), rows), sample.whole(2, b.neg(columns), columns)
        H, W = sample.rows, sample.columns
        copy(e, sample.values, sample.scratch, sample.size)
        clear(e, sample.values, sample.size)
        first_row, last_row = e.maximum(r, 0), e.add(H, e.minimum(r, 0))
        first = e.integer(e.maximum(s, 0))
        kept = b.sub(e.integer(e.add(W, e.minimum(s, 0))), first)

        def plane(c: Value, x: Value) -> None:
            before = e.at(sample.scratch, e.mul(c, sample.area))

            def row(h: Index) -> None:
                source = e.add(e.mul(b.sub(e.integer(h), r), W), b.sub(first, s))
                copy(e, e.at(before, source), e.at(x, e.add(e.mul(h, W), first)), kept)

            e.loop(last_row, row, start=first_row)

        sample.each_plane(plane)


@change.register
def _(augmentation: Shift) -> Change:
    return Change(ShiftKernel(), per_axis(augmentation.most, 2))


@dataclass(frozen=True)
class FlipKernel(ChangeKernel):
    """Settings: 1 for left and right, 0 for up and down."""

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        H, W = sample.rows, sample.columns
        copy(e, sample.values, sample.scratch, sample.size)
        horizontal = b.icmp_signed("!=", sample.whole_setting(Word.OWN), e.integer(0))

        def plane(c: Value, x: Value) -> None:
            before = e.at(sample.scratch, e.mul(c, sample.area))

            def row(h: Index) -> None:
                mirrored = b.select(horizontal, e.integer(h), b.sub(e.add(H, -1), e.integer(h)))
                source, goal = e.at(before, e.mul(mirrored, W)), e.at(x, e.mul(h, W))
                with b.if_else(horizontal) as (turned, kept):
                    with turned:
                        last = e.add(W, -1)
                        e.loop(W, lambda w: e.store(e.load(source, b.sub(last, w), 1), goal, w))
                    with kept:
                        copy(e, source, goal, W)

            e.loop(H, row)

        sample.each_plane(plane)


@change.register
def _(augmentation: Flip) -> Change:
    return Change(FlipKernel(), (int(augmentation.axis == "horizontal"),))


@dataclass(frozen=True)
class BrightnessKernel(ChangeKernel):
    """Settings: the interval of the change."""

    def change(self, sample: Sample) -> None:
        e = sample.e
        more = float32(e, sample.within(1, Word.OWN))
        sample.change(
            sample.values, sample.size, lambda x, _, lanes: e.builder.fadd(x, e.broadcast(more, lanes))
        )


@change.register
def _(augmentation: Brightness) -> Change:
    assert isinstance(augmentation.change, tuple)
    return Change(BrightnessKernel(), augmentation.change)


@dataclass(frozen=True)
class ContrastKernel(ChangeKernel):
    """Settings: the interval of the factor."""

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        mean = float32(e, sample.mean(sample.values, sample.size, squares=False))
        factor = float32(e, sample.within(1, Word.OWN))

        def changed(x: Value, _: Index, lanes: int) -> Value:
            middle = e.broadcast(mean, lanes)
            return e.fma(b.fsub(x, middle), e.broadcast(factor, lanes), middle)

        sample.change(sample.values, sample.size, changed)


@change.register
def _(augmentation: Contrast) -> Change:
    return Change(ContrastKernel(), augmentation.factor)


@dataclass(frozen=True)
class CutoutKernel(ChangeKernel):
    """Settings: rows, columns, count."""

    def change(self, sample: Sample) -> None:
        e = sample.e
        rows, columns, count = (sample.whole_setting(Word.OWN + i) for i in range(3))

        def rectangle(i: Index) -> None:
            draw = e.mul(2, i)
            top, bottom = self._stretch(sample, e.add(draw, 1), sample.rows, rows)
            left, right = self._stretch(sample, e.add(draw, 2), sample.columns, columns)
            width = sample.b.sub(right, left)

            def plane(_: Value, x: Value) -> None:
                def row(h: Index) -> None:
                    clear(e, e.at(x, e.add(e.mul(h, sample.columns), left)), width)

                e.loop(bottom, row, start=top)

            sample.each_plane(plane)

        e.loop(count, rectangle)

    @staticmethod
    def _stretch(sample: Sample, draw: Index, extent: Value, size: Value) -> tuple[Value, Value]:
        """Where it begins and ends, within the image."""
        e, b = sample.e, sample.b
        start = b.sub(sample.whole(draw, 0, b.sub(extent, e.integer(1))), b.sdiv(size, e.integer(2)))
        return e.integer(e.maximum(start, 0)), e.integer(e.minimum(b.add(start, size), extent))


@change.register
def _(augmentation: Cutout) -> Change:
    return Change(CutoutKernel(), (*per_axis(augmentation.extent, 2), augmentation.count))


@change.register
def _(augmentation: Crop) -> Change:
    return Change(CropKernel(), augmentation.share, BORDER)


@change.register
def _(augmentation: Rotate) -> Change:
    assert isinstance(augmentation.degrees, tuple)
    return Change(RotateKernel(), augmentation.degrees, BORDER)


@change.register
def _(augmentation: Scale) -> Change:
    return Change(ScaleKernel(), augmentation.factor, BORDER)
