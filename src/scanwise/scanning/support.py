"""Which part of a signal decided a score (lecture part 7)."""

from __future__ import annotations

from scanwise.errors import ArgumentError
from scanwise.model import Model
from scanwise.routing import Route, Router
from scanwise.scanning.detection import Support
from scanwise.scanning.evaluation import Read
from scanwise.scanning.grid import one_or_pair


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

    def __call__(self, label: int, start: tuple[int, ...], score: float) -> Support:
        """The support of a score.

        Args:
            label: its number.
            start: where its window begins, one number an axis.
            score: the network's output, as the scan gave it.

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
            if route.score != score:
                raise ArgumentError(
                    "model and signal must be as they were when they were scanned, to find the support. "
                    f"Got score {route.score:.6g} for a window that had {score:.6g}."
                )
            if not self._router.chooses:
                self._fixed[label] = route
        ranges = [(first + low, first + high) for first, (low, high) in zip(start, route.region, strict=True)]
        return one_or_pair(ranges)
