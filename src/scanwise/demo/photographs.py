"""Photographs with digits hidden in them, and how detections are compared with what was hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.demo.digits import SIZES, WINDOW, Digits, blended, drawn, ink_colours, upright
from scanwise.demo.examples import quantised

PHOTOGRAPHS = ("china.jpg", "flower.jpg")

MATCHING_OVERLAP = 0.5
"""A detection is of a hidden digit if their boxes' intersection is at least this part of their union."""


@dataclass(frozen=True)
class Hidden:
    """A digit that was hidden.

    Attributes:
        photograph: number of the photograph.
        row, column: top left corner of its box of WINDOW x WINDOW pixels.
        label: "0" to "9".
    """

    photograph: int
    row: int
    column: int
    label: str


@dataclass(frozen=True)
class Found:
    """A detection compared with what was hidden.

    Attributes:
        photograph: number of the photograph.
        row, column: top left corner of the window.
        label: what the network says it is.
        score: its probability.
        hidden: the hidden digit at this place, if there is one.
    """

    photograph: int
    row: int
    column: int
    label: str
    score: float
    hidden: Hidden | None

    @property
    def right(self) -> bool:
        """Whether this digit was hidden at this place."""
        return self.hidden is not None and self.hidden.label == self.label


def load() -> list[NDArray[np.float32]]:
    """The photographs in grey, `(H, W)`, 0 to 1."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    return [
        np.asarray(Image.fromarray(load_sample_image(name)).convert("L"), dtype=np.float32) / np.float32(255)
        for name in PHOTOGRAPHS
    ]


def hide(
    photographs: Sequence[NDArray[np.float32]], digits: Digits, each: int, random: np.random.Generator
) -> tuple[list[NDArray[np.uint8]], list[Hidden]]:
    """Hides `each` of the digits in every photograph, none twice, at places that do not overlap.

    A place is drawn again if it overlaps an earlier one, or if no grey of ink can be seen on it.

    Returns:
        The photographs as bytes `(1, H, W)`, and what was hidden where.
    """
    which = iter(random.permutation(len(digits))[: each * len(photographs)])
    images, hidden = [], []
    for number, photograph in enumerate(photographs):
        image = photograph.copy()
        here: list[Hidden] = []
        while len(here) < each:
            row, column = (int(random.integers(extent - WINDOW + 1)) for extent in image.shape)
            if any(abs(row - other.row) < WINDOW and abs(column - other.column) < WINDOW for other in here):
                continue
            place = image[None, row : row + WINDOW, column : column + WINDOW]
            grey, visible = ink_colours(place, random)
            if not visible[0]:
                continue
            digit = int(next(which))
            place[:] = blended(place, _centred(digits, digit, random), grey)
            here.append(Hidden(number, row, column, str(digits.labels[digit])))
        images.append(quantised(image)[None])
        hidden.extend(here)
    return images, hidden


def _centred(digits: Digits, digit: int, random: np.random.Generator) -> NDArray[np.float32]:
    middle = np.full((1, 2), (WINDOW - 1) / 2, np.float32)
    size = np.array([random.uniform(*SIZES)], np.float32)
    return drawn(digits, np.array([digit]), middle, upright(size))


def overlap(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Intersection over union of two boxes of WINDOW x WINDOW pixels, given their corners."""
    rows, columns = (max(0, WINDOW - abs(a - b)) for a, b in zip(first, second, strict=True))
    return rows * columns / (2 * WINDOW * WINDOW - rows * columns)


def compare(detections: Sequence[tuple[int, int, int, str, float]], hidden: Sequence[Hidden]) -> list[Found]:
    """Gives each detection the hidden digit that it is of; each hidden digit is given once, to the best score.

    Args:
        detections: photograph, row, column, label and score of each.
        hidden: what was hidden.

    Returns:
        The detections, in order of falling score.
    """
    free = list(hidden)
    found = []
    for photograph, row, column, label, score in sorted(detections, key=lambda d: -d[4]):
        here = [h for h in free if h.photograph == photograph]
        match = max(here, key=lambda h: overlap((row, column), (h.row, h.column)), default=None)
        if match is not None and overlap((row, column), (match.row, match.column)) < MATCHING_OVERLAP:
            match = None
        if match is not None:
            free.remove(match)
        found.append(Found(photograph, row, column, label, score, match))
    return found
