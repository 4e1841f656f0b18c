"""The discrete Fourier transform of several sequences at once, one in each lane (Cooley and Tukey 1965).

The length is split into factors, and each pass works off one of them, in Stockham's order: every pass reads one buffer
and writes the other, and the last leaves the frequencies in their order. A pass over n = r m values that lie s apart
takes, for p < m and q < s,

    y(q + s (r p + k)) = w^(p k) sum_i x(q + s (p + i m)) e^(-2 pi j i k / r),    w = e^(-2 pi j / n)

and the next one has m values that lie r s apart. Lanes never meet, so a sequence's bits depend on nothing beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value

__all__ = ["FourierTransform"]

Complex: TypeAlias = tuple[Value, Value]

# Factors up to this one have their sums written out; larger ones, all of them prime, are loops over a table.
_WRITTEN_OUT = 13


def _factors(length: int) -> Iterator[int]:
    """Fours as long as there are, then what is left."""
    while length % 4 == 0:
        yield 4
        length //= 4
    factor = 2
    while length > 1:
        while length % factor == 0:
            yield factor
            length //= factor
        factor = factor + 1 if factor * factor <= length else length


@dataclass(frozen=True)
class _Pass:
    """One pass.

    Attributes:
        radix: r, the factor.
        rest: m.
        apart: s.
        table: where its factors lie in the table: w^(p k) for each p and 0 < k < r, then for a large radix the cosines
            and sines of its own multiples.
    """

    radix: int
    rest: int
    apart: int
    table: int

    @property
    def size(self) -> int:
        """Floats of the table."""
        return 2 * self.rest * (self.radix - 1) + (2 * self.radix if self.radix > _WRITTEN_OUT else 0)

    def values(self) -> NDArray[np.float64]:
        p, k = np.arange(self.rest)[:, None], np.arange(1, self.radix)
        angles = -2 * np.pi * p * k / (self.radix * self.rest)
        turns = np.stack([np.cos(angles), np.sin(angles)], axis=-1).ravel()
        if self.radix <= _WRITTEN_OUT:
            return turns
        angles = 2 * np.pi * np.arange(self.radix) / self.radix
        return np.concatenate([turns, np.cos(angles), np.sin(angles)])


@dataclass(frozen=True)
class FourierTransform:
    """X(k) = sum_n x(n) e^(-2 pi j n k / length) in each lane: complex numbers are two vectors side by side.

    Attributes:
        length: of a sequence.
        lanes: sequences.
    """

    length: int
    lanes: int

    @property
    def floats(self) -> int:
        """Of one buffer."""
        return 2 * self.length * self.lanes

    @property
    def scratch(self) -> int:
        """Floats that are needed beside the two buffers."""
        return 2 * self.lanes * max((p.radix for p in self._passes() if p.radix > _WRITTEN_OUT), default=0)

    def table(self) -> NDArray[np.float32]:
        """The factors of all passes."""
        return np.concatenate([np.zeros(0), *(p.values() for p in self._passes())]).astype(np.float32)

    @property
    def table_floats(self) -> int:
        return sum(p.size for p in self._passes())

    def _passes(self) -> list[_Pass]:
        found: list[_Pass] = []
        rest, apart, table = self.length, 1, 0
        for radix in _factors(self.length):
            rest //= radix
            found.append(_Pass(radix, rest, apart, table))
            apart *= radix
            table += found[-1].size
        return found

    def emit(
        self, e: Emitter, table: Value, source: Value, other: Value, scratch: Value
    ) -> tuple[Value, Value]:
        """The buffer that holds the frequencies, and the other one, which is free. Both are written to."""
        for each in self._passes():
            _PassWriter(e, each, self.lanes, table, source, other, scratch).emit()
            source, other = other, source
        return source, other


@dataclass(frozen=True)
class _PassWriter:
    """Emits one pass."""

    e: Emitter
    on: _Pass
    lanes: int
    table: Value
    x: Value
    y: Value
    scratch: Value

    def emit(self) -> None:
        self.e.loop(self.on.rest, lambda p: self.e.loop(self.on.apart, lambda q: self._butterfly(p, q)))

    def _butterfly(self, p: Index, q: Index) -> None:
        e, on, wide = self.e, self.on, 2 * self.lanes
        source = e.at(self.x, e.affine((p, on.apart * wide), (q, wide)))
        goal = e.at(self.y, e.affine((p, on.apart * on.radix * wide), (q, wide)))
        turns = e.at(self.table, e.affine((p, 2 * (on.radix - 1)), (1, on.table)))

        def load(i: Index) -> Complex:
            return self._load(source, e.mul(i, on.apart * on.rest * wide))

        def store(k: Index, value: Complex) -> None:
            if on.rest > 1 and not (isinstance(k, int) and k == 0):  # in the last pass all factors are 1
                turn = [
                    e.load_broadcast(turns, e.affine((k, 2), (1, part - 2)), self.lanes) for part in (0, 1)
                ]
                value = _times(e, value, (turn[0], turn[1]))
            self._store(value, goal, e.mul(k, on.apart * wide))

        if on.radix > _WRITTEN_OUT:
            self._long_sums(load, store)
            return
        sums = {2: _of_two, 4: _of_four}.get(on.radix, _of_odd)
        for k, value in enumerate(sums(e, [load(i) for i in range(on.radix)])):
            store(k, value)

    def _load(self, pointer: Value, index: Index) -> Complex:
        re, im = (self.e.load(pointer, self.e.add(index, part * self.lanes), self.lanes) for part in (0, 1))
        return re, im

    def _store(self, value: Complex, pointer: Value, index: Index) -> None:
        for part in (0, 1):
            self.e.store(value[part], pointer, self.e.add(index, part * self.lanes))

    def _long_sums(self, load: Callable[[Index], Complex], store: Callable[[Index, Complex], None]) -> None:
        """As `_of_odd`, with sums and differences in the scratch and factors from the table."""
        e, radix, wide = self.e, self.on.radix, 2 * self.lanes
        half = radix // 2
        cosines = e.at(self.table, self.on.table + 2 * self.on.rest * (radix - 1))
        sines = e.at(cosines, radix)
        first = load(0)

        def pair(i: Index, *total: Value) -> list[Value]:
            one, other = load(e.add(i, 1)), load(e.affine((i, -1), (1, radix - 1)))
            both = _plus(e, one, other)
            self._store(both, self.scratch, e.mul(i, 2 * wide))
            self._store(_minus(e, one, other), self.scratch, e.affine((i, 2 * wide), (1, wide)))
            return list(_plus(e, (total[0], total[1]), both))

        re, im = e.loop(half, pair, first)
        store(0, (re, im))

        def frequency(j: Index) -> None:
            k = e.add(j, 1)

            def term(i: Index, at: Value, *sums: Value) -> list[Value]:
                at = e.builder.add(at, e.integer(k))
                over = e.builder.icmp_signed(">=", at, e.integer(radix))
                at = e.builder.select(over, e.builder.sub(at, e.integer(radix)), at)
                both = self._load(self.scratch, e.mul(i, 2 * wide))
                apart = self._load(self.scratch, e.affine((i, 2 * wide), (1, wide)))
                cosine, sine = (e.load_broadcast(part, at, self.lanes) for part in (cosines, sines))
                factors = (cosine, cosine, sine, sine)
                return [at, *(e.fma(f, v, s) for f, v, s in zip(factors, (*both, *apart), sums, strict=True))]

            zero = e.constant(0.0, self.lanes)
            _, *sums = e.loop(half, term, [e.integer(0), *first, zero, zero])
            value, opposite = _turned(e, (sums[0], sums[1]), (sums[2], sums[3]))
            store(k, value)
            store(e.affine((j, -1), (1, radix - 1)), opposite)

        e.loop(half, frequency)


def _plus(e: Emitter, a: Complex, b: Complex) -> Complex:
    return e.builder.fadd(a[0], b[0]), e.builder.fadd(a[1], b[1])


def _minus(e: Emitter, a: Complex, b: Complex) -> Complex:
    return e.builder.fsub(a[0], b[0]), e.builder.fsub(a[1], b[1])


def _times(e: Emitter, a: Complex, b: Complex) -> Complex:
    product = e.builder.fmul
    return (
        e.fma(a[0], b[0], e.builder.fneg(product(a[1], b[1]))),
        e.fma(a[0], b[1], product(a[1], b[0])),
    )


def _turned(e: Emitter, u: Complex, v: Complex) -> tuple[Complex, Complex]:
    """u - j v and u + j v."""
    b = e.builder
    return (b.fadd(u[0], v[1]), b.fsub(u[1], v[0])), (b.fsub(u[0], v[1]), b.fadd(u[1], v[0]))


def _of_two(e: Emitter, x: list[Complex]) -> list[Complex]:
    return [_plus(e, x[0], x[1]), _minus(e, x[0], x[1])]


def _of_four(e: Emitter, x: list[Complex]) -> list[Complex]:
    even, odd = _plus(e, x[0], x[2]), _plus(e, x[1], x[3])
    first, third = _turned(e, _minus(e, x[0], x[2]), _minus(e, x[1], x[3]))
    return [_plus(e, even, odd), first, _minus(e, even, odd), third]


# With the sums t_i = x_i + x_(r-i) and differences d_i = x_i - x_(r-i) of an odd number r of values,
#
#   X_k = u_k - j v_k, X_(r-k) = u_k + j v_k,    u_k = x_0 + sum_i cos(2 pi i k / r) t_i, v_k = sum_i sin(...) d_i
def _of_odd(e: Emitter, x: list[Complex]) -> list[Complex]:
    radix, half = len(x), range(1, len(x) // 2 + 1)
    lanes = x[0][0].type.count
    sums = [_plus(e, x[i], x[radix - i]) for i in half]
    differences = [_minus(e, x[i], x[radix - i]) for i in half]
    found = [x[0]] * radix
    for k in half:
        u, v = x[0], (e.constant(0.0, lanes), e.constant(0.0, lanes))
        for i, t, d in zip(half, sums, differences, strict=True):
            angle = 2 * math.pi * (i * k % radix) / radix
            u, v = _add(e, u, math.cos(angle), t, lanes), _add(e, v, math.sin(angle), d, lanes)
        found[k], found[radix - k] = _turned(e, u, v)
    for t in sums:
        found[0] = _plus(e, found[0], t)
    return found


def _add(e: Emitter, total: Complex, factor: float, value: Complex, lanes: int) -> Complex:
    constant = e.constant(factor, lanes)
    return e.fma(constant, value[0], total[0]), e.fma(constant, value[1], total[1])
