"""Weight matrices: dense, and tied (lecture 1.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scanwise.identities.plot.figures import (
    COLOURS,
    PngPath,
    figure_of,
    finished,
    require_matplotlib,
    whole_numbers,
)
from scanwise.identities.ties import ties
from scanwise.layers import Layer
from scanwise.model import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["structure"]


def structure(
    layer: Layer | Model, input_shape: Iterable[int] | None = None, *, path: PngPath = None
) -> Figure:
    """An MLP's dense weight matrix against the block-structured one of a layer that scans (lecture 1.3).

    Left of each row every weight has a colour of its own; right only connections are drawn, and tied ones have the same
    colour.

    Args:
        layer: a layer of which `equivalent_matrix` makes a matrix; or a `Sequential` or `Model`, whose layers with
            weights are drawn one below the other.
        input_shape: shape that reaches it, channels first; of a `Model` it may be left out.
        path: of a PNG to write, or None.

    Raises:
        ArgumentError: a layer is not affine, a matrix has more than 400 outputs or inputs, or matplotlib or scipy is
            not installed.
        ShapeError, ArgumentTypeError, FileError: an argument is not as stated, or `path` cannot be written.

    >>> import scanwise as sw
    >>> figure = sw.plot.structure(sw.Conv1d(2, 3), (1, 12))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['output', 'output']
    """
    require_matplotlib("structure")
    found = ties(layer, input_shape)
    figure = figure_of(9.0, 4.2 * len(found))
    for row, tied in enumerate(found):
        dense, scanning = (figure.add_subplot(len(found), 2, 2 * row + 1 + side) for side in range(2))
        outputs, inputs = tied.number.shape
        everything = np.arange(1, outputs * inputs + 1).reshape(outputs, inputs)
        _draw_weights(dense, everything, f"dense MLP layer\n{outputs * inputs:,} weights")
        used = np.count_nonzero(tied.number)
        told = f"{used:,} connections, {tied.weights:,} weight{'s' if tied.weights != 1 else ''}"
        _draw_weights(scanning, tied.number, f"{tied.name}\n{told}")
    return finished(figure, path)


def _draw_weights(axes: Axes, number: NDArray[np.intp], title: str) -> None:
    """Weight numbers, 0 for no connection, as colours."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    weights = int(number.max())
    if weights <= len(COLOURS):
        palette = np.array([to_rgb(colour) for colour in COLOURS])[:weights]
    else:  # neighbours far apart in viridis: multiples of the golden ratio, modulo 1
        palette = colormaps["viridis"](np.arange(weights) * 0.6180339887 % 1.0)[:, :3]
    axes.imshow(np.vstack([[1.0, 1.0, 1.0], palette])[number], interpolation="nearest", aspect="auto")
    axes.set(title=title, xlabel="input", ylabel="output")
    whole_numbers(axes)
