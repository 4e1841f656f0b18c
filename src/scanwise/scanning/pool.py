"""`StreamPool`: many signals at the same time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.model import Model
from scanwise.scanning.line import Line, advance
from scanwise.scanning.state import pack, unpack
from scanwise.scanning.stream import plan_of

__all__ = ["StreamPool"]


class StreamPool:
    """Many streams of one model. All that have data are evaluated in one native call, on all threads.

    Each gets the scores that it would get by itself as a `Stream`, bit for bit.

    Args:
        model: as for `Stream`.
        step: as for `Stream`, the same for all.

    Raises:
        ShapeError, ArgumentError, ArgumentTypeError: as `Stream`.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.ReLU(), sw.Aggregate("max")), (1, 8))
    >>> pool = sw.StreamPool(model)
    >>> first, second = pool.open(), pool.open()
    >>> scores = pool.feed({first: np.ones((1, 10)), second: np.ones((1, 8))})
    >>> scores[first].shape, scores[second].shape, len(pool)
    ((2, 3), (2, 1), 2)
    """

    def __init__(self, model: Model, step: int | None = None) -> None:
        self._plan = plan_of(model, step)
        self._lines: dict[int, Line] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def open(self) -> int:
        """Begin a stream; its number, which no other stream of this pool has had."""
        return self._add(Line(self._plan))

    def close(self, number: int) -> None:
        """Forget a stream, ended or not.

        Raises:
            ArgumentError: there is no stream of that number.
        """
        with self._lock:
            self._line(number)
            del self._lines[number]

    def feed(self, chunks: Mapping[int, ArrayLike]) -> dict[int, NDArray[np.float32]]:
        """Take the next samples of some streams.

        Args:
            chunks: by the stream's number, each as `Stream.feed` takes it.

        Returns:
            By the stream's number the scores `(K, m)` of the windows whose last sample has come.

        Raises:
            ShapeError, ArgumentError, ArgumentTypeError: as `Stream.feed`, or there is no stream of a number. All
                streams stay as they were.
        """
        if not isinstance(chunks, Mapping):
            raise ArgumentTypeError(
                f"chunks must be a mapping from streams to samples. Got {type(chunks).__name__}."
            )
        with self._lock:
            lines = [self._line(number) for number in chunks]
            checked = [
                (line, line.checked(chunk, f"chunks[{number}]"))
                for line, (number, chunk) in zip(lines, chunks.items(), strict=True)
            ]
            return dict(zip(chunks, advance(checked), strict=True))

    def flush(self, number: int, edge: str = "valid") -> NDArray[np.float32]:
        """End the signal of a stream, as `Stream.flush` does. It then waits to be closed.

        Raises:
            ShapeError, ArgumentError: as `Stream.flush`, or there is no stream of that number.
        """
        with self._lock:
            return self._line(number).flush(edge)

    def state(self, number: int) -> bytes:
        """All that has to be kept to go on with a stream later: `restore` and `Stream.restore` take it.

        Raises:
            ArgumentError: there is no stream of that number.
        """
        with self._lock:
            return pack(self._line(number))

    def restore(self, state: bytes) -> int:
        """Begin a stream that goes on where another one was, of this pool, of another one, or by itself; its number.

        Raises:
            DataError, ArgumentTypeError: as `Stream.restore`. No stream is begun.
        """
        line = Line(self._plan)
        unpack(state, line)
        return self._add(line)

    def position(self, number: int) -> int:
        """Samples that a stream has been fed.

        Raises:
            ArgumentError: there is no stream of that number.
        """
        with self._lock:
            return self._line(number).past.position

    def __len__(self) -> int:
        return len(self._lines)

    def _add(self, line: Line) -> int:
        with self._lock:
            number = next(self._numbers)
            self._lines[number] = line
            return number

    def _line(self, number: object) -> Line:
        line = self._lines.get(int(number)) if isinstance(number, int | np.integer) else None
        if line is None:
            raise ArgumentError(f"stream must be the number of one that is open. Got {number!r}.")
        return line

    def __repr__(self) -> str:
        windows = self._plan.windows
        return f"<StreamPool of {len(self)} streams: window {windows.window}, step {windows.step}>"
