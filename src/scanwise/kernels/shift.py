"""The columns that a stream keeps, moved to make room for the next ones."""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.maps import FeatureMap

__all__ = ["Shift"]

_VECTOR = 16


@dataclass(frozen=True)
class Shift:
    """x(i, j) = x(i, j + columns): each row moves to the left, and its last columns keep what they hold. Arguments: x,
    and one that is not used.

    A row is moved from its beginning, so that nothing is written over that is still to be read.

    Attributes:
        x: a map without a border.
        columns: how far, at least 1.
    """

    x: FeatureMap
    columns: int
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, _ = e.arguments
        m, distance = self.x, self.columns * self.x.pitch
        full, rest = divmod(max(0, m.row - distance), _VECTOR)

        def row(n: Index, h: Index) -> None:
            start = e.at(x, e.affine((n, m.size), (h, m.row)))

            def move(at: Index, lanes: int) -> None:
                e.store(e.load(start, e.add(at, distance), lanes), start, at)

            e.loop(full, lambda i: move(e.mul(i, _VECTOR), _VECTOR))
            e.loop(rest, lambda i: move(e.add(i, full * _VECTOR), 1))

        e.loop(e.n, lambda n: e.loop(m.height, lambda h: row(n, h)))
