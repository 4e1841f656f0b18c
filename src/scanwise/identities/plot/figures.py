"""What all pictures share.

Figures are made without pyplot, so that nothing is kept in a global list of windows. Colours are told apart with every
kind of colour vision: Okabe and Ito's, viridis, and red against blue around zero.
"""

from __future__ import annotations

import io
from os import PathLike
from typing import TYPE_CHECKING

from scanwise.identities.extra import require_extra
from scanwise.model_file import write_beside
from scanwise.paths import require_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "GREY", "PngPath", "figure_of", "finished", "require_matplotlib", "whole_numbers"]

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


def whole_numbers(axes: Axes, which: str = "both") -> None:
    """Ticks at whole numbers, along `"x"`, `"y"` or `"both"`."""
    from matplotlib.ticker import MaxNLocator

    for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        if which in (name, "both"):
            axis.set_major_locator(MaxNLocator(integer=True))


def require_matplotlib(what: str) -> None:
    """Raise ArgumentError if matplotlib is not installed."""
    require_extra("matplotlib", f"plot.{what}")
