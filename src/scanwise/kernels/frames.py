"""Frames of a map of audio, eight together, each in a lane of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from scanwise.codegen.emitter import I32, Emitter, Index, Value
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.transpose import columns_of

__all__ = [
    "LANES",
    "Frames",
    "each_group",
    "load_complex",
    "load_windowed",
    "packed",
    "places",
    "squared",
    "store_powers",
]

# Frames that go together on every processor: the buffers of sixteen leave the first-level cache, and four take as long.
LANES = 8


def packed(*tables: NDArray[np.floating]) -> NDArray[np.float32]:
    """Tables one after another."""
    return np.concatenate([table.astype(np.float32, copy=False) for table in tables])


@dataclass(frozen=True)
class Frames:
    """Frames of a map of audio, one for each lane.

    Attributes:
        e: what is emitted with.
        extent: of the audio.
        frames: where each begins.
        length: samples of a frame.
    """

    e: Emitter
    extent: FeatureMap
    frames: list[Value]
    length: int

    def each_block(self, body: Callable[[Index, int], None]) -> None:
        """`body(first, count)` for as many samples as there are lanes, and for those that are left."""
        self.e.tiles(self.length, LANES, body)

    def samples(self, first: Index, count: int) -> list[Value]:
        """Vectors of the frames' samples number `first` and so on."""
        return columns_of(self.e, [self._row(frame, first, count) for frame in self.frames], LANES)[:count]

    def _row(self, frame: Value, first: Index, count: int) -> Value:
        e, pitch = self.e, self.extent.pitch
        if pitch == 1:
            return e.load_part(frame, first, LANES, count)
        row = e.constant(0.0, LANES)
        for i in range(count):
            value = e.load(frame, e.affine((first, pitch), (1, i * pitch)), 1)
            row = e.builder.insert_element(row, value, ir.Constant(I32, i))
        return row

    def add(self, first: Index, vectors: list[Value]) -> None:
        """Add to the frames' samples number `first` and so on, frame after frame: they overlap."""
        e, pitch, count = self.e, self.extent.pitch, len(vectors)
        rows = columns_of(e, vectors + [e.constant(0.0, LANES)] * (LANES - count), LANES)
        for frame, row in zip(self.frames, rows, strict=True):
            if pitch == 1:
                total = e.builder.fadd(e.load_part(frame, first, LANES, count), row)
                e.store_part(total, frame, first, LANES, count)
                continue
            for i in range(count):
                at = e.affine((first, pitch), (1, i * pitch))
                value = e.builder.extract_element(row, ir.Constant(I32, i))
                e.store(e.builder.fadd(e.load(frame, at, 1), value), frame, at)


def each_group(e: Emitter, frames: int, body: Callable[[Index, Index, list[Index]], None]) -> None:
    """`body(sample, first frame, the frames in the lanes)`."""

    def group(n: Index, g: Index) -> None:
        first = e.mul(g, LANES)
        body(n, first, [e.minimum(e.add(first, lane), frames - 1) for lane in range(LANES)])

    e.loop(e.n, lambda n: e.loop(-(-frames // LANES), lambda g: group(n, g)))


def places(
    e: Emitter, pointer: Value, extent: FeatureMap, n: Index, columns: list[Index], step: int
) -> list[Value]:
    """Where `step` times each of the columns of a map lies."""
    return [
        e.at(pointer, e.affine((n, extent.size), (column, step * extent.pitch), (1, extent.origin)))
        for column in columns
    ]


def load_windowed(e: Emitter, audio: Frames, window: Value, goal: Value, *, complex_samples: bool) -> None:
    """Windowed samples, one after another or as complex numbers."""
    apart = 2 * LANES if complex_samples else LANES

    def block(first: Index, count: int) -> None:
        for i, value in enumerate(audio.samples(first, count)):
            factor = e.load_broadcast(window, e.add(first, i), LANES)
            at = e.affine((first, apart), (1, i * apart))
            e.store(e.builder.fmul(factor, value), goal, at)
            if complex_samples:
                e.store(e.constant(0.0, LANES), goal, e.add(at, LANES))

    audio.each_block(block)


def load_complex(e: Emitter, pointer: Value, k: Index) -> tuple[Value, Value]:
    """Real and imaginary part of complex number k."""
    re, im = (e.load(pointer, e.affine((k, 2 * LANES), (1, part * LANES)), LANES) for part in (0, 1))
    return re, im


def squared(e: Emitter, re: Value, im: Value) -> Value:
    """The squared magnitude."""
    return e.fma(re, re, e.builder.fmul(im, im))


def store_powers(e: Emitter, spectrum: Value, power: Value, frequencies: int) -> None:
    """Squared magnitudes of the first frequencies."""

    def frequency(k: Index) -> None:
        e.store(squared(e, *load_complex(e, spectrum, k)), power, e.mul(k, LANES))

    e.loop(frequencies, frequency)
