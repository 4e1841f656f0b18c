"""The last samples of a stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Past(NamedTuple):
    """How far a stream has come, and the last samples that it was fed.

    It is never changed: `after` gives another one. Both may lie in one buffer, into which samples are only ever added
    behind, so that a sample is moved about once, and what was the past before is whole if feeding is interrupted.

    Attributes:
        position: samples fed in all.
        kept: samples that are known of them; before the first one they are zeros.
        buffer: `(C, n)`.
        end: behind the last sample in the buffer.
    """

    position: int
    kept: int
    buffer: Samples
    end: int

    @classmethod
    def empty(cls, channels: int, kept: int) -> Past:
        """Before the first sample."""
        return cls.of(0, np.zeros((channels, kept), np.float32))

    @classmethod
    def of(cls, position: int, samples: Samples) -> Past:
        """After `position` samples, of which the last are known."""
        channels, kept = samples.shape
        buffer = np.empty((channels, 2 * kept), np.float32)
        buffer[:, :kept] = samples
        return cls(position, kept, buffer, kept)

    def after(self, samples: Samples) -> Past:
        """After these samples too. All of them are known, until it is `cut`."""
        n = samples.shape[1]
        buffer, end = self.buffer, self.end
        if end + n > buffer.shape[1]:
            buffer = np.empty((len(buffer), 2 * self.kept + n), np.float32)
            buffer[:, : self.kept] = self.last(self.kept)
            end = self.kept
        buffer[:, end : end + n] = samples
        return Past(self.position + n, self.kept, buffer, end + n)

    def cut(self) -> Past:
        """The same without what a long chunk has left."""
        most = 4 * self.kept
        return self if self.buffer.shape[1] <= most else Past.of(self.position, self.last(self.kept))

    def last(self, count: int) -> Samples:
        """The last samples, `(C, count)`, a view."""
        return self.buffer[:, self.end - count : self.end]

    def part(self, start: int, stop: int) -> Samples:
        """Samples from one place in the stream to another, `(C, stop - start)`, a view."""
        origin = self.position - self.end
        return self.buffer[:, start - origin : stop - origin]
