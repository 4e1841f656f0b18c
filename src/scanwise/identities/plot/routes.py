"""Where a score comes from (lecture part 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentTypeError, ShapeError
from scanwise.identities.plot.figures import (
    COLOURS,
    PngPath,
    figure_of,
    finished,
    finite_values,
    require_matplotlib,
)
from scanwise.routing import Route

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["route"]


def route(route: Route, x: ArrayLike, *, path: PngPath = None) -> Figure:
    """The input, and the part of it that a score comes from (lecture part 7).

    A signal of few channels is drawn as lines, one of many as an image with the channels below each other. What the
    score does not depend on is paler; the region is framed or shaded.

    Args:
        route: what `scanwise.route` gave.
        x: its input: `(D,)`, `(C, T)` or `(C, H, W)`; one sample, with or without an axis in front.
        path: of a PNG to write, or None.

    Raises:
        ShapeError: `x` is not the route's input.
        ArgumentTypeError, ArgumentError, FileError: an argument is not as stated, matplotlib is not installed, or
            `path` cannot be written.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max")), (1, 20))
    >>> x = np.eye(1, 20, 10)
    >>> sw.plot.route(sw.route(model, x, 0), x).axes[0].get_xlabel()
    'position'
    """
    require_matplotlib("route")
    if not isinstance(route, Route):
        raise ArgumentTypeError(f"route must be a Route. Got {type(route).__name__}.")
    values = finite_values(x, "x")
    values = values[0] if values.shape == (1, *route.mask.shape) else values
    if values.shape != route.mask.shape:
        raise ShapeError(
            f"x must have the shape of the route's input, {route.mask.shape}. Got {values.shape}."
        )
    figure = figure_of(8.0, 3.2 if values.ndim < 3 else 5.6)
    axes = figure.add_subplot()
    mask = np.atleast_2d(route.mask)
    if values.ndim < 3 and len(np.atleast_2d(values)) <= len(COLOURS):
        _draw_signal(axes, np.atleast_2d(values), mask, route)
    else:
        _draw_image(axes, values, mask, route)
    names = ("rows", "columns") if len(route.region) == 2 else ("positions",)
    places = ", ".join(
        f"{name} {start} to {stop - 1}" for name, (start, stop) in zip(names, route.region, strict=True)
    )
    places = places if route.mask.any() else "padding alone"
    axes.set_title(f"label {route.label}: score {route.score:.4g}, from {places}")
    return finished(figure, path)


def _draw_signal(axes: Axes, values: NDArray[Any], mask: NDArray[np.bool_], route: Route) -> None:
    ((start, stop),) = route.region
    axes.axvspan(start - 0.5, stop - 0.5, color="#F0E442", alpha=0.45, linewidth=0)
    time = np.arange(values.shape[1])
    for channel, line in enumerate(values):
        colour = COLOURS[channel]
        axes.plot(time, line, color=colour, alpha=0.45, linewidth=1)
        seen = mask[channel]
        axes.plot(
            time[seen], line[seen], color=colour, marker=".", linestyle="none", label=f"channel {channel}"
        )
    axes.set(xlabel="position", ylabel="value", xlim=(-0.5, len(time) - 0.5))
    if len(values) > 1:
        axes.legend(loc="upper right")


def _draw_image(axes: Axes, values: NDArray[Any], mask: NDArray[np.bool_], route: Route) -> None:
    from matplotlib.patches import Rectangle

    low, high = values.min(), values.max()
    image = (values - low) / (high - low) if high > low else np.zeros_like(values)
    if values.ndim == 3:
        image = (
            np.moveaxis(image, 0, -1) if len(image) == 3 else np.repeat(image.mean(axis=0)[..., None], 3, -1)
        )
        seen = np.asarray(mask.any(axis=0))
        (top, bottom), (left, right) = route.region
        axes.set(xlabel="column", ylabel="row")
    else:
        image = np.repeat(image[..., None], 3, -1)
        seen = mask
        ((left, right),) = route.region
        top, bottom = 0, len(image)
        axes.set(xlabel="position", ylabel="channel")
    paler = np.where(seen[..., None], image, 0.35 * image + 0.5)
    axes.imshow(paler, interpolation="nearest", aspect="equal" if values.ndim == 3 else "auto")
    corner, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=COLOURS[5], linewidth=2.5))
