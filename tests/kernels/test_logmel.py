"""LogMel as compiled: in a network against librosa, and its kernels against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.kernels.logmel import LogMelForward, forward_table
from scanwise.kernels.logmel_gradient import LogMelBackward, backward_table
from scanwise.kernels.maps import FeatureMap, plain_map
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.reference.test_logmel import AUDIO, LAYERS, librosas


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_agrees_with_librosa(layer: sw.LogMel) -> None:
    audio = AUDIO.astype(np.float32)
    y = sw.Model(sw.Sequential(layer), (1, len(audio)))(audio[None, None])
    np.testing.assert_allclose(y[0], librosas(layer, audio.astype(np.float64)), atol=1e-5)


@settings(max_examples=12)
@given(
    st.sampled_from([2, 3, 4, 7, 8, 15, 16, 34, 37, 40, 64]),
    st.sampled_from([1, 3, 5, 8, 13, 20]),
    st.integers(1, 40),
    st.integers(1, 19),
    st.integers(0, 5),
    st.booleans(),
    harness.BORDERS,
    harness.SAMPLES,
    harness.SEEDS,
)
@example(64, 20, 70, 9, 3, False, (0, 0, 2, 1), 2, 0)
@example(37, 13, 5, 8, 0, True, (0, 0, 0, 0), 1, 0)
def test_forward_and_backward(
    n_fft: int,
    mels: int,
    hop: int,
    frames: int,
    left: int,
    padded: bool,
    border: harness.Border,
    samples: int,
    seed: int,
) -> None:
    layer = sw.LogMel(8000, n_fft, hop, mels)
    length = n_fft + hop * (frames - 1) + min(left, hop - 1)
    x = harness.normal(seed, samples, 1, 1, length)
    # One channel is not padded to a vector if it is only read value by value, which depends on what made it.
    x_map = (plain_map(1, 1, length) if padded else FeatureMap(1, 1, length, 1)).with_border(
        (0, 0, *border[2:])
    )
    y_map = plain_map(mels, 1, frames).with_border((0, 0, *border[2:]))
    y = harness.output(y_map, samples)
    forward = LogMelForward(n_fft, hop, x_map, y_map)
    harness.call(
        forward, samples, harness.filled(x_map, x), forward_table(layer), y, harness.Scratch(forward.scratch)
    )
    signal = x[:, :, 0].astype(float)
    expected = reference.forward(layer, signal, {})[:, :, None]
    harness.check_close(y.values, expected, 2e-6, np.abs(expected) + 1)

    dy = harness.normal(seed + 1, *y.values.shape)
    dx = harness.output(x_map, samples)
    backward = LogMelBackward(n_fft, hop, x_map, y_map, x_map)
    harness.call(
        backward,
        samples,
        harness.filled(x_map, x),
        harness.filled(y_map, dy),
        backward_table(layer),
        dx,
        harness.Scratch(backward.scratch),
    )
    wanted, _ = reference.backward(layer, signal, dy[:, :, 0].astype(float), {})
    harness.check_close(dx.values, wanted[:, :, None], 2e-5, np.abs(wanted).max() + 1e-6)
