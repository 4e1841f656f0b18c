"""Random numbers that are counted rather than drawn: each is a hash of where it is used.

    sample key      hash of (seed, epoch, sample)                       that of dropout
    step key        mix(mix(sample key + STREAM) + GOLDEN (step + 1))   step: the augmentation's place in the row
    word            mix(step key + GOLDEN (number + 1))                 all modulo 2^32

So they depend neither on the batch nor on the thread that a sample falls to, need no state, and are integers up to the
last step, which every machine repeats exactly. `mix` is MurmurHash3's finalizer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.reference.dropout import mix

__all__ = ["FIRST_OF_NOISE", "GOLDEN", "STREAM", "Draws", "step_keys"]

FIRST_OF_NOISE = 16
"""Draws from this number on belong to the elements of a sample that gets noise; those before say how much."""

GOLDEN = 0x9E3779B9
STREAM = 0x41554721  # other numbers than those of dropout, whatever its layers' places

Keys = NDArray[np.uint32]


def step_keys(sample_keys: Keys, step: int) -> Keys:
    """The keys of an augmentation's draws, one for each sample."""
    return mix(_plus(mix(_plus(sample_keys, STREAM)), GOLDEN * (step + 1)))


class Draws:
    """The random numbers of one augmentation of one sample.

    Args:
        key: one of `step_keys`.
    """

    def __init__(self, key: np.uint32) -> None:
        self._key = np.array([key], np.uint32)

    def happens(self, p: float) -> bool:
        """Draw 0: whether something of probability `p`, to 32 bits, is so."""
        return self._word(0) < int(p * 2.0**32)

    def between(self, number: int, low: float, high: float) -> float:
        """A number from `low` to below `high`, of 24 random bits."""
        return low + (self._word(number) >> 8) * 2.0**-24 * (high - low)

    def within(self, number: int, interval: float | tuple[float, float]) -> float:
        """A number from the interval, as `between`; one number is an interval, too."""
        low, high = interval if isinstance(interval, tuple) else (interval, interval)
        return self.between(number, low, high)

    def whole(self, number: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included, each as likely to within 2^-32 (high - low)."""
        return low + ((self._word(number) * (high - low + 1)) >> 32)

    def noise(self, count: int) -> NDArray[np.float64]:
        """Numbers of mean 0 and variance 1, `(count,)`: each the sum of the four 16-bit halves of two words.

        A half is uniform on 0..65535, of variance (2^32 - 1) / 12.
        """
        words = self.words(FIRST_OF_NOISE, 2 * count).reshape(count, 2).astype(np.int64)
        total = (words & 0xFFFF).sum(axis=1) + (words >> 16).sum(axis=1)
        return np.asarray((total - 131070) * np.sqrt(3.0 / (2.0**32 - 1.0)))

    def words(self, first: int, count: int) -> Keys:
        """The words of `count` draws from number `first`."""
        numbers = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
        return mix(_plus(self._key, GOLDEN * numbers))

    def _word(self, number: int) -> int:
        return int(self.words(number, 1)[0])


def _plus(key: Keys, value: Any) -> Keys:
    """The sum modulo 2^32."""
    summed = key.astype(np.uint64) + np.asarray(value, np.uint64) % np.uint64(2**32)
    return (summed % np.uint64(2**32)).astype(np.uint32)
