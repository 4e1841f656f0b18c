"""How far and how fast a scan of many files goes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from scanwise.cli.console import Progress
from scanwise.model import Model

__all__ = ["Pace"]


class Pace:
    """Tells a progress bar how many files are done, and how much signal goes by in a second.

    Called, as a scan's `progress`, with windows finished and windows in all of the file that is being scanned.
    """

    def __init__(self, show: Progress, model: Model, files: int) -> None:
        self._show = show
        self._files = files
        self._finished = 0
        self._amount = 0.0  # of the signals that were scanned, in `_unit`
        self._current = 0.0  # of the file that is being scanned
        self._started = time.monotonic()
        if len(model.input_shape) == 3:
            self._size, self._unit = 1e6, "megapixels"
        elif model.sample_rate is not None:
            self._size, self._unit = 3600 * model.sample_rate, "signal-hours"
        else:
            self._size, self._unit = 1e6, "million samples"

    def begin(self, extent: Sequence[int]) -> None:
        """A signal of this extent is about to be scanned."""
        self._current = math.prod(extent) / self._size

    def __call__(self, done: int, total: int) -> None:
        """Of the present file's windows, so many are finished."""
        self._tell(done / total)

    def file_done(self) -> None:
        """A file is finished; one of an earlier run, or one that could not be read, adds nothing to the pace."""
        self._finished += 1
        self._amount += self._current
        self._current = 0.0
        self._tell(0.0)

    def _tell(self, share: float) -> None:
        seconds = max(time.monotonic() - self._started, 1e-3)
        rate = (self._amount + share * self._current) / seconds
        self._show(self._finished + share, self._files, f"{rate:.3g} {self._unit} per second")
