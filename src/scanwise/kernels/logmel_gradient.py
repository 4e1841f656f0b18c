"""The gradient of `LogMel` by its samples, eight frames together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import I32, Emitter, Index, Value
from scanwise.kernels.fourier import FourierTransform
from scanwise.kernels.frames import (
    LANES,
    Frames,
    each_group,
    load_complex,
    load_windowed,
    packed,
    places,
    store_powers,
)
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.sparse_rows import add_transposed, packed_rows, product
from scanwise.kernels.transpose import columns_of
from scanwise.layers import LogMel
from scanwise.layers.logmel import LOG_OFFSET

__all__ = ["LogMelBackward", "backward_table"]


def backward_table(layer: LogMel) -> NDArray[np.float32]:
    """Window, factors of the transform, mel filters."""
    transform = FourierTransform(layer.n_fft, 1)
    return packed(layer.window(), transform.table(), packed_rows(layer.filters()))


# With the spectrum X of a frame, its power P = |X|^2 and the mel energies E = M P:
#
#   dL/dE_m = dL/dy_m / (E_m + offset),    dL/dP_k = sum_m M_mk dL/dE_m
#   dL/dx(n) = w(n) Re sum_k 2 dL/dP_k X(k) e^(2 pi j n k / N)        over the frequencies k up to N / 2
#
# The sum is the conjugate of a transform, that of the conjugates. Frames overlap, so their gradients add up.
@dataclass(frozen=True)
class LogMelBackward:
    """dx from dy. Arguments: x, dy, table, dx, scratch."""

    n_fft: int
    hop: int
    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 5

    @property
    def _transform(self) -> FourierTransform:
        return FourierTransform(self.n_fft, LANES)

    @property
    def _frequencies(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def _buffer(self) -> int:
        """Floats of a buffer, which holds the transform, or powers and energies."""
        return max(self._transform.floats, (self._frequencies + self.dy.channels) * LANES)

    @property
    def scratch(self) -> int:
        return 2 * self._buffer + self._transform.scratch

    def emit(self, e: Emitter) -> None:
        x, _, table, dx, scratch = e.arguments
        transform = self._transform
        factors = e.at(table, self.n_fft)
        filters = e.at(factors, transform.table_floats)
        one, two = scratch, e.at(scratch, self._buffer)
        more = e.at(two, self._buffer)
        zero = e.constant(0.0, LANES)
        self._clear(e, dx)

        def group(n: Index, first: Index, frames: list[Index]) -> None:
            audio = Frames(e, self.x, places(e, x, self.x, n, frames, self.hop), self.n_fft)
            load_windowed(e, audio, table, one, complex_samples=True)
            spectrum, power = transform.emit(e, factors, one, two, more)
            energy = e.at(power, self._frequencies * LANES)
            store_powers(e, spectrum, power, self._frequencies)
            product(
                e, filters, self.dy.channels, power, LANES, lambda m, v: e.store(v, energy, e.mul(m, LANES))
            )
            self._energy_gradients(e, n, first, frames, energy)
            e.loop(self._frequencies, lambda k: e.store(zero, power, e.mul(k, LANES)))
            add_transposed(e, filters, self.dy.channels, energy, power, LANES)
            self._conjugate(e, spectrum, power)
            found, _ = transform.emit(e, factors, spectrum, power, more)

            def windowed(i: Index) -> Value:
                factor, value = e.load_broadcast(table, i, LANES), e.load(found, e.mul(i, 2 * LANES), LANES)
                return e.builder.fmul(factor, value)

            goal = Frames(e, self.dx, places(e, dx, self.dx, n, frames, self.hop), self.n_fft)
            goal.each_block(lambda i, count: goal.add(i, [windowed(e.add(i, k)) for k in range(count)]))

        each_group(e, self.dy.width, group)

    def _clear(self, e: Emitter, dx: Value) -> None:
        floats = self.dx.width * self.dx.pitch

        def sample(n: Index) -> None:
            goal = e.at(dx, e.affine((n, self.dx.size), (1, self.dx.origin)))
            e.tiles(
                floats, LANES, lambda i, count: e.store_part(e.constant(0.0, LANES), goal, i, LANES, count)
            )

        e.loop(e.n, sample)

    def _energy_gradients(
        self, e: Emitter, n: Index, first: Index, frames: list[Index], energy: Value
    ) -> None:
        """dL/dE in place of E; zero in lanes that repeat the last frame."""
        b = e.builder
        errors = places(e, e.arguments[1], self.dy, n, frames, 1)
        left = b.trunc(e.integer(e.affine((first, -1), (1, self.dy.width))), I32)
        own = b.icmp_signed("<", e.integers(range(LANES)), e.broadcast(left, LANES))
        offset, zero = e.constant(LOG_OFFSET, LANES), e.constant(0.0, LANES)

        def block(c: Index, count: int) -> None:
            slopes = columns_of(e, [e.load_part(error, c, LANES, count) for error in errors], LANES)
            for i, slope in enumerate(slopes[:count]):
                at = e.affine((c, LANES), (1, i * LANES))
                slope = b.fdiv(slope, b.fadd(e.load(energy, at, LANES), offset))
                e.store(b.select(own, slope, zero), energy, at)

        e.tiles(self.dy.channels, LANES, block)

    def _conjugate(self, e: Emitter, spectrum: Value, slopes: Value) -> None:
        """2 dL/dP_k conj X(k), and zero for the frequencies above N / 2."""
        b = e.builder

        def frequency(k: Index) -> None:
            slope = e.load(slopes, e.mul(k, LANES), LANES)
            twice = b.fadd(slope, slope)
            re, im = load_complex(e, spectrum, k)
            e.store(b.fmul(twice, re), spectrum, e.mul(k, 2 * LANES))
            e.store(b.fneg(b.fmul(twice, im)), spectrum, e.affine((k, 2 * LANES), (1, LANES)))

        e.loop(self._frequencies, frequency)
        zero = e.constant(0.0, LANES)
        e.loop(
            2 * self.n_fft, lambda i: e.store(zero, spectrum, e.mul(i, LANES)), start=2 * self._frequencies
        )
