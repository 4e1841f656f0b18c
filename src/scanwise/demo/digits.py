"""Handwritten digits drawn at any size and contrast on any background.

Source of the digits: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository (1998), as `sklearn.datasets.load_digits`: 1,797 digits of 8x8 pixels by 13 writers, in order of writers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

WINDOW = 28
"""Extent of the window that the network looks at, in pixels."""

HELD_OUT_EVERY = 5
"""Every fifth digit is held out: never trained on, only hidden. Every writer is on both sides."""

SIZES = (20.0, 25.0)
"""Extent of a digit, in pixels: of what were 8 pixels."""

CONTRAST = 0.35
"""Ink differs from the mean of what it covers by at least this, more where the background varies."""

SLANT = 0.1
"""Standard deviation of the slant, the turn (radian) and the logarithm of the width of training digits."""

_BOX = 8
_FINE = 40
"""Digits are enlarged once to this extent; any size and place is then read from the fine image."""

_MARGIN = 1


@dataclass(frozen=True)
class Digits:
    """Digits to draw.

    Attributes:
        ink: `(n, height, width)` enlarged digits with a blank margin, 0 (none) to 1 (full).
        labels: `(n,)` 0 to 9.
    """

    ink: Grey
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def load() -> tuple[Digits, Digits]:
    """The digits for training, and the held-out ones: every `HELD_OUT_EVERY`-th."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    small = np.pad(data.images.astype(np.float32) / 16.0, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    large = np.stack(
        [
            np.asarray(Image.fromarray(image).resize((_FINE, _FINE), Image.Resampling.BICUBIC))
            for image in small
        ]
    )
    # A blank edge, so that reading outside the digit gives no ink and needs no test.
    ink = np.pad(np.clip(large, 0.0, 1.0), ((0, 0), (1, 2), (1, 2)))
    labels = data.target.astype(np.int64)
    held_out = np.arange(len(labels)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    return Digits(ink[~held_out], labels[~held_out]), Digits(ink[held_out], labels[held_out])


def drawn(digits: Digits, which: NDArray[np.int64], centres: Grey, shapes: Grey) -> Grey:
    """Ink `(n, WINDOW, WINDOW)` of the digits number `which`.

    Args:
        digits: what to draw from.
        which: `(n,)` digit numbers.
        centres: `(n, 2)` rows and columns of the digits' centres, in pixels of the window.
        shapes: `(n, 2, 2)` matrices that take an offset in the digit (1 is its extent) to an offset in the window, in
            pixels: `size * identity` for an upright digit.
    """
    place = np.arange(WINDOW, dtype=np.float32)
    down = (place[None, :] - centres[:, :1])[:, :, None]
    across = (place[None, :] - centres[:, 1:])[:, None, :]
    # Each pixel of the window looks up its place in the fine image, which is read bilinearly.
    fine_extent = np.float32(_FINE * _BOX / (_BOX + 2 * _MARGIN))
    back = (np.linalg.inv(shapes) * fine_extent).astype(np.float32)[:, :, :, None, None]
    middle = np.float32((_FINE - 1) / 2 + 1)
    row = np.clip(back[:, 0, 0] * down + back[:, 0, 1] * across + middle, 0.0, _FINE + 1)
    column = np.clip(back[:, 1, 0] * down + back[:, 1, 1] * across + middle, 0.0, _FINE + 1)
    row_number, column_number = row.astype(np.int32), column.astype(np.int32)
    row -= row_number
    column -= column_number
    width = np.int32(digits.ink.shape[2])
    first = which.astype(np.int32)[:, None, None] * np.int32(digits.ink[0].size)
    corner = first + row_number * width + column_number
    flat = digits.ink.reshape(-1)
    upper = flat[corner] * (1 - column) + flat[corner + 1] * column
    corner += width
    lower = flat[corner] * (1 - column) + flat[corner + 1] * column
    return np.asarray(upper * (1 - row) + lower * row, dtype=np.float32)


def upright(sizes: Grey) -> Grey:
    """Shapes `(n, 2, 2)` for `drawn` of upright digits of these extents, in pixels."""
    return np.asarray(sizes[:, None, None] * np.eye(2, dtype=np.float32))


def varied(sizes: Grey, random: np.random.Generator) -> Grey:
    """Shapes for `drawn` that are also slanted, turned, and wider or narrower: as other people write."""
    n = len(sizes)
    slant, turn, stretch = SLANT * random.standard_normal((3, n))
    ones, zeros = np.ones(n), np.zeros(n)
    wider = np.stack([np.exp(-stretch), zeros, slant, np.exp(stretch)], axis=1).reshape(n, 2, 2)
    turned = np.stack([ones, -turn, turn, ones], axis=1).reshape(n, 2, 2)
    return np.asarray(sizes[:, None, None] * (turned @ wider), dtype=np.float32)


def ink_colours(backgrounds: Grey, random: np.random.Generator) -> tuple[Grey, NDArray[np.bool_]]:
    """A grey for the ink on each background, dark or light, and whether any grey differs enough.

    A background that varies hides a digit, so the least difference is `CONTRAST` plus its standard deviation.

    Args:
        backgrounds: `(n, WINDOW, WINDOW)`.

    Returns:
        `(n,)` greys and `(n,)` truth values.
    """
    mean = backgrounds.mean((1, 2))
    least = CONTRAST + backgrounds.std((1, 2))
    light = random.random(len(mean)) < 0.5
    light = np.where(mean < least, True, np.where(1.0 - mean < least, False, light))
    room = np.where(light, 1.0 - mean, mean)
    contrast = least + (room - least) * random.random(len(mean))
    grey = np.clip(np.where(light, mean + contrast, mean - contrast), 0.0, 1.0)
    return grey.astype(np.float32), np.asarray(room >= least)


def blended(background: Grey, ink: Grey, grey: Grey) -> Grey:
    """The background where there is no ink, the ink's grey where there is full ink."""
    return background + (grey[:, None, None] - background) * ink
