"""Whether calls are faster together or alone, found out by trying both from time to time."""

from __future__ import annotations

import statistics

__all__ = ["Choice"]

# Calls of a round: together, of which the first are not counted since threads may still be on their way; alone; and as
# was found to be faster. If that is alone, something else may have kept the threads away for a moment: the next round
# comes soon, and twice as late each time that it ends the same way.
UNCOUNTED, TOGETHER, ALONE, SETTLED, SOON = 8, 16, 8, 1000, 60
# Of long calls, of which a few are enough to tell, so many times fewer are tried.
FEWER = 4
# Together must take at most this part of the time: it keeps more processors busy.
LEAST_GAIN = 0.95


class Choice:
    """Together is slower where the threads do not get a processor each, or where processors are far from each other.

    Args:
        long: whether calls take far longer than what may come between.

    Attributes:
        together: whether the next call is one together.
        trying: whether `took` wants to know how long it takes.
    """

    def __init__(self, *, long: bool = False) -> None:
        counts = [n // FEWER if long else n for n in (UNCOUNTED, TOGETHER, ALONE, SOON)]
        self._uncounted, self._tried_together, self._tried_alone, self._soon = counts
        self._left = 0  # calls before the next round
        self._next = self._soon  # calls after a round that ends with alone
        self._begin()

    def _begin(self) -> None:
        self.together = self.trying = True
        self._taken: list[float] = []

    def settled(self) -> None:
        """A call has ended that was not tried."""
        self._left -= 1
        if self._left == 0:
            self._begin()

    def took(self, seconds: float) -> None:
        """A call that was tried has ended."""
        self._taken.append(seconds)
        calls, last = len(self._taken), self._uncounted + self._tried_together
        self.together = calls < last
        if calls == last + self._tried_alone:
            together, alone = self._taken[self._uncounted : last], self._taken[last:]
            self.together = statistics.median(together) < LEAST_GAIN * statistics.median(alone)
            self.trying = False
            self._left = SETTLED if self.together else self._next
            self._next = self._soon if self.together else min(SETTLED, 2 * self._next)
