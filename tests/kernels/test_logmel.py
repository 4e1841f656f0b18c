"""LogMel as compiled for a network, against librosa. Its kernels by themselves are in `test_small_layers`."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

import scanwise as sw


@pytest.mark.parametrize(
    "layer",
    [
        sw.LogMel(8000, 200, 80, 40),
        sw.LogMel(16000, 512, 200, 64, 30.0, 7000.0),
        sw.LogMel(8000, 255, 256, 20, f_max=3500),
    ],
    ids=str,
)
def test_agrees_with_librosa(layer: sw.LogMel) -> None:
    audio = (np.random.default_rng(0).normal(size=4000) * 0.1).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=audio.astype(np.float64),
        sr=layer.sample_rate,
        n_fft=layer.n_fft,
        hop_length=layer.hop,
        n_mels=layer.n_mels,
        fmin=layer.f_min,
        fmax=layer.f_max,
        center=False,
        power=2.0,
        dtype=np.float64,
    )
    y = sw.Model(sw.Sequential(layer), (1, len(audio)))(audio[None, None])
    np.testing.assert_allclose(y[0], np.log(expected + 1e-6), atol=1e-4)
