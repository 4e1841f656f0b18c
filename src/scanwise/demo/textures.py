"""Backgrounds for training that resemble photographs: made, not taken, so that nothing of a photograph is trained on.

Surfaces in a photograph hide each other, and small ones are more frequent than large ones. The *dead leaves* model
draws just that: shapes of random size, place and grey, each hiding what lies below, with the density of sizes falling
as 1/r^3. It has the edges and the spectrum of natural images. Fine noise with a falling spectrum adds surface texture.

Source: Lee, Mumford, Huang, "Occlusion models for natural images: a statistical study of a scale-invariant dead leaves
model", International Journal of Computer Vision 41 (2001).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
"""Grey values 0 (black) to 1 (white)."""

EXTENT = 256
SMALLEST_LEAF = 2.0
LARGEST_LEAF = 60.0
LEAF_COUNTS = (300, 1000, 4000)


def canvases(n: int, random: np.random.Generator) -> Grey:
    """`n` canvases `(n, EXTENT, EXTENT)`.

    Each is a blend of leaves and noise, sometimes out of focus.
    """
    drawn = np.empty((n, EXTENT, EXTENT), np.float32)
    for canvas in drawn:
        leaves = _dead_leaves(int(random.choice(LEAF_COUNTS)), random)
        noise = _falling_noise(random.uniform(0.8, 2.0), random)
        canvas[:] = (
            leaves * random.uniform(0.3, 1.0) + noise * random.uniform(0.02, 0.2) + random.uniform(0.0, 0.5)
        )
        for _ in range(int(random.choice((0, 0, 1, 2)))):
            canvas[:] = _blurred(canvas)
    return np.clip(drawn, 0.0, 1.0, out=drawn)


def mixed(base: Grey, n: int, random: np.random.Generator) -> Grey:
    """`n` new canvases from drawn ones: two at a time, turned, mirrored and blended. Much cheaper than drawing."""
    made = np.empty((n, EXTENT, EXTENT), np.float32)
    for canvas in made:
        first, second = (_turned(base[random.integers(len(base))], random) for _ in range(2))
        share = random.choice((0.0, random.uniform(0.1, 0.5)))
        canvas[:] = first * (1.0 - share) + second * share
        if random.random() < 0.5:
            canvas[:] = 1.0 - canvas
    return made


def _turned(canvas: Grey, random: np.random.Generator) -> Grey:
    turned = np.rot90(canvas, int(random.integers(4)))
    return turned.T if random.random() < 0.5 else turned


def _dead_leaves(n: int, random: np.random.Generator) -> Grey:
    canvas = np.full((EXTENT, EXTENT), random.random(), np.float32)
    # Inverse of the distribution function of p(r) ~ 1/r^3.
    radii = np.minimum(LARGEST_LEAF, SMALLEST_LEAF * (1.0 - random.random(n)) ** -0.5)
    for radius in radii:
        _drop_leaf(canvas, float(radius), random)
    return canvas


def _drop_leaf(canvas: Grey, radius: float, random: np.random.Generator) -> None:
    """One ellipse or rectangle with a soft edge, shaded across."""
    stretch = float(np.exp(0.7 * random.standard_normal()))
    reach = int(radius * max(stretch, 1.0 / stretch)) + 2
    row, column = random.uniform(0, EXTENT, 2)
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    bottom, right = min(EXTENT, int(row) + reach + 1), min(EXTENT, int(column) + reach + 1)
    down = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(row)
    across = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(column)
    angle = random.uniform(0.0, np.pi)
    sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    along = (cosine * down + sine * across) * np.float32(stretch)
    aside = (cosine * across - sine * down) / np.float32(stretch)
    round_leaf = random.random() < 0.5
    distance = np.hypot(along, aside) if round_leaf else np.maximum(np.abs(along), np.abs(aside))
    cover = np.clip(radius - distance + 0.5, 0.0, 1.0)
    shade = random.random() + 0.15 * random.standard_normal() * along / radius
    below = canvas[top:bottom, left:right]
    below += (shade - below) * cover


def _falling_noise(exponent: float, random: np.random.Generator) -> Grey:
    """Noise whose amplitude falls as 1 / frequency^exponent, with mean 0 and variance 1."""
    down = np.fft.fftfreq(EXTENT)[:, None]
    across = np.fft.rfftfreq(EXTENT)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1.0
    spectrum = random.standard_normal(frequency.shape) + 1j * random.standard_normal(frequency.shape)
    spectrum /= frequency**exponent
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, (EXTENT, EXTENT))
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _blurred(canvas: Grey) -> Grey:
    """The mean of every pixel and its four neighbours."""
    around = np.roll(canvas, 1, 0) + np.roll(canvas, -1, 0) + np.roll(canvas, 1, 1) + np.roll(canvas, -1, 1)
    return np.asarray((canvas + around) / np.float32(5.0))
