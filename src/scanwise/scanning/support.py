"""Which part of a signal decided a score (lecture part 7)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.executor import Samples
from scanwise.model import Model
from scanwise.routing import Route, Router
from scanwise.scanning.detection import Support
from scanwise.scanning.evaluators import as_float
from scanwise.scanning.finite import FiniteValues
from scanwise.scanning.grid import Region, one_or_pair
from scanwise.scanning.source import Source

# Gives a window of the signal.
Read = Callable[[Region], Samples]


def window_reader(source: Source, nan: str) -> Read:
    """Reads windows of a signal as a scan does: with zeros behind its end, and for what the rule `nan` says.

    Along the first axis they must come in the order of their starts, unless the source is an array.
    """
    finite = FiniteValues(source, nan)

    def read(region: Region) -> Samples:
        ends = [
            stop if extent is None else extent
            for (_, stop), extent in zip(region, source.extent, strict=True)
        ]
        inside = tuple((start, min(stop, end)) for (start, stop), end in zip(region, ends, strict=True))
        part, _ = finite(source.read(inside), inside, inside)
        behind = [stop - inner for (_, stop), (_, inner) in zip(region, inside, strict=True)]
        return as_float(np.pad(part, [(0, 0), *((0, zeros) for zeros in behind)])) if any(behind) else part

    return read


class SupportFinder:
    """Finds the supports of scores of one model's windows.

    A network without maxima looks at the same part of every window. Through maxima each window is run once more, up to
    the last of them, and its score once, to be sure that it is still the one that was found.

    Args:
        model: that gave the scores.
        read: gives the parts of the signal that it gave them for.
    """

    def __init__(self, model: Model, read: Read) -> None:
        self._model, self._read = model, read
        self._router = Router(model)
        self._fixed: dict[int, Route] = {}

    def __call__(self, label: int, start: tuple[int, ...], score: float | None = None) -> Support:
        """The support of a score.

        Args:
            label: its number.
            start: where its window begins, one number an axis.
            score: the network's output, as the scan gave it; None if nothing can have changed since.

        Raises:
            ArgumentError: the window has another score now: the parameters or the signal have changed.
        """
        route = self._fixed.get(label)
        if route is None:
            window = self._read(
                tuple(
                    (first, first + extent)
                    for first, extent in zip(start, self._model.input_shape[1:], strict=True)
                )
            )
            route = self._router.route(window, label)
            if score is not None and route.score != score:
                raise ArgumentError(
                    "model and signal must be as they were when they were scanned, to find the support. "
                    f"Got score {route.score:.6g} for a window that had {score:.6g}."
                )
            if not self._router.chooses:
                self._fixed[label] = route
        ranges = [(first + low, first + high) for first, (low, high) in zip(start, route.region, strict=True)]
        return one_or_pair(ranges)
