"""Feature maps and filters side by side, on one scale (lecture 5.3, 5.5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.identities.plot.figures import (
    COLOURS,
    PngPath,
    figure_of,
    finished,
    finite_values,
    require_matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["filters", "maps"]

MOST_TILES = 256


def maps(maps: ArrayLike, *, path: PngPath = None) -> Figure:
    """Feature maps side by side, on one scale (lecture 5.3).

    Args:
        maps: `(K, H, W)`, drawn as images, or `(K, T)`, drawn as lines; K at most 256.
        path: of a PNG to write, or None.

    Raises:
        ShapeError, ArgumentError, ArgumentTypeError, FileError: an argument is not as stated, matplotlib is not
            installed, or `path` cannot be written.

    >>> import numpy as np, scanwise as sw
    >>> len(sw.plot.maps(np.random.default_rng(0).normal(size=(6, 8, 8))).axes)  # one is the scale
    7
    """
    require_matplotlib("maps")
    values = _finite(maps, "maps", (2, 3), "(K, H, W) or (K, T)")
    low, high = float(values.min()), float(values.max())
    high = high if high > low else low + (abs(low) or 1.0)
    titles = [f"map {number}" for number in range(len(values))]
    columns = math.ceil(math.sqrt(len(values)))
    if values.ndim == 3:
        figure = _grid(values, titles, columns, {"cmap": "viridis", "vmin": low, "vmax": high})
        return finished(figure, path)
    columns = max(1, columns // 2)
    rows = math.ceil(len(values) / columns)
    figure = figure_of(4.5 * columns + 0.5, 1.1 * rows + 0.6)
    for number, (line, title) in enumerate(zip(values, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.plot(line, color=COLOURS[0], linewidth=1.2)
        axes.set(
            ylim=(low - 0.05 * (high - low), high + 0.05 * (high - low)), xlim=(0, max(1, len(line) - 1))
        )
        axes.set_title(title, fontsize=9, loc="left")
        axes.tick_params(labelsize=8, labelbottom=number + columns >= len(values))
    figure.supxlabel("position", fontsize=10)
    return finished(figure, path)


def filters(weight: ArrayLike, flipped: bool = False, *, path: PngPath = None) -> Figure:
    """Filters: red is positive, blue negative, white zero (lecture 5.5).

    Args:
        weight: of a convolution: `(K, C, R, S)`, an image for each output k and input channel c; or `(K, C, S)`, an
            image for each output with the channels below each other. At most 256 images.
        flipped: whether the flipped filters are drawn beside or below them, which carry gradients back to the input
            (lecture 8.6) and are those of a convolution in the mathematical sense.
        path: of a PNG to write, or None.

    Raises:
        ShapeError, ArgumentError, ArgumentTypeError, FileError: an argument is not as stated, matplotlib is not
            installed, or `path` cannot be written.

    >>> import numpy as np, scanwise as sw
    >>> figure = sw.plot.filters(np.arange(18.0).reshape(2, 1, 3, 3), flipped=True)
    >>> [axes.get_title() for axes in figure.axes[:4]]
    ['filter 0', 'filter 1', 'filter 0, flipped', 'filter 1, flipped']
    """
    require_matplotlib("filters")
    values = _finite(weight, "weight", (3, 4), "(K, C, R, S) or (K, C, S)")
    if not isinstance(flipped, bool):
        raise ArgumentTypeError(f"flipped must be True or False. Got {flipped!r}.")
    weight_axes = values.ndim
    values = values if weight_axes == 4 else values[:, None]
    K, C = values.shape[:2]
    named = [[f"filter {k}" + (f", channel {c}" if C > 1 else "") for c in range(C)] for k in range(K)]
    turned = values[..., ::-1, ::-1] if weight_axes == 4 else values[..., ::-1]
    also = [[f"{title}, flipped" for title in titles] for titles in named]
    columns = C if C > 1 else min(K, 8)
    if flipped:  # behind the filters of the same output; of a single channel in rows below
        values, columns = np.concatenate([values, turned], axis=1 if C > 1 else 0), 2 * C if C > 1 else K
        named = [[*one, *other] for one, other in zip(named, also, strict=True)] if C > 1 else [*named, *also]
    tiles, titles = values.reshape(-1, *values.shape[2:]), [title for row in named for title in row]
    most = float(np.abs(values).max()) or 1.0
    figure = _grid(tiles, titles, columns, {"cmap": "RdBu_r", "vmin": -most, "vmax": most})
    return finished(figure, path)


def _grid(tiles: NDArray[Any], titles: list[str], columns: int, colours: dict[str, Any]) -> Figure:
    """Images in rows of `columns`, with one scale for all."""
    if len(tiles) > MOST_TILES:
        raise ArgumentError(f"images must be at most {MOST_TILES} to be told apart. Got {len(tiles)}.")
    rows = math.ceil(len(tiles) / columns)
    longest = max(map(len, titles))
    each = max(1.3, 0.085 * longest)  # inches: as wide as the title
    figure = figure_of(
        each * columns + 1.2, (each * min(1.0, tiles.shape[1] / tiles.shape[2]) + 0.35) * rows + 0.3
    )
    drawn = []
    for number, (tile, title) in enumerate(zip(tiles, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, number + 1)
        image = axes.imshow(tile, interpolation="nearest", **colours)
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=9)
        drawn.append(axes)
    figure.colorbar(image, ax=drawn, shrink=0.9, aspect=8 * figure.get_figheight(), label="value")
    return figure


def _finite(values: ArrayLike, name: str, axes: tuple[int, ...], expected: str) -> NDArray[Any]:
    array = finite_values(values, name)
    if array.ndim not in axes or array.size == 0:
        raise ShapeError(f"{name} must have shape {expected}, none of them 0. Got {array.shape}.")
    if len(array) > MOST_TILES:
        raise ArgumentError(f"{name} must be at most {MOST_TILES} to be told apart. Got {len(array)}.")
    return array
