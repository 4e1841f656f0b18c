"""How an S-layer learns without labels: winners become seed cells, and silent places get new planes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.layers import Sequential
from scanwise.model import Model
from scanwise.neocognitron.planes import Planes
from scanwise.neocognitron.stages import SelfOrganized

Float32 = NDArray[np.float32]

# A place counts as not silent if its V-cell answers at least so strongly, and at least this share of the strongest.
_LEAST_INPUT = 1e-3
_LEAST_SHARE = 0.2


class SelfOrganization:
    """One S-layer while it learns.

    Args:
        stage: what it is.
        input_shape: `(C, H, W)` of the C-layer below.
    """

    def __init__(self, stage: SelfOrganized, input_shape: tuple[int, ...]) -> None:
        self._stage = stage
        layer = stage.layer(stage.planes, learning=True)
        self.planes = Planes(layer.falloff(input_shape[0]), input_shape[0], stage.planes)
        self._model = Model(Sequential(layer), input_shape)

    def learn(self, inputs: Float32, report: Callable[[int], None] = lambda _: None) -> Planes:
        """Show the patterns `(N, C, H, W)` one after the other; `report` gets the number of those done."""
        for n, u in enumerate(inputs):
            self.show(u)
            report(n + 1)
        return self.planes

    def show(self, u: Float32) -> None:
        """Learn from one pattern `(C, H, W)`.

        Each seed cell's plane is reinforced. Then, as long as there is a place with input where every S-cell is silent,
        the one with the strongest input is the seed cell of a new plane (Fukushima 2003).
        """
        padded = np.pad(u, ((0, 0), *[(self._stage.kernel_size // 2,) * 2] * 2))
        responses = self._responses(u)
        for k, p, q in seed_cells(responses, self._stage.competition):
            self.planes.reinforce(k, self._field(padded, p, q))
        v = v_cells(padded, self.planes.falloff)
        silent = (v > max(_LEAST_INPUT, _LEAST_SHARE * v.max())) & (responses.max(axis=0) <= 0)
        while silent.any() and self.planes.count < self._stage.planes:
            p, q = (int(i) for i in np.unravel_index(np.argmax(np.where(silent, v, -1)), v.shape))
            self.planes.add(self._field(padded, p, q))
            silent &= self._responses(u)[self.planes.count - 1] <= 0
            silent[p, q] = False

    def _responses(self, u: Float32) -> Float32:
        """The S-cells `(planes, P, Q)`, those of planes to come among them: silent."""
        self._model.parameters = dict(zip(("0.weight", "0.inhibition"), self.planes.room, strict=True))
        return np.asarray(self._model(u[None])[0], np.float32)

    def _field(self, padded: Float32, p: int, q: int) -> Float32:
        size = self._stage.kernel_size
        return padded[:, p : p + size, q : q + size]


def seed_cells(responses: Float32, competition: int) -> list[tuple[int, int, int]]:
    """(plane, row, column) of the cells that win.

    The cell that answers most wins; cells of all planes up to `competition` rows and columns from it, and all other
    cells of its plane, are out. So it goes on until nothing is left. A plane has at most one seed cell (Fukushima 1980,
    section on self-organization; the area of competition as in 2003).
    """
    left = responses.copy()
    found: list[tuple[int, int, int]] = []
    while left.size and left.max() > 0:
        k, p, q = (int(index) for index in np.unravel_index(left.argmax(), left.shape))
        found.append((k, p, q))
        left[k] = 0
        left[
            :, max(0, p - competition) : p + competition + 1, max(0, q - competition) : q + competition + 1
        ] = 0
    return found


# v(p, q) = sqrt(sum_{c,r,s} w(r, s) u_c(p + r, q + s)^2)
def v_cells(padded: Float32, falloff: Float32) -> Float32:
    """The V-cells `(P, Q)` over a padded pattern `(C, H, W)`."""
    energy = np.square(padded).sum(axis=0)
    R, S = falloff.shape
    P, Q = energy.shape[0] - R + 1, energy.shape[1] - S + 1
    v = np.zeros((P, Q), np.float32)
    for r, s in np.ndindex(R, S):
        v += falloff[r, s] * energy[r : r + P, s : s + Q]
    return np.sqrt(v)
