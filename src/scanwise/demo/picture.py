"""The photographs with a box around everything that was found or missed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scanwise.demo.digits import WINDOW
from scanwise.demo.photographs import Found, Hidden
from scanwise.paths import write_beside

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

RIGHT, WRONG, MISSED = "#00c853", "#ff1744", "#ffab00"
LEGEND = (("found", RIGHT), ("wrong", WRONG), ("missed", MISSED))

_ENLARGED = 2
_LINE = 32
_TEXT = 20


def draw(
    images: Sequence[NDArray[np.uint8]], found: Sequence[Found], missed: Sequence[Hidden]
) -> Image.Image:
    """One picture with the photographs `(1, H, W)` below each other, twice as large.

    A box is around every detection, with its label: green where it is right, red where not; and around every digit
    that nothing found, in yellow.
    """
    from PIL import Image, ImageDraw

    width = max(image.shape[2] for image in images) * _ENLARGED
    height = sum(image.shape[1] for image in images) * _ENLARGED + _LINE
    picture = Image.new("RGB", (width, height), "black")
    canvas = ImageDraw.Draw(picture)
    for number, (text, colour) in enumerate(LEGEND):
        canvas.text((8 + 120 * number, 4), text, fill=colour, font_size=_TEXT)
    top = _LINE
    for number, image in enumerate(images):
        grey = Image.fromarray(image[0]).resize((image.shape[2] * _ENLARGED, image.shape[1] * _ENLARGED))
        picture.paste(grey.convert("RGB"), (0, top))
        for hidden in missed:
            if hidden.photograph == number:
                _box(canvas, top, hidden.row, hidden.column, hidden.label, MISSED)
        for one in found:
            if one.photograph == number:
                _box(canvas, top, one.row, one.column, one.label, RIGHT if one.right else WRONG)
        top += grey.height
    return picture


def _box(canvas: ImageDraw.ImageDraw, top: int, row: int, column: int, label: str, colour: str) -> None:
    x, y, extent = column * _ENLARGED, top + row * _ENLARGED, WINDOW * _ENLARGED
    canvas.rectangle((x, y, x + extent, y + extent), outline=colour, width=2)
    canvas.text((x + 4, y), label, fill=colour, font_size=_TEXT)


def write(picture: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    write_beside(path, content.getvalue())
