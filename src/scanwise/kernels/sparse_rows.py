"""Products with a matrix of which each row has few values that are not zero, all beside each other: mel filters."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import I64, Emitter, Index, Value

__all__ = ["add_transposed", "packed_rows", "product"]


def packed_rows(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of each row its first column that is not zero, how many there are to the last, and where their values lie:
    integers in the bits of floats. Then all those values.
    """
    rows, values = [], []
    place = 3 * len(matrix)
    for row in matrix:
        (filled,) = np.nonzero(row)
        first, stop = (filled[0], filled[-1] + 1) if len(filled) else (0, 0)
        rows.append((first, stop - first, place))
        values.append(row[first:stop])
        place += stop - first
    integers = np.array(rows, np.int32).ravel().view(np.float32)
    return np.concatenate([integers, *(each.astype(np.float32) for each in values)])


def product(
    e: Emitter, rows: Value, count: int, x: Value, lanes: int, store: Callable[[Index, Value], None]
) -> None:
    """`store(i, sum_k M(i, k) x(k))` for each of the `count` packed rows of M; x are vectors."""

    def row(i: Index) -> None:
        values, first, width = _row(e, rows, i)
        source = e.at(x, e.mul(first, lanes))

        def term(k: Index, total: Value) -> list[Value]:
            return [e.fma(e.load_broadcast(values, k, lanes), e.load(source, e.mul(k, lanes), lanes), total)]

        (total,) = e.loop(width, term, [e.constant(0.0, lanes)])
        store(i, total)

    e.loop(count, row)


def add_transposed(e: Emitter, rows: Value, count: int, x: Value, y: Value, lanes: int) -> None:
    """y(k) += sum_i M(i, k) x(i), for `count` packed rows of M; x and y are vectors."""

    def row(i: Index) -> None:
        values, first, width = _row(e, rows, i)
        goal, factor = e.at(y, e.mul(first, lanes)), e.load(x, e.mul(i, lanes), lanes)

        def term(k: Index) -> None:
            total = e.load(goal, e.mul(k, lanes), lanes)
            e.store(e.fma(e.load_broadcast(values, k, lanes), factor, total), goal, e.mul(k, lanes))

        e.loop(width, term)

    e.loop(count, row)


def _row(e: Emitter, rows: Value, i: Index) -> tuple[Value, Value, Value]:
    """(where the values of row i lie, the column of the first, how many there are)."""
    first, width, place = (
        e.builder.sext(e.load_integer(rows, e.affine((i, 3), (1, part))), I64) for part in range(3)
    )
    return e.at(rows, place), first, width
