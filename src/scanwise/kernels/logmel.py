"""`LogMel`: frames of audio to the logarithm of their mel energies.

Frames go through all steps in groups, each in a lane of its own (`frames`): window, Fourier transform (`fourier`),
squared magnitudes, mel filters, logarithm. So nothing but audio and result is in memory beyond the first-level cache,
and a frame's bits do not depend on those beside it. Where there are fewer frames left than lanes, the last frame fills
the lanes that are left over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.cut import COLUMNS, Cut, windows_read
from scanwise.kernels.fourier import FourierTransform
from scanwise.kernels.frames import (
    LANES,
    Frames,
    each_group,
    load_complex,
    load_windowed,
    packed,
    places,
    squared,
    store_powers,
)
from scanwise.kernels.logmel_gradient import LogMelBackward, backward_table
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, round_up
from scanwise.kernels.operation import Call, Extent, Maps, Operation, Parameter
from scanwise.kernels.sparse_rows import packed_rows, product
from scanwise.kernels.transpose import columns_of
from scanwise.layers import LogMel, Shape
from scanwise.layers.logmel import LOG_OFFSET

__all__ = ["LogMelForward", "LogMelOperation", "forward_table"]

# Multiply-adds that take as long as a frame among eight does, for each of its samples. (Measured: 0.27 us for 400.)
_WORK = 34


def _half(n_fft: int) -> int:
    """Length of the transform: pairs of real samples are complex ones, if they come out even."""
    return n_fft if n_fft % 2 else n_fft // 2


def forward_table(layer: LogMel) -> NDArray[np.float32]:
    """Window, factors of the transform, factors that take pairs apart, mel filters."""
    transform = FourierTransform(_half(layer.n_fft), 1)
    turns = np.zeros(0)
    if layer.n_fft % 2 == 0:
        angles = -2 * np.pi * np.arange(layer.n_fft // 2) / layer.n_fft
        turns = np.stack([np.cos(angles), np.sin(angles)], axis=-1).ravel()
    return packed(layer.window(), transform.table(), turns, packed_rows(layer.filters()))


@dataclass(frozen=True)
class LogMelForward:
    """y = log(M |F w x|^2 + offset). Arguments: x, table, y, scratch."""

    n_fft: int
    hop: int
    x: FeatureMap
    y: FeatureMap
    pointers: int = 4

    @property
    def _transform(self) -> FourierTransform:
        return FourierTransform(_half(self.n_fft), LANES)

    @property
    def _buffer(self) -> int:
        """Floats of a buffer, which holds the transform, or the powers, or the mel energies."""
        return max(self._transform.floats, round_up(self.y.pitch, LANES) * LANES)

    @property
    def scratch(self) -> int:
        return 2 * self._buffer + self._transform.scratch

    def emit(self, e: Emitter) -> None:
        x, table, y, scratch = e.arguments
        transform = self._transform
        turns = e.at(table, self.n_fft + transform.table_floats)
        paired = self.n_fft % 2 == 0
        filters = e.at(turns, self.n_fft if paired else 0)
        one, two = scratch, e.at(scratch, self._buffer)

        def group(n: Index, _: Index, frames: list[Index]) -> None:
            audio = Frames(e, self.x, places(e, x, self.x, n, frames, self.hop), self.n_fft)
            load_windowed(e, audio, table, one, complex_samples=not paired)
            spectrum, power = transform.emit(e, e.at(table, self.n_fft), one, two, e.at(two, self._buffer))
            if paired:
                _paired_powers(e, spectrum, power, turns, transform.length)
            else:
                store_powers(e, spectrum, power, transform.length // 2 + 1)

            def logarithm(m: Index, energy: Value) -> None:
                value = functions.log(e, e.builder.fadd(energy, e.constant(LOG_OFFSET, LANES)), LANES)
                e.store(value, spectrum, e.mul(m, LANES))

            product(e, filters, self.y.channels, power, LANES, logarithm)
            nothing = e.constant(0.0, LANES)  # for the padding lanes
            e.loop(
                self.y.pitch,
                lambda m: e.store(nothing, spectrum, e.mul(m, LANES)),
                start=self.y.channels,
            )
            goals = places(e, y, self.y, n, frames, 1)

            def store(first: Index, count: int) -> None:
                rows = [
                    e.load(spectrum, e.affine((first, LANES), (1, i * LANES)), LANES) for i in range(count)
                ]
                rows += [e.constant(0.0, LANES)] * (LANES - count)
                for goal, column in zip(goals, columns_of(e, rows, LANES), strict=True):
                    e.store_part(column, goal, first, LANES, count)

            e.tiles(self.y.pitch, LANES, store)

        each_group(e, self.y.width, group)


# The transform Z of z(n) = x(2n) + j x(2n + 1), of length h, holds those of even and odd samples:
#
#   2 E(k) = Z(k) + conj Z(h - k),    2 O(k) = -j (Z(k) - conj Z(h - k))
#   X(k) = E(k) + w^k O(k),    X(h - k) = conj (E(k) - w^k O(k)),    w = e^(-2 pi j / 2h)
#
# X(0) and X(h) are sum and difference of the parts of Z(0), and X(h/2) is conj Z(h/2).
def _paired_powers(e: Emitter, spectrum: Value, power: Value, turns: Value, half: int) -> None:
    b = e.builder

    def store(value: Value, k: Index) -> None:
        e.store(value, power, e.mul(k, LANES))

    re, im = load_complex(e, spectrum, 0)
    both, apart = b.fadd(re, im), b.fsub(re, im)
    store(b.fmul(both, both), 0)
    store(b.fmul(apart, apart), half)
    if half % 2 == 0:
        store(squared(e, *load_complex(e, spectrum, half // 2)), half // 2)

    def pair(i: Index) -> None:
        k, mirror = e.add(i, 1), e.affine((i, -1), (1, half - 1))
        (a, c), (d, f) = load_complex(e, spectrum, k), load_complex(e, spectrum, mirror)
        even = b.fadd(a, d), b.fsub(c, f)
        odd = b.fadd(c, f), b.fsub(d, a)
        cosine, sine = (e.load_broadcast(turns, e.affine((k, 2), (1, part)), LANES) for part in (0, 1))
        turned = (
            e.fma(odd[0], cosine, b.fneg(b.fmul(odd[1], sine))),
            e.fma(odd[0], sine, b.fmul(odd[1], cosine)),
        )
        quarter = e.constant(0.25, LANES)
        for goal, join in ((k, b.fadd), (mirror, b.fsub)):
            power_of = squared(e, join(even[0], turned[0]), join(even[1], turned[1]))
            store(b.fmul(quarter, power_of), goal)

    e.loop((half - 1) // 2, pair)


@dataclass(frozen=True)
class LogMelOperation(Operation):
    """`LogMel` in a network.

    Attributes:
        layer: the layer.
    """

    layer: LogMel

    reads_values = True

    @property
    def output(self) -> Extent:
        return self.layer.n_mels, 1, 1 + (self.extent[2] - self.layer.n_fft) // self.layer.hop

    @property
    def step(self) -> tuple[int, int]:
        return 1, self.layer.hop

    def parameters(self) -> Sequence[Parameter]:
        tables = {"table": forward_table(self.layer), "backward table": backward_table(self.layer)}
        return [
            Parameter(name, len(values), _unchanged, _unchanged, fixed=values)
            for name, values in tables.items()
        ]

    def resized(self, rows: int, columns: int) -> "LogMelOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def _forward(self, maps: Maps) -> LogMelForward:
        return LogMelForward(self.layer.n_fft, self.layer.hop, maps.x, maps.y)

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(self._forward(maps), ("x", "table", "y", "scratch")),)

    @property
    def work(self) -> int:
        return _WORK * self.layer.n_fft * self.output[2]

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        kernel, frames, step = self._forward(maps), maps.y.width, self.layer.hop * maps.x.pitch

        def calls(first: int, stop: int) -> Sequence[Call]:
            left, right = maps.y.border[2] + first, maps.y.border[3] + frames - stop
            part = replace(maps.y, width=stop - first, border=(*maps.y.border[:2], left, right))
            offsets = (first * step, 0, 0, 0)
            return (Call(replace(kernel, y=part), whole.arguments, offsets),)

        reads = windows_read(self.layer.n_fft, self.layer.hop, 1, 0, self.extent[2])
        return (Cut(COLUMNS, frames, LANES, calls, reads),)

    def _backward(self, maps: Maps) -> LogMelBackward:
        return LogMelBackward(self.layer.n_fft, self.layer.hop, maps.x, *maps.gradients)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        return (Call(self._backward(maps), ("x", "dy", "backward table", "dx", "scratch")),)

    def scratch(self, maps: Maps) -> int:
        return self._forward(maps).scratch if maps.dx is None else self._backward(maps).scratch


def _unchanged(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values


@lower.register
def _(layer: LogMel, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (LogMelOperation(extent, layer),)
