"""Cell planes that learn: all S-cells of a plane share their weights, so that the whole plane learns with one cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# q. So large that one reinforcement outweighs the 1 in the S-cell's formula: its answer then depends on the pattern
# alone and not on its strength, down to a root mean square of about 1e-3 in the receptive field.
AMPLIFICATION = 1e6


class Planes:
    """S-planes with their weights a `(K, C, R, S)` and b `(K,)`, and the rules by which they learn.

    Args:
        falloff: the V-cell's weights w, `(R, S)`.
        channels: number of input planes C.
        capacity: planes that there is room for at first.

    Attributes:
        count: the number of planes.
    """

    def __init__(self, falloff: Float64, channels: int, capacity: int = 64) -> None:
        self.falloff = falloff.astype(np.float32)
        self.count = 0
        self._weight = np.zeros((capacity, channels, *falloff.shape), np.float32)
        self._inhibition = np.ones(capacity, np.float32)

    @property
    def weight(self) -> Float32:
        """a, `(count, C, R, S)`."""
        return self._weight[: self.count]

    @property
    def inhibition(self) -> Float32:
        """b, `(count,)`."""
        return self._inhibition[: self.count]

    @property
    def room(self) -> tuple[Float32, Float32]:
        """a and b with the planes that do not exist yet: their a = 0 and b = 1 keep an S-cell silent."""
        return self._weight, self._inhibition

    def add(self, field: Float32) -> int:
        """A new plane whose seed cell sees `field` `(C, R, S)`; its number."""
        if self.count == len(self._weight):
            self._weight = np.concatenate([self._weight, np.zeros_like(self._weight)])
            self._inhibition = np.concatenate([self._inhibition, np.ones_like(self._inhibition)])
        self._inhibition[self.count] = 0
        self.count += 1
        self.reinforce(self.count - 1, field)
        return self.count - 1

    # delta a_k(c, r, s) = q w(r, s) u_c(r, s),   delta b_k = q/2 v,   v = sqrt(sum_{c,r,s} w u^2)
    # with u what the plane's seed cell sees: Fukushima 1980, section 3.
    def reinforce(self, k: int, field: Float32) -> None:
        """Plane k learns what its seed cell sees, `field` `(C, R, S)`."""
        weighted = self.falloff * field
        v = np.sqrt(np.sum(weighted * field, dtype=np.float64))
        self._weight[k] += np.float32(AMPLIFICATION) * weighted
        self._inhibition[k] += np.float32(AMPLIFICATION / 2 * v)

    def arrange(self, order: NDArray[np.intp]) -> None:
        """Put the planes into this order."""
        self._weight[: self.count] = self._weight[order]
        self._inhibition[: self.count] = self._inhibition[order]

    # b_k = 1/2 sqrt(sum_{c,r,s} a_k^2 / w): Fukushima 2003. After one reinforcement a = q w u, so that b = q/2 v as
    # above. After several, b of 1980 is the sum of the patterns' strengths, and this one the strength of their sum: the
    # more they differ, the smaller. The answer is then the similarity to the mean of the patterns, and not the mean
    # similarity to them, so that a plane that knows many patterns is not at a disadvantage against one that knows one.
    def balance(self, k: int) -> None:
        """Give plane k the inhibition that follows from its weights."""
        strength = np.sum(np.square(self._weight[k]) / self.falloff, dtype=np.float64)
        self._inhibition[k] = np.float32(np.sqrt(strength) / 2)
