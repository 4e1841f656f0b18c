"""LogMel's constants and arguments. That its result is librosa's is tested with the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from librosa.filters import mel as librosa_mel

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import LogMel


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "f_min", "f_max"),
    [(8000, 200, 40, 0.0, None), (16000, 512, 64, 20.0, 7600.0), (22050, 401, 20, 0.0, 900.0)],
)
def test_filters_are_librosas(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float | None
) -> None:
    mel = LogMel(sample_rate, n_fft, 10, n_mels, f_min, f_max).filters()
    expected = librosa_mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, dtype=np.float64
    )
    np.testing.assert_allclose(mel, expected, rtol=1e-9, atol=1e-12)


def test_filters_are_shared_and_read_only() -> None:
    first, again = LogMel(8000, 64, 10, 4).filters(), LogMel(8000, 64, 10, 4).filters()
    assert first is again
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


def test_operations_are_those_of_a_fast_transform() -> None:
    frames = 1 + (8000 - 256) // 80
    transform, power, filters, logarithm = 2.5 * 256 * 8, 3 * 129, 4 * 129, 2 * 40
    assert LogMel(8000, 256, 80, 40).operations((1, 8000)) == frames * (
        256 + transform + power + filters + logarithm
    )


def test_shape() -> None:
    layer = LogMel(8000, 200, 80, 40)
    assert layer.output_shape((1, 200)) == (40, 1)
    assert layer.output_shape((1, 8000)) == (40, 98)
    assert layer.reach((1, 8000)) == ((200,), (80,))
    with pytest.raises(ShapeError, match=r"at least n_fft 200 samples\. Got 199"):
        layer.output_shape((1, 199))
    with pytest.raises(ShapeError, match=r"must have 1 channel\. Got 2"):
        layer.output_shape((2, 8000))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sample_rate": 0}, ArgumentError, "sample_rate must be"),
        ({"sample_rate": 8000.0}, ArgumentTypeError, "sample_rate must be"),
        ({"n_fft": 1}, ArgumentError, "n_fft must be an integer of at least 2. Got 1"),
        ({"n_fft": 10**6}, ArgumentError, "n_fft must be at most 8192. Got 1000000"),
        ({"hop": 0}, ArgumentError, "hop must be"),
        ({"n_mels": -3}, ArgumentError, "n_mels must be"),
        ({"f_min": -1.0}, ArgumentError, "f_min must be at least 0 Hz"),
        ({"f_min": "low"}, ArgumentTypeError, "f_min must be a number"),
        ({"f_min": float("nan")}, ArgumentError, "f_min must be a finite number"),
        ({"f_max": 4001}, ArgumentError, "f_max must be at most half of sample_rate, 4000.0 Hz. Got 4001.0"),
        ({"f_min": 2000, "f_max": 1000}, ArgumentError, "f_min must be below f_max"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"LogMel: {message}"):
        LogMel(**{"sample_rate": 8000, "n_fft": 64, "hop": 10, "n_mels": 4, **arguments})
