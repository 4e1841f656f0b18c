"""The networks whose scans are timed, and the signals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import scanwise as sw
from benchmarks.protocol import Array
from scanwise import layers, models

__all__ = ["AUDIO", "CASES", "IMAGES", "RATE", "ScanCase"]

RATE = 16_000
CLASSES = 12
SIGNALS = 3
"""Signals that the inputs rotate through."""


@dataclass(frozen=True)
class ScanCase:
    """One window network on larger signals.

    Attributes:
        name: its name in `scanwise.models`, with what is different.
        network: on windows.
        input_shape: of a window.
        steps: between windows; the first is the network's own stride.
        extent: of the signals that are scanned.
        short: of those for `--quick`.
    """

    name: str
    network: sw.Sequential
    input_shape: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    extent: tuple[int, ...]
    short: tuple[int, ...]

    def model(self) -> sw.Model:
        return sw.Model(self.network, self.input_shape, seed=0)

    def signals(self, *, quick: bool) -> list[Array]:
        """Random, never zeros: recordings between -1 and 1, images between 0 and 1."""
        random = np.random.default_rng(0)
        low = -1.0 if len(self.input_shape) == 2 else 0.05
        shape = (self.input_shape[0], *(self.short if quick else self.extent))
        return [random.uniform(low, 1.0, shape).astype(np.float32) for _ in range(SIGNALS)]


def _with_padding(network: sw.Sequential, *, padded: bool) -> sw.Sequential:
    """The same layers: convolutions that keep the extent, or that do not pad, which is what one takes to scan."""
    return sw.Sequential(*(_convolution(layer, padded) for layer in network))


def _convolution(layer: layers.Layer, padded: bool) -> layers.Layer:
    if not isinstance(layer, layers.Conv1d | layers.Conv2d):
        return layer
    kernel = layer.kernel_size
    around = tuple(k // 2 for k in kernel) if isinstance(kernel, tuple) else kernel // 2
    return replace(layer, padding=around if padded else 0)


def _audio(name: str, network: sw.Sequential, *steps: int) -> ScanCase:
    """A window of a second; a minute is scanned."""
    return ScanCase(name, network, (1, RATE), tuple((s,) for s in steps), (60 * RATE,), (3 * RATE,))


def _heard(name: str) -> sw.Sequential:
    return models.get(name, (1, RATE), CLASSES, sample_rate=RATE)


# A LogMel's hop is 160 samples: the tdnn pools by 4 behind it, the ds-cnn strides by 2.
AUDIO = (
    _audio("tdnn", _heard("tdnn"), 640, 160),
    _audio("ds-cnn", _with_padding(_heard("ds-cnn"), padded=False), 320, 160),
    _audio("ds-cnn, padded", _with_padding(_heard("ds-cnn"), padded=True), 320),
)
IMAGES = (
    ScanCase(
        "lenet5",
        _with_padding(models.get("lenet5", (1, 32, 32), 10), padded=False),
        (1, 32, 32),
        ((4, 4), (1, 1)),
        (256, 256),
        (80, 72),
    ),
)
CASES = AUDIO + IMAGES
