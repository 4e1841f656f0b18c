"""Changes under shifts (lecture 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scanwise.errors import ArgumentTypeError
from scanwise.identities.plot.figures import (
    COLOURS,
    GREY,
    PngPath,
    figure_of,
    finished,
    require_matplotlib,
    whole_numbers,
)
from scanwise.identities.shifting import ShiftResponse
from scanwise.inputs import check_finite

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["shift_response"]


def shift_response(response: ShiftResponse, *, path: PngPath = None) -> Figure:
    """How far outputs change with the shift of the input, and where they do not change at all (lecture 4.3).

    Shifts along one axis are a line; along both they are a plane, the change being the colour.

    Args:
        response: what `shift_response` gave.
        path: of a PNG to write, or None.

    Raises:
        ArgumentTypeError, ArgumentError, FileError: an argument is not as stated, matplotlib is not installed, or
            `path` cannot be written.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Downsample1d(2), sw.Aggregate("max")), (1, 20))
    >>> figure = sw.plot.shift_response(sw.shift_response(model, np.eye(1, 20, 10), range(-4, 5)))
    >>> figure.axes[0].get_xlabel()
    'shift of the input (positions)'
    """
    require_matplotlib("shift_response")
    if not isinstance(response, ShiftResponse):
        raise ArgumentTypeError(f"response must be a ShiftResponse. Got {type(response).__name__}.")
    check_finite(response.change, "response.change")
    shifts = np.array(response.shifts, np.float64)  # of any size
    varied = [axis for axis in range(shifts.shape[1]) if len(np.unique(shifts[:, axis])) > 1]
    figure = figure_of(*((7.0, 3.6) if len(varied) < 2 else (6.2, 5.6)))
    axes = figure.add_subplot()
    same, change = response.unchanged, response.change
    if len(varied) < 2:
        axis = varied[0] if varied else shifts.shape[1] - 1
        along = "" if shifts.shape[1] == 1 else (" along rows", " along columns")[axis]
        order = np.argsort(shifts[:, axis], kind="stable")
        axes.plot(shifts[order, axis], change[order], color=GREY, linewidth=1, zorder=1)
        axes.scatter(
            shifts[~same, axis], change[~same], color=COLOURS[5], marker="o", label="changed", zorder=2
        )
        axes.scatter(
            shifts[same, axis], change[same], color=COLOURS[0], marker="s", label="exactly 0", zorder=2
        )
        axes.set(xlabel=f"shift of the input{along} (positions)", ylabel="largest change of an output")
        axes.set_ylim(bottom=-0.05 * max(float(change.max()), 1e-9))
        axes.grid(axis="y", color="#DDDDDD")
        axes.set_axisbelow(True)
    else:
        dots = axes.scatter(shifts[:, 1], shifts[:, 0], c=change, marker="s", s=140, cmap="viridis")
        axes.scatter(
            shifts[same, 1],
            shifts[same, 0],
            color="white",
            edgecolor="black",
            marker="s",
            s=140,
            label="exactly 0",
        )
        axes.set(
            xlabel="shift along columns (positions)", ylabel="shift along rows (positions)", aspect="equal"
        )
        axes.invert_yaxis()  # rows go down, as in the image
        figure.colorbar(dots, label="largest change of an output", shrink=0.9)
    whole_numbers(axes, "both" if len(varied) == 2 else "x")
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return finished(figure, path)
