"""The networks of 1989 and 1998 learn what they were made for: MNIST (CC BY-SA 3.0), spoken digits (CC BY-SA 4.0)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models

Float32 = NDArray[np.float32]

FRAMES, N_FFT, HOP = 15, 200, 80  # at 8 kHz: frames of 25 ms every 10 ms
DIGITS = ("1", "2", "3")


def mnist(folder: Path) -> tuple[NDArray[Any], ...]:
    with np.load(folder / "mnist.npz") as file:
        return tuple(file[name] for name in ("x_train", "y_train", "x_test", "y_test"))


def signed(labels: NDArray[Any]) -> Float32:
    """1 for the label and -1 for the others: the targets of 1989."""
    return np.where(np.eye(10, dtype=bool)[labels], 1, -1).astype(np.float32)


def train(model: sw.Model, x: Float32, y: NDArray[Any], **options: Any) -> None:
    started = time.perf_counter()
    sw.fit(model, x, y, progress=False, **options)
    print(f"{options['epochs']} epochs in {time.perf_counter() - started:.1f} s")


def accuracy(model: sw.Model, x: Float32, y: NDArray[Any]) -> float:
    found = float(np.mean(model(x).argmax(axis=1) == y))
    print(f"test accuracy: {found:.4f}")
    return found


def grey_scale_of_1998(images: NDArray[np.uint8]) -> Float32:
    """32 x 32 pixels, the background at -0.1 and the foreground at 1.175 (section II.B)."""
    x = np.full((len(images), 1, 32, 32), -0.1, np.float32)
    x[:, 0, 2:30, 2:30] += images * np.float32(1.275 / 255)
    return x


def test_lenet5_of_1998_learns_mnist(data_folder: Path) -> None:
    x, y, x_test, y_test = mnist(data_folder)
    model = sw.Model(models.lenet5(), (1, 32, 32), seed=0)
    optimizer = sw.SGD(sw.OneCycle(0.01), momentum=0.9, nesterov=True)
    train(model, grey_scale_of_1998(x), y, epochs=5, optimizer=optimizer)
    assert accuracy(model, grey_scale_of_1998(x_test), y_test) >= 0.985


def half_size(images: NDArray[np.uint8]) -> Float32:
    """16 x 16 pixels in -1..1: means of 2 x 2 pixels, with a margin of two."""
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.float32)
    means = wide.reshape(-1, 1, 16, 2, 16, 2).mean(axis=(3, 5))
    return np.asarray(means * (2 / 255) - 1, np.float32)


def test_the_network_of_1989_learns_mnist(data_folder: Path) -> None:
    x, y, x_test, y_test = mnist(data_folder)
    model = sw.Model(models.lecun_1989(), (1, 16, 16), seed=0)
    optimizer = sw.SGD(sw.OneCycle(0.2), momentum=0.9)
    train(model, half_size(x), signed(y), epochs=8, batch_size=64, optimizer=optimizer, loss="mse")
    assert accuracy(model, half_size(x_test), y_test) >= 0.97


def loudest(path: Path) -> Float32:
    """The samples of 15 frames around the energy maximum of a recording."""
    samples = (FRAMES - 1) * HOP + N_FFT
    audio, rate = soundfile.read(path, dtype="float32")
    assert rate == 8000
    audio = np.pad(audio, samples)
    centre = int(np.convolve(audio**2, np.ones(400), "same").argmax())
    return np.asarray(audio[centre - samples // 2 :][:samples], np.float32)


def coefficients(folder: Path) -> tuple[Float32, NDArray[np.int64]]:
    """Log mel coefficients `(N, 16, 15)` of all recordings of the chosen digits, and their labels."""
    paths = [(path, k) for k, digit in enumerate(DIGITS) for path in sorted((folder / digit).glob("*.wav"))]
    audio = np.stack([loudest(path) for path, _ in paths])[:, None]
    front = sw.Model(sw.Sequential(sw.LogMel(8000, N_FFT, HOP, n_mels=16)), audio.shape[1:])
    return front(audio), np.array([k for _, k in paths])


def test_waibels_network_learns_spoken_digits(data_folder: Path) -> None:
    """Three words in the place of three consonants, from 165 ms of each."""
    (x, y), (x_test, y_test) = (coefficients(data_folder / "fsdd" / part) for part in ("train", "test"))
    mean, spread = x.mean(), 2 * x.std()  # mostly within -1..1, with an average of 0, as in the paper
    model = sw.Model(models.tdnn_1989(), x.shape[1:], seed=0)
    target = np.eye(3, dtype=np.float32)[y]
    optimizer = sw.AdamW(sw.OneCycle(0.02))
    train(model, (x - mean) / spread, target, epochs=60, batch_size=32, optimizer=optimizer, loss="mse")
    assert accuracy(model, (x_test - mean) / spread, y_test) >= 0.96
