"""Cells of a grid as windows: side by side, each input in one, and not all of one size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.window import Pooling, Window

__all__ = ["Cells"]


# Cell i of P on an axis with H inputs goes from floor(i H / P) up to floor((i + 1) H / P). Where P divides H these are
# windows of H / P inputs; else their ends are found at run time.


@dataclass(frozen=True)
class Cells(Pooling):
    """A map cut into cells. As kernel and stride count the inputs of the largest cell."""

    @classmethod
    def of(cls, extent: tuple[int, int], counts: Sequence[int]) -> Self:
        """The cells of a map, `counts` of them along the last axes and one along the others."""
        rows, columns = (1, *counts)[-2:]
        largest = -(-extent[0] // rows), -(-extent[1] // columns)
        return cls(largest, largest, (0, 0), extent, (rows, columns))

    @property
    def partition(self) -> bool:
        return True

    @property
    def slides(self) -> bool:
        return False

    def inside(self, axis: int) -> tuple[int, int]:
        return 0, self.positions[axis]

    def bounds(self, e: Emitter, axis: int, position: Index, inside: bool) -> tuple[Index, Index]:
        H, P = self.extent[axis], self.positions[axis]
        if H % P == 0:
            return super().bounds(e, axis, position, inside)
        first = e.divide(e.mul(position, H), P)
        end = e.divide(e.mul(e.add(position, 1), H), P)
        return first, e.add(end, e.mul(first, -1))

    def counted(self, e: Emitter, axis: int, window: Window) -> Index:
        return (window.rows, window.columns)[axis]

    def resized(self, rows: int, columns: int) -> Self:
        raise AssertionError("a scan shares no cells: they are places in the window")
