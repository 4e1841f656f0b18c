"""One signal that is scanned while it comes: what `Stream` has one of and `StreamPool` many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ShapeError
from scanwise.inputs import check_finite, number_array
from scanwise.scanning.course import Plan, Scores
from scanwise.scanning.grid import EDGES
from scanwise.scanning.past import Past, Samples

_FLOAT32 = np.dtype(np.float32)


class Line:
    """The past of a signal, and what has been computed from it.

    Args:
        plan: how its windows are evaluated.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begin(Past.empty(plan.model.input_shape[0], plan.windows.kept), ended=False)

    def begin(self, past: Past, *, ended: bool) -> None:
        """Go on from a moment of this signal or another one."""
        self.course = self.plan.course()
        self.past, self.ended = past, ended

    def checked(self, chunk: ArrayLike, name: str) -> Samples:
        """A chunk as float32 `(C, n)`.

        Raises:
            ArgumentError, ArgumentTypeError, ShapeError: as `Stream.feed`.
        """
        if self.ended:
            raise ArgumentError("the stream must be open to be fed. Got one that flush has ended; reset it.")
        channels = self.plan.model.input_shape[0]
        # float32 that needs no conversion is the common case, and most of a short chunk's cost is Python.
        array: NDArray[Any]
        array = chunk if type(chunk) is np.ndarray and chunk.dtype is _FLOAT32 else number_array(chunk, name)
        if array.ndim != 2 or array.shape[0] != channels:
            hint = f"; add the channel axis: {name}[None]" if array.ndim == 1 and channels == 1 else ""
            raise ShapeError(
                f"{name} must have shape ({channels}, n) for this model. Got {array.shape}{hint}."
            )
        samples = _as_float(array)
        check_finite(samples, name, (0, self.past.position))
        return samples

    def feed(self, samples: Samples) -> Scores:
        """Take the next samples, which have been checked: the new scores. The line stays as it was if this fails."""
        after, scores = self._evaluated(samples)
        self.past = after.cut()
        return scores

    def _evaluated(self, samples: Samples) -> tuple[Past, Scores]:
        """Where the line would be, and the scores of the windows up to there."""
        before, course = self.past, self.course
        after = before.after(samples)
        due = course.due(before, after)
        if due:
            self.plan.native.run_ticks(due)
        return after, course.scores(before, after)

    def flush(self, edge: str) -> Scores:
        """End the signal; the scores that its end adds. See `Stream.flush`."""
        scores = self._rest(edge)
        self.ended = True
        return scores

    def _rest(self, edge: str) -> Scores:
        if edge not in EDGES:
            raise ArgumentError(f"edge must be one of {', '.join(map(repr, EDGES))}. Got {edge!r}.")
        if self.ended:
            raise ArgumentError(
                "the stream must be open to be flushed. Got one that flush has ended; reset it."
            )
        windows, fed = self.plan.windows, self.past.position
        if fed == 0 or (fed < windows.window and edge != "pad"):
            only = "" if fed == 0 else "; only edge='pad' takes a shorter one"
            raise ShapeError(
                f"the stream must have been fed at least one window of {windows.window} samples. Got {fed}{only}."
            )
        known = windows.within(fed)
        if edge == "pad":
            stop = known
            # Another window, as long as it begins in the signal and no window before it reaches the end.
            while stop * windows.step < fed and (stop == 0 or windows.end(stop - 1) < fed):
                stop += 1
            if stop > known:
                zeros = np.zeros((len(self.past.buffer), windows.end(stop - 1) - fed), np.float32)
                return self._evaluated(zeros)[1]
        if edge == "extend" and windows.end(known - 1) < fed:
            last = np.ascontiguousarray(self.past.last(windows.window)[np.newaxis])
            return self.plan.model.executor.forward(last).reshape(-1, 1)
        return np.empty((self.plan.model.output_shape[0], 0), np.float32)


def _as_float(array: NDArray[Any]) -> Samples:
    if array.dtype == np.float32:
        return array  # it is copied into the past
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is looked for next
        samples: Samples = array.astype(np.float32)
    if array.dtype == np.uint8:
        samples *= np.float32(1.0 / 255.0)  # as the engines do
    return samples


def advance(chunks: Sequence[tuple[Line, Samples]]) -> list[Scores]:
    """Feed lines of one plan, each with what came, all their ticks together; the new scores of each.

    All lines have been fed when this returns. If it does not, what was computed for nothing is not looked at.
    """
    pasts = [(line, line.past, line.past.after(samples)) for line, samples in chunks]
    due = [columns for line, before, after in pasts for columns in line.course.due(before, after)]
    if due:
        chunks[0][0].plan.native.run_ticks(due)
    scores = [line.course.scores(before, after) for line, before, after in pasts]
    for line, _, after in pasts:
        line.past = after.cut()
    return scores
