"""Images whose pixels come from places between pixels: `Crop`, `Rotate`, `Scale`.

The output's (h, w) takes what lies at

    row = r + r_h h + r_w w        column = c + c_h h + c_w w

between four pixels, by how near they are. Outside the image is a border of zeros, so that no pixel has to be asked
whether it is inside. Places are float64: which four pixels these are must not depend on how large the image is.
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from scanwise.augment.native.change import ChangeKernel
from scanwise.augment.native.sample import LANES, Sample, Word, clear, copy
from scanwise.codegen.double import cosine_and_sine, number
from scanwise.codegen.emitter import F32, F64, I1, I32, I64, POINTER, Emitter, Index, Value

__all__ = ["BORDER", "CropKernel", "RotateKernel", "ScaleKernel"]

BORDER = 3
"""Rows and columns of zeros around the copy: one before, two behind. Places go from -1 to the extent, and their
neighbours to one more."""

_DOUBLES, _FLOATS, _INTEGERS = (ir.VectorType(kind, LANES) for kind in (F64, F32, I32))


@dataclass(frozen=True)
class _Axis:
    """`start + by_row h + by_column w`, kept between `low` and `high`: a row or a column of the image."""

    start: Value
    by_row: Value
    by_column: Value
    low: Value
    high: Value


class ResamplingKernel(ChangeKernel):
    """Settings: the interval of the one number that says where to."""

    def places(self, sample: Sample, drawn: Value) -> tuple[_Axis, _Axis]:
        """The row and the column that an output pixel takes its value from."""
        raise NotImplementedError

    def change(self, sample: Sample) -> None:
        e, b = sample.e, sample.b
        axes = self.places(sample, sample.within(1, Word.OWN))
        H, W = sample.rows, sample.columns
        wide = b.add(W, e.integer(BORDER))  # of the copy
        plane = b.mul(b.add(H, e.integer(BORDER)), wide)
        _copy_with_border(sample, wide, plane)
        # Narrow images have one vector a row, of which only so many lanes are pixels. In others the last vector ends
        # with the row, and writes some pixels again.
        inside = b.icmp_signed("<", e.integers(range(LANES)), e.broadcast(b.trunc(W, I32), LANES))
        last = e.maximum(b.sub(W, e.integer(LANES)), 0)
        vectors = b.sdiv(b.add(W, e.integer(LANES - 1)), e.integer(LANES))

        def row(h: Index) -> None:
            by_row = [_along(e, axis, h) for axis in axes]

            def vector(i: Index) -> None:
                w = e.minimum(e.mul(i, LANES), last)
                (r, down), (c, right) = (
                    _at(e, axis, first, w) for axis, first in zip(axes, by_row, strict=True)
                )
                # The copy begins one row and one column before the image.
                place = b.add(b.mul(r, e.broadcast(b.trunc(wide, I32), LANES)), c)
                goal = e.add(e.mul(h, W), w)

                def channel(k: Index) -> None:
                    value = _between_four(e, e.at(sample.scratch, e.mul(k, plane)), place, wide, down, right)
                    _store(e, value, e.at(sample.values, e.add(e.mul(k, sample.area), goal)), inside)

                e.loop(sample.channels, channel)

            e.loop(vectors, vector)

        e.loop(H, row)


def _copy_with_border(sample: Sample, wide: Value, plane: Value) -> None:
    e, W = sample.e, sample.columns
    clear(e, sample.scratch, e.mul(sample.channels, plane))

    def channel(k: Value, x: Value) -> None:
        inner = e.at(sample.scratch, e.affine((k, plane), (wide, 1), (1, 1)))
        e.loop(sample.rows, lambda h: copy(e, e.at(x, e.mul(h, W)), e.at(inner, e.mul(h, wide)), W))

    sample.each_plane(channel)


def _along(e: Emitter, axis: _Axis, h: Index) -> Value:
    """The place of an output row's first pixel."""
    return e.builder.fadd(axis.start, e.builder.fmul(e.builder.sitofp(e.integer(h), F64), axis.by_row))


def _at(e: Emitter, axis: _Axis, first: Value, w: Index) -> tuple[Value, Value]:
    """Of the output pixels from w on: the whole number below their place, plus one, and how far they are behind it."""
    b = e.builder
    lanes = ir.Constant(_DOUBLES, [float(lane) for lane in range(LANES)])
    columns = b.fadd(e.broadcast(b.sitofp(e.integer(w), F64), LANES), lanes)
    place = b.fadd(e.broadcast(first, LANES), b.fmul(columns, e.broadcast(axis.by_column, LANES)))
    for relation, bound in (("<", axis.low), (">", axis.high)):
        limit = e.broadcast(bound, LANES)
        place = b.select(b.fcmp_ordered(relation, place, limit), limit, place)
    place = b.fadd(place, ir.Constant(_DOUBLES, [1.0] * LANES))
    whole = b.fptosi(place, _INTEGERS)
    return whole, b.fptrunc(b.fsub(place, b.sitofp(whole, _DOUBLES)), _FLOATS)


def _between_four(e: Emitter, image: Value, place: Value, wide: Value, down: Value, right: Value) -> Value:
    b = e.builder

    def across(start: Value) -> Value:
        left, other = _gather_pairs(e, start, place)
        return e.fma(right, b.fsub(other, left), left)

    upper, lower = across(image), across(e.at(image, wide))
    return e.fma(down, b.fsub(lower, upper), upper)


def _gather_pairs(e: Emitter, pointer: Value, places: Value) -> tuple[Value, Value]:
    """The values at so many places, and those behind them; each pair is fetched as one 64-bit number."""
    b = e.builder
    half = LANES // 2
    pairs, pointers, everywhere = (ir.VectorType(kind, half) for kind in (I64, POINTER, I1))
    function = e.declare(
        f"llvm.masked.gather.v{half}i64.v{half}p0", pairs, [pointers, I32, everywhere, pairs]
    )
    found = []
    for first in (0, half):
        part = b.shuffle_vector(places, places, e.shuffle(range(first, first + half)))
        addresses = b.gep(pointer, [part], inbounds=True, source_etype=F32)
        addresses.type = pointers  # llvmlite takes it for one address
        fetched = b.call(
            function,
            [
                addresses,
                ir.Constant(I32, 4),
                ir.Constant(everywhere, [1] * half),
                ir.Constant(pairs, ir.Undefined),
            ],
        )
        found.append(b.bitcast(fetched, _FLOATS))
    left, right = (b.shuffle_vector(*found, e.shuffle(range(odd, 2 * LANES, 2))) for odd in (0, 1))
    return left, right


def _store(e: Emitter, value: Value, pointer: Value, inside: Value) -> None:
    function = e.declare(
        f"llvm.masked.store.v{LANES}f32.p0", ir.VoidType(), [_FLOATS, POINTER, I32, inside.type]
    )
    e.builder.call(function, [value, pointer, ir.Constant(I32, 4), inside])


@dataclass(frozen=True)
class CropKernel(ResamplingKernel):
    """Settings: the interval of shares."""

    def places(self, sample: Sample, drawn: Value) -> tuple[_Axis, _Axis]:
        b = sample.b
        found = []
        for draw, extent in ((2, sample.rows), (3, sample.columns)):
            size = b.sitofp(extent, F64)
            first = sample.between(draw, number(0.0), b.fmul(b.fsub(number(1.0), drawn), size))
            # first + share (h + 1/2) - 1/2
            start = b.fadd(first, b.fmul(b.fsub(drawn, number(1.0)), number(0.5)))
            low, high = number(0.0), b.fsub(size, number(1.0))
            zero = number(0.0)
            by = (drawn, zero) if draw == 2 else (zero, drawn)
            found.append(_Axis(start, *by, low, high))
        return found[0], found[1]


@dataclass(frozen=True)
class RotateKernel(ResamplingKernel):
    """Settings: the interval of degrees."""

    def places(self, sample: Sample, drawn: Value) -> tuple[_Axis, _Axis]:
        cosine, sine = cosine_and_sine(sample.e, drawn)
        return _around_centre(sample, (cosine, sine), (sample.b.fneg(sine), cosine))


@dataclass(frozen=True)
class ScaleKernel(ResamplingKernel):
    """Settings: the interval of factors."""

    def places(self, sample: Sample, drawn: Value) -> tuple[_Axis, _Axis]:
        smaller = sample.b.fdiv(number(1.0), drawn)
        return _around_centre(sample, (smaller, number(0.0)), (number(0.0), smaller))


def _around_centre(
    sample: Sample, of_row: tuple[Value, Value], of_column: tuple[Value, Value]
) -> tuple[_Axis, _Axis]:
    """Both axes of a linear map that leaves the image's centre where it is."""
    b = sample.b
    sizes = [b.sitofp(extent, F64) for extent in (sample.rows, sample.columns)]
    centres = [b.fmul(b.fsub(size, number(1.0)), number(0.5)) for size in sizes]
    found = []
    for size, centre, (by_row, by_column) in zip(sizes, centres, (of_row, of_column), strict=True):
        start = b.fsub(b.fsub(centre, b.fmul(centres[0], by_row)), b.fmul(centres[1], by_column))
        found.append(_Axis(start, by_row, by_column, number(-1.0), size))
    return found[0], found[1]
