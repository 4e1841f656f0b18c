"""LogMel: from raw audio to the logarithm of its mel spectrogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ShapeError

from . import arguments
from .base import Layer, Shape

Array = NDArray[np.float64]

LOG_OFFSET = 1e-6  # added before the logarithm, so that silence stays finite
LARGEST_FRAME = 8192  # the reference's transform is a matrix: half a gigabyte here, in float64


@dataclass(frozen=True, repr=False)
class LogMel(Layer):
    """Raw audio `(1, T)` to log mel energies `(n_mels, 1 + (T - n_fft) // hop)`; no parameters.

    Frames of `n_fft` samples, periodic Hann window, squared magnitude of the discrete Fourier transform,
    triangular mel filters of equal area (Slaney's scale), then log(energy + 1e-6). Equal to
    `log(librosa.feature.melspectrogram(..., center=False, power=2) + 1e-6)`.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: frame length, in samples; at most 8192.
        hop: samples between frames.
        n_mels: number of mel filters; at most 8192.
        f_min: lower edge of the lowest filter, in Hz.
        f_max: upper edge of the highest filter, in Hz; None for half of `sample_rate`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> LogMel(8000, n_fft=200, hop=80, n_mels=40).output_shape((1, 8000))
    (40, 98)
    """

    sample_rate: int
    n_fft: int
    hop: int
    n_mels: int
    f_min: float = 0.0
    f_max: float | None = None

    def __post_init__(self) -> None:
        self._settle("sample_rate", arguments.integer("LogMel", "sample_rate", self.sample_rate))
        self._settle("n_fft", arguments.integer("LogMel", "n_fft", self.n_fft, minimum=2))
        if self.n_fft > LARGEST_FRAME:
            raise ArgumentError(f"LogMel: n_fft must be at most {LARGEST_FRAME}. Got {self.n_fft}.")
        self._settle("hop", arguments.integer("LogMel", "hop", self.hop))
        self._settle("n_mels", arguments.integer("LogMel", "n_mels", self.n_mels))
        if self.n_mels > LARGEST_FRAME:
            raise ArgumentError(f"LogMel: n_mels must be at most {LARGEST_FRAME}. Got {self.n_mels}.")
        self._settle("f_min", arguments.number("LogMel", "f_min", self.f_min))
        if self.f_max is not None:
            self._settle("f_max", arguments.number("LogMel", "f_max", self.f_max))
        if self.f_min < 0:
            raise ArgumentError(f"LogMel: f_min must be at least 0 Hz. Got {self.f_min}.")
        if self.f_max is not None and self.f_max > self.sample_rate / 2:
            half = self.sample_rate / 2
            raise ArgumentError(
                f"LogMel: f_max must be at most half of sample_rate, {half} Hz. Got {self.f_max}."
            )
        if self.f_min >= self.highest:
            raise ArgumentError(f"LogMel: f_min must be below f_max, {self.highest} Hz. Got {self.f_min}.")

    @property
    def highest(self) -> float:
        """Upper edge of the highest filter, in Hz."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 2)
        channels, steps = input_shape
        if channels != 1:
            raise ShapeError(
                f"{self!r}: input must have 1 channel. Got {channels} (input shape {input_shape})."
            )
        if steps < self.n_fft:
            raise ShapeError(f"{self!r}: input must have at least n_fft {self.n_fft} samples. Got {steps}.")
        return self.n_mels, 1 + (steps - self.n_fft) // self.hop

    def operations(self, input_shape: Shape) -> int:
        _, frames = self.output_shape(input_shape)
        bins = self.n_fft // 2 + 1
        transform = round(2.5 * self.n_fft * math.log2(self.n_fft))  # of real values (Cooley and Tukey 1965)
        # A frequency lies in two filters at most.
        return frames * (self.n_fft + transform + 3 * bins + 4 * bins + 2 * self.n_mels)

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        self._expect_axes(input_shape, 2)
        return (self.n_fft,), (self.hop,)

    def window(self) -> Array:
        """What the samples of a frame are multiplied by, `(n_fft,)`: a periodic Hann window."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.n_fft) / self.n_fft)

    def filters(self) -> Array:
        """The mel filters `(n_mels, n_fft // 2 + 1)`, read-only: the layer is log(filters @ power + 1e-6)."""
        return _mel_filters(self)


@lru_cache(maxsize=16)
def _mel_filters(layer: LogMel) -> Array:
    """Triangles between neighbouring mel frequencies, each of height 2 / (its width in Hz), so of area 1."""
    frequency = np.arange(layer.n_fft // 2 + 1) * layer.sample_rate / layer.n_fft
    lowest, highest = _mel(np.array([layer.f_min, layer.highest]))
    edge = _hertz(np.linspace(lowest, highest, layer.n_mels + 2))
    filters = np.zeros((layer.n_mels, len(frequency)))
    for m in range(layer.n_mels):
        left, centre, right = edge[m], edge[m + 1], edge[m + 2]
        rising = (frequency - left) / (centre - left)
        falling = (right - frequency) / (right - centre)
        filters[m] = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    filters.setflags(write=False)
    return filters


# Slaney, "Auditory Toolbox" (1998): linear up to 1000 Hz = 15 mel; from there 27 mel for each factor of 6.4.
_LINEAR, _KNEE_HERTZ, _KNEE_MEL, _LOG_STEP = 200.0 / 3, 1000.0, 15.0, np.log(6.4) / 27


def _mel(hertz: Array) -> Array:
    above = _KNEE_MEL + np.log(np.maximum(hertz, _KNEE_HERTZ) / _KNEE_HERTZ) / _LOG_STEP
    return np.where(hertz < _KNEE_HERTZ, hertz / _LINEAR, above)


def _hertz(mel: Array) -> Array:
    above = _KNEE_HERTZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR, above)
