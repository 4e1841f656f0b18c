"""How far and how fast a scan of many files goes."""

from __future__ import annotations

import math
import time

from scanwise.cli.console import Progress
from scanwise.model import Model
from scanwise.shapes import receptive_field

__all__ = ["Pace"]


class Pace:
    """Tells a progress bar how many files are done, and how much signal goes by in a second.

    Called, as a scan's `progress`, with windows finished and windows in all of the file that is being scanned: each
    goes a step further.
    """

    def __init__(self, show: Progress, model: Model, files: int, step: int | None) -> None:
        self._show = show
        self._files = files
        self._finished = 0
        self._amount = 0.0  # of the signals that were scanned, in `_unit`
        self._current = 0.0  # of the file that is being scanned, so far
        self._started = time.monotonic()
        if len(model.input_shape) == 3:
            self._size, self._unit = 1e6, "megapixels"
        elif model.sample_rate is not None:
            self._size, self._unit = 3600 * model.sample_rate, "signal-hours"
        else:
            self._size, self._unit = 1e6, "million samples"
        stride = receptive_field(model.network, model.input_shape)[1]
        self._step = math.prod(stride if step is None else (step,) * len(stride)) / self._size

    def __call__(self, done: int, total: int | None) -> None:
        """Of the present file's windows, so many are finished; how many there are may not be known yet."""
        self._current = done * self._step
        self._tell(done / total if total else 0.0)

    def file_done(self) -> None:
        """A file is finished; one of an earlier run, or one that could not be read, adds nothing to the pace."""
        self._finished += 1
        self._amount += self._current
        self._current = 0.0
        self._tell(0.0)

    def _tell(self, share: float) -> None:
        seconds = max(time.monotonic() - self._started, 1e-3)
        rate = (self._amount + self._current) / seconds
        self._show(self._finished + share, self._files, f"{rate:.3g} {self._unit} per second")
