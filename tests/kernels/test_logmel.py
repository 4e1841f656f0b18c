"""LogMel as compiled for a network, against librosa. Its kernels by themselves are in `test_small_layers`."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from tests.reference.test_logmel import AUDIO, LAYERS, librosas


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_agrees_with_librosa(layer: sw.LogMel) -> None:
    audio = AUDIO.astype(np.float32)
    y = sw.Model(sw.Sequential(layer), (1, len(audio)))(audio[None, None])
    np.testing.assert_allclose(y[0], librosas(layer, audio.astype(np.float64)), atol=1e-4)
