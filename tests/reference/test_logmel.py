"""LogMel against librosa."""

from __future__ import annotations

import numpy as np
import pytest
from librosa.filters import mel
from numpy.typing import NDArray
from scipy.signal import get_window

from scanwise.layers import LogMel, Sequential
from scanwise.reference import forward
from scanwise.reference.logmel import fourier_rows

AUDIO = np.random.default_rng(0).normal(size=4000) * 0.1
LAYERS = (
    LogMel(8000, 200, 80, 40),
    LogMel(16000, 512, 200, 64, 30.0, 7000.0),
    LogMel(8000, 255, 256, 20, f_max=3500),
)


def librosas(layer: LogMel, audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """librosa's filters after NumPy's transform: librosa's own power spectrum is compiled for 20 seconds first."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, layer.n_fft)[:: layer.hop]
    power = np.abs(np.fft.rfft(frames * get_window("hann", layer.n_fft))) ** 2
    filters: NDArray[np.float64] = mel(
        sr=layer.sample_rate,
        n_fft=layer.n_fft,
        n_mels=layer.n_mels,
        fmin=layer.f_min,
        fmax=layer.f_max,
        dtype=np.float64,
    )
    return np.asarray(np.log(filters @ power.T + 1e-6))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_agrees_with_librosa(layer: LogMel) -> None:
    y = forward(Sequential(layer), AUDIO[None, None], {})
    np.testing.assert_allclose(y[0], librosas(layer, AUDIO), rtol=1e-6, atol=1e-6)


def test_silence_is_finite() -> None:
    y = forward(Sequential(LogMel(8000, 64, 32, 8)), np.zeros((1, 1, 200)), {})
    np.testing.assert_allclose(y, np.log(1e-6))


@pytest.mark.parametrize("n_fft", [2, 3, 7, 64, 200])
def test_rows_are_the_fourier_transform_of_a_windowed_frame(n_fft: int) -> None:
    frame = np.random.default_rng(0).normal(size=n_fft)
    re, im = np.split(fourier_rows(LogMel(8000, n_fft, 10, 4)) @ frame, 2)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    np.testing.assert_allclose(re + 1j * im, np.fft.rfft(hann * frame), atol=1e-12)
