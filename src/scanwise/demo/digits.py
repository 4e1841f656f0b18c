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

SIZES = (20.0, 25.0)
"""Extent of a digit, in pixels: of what were 8 pixels."""

CONTRAST = 0.35
"""Ink differs from the mean of what it covers by at least this, more where the background varies."""

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


def load(held_out: int) -> tuple[Digits, Digits]:
    """The digits for training, and the last `held_out` ones, which other people wrote."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    small = np.pad(data.images.astype(np.float32) / 16.0, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    large = np.stack(
        [np.asarray(Image.fromarray(image).resize((_FINE, _FINE), Image.Resampling.BICUBIC)) for image in small]
    )
    # A blank edge, so that reading outside the digit gives no ink and needs no test.
    ink = np.pad(np.clip(large, 0.0, 1.0), ((0, 0), (1, 2), (1, 2)))
    labels = data.target.astype(np.int64)
    return Digits(ink[:-held_out], labels[:-held_out]), Digits(ink[-held_out:], labels[-held_out:])


def drawn(
    digits: Digits,
    which: NDArray[np.int64],
    *,
    centre: tuple[Grey, Grey],
    size: Grey,
    angle: Grey,
) -> Grey:
    """Ink `(n, WINDOW, WINDOW)` of the digits number `which`.

    Args:
        digits: what to draw from.
        which: `(n,)` digit numbers.
        centre: rows and columns of the digits' centres, `(n,)` each, in pixels of the window.
        size: `(n,)` extent of a digit, in pixels.
        angle: `(n,)` turn, in radian.
    """
    place = np.arange(WINDOW, dtype=np.float32)
    down = (place[None, :] - centre[0][:, None])[:, :, None]
    across = (place[None, :] - centre[1][:, None])[:, None, :]
    # Each pixel of the window looks up its place in the fine image: turned, scaled, bilinear.
    fine_per_pixel = _FINE * _BOX / (_BOX + 2 * _MARGIN) / size
    cosine, sine = ((f(angle) * fine_per_pixel).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    middle = np.float32((_FINE - 1) / 2 + 1)
    row = np.clip(cosine * down + sine * across + middle, 0.0, _FINE + 1)
    column = np.clip(cosine * across - sine * down + middle, 0.0, _FINE + 1)
    width = digits.ink.shape[2]
    row_number, column_number = row.astype(np.int32), column.astype(np.int32)
    row -= row_number
    column -= column_number
    first = which.astype(np.int32)[:, None, None] * np.int32(digits.ink.shape[1] * width)
    corner = first + row_number * np.int32(width) + column_number
    flat = digits.ink.reshape(-1)
    upper = flat[corner] * (1 - column) + flat[corner + 1] * column
    corner += width
    lower = flat[corner] * (1 - column) + flat[corner + 1] * column
    return np.asarray(upper * (1 - row) + lower * row, dtype=np.float32)


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
