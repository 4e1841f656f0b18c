"""Training examples: digits in the middle of the window, and everything that is no digit there."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from scanwise.demo.digits import SIZES, WINDOW, Digits, blended, drawn, ink_colours, varied

Grey = NDArray[np.float32]
Images = NDArray[np.uint8]

BACKGROUND = 10
"""The label of a window with no digit in its middle; 0 to 9 are the digits."""

LABELS = (*(str(digit) for digit in range(10)), "background")

_OFF_CENTRE = 2.2
"""Pixels: windows lie four pixels apart, so a digit is at most two from the middle of the nearest, on each axis."""

_CHUNK = 1000
"""Examples made at a time, which keeps the arrays in the cache."""


def make(
    n: int, digits: Digits, canvases: Grey, random: np.random.Generator
) -> tuple[Images, NDArray[np.int64]]:
    """`n` examples: windows `(n, 1, WINDOW, WINDOW)` and labels `(n,)`."""
    parts = [_chunk(min(_CHUNK, n - start), digits, canvases, random) for start in range(0, n, _CHUNK)]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _chunk(
    n: int, digits: Digits, canvases: Grey, random: np.random.Generator
) -> tuple[Images, NDArray[np.int64]]:
    """50 % digits, 15 % digits far from the middle, 5 % far too large ones, 30 % plain background.

    The last three are "background": a detector must say where a digit is, not that one is near.
    """
    windows = sliding_window_view(canvases, (WINDOW, WINDOW), axis=(1, 2))
    canvas, row, column = (random.integers(extent, size=n) for extent in windows.shape[:3])
    x = windows[canvas, row, column].copy()
    kind = random.random(n)
    digit, beside, huge = kind < 0.5, (kind >= 0.5) & (kind < 0.65), (kind >= 0.65) & (kind < 0.7)
    grey, visible = ink_colours(x, random)
    which = random.integers(len(digits), size=n)
    y = np.where(digit & visible, digits.labels[which], BACKGROUND)

    direction, distance = random.uniform(0, 2 * np.pi, n), random.uniform(8, 20, n)
    beside_offset = distance * np.stack([np.sin(direction), np.cos(direction)])
    offset = np.where(beside, beside_offset, random.uniform(-_OFF_CENTRE, _OFF_CENTRE, (2, n)))
    centres = ((WINDOW - 1) / 2 + offset.T).astype(np.float32)
    sizes = np.where(huge, random.uniform(45, 80, n), random.uniform(*SIZES, n)).astype(np.float32)
    shapes = varied(sizes, random)
    chosen = np.flatnonzero((digit | beside | huge) & visible)
    ink = drawn(digits, which[chosen], centres[chosen], shapes[chosen])
    x[chosen] = blended(x[chosen], ink, grey[chosen])
    x += random.standard_normal(x.shape, np.float32) * random.uniform(0.0, 0.02, (n, 1, 1)).astype(np.float32)
    return quantised(x)[:, None], y


def quantised(grey: Grey) -> Images:
    """Grey values 0 to 1 as bytes, as an image file holds them."""
    return np.asarray(np.rint(np.clip(grey, 0.0, 1.0) * 255.0), dtype=np.uint8)
