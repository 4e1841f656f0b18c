"""`Stream`: a trained window network over a signal that is still coming."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentTypeError, ShapeError
from scanwise.model import Model
from scanwise.scanning.course import Plan
from scanwise.scanning.grid import per_axis
from scanwise.scanning.line import Line
from scanwise.scanning.past import Past
from scanwise.scanning.state import pack, unpack
from scanwise.scanning.work import score_count

__all__ = ["Stream", "plan_of"]


class Stream:
    """Scan a signal while it comes: feed chunks of any sizes, and get the scores of `scan`, bit for bit.

    Where the network does not pad inside its window, a new sample costs the new columns of every layer and nothing
    twice (`.method` is `"shared"`). Otherwise every window is run by itself when its last sample has come
    (`"windows"`). Memory is fixed: the last samples, a little more than a window, and the columns of each layer that
    the next ones read.

    A step finer than the network's stride, or that is no multiple of it, is as many streams side by side as there are
    places within a stride where windows start: `stride / gcd(step, stride)` times the work and the memory.

    If the model's parameters change meanwhile, windows that end after the change are scored by the new ones.

    Args:
        model: a model for windows `(C, T)` that gives one vector of scores per window.
        step: between the starts of neighbouring windows, in samples. None: the network's own stride.

    Raises:
        ShapeError: the model is not for signals, or gives more than one vector of scores.
        ArgumentError, ArgumentTypeError: `step` is not a positive whole number, or `model` not a Model.

    Source: lecture parts 1 to 4 for the shared work.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.ReLU(), sw.Aggregate("max")), (1, 8))
    >>> signal = np.sin(np.arange(20.0))[None]
    >>> stream = sw.Stream(model)
    >>> parts = [stream.feed(signal[:, :7]), stream.feed(signal[:, 7:8]), stream.feed(signal[:, 8:])]
    >>> [scores.shape[1] for scores in parts]
    [0, 1, 12]
    >>> np.array_equal(np.concatenate(parts, axis=1), sw.scan(model, signal).scores)
    True
    """

    def __init__(self, model: Model, step: int | None = None) -> None:
        self._line = Line(plan_of(model, step))
        self._lock = threading.Lock()

    def feed(self, chunk: ArrayLike) -> NDArray[np.float32]:
        """Take the next samples of the signal.

        Args:
            chunk: `(C, n)`, n at least 0, any real dtype (uint8 is taken as 0..1).

        Returns:
            `(K, m)` float32, the scores of the windows whose last sample is in this chunk. The i-th score of the whole
            stream is of the window that starts at sample i * step.

        Raises:
            ShapeError: the chunk has other axes or channels.
            ArgumentError, ArgumentTypeError: it holds NaN or infinity (the message has the place in the stream), or is
                not real; or the stream has ended. The stream stays as it was.
        """
        with self._lock:
            line = self._line
            return line.feed(line.checked(chunk, "chunk"))

    def flush(self, edge: str = "valid") -> NDArray[np.float32]:
        """End the signal. Until `reset` the stream takes no more samples.

        Args:
            edge: `"valid"`: windows that fit, all of which have been scored; `"pad"`: zeros behind the end, so that
                every sample lies in a window; `"extend"`: one more window, that ends with the signal, if its last
                sample lies in none.

        Returns:
            `(K, m)` float32: the scores that this adds.

        Raises:
            ShapeError: the signal is shorter than a window (for `"pad"`: empty). The stream stays as it was.
            ArgumentError: `edge` is another word, or the stream has ended before.

        >>> import numpy as np, scanwise as sw
        >>> stream = sw.Stream(sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 8)), step=8)
        >>> stream.feed(np.ones((1, 13))).shape, stream.flush("pad").shape
        ((2, 1), (2, 1))
        """
        with self._lock:
            return self._line.flush(edge)

    def reset(self) -> None:
        """Begin a new signal."""
        with self._lock:
            line = self._line
            line.begin(Past.empty(line.plan.model.input_shape[0], line.plan.windows.kept), ended=False)

    def state(self) -> bytes:
        """All that has to be kept to go on later, or in another process: `restore` takes it.

        It holds the last samples, a little more than a window, and a checksum of the model.
        """
        with self._lock:
            return pack(self._line)

    def restore(self, state: bytes) -> None:
        """Go on where a stream of the same model and step was when its `state` was asked for.

        On any processor, and with either backend. It takes as long as the scores of a window.

        Raises:
            DataError: `state` is damaged, truncated, of a later version of Scanwise, or of another model or step. The
                stream stays as it was.
            ArgumentTypeError: it is not bytes.

        >>> import numpy as np, scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 8))
        >>> stream, other = sw.Stream(model), sw.Stream(model)
        >>> stream.feed(np.ones((1, 30))).shape
        (2, 23)
        >>> other.restore(stream.state())
        >>> other.position, np.array_equal(stream.feed(np.ones((1, 3))), other.feed(np.ones((1, 3))))
        (30, True)
        """
        with self._lock:
            unpack(state, self._line)

    @property
    def position(self) -> int:
        """Samples fed since the signal began: the place of the next one."""
        return self._line.past.position

    @property
    def delay(self) -> int:
        """Samples between the last one of a window and the one with which its score comes: 0."""
        return 0

    @property
    def window(self) -> int:
        """Extent of a window, in samples."""
        return self._line.plan.windows.window

    @property
    def step(self) -> int:
        """Between the starts of neighbouring windows, in samples."""
        return self._line.plan.windows.step

    @property
    def method(self) -> str:
        """`"shared"` or `"windows"`."""
        return "shared" if self._line.plan.obstacle is None else "windows"

    @property
    def reason(self) -> str:
        """Why that is the method."""
        return self._line.plan.obstacle or "no layer pads inside the window"

    def __repr__(self) -> str:
        return f"<Stream at sample {self.position:,}: window {self.window}, step {self.step}, method {self.method!r}>"


def plan_of(model: Model, step: int | None) -> Plan:
    """How streams of a model are evaluated.

    Raises:
        ShapeError, ArgumentError, ArgumentTypeError: as `Stream`.
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    if len(model.input_shape) != 2:
        raise ShapeError(f"model's input_shape must be (C, T) for a stream. Got {model.input_shape}.")
    score_count(model)
    plan = Plan.of(model, 1)
    (checked,) = (plan.windows.stride,) if step is None else per_axis("step", step, 1, 1)
    return Plan.of(model, checked)
