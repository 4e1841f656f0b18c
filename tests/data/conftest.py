"""Small data sets, written by the tests that read them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

WriteTone = Callable[..., Path]


def write_tone(
    path: Path, seconds: float = 0.1, hertz: float = 440.0, rate: int = 8000, channels: int = 1
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * hertz * time)
    soundfile.write(str(path), np.repeat(tone[:, np.newaxis], channels, axis=1), rate)
    return path


def write_image(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Two labels, three clips each: 0.10 s, 0.12 s, 0.14 s."""
    folder = tmp_path / "tones"
    for label, hertz in (("high", 1500.0), ("low", 300.0)):
        for i in range(3):
            write_tone(folder / label / f"{i}.wav", 0.10 + 0.02 * i, hertz)
    return folder


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Two labels of grey 8 x 6 images."""
    folder = tmp_path / "shapes"
    for value, label in enumerate(("dark", "light")):
        for i in range(2):
            write_image(folder / label / f"{i}.png", np.full((8, 6), 200 * value + i, np.uint8))
    return folder
