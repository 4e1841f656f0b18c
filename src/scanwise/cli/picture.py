"""`scanwise scan --plot`: a signal, the probabilities of its labels, and what was found in it.

A picture has some thousand columns, however long the signal: each shows the extremes of the samples that fall into it,
and each pixel of a large image the mean of a square. What is drawn, which may be a memory map, is read part by part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.identities.extra import require_extra
from scanwise.identities.plot.figures import COLOURS, GREY, figure_of, finished
from scanwise.scanning import Detection, ScanResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "require_plot"]

COLUMNS = 1600  # at most: about as many as the picture has pixels


def require_plot(path: Path, files: int) -> None:
    """Raise ArgumentError unless a picture of so many files can be drawn there."""
    require_extra("matplotlib", "--plot", "plot")
    if path.suffix.lower() != ".png":
        raise ArgumentError(f"plot must be a file that ends in .png. Got {path}.")
    if files != 1:
        raise ArgumentError(f"plot must be asked for with one file to scan. Got {files}.")


def draw(
    path: Path, signal: NDArray[Any], result: ScanResult, detections: Sequence[Detection], *, title: str
) -> None:
    """Write the picture of a scan, whole or not at all.

    Args:
        path: of the PNG.
        signal: `(C, T)` or `(C, H, W)`, what was scanned.
        result: of the scan.
        detections: what of it is to be shown.
        title: above the picture.
    """
    figure = figure_of(13.0, 6.0)
    if signal.ndim == 2:
        above, below = figure.subplots(2, 1, sharex=True)
        unit = 1.0 if result.sample_rate is None else result.sample_rate  # samples
        _draw_signal(above, signal, unit)
        _draw_probabilities(below, result, unit)
        above.set_xlim(0, signal.shape[1] / unit)
        _shade((above, below), detections, unit)
    else:
        above, below = figure.subplots(1, 2, sharex=True, sharey=True)
        _draw_image(above, signal)
        _draw_heat(below, result)
        above.set(xlim=(0, signal.shape[2]), ylim=(signal.shape[1], 0))
        _frame((above, below), detections)
    _legend(above, result, detections)
    above.set_title(title, loc="left", parse_math=False)
    finished(figure, path)


def _draw_signal(axes: Axes, signal: NDArray[Any], unit: float) -> None:
    size = _size(signal.shape[1])
    starts = np.arange(0, signal.shape[1], size)
    low, high = (_finite(extreme.reduceat(signal, starts, axis=1)) for extreme in (np.fmin, np.fmax))
    if len(signal) <= len(COLOURS):
        middle = (starts + size / 2) / unit
        for channel, (bottom, top) in enumerate(zip(low, high, strict=True)):
            colour = GREY if len(signal) == 1 else COLOURS[channel]
            axes.fill_between(middle, bottom, top, color=colour, linewidth=0.8, alpha=0.8)
        axes.set_ylabel("signal")
    else:
        ends = (0, len(starts) * size / unit, len(signal) - 0.5, -0.5)
        axes.imshow(high, aspect="auto", extent=ends, cmap="Greys", interpolation="nearest")
        axes.set_ylabel("channel")


def _draw_probabilities(axes: Axes, result: ScanResult, unit: float) -> None:
    """Above the middle of each window, how sure the network is of every label; of several windows the largest."""
    labels, size = _reported(result), _size(result.scores.shape[1])
    parts = [result.reading.probabilities(part).max(axis=1) for part in _parts(result.scores, size)]
    shown = np.stack(parts, axis=1)[labels]
    (axis,) = result.axes
    width = size * axis.step / unit
    begin = (axis.window - axis.step) / 2 / unit
    if len(labels) <= len(COLOURS):
        middle = begin + (np.arange(len(parts)) + 0.5) * width
        for k, line in zip(labels, shown, strict=True):
            axes.plot(middle, line, color=_colour(k), linewidth=1)
        axes.set_ylabel("probability")
    else:
        ends = (begin, begin + len(parts) * width, len(labels) - 0.5, -0.5)
        axes.imshow(shown, aspect="auto", extent=ends, cmap="viridis", interpolation="nearest")
        axes.set_yticks(range(len(labels)), [_name(result, k) for k in labels], parse_math=False)
    axes.set_xlabel("sample" if result.sample_rate is None else "seconds")


def _shade(both: Sequence[Axes], detections: Sequence[Detection], unit: float) -> None:
    bars = [(start / unit, (stop - start) / unit) for found in detections for start, stop in found.ranges]
    colours = [_colour(found.index) for found in detections]
    for axes in both:
        height = axes.get_xaxis_transform()  # from bottom to top, whatever the values
        axes.broken_barh(bars, (0, 1), transform=height, facecolors=colours, alpha=0.2, linewidth=0)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    """Values that are not finite as zeros, as they are in a scan that leaves them in."""
    return np.where(np.isfinite(values), values, 0)


def _draw_image(axes: Axes, signal: NDArray[Any]) -> None:
    size = _size(max(signal.shape[1:]))
    lefts = np.arange(0, signal.shape[2], size)
    widths = np.diff(lefts, append=signal.shape[2])
    bands = [
        np.add.reduceat(_finite(rows).mean(axis=1, dtype=np.float64), lefts, axis=1) / widths
        for rows in _parts(signal, size)
    ]
    shown = np.stack(bands, axis=0)  # rows, channels, columns
    low, high = (0.0, 255.0) if signal.dtype == np.uint8 else (shown.min(), shown.max())
    shown = np.moveaxis((shown - low) / (high - low if high > low else 1.0), 1, -1)
    colours = shown if shown.shape[-1] == 3 else np.repeat(shown.mean(axis=-1, keepdims=True), 3, axis=-1)
    axes.imshow(colours, extent=(0, len(lefts) * size, len(bands) * size, 0), interpolation="nearest")
    axes.set(xlabel="column", ylabel="row")


def _draw_heat(axes: Axes, result: ScanResult) -> None:
    """In the middle of each window the largest probability of any label that is reported."""
    labels, size = _reported(result), _size(max(result.scores.shape[1:]))
    lefts = np.arange(0, result.scores.shape[2], size)
    bands = [
        np.fmax.reduceat(np.fmax.reduce(result.reading.probabilities(rows)[labels], axis=(0, 1)), lefts)
        for rows in _parts(result.scores, size)
    ]
    shown = np.stack(bands)
    (top, bottom), (left, right) = (
        (begin, begin + count * size * axis.step)
        for axis, count in zip(result.axes, shown.shape, strict=True)
        for begin in [(axis.window - axis.step) / 2]
    )
    axes.set_facecolor("#EEEEEE")
    picture = axes.imshow(
        shown,
        extent=(left, right, bottom, top),
        vmin=min(0.0, np.fmin.reduce(shown, axis=None)),  # windows without a score are left out
        vmax=max(1.0, np.fmax.reduce(shown, axis=None)),
    )
    axes.figure.colorbar(picture, ax=axes, label="probability", shrink=0.8)
    axes.set_xlabel("column")


def _frame(both: Sequence[Axes], detections: Sequence[Detection]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = []
    for found in detections:
        top, left, bottom, right = found.box
        boxes.append(Rectangle((left, top), right - left, bottom - top))
    colours = [_colour(found.index) for found in detections]
    for axes in both:
        axes.add_collection(PatchCollection(boxes, facecolor="none", edgecolor=colours, linewidth=1.5))


def _legend(axes: Axes, result: ScanResult, detections: Sequence[Detection]) -> None:
    """The colours of labels: of those that were found, and of all that lines are drawn of."""
    from matplotlib.patches import Patch

    shown = {found.index for found in detections}
    if len(result.axes) == 1 and len(_reported(result)) <= len(COLOURS):
        shown |= set(_reported(result))
    if shown:
        patches = [Patch(color=_colour(k), label=_name(result, k)) for k in sorted(shown)]
        for text in axes.legend(handles=patches, loc="upper right", fontsize="small").get_texts():
            text.set_parse_math(False)


def _reported(result: ScanResult) -> list[int]:
    names = result.labels or (None,) * len(result.scores)
    return [k for k, name in enumerate(names) if name is None or name != result.background]


def _name(result: ScanResult, k: int) -> str:
    return result.labels[k] if result.labels else str(k)


def _parts(values: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """So many neighbours along axis 1 at a time; the last may be fewer."""
    for first in range(0, values.shape[1], size):
        yield values[:, first : first + size]


def _size(extent: int) -> int:
    """Neighbours that are drawn as one."""
    return -(-extent // COLUMNS)


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]
