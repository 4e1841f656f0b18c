"""What all pictures share.

Figures are made without pyplot, so that nothing is kept in a global list of windows. Colours are told apart with every
kind of colour vision: Okabe and Ito's, viridis, and red against blue around zero.
"""

from __future__ import annotations

import io
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.identities.extra import require_extra
from scanwise.inputs import check_finite, real_array
from scanwise.paths import require_path, write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "GREY",
    "PngPath",
    "figure_of",
    "finished",
    "finite_values",
    "require_matplotlib",
    "whole_numbers",
]

PngPath = str | PathLike[str] | None

# Okabe and Ito, "Color universal design" (2008), without black and yellow, which is faint on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
GREY = "#8A8A8A"


def figure_of(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def finished(figure: Figure, path: PngPath) -> Figure:
    """The figure, written as a PNG where `path` says: whole or not at all."""
    if path is not None:
        content = io.BytesIO()
        figure.savefig(content, format="png")
        write_beside(require_path(path, "path"), content.getvalue())
    return figure


def finite_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Values to draw: finite in float32, so that float64 holds sums and differences of them.

    Raises:
        ArgumentTypeError, ArgumentError: they are not real or not finite.
    """
    array = real_array(values, name).astype(np.float64)
    check_finite(array, name)
    return array


def whole_numbers(axes: Axes, which: str = "both") -> None:
    """Ticks at whole numbers, along `"x"`, `"y"` or `"both"`."""
    from matplotlib.ticker import MaxNLocator

    for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        if which in (name, "both"):
            axis.set_major_locator(MaxNLocator(integer=True))


def require_matplotlib(what: str) -> None:
    """Raise ArgumentError if matplotlib is not installed."""
    require_extra("matplotlib", f"plot.{what}")
