"""The Fourier transform in lanes against NumPy's, on every target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.fourier import FourierTransform
from tests.kernels import harness

LANES = 8


@dataclass(frozen=True)
class Transformed:
    """y = the transform of x, which lie as it wants them. Arguments: x, table, y, scratch."""

    length: int
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        x, table, y, scratch = e.arguments
        transform = FourierTransform(self.length, LANES)

        def copy(i: Index) -> None:
            e.store(e.load(x, e.mul(i, LANES), LANES), scratch, e.mul(i, LANES))

        e.loop(2 * self.length, copy)
        other = e.at(scratch, transform.floats)
        found, _ = transform.emit(e, table, scratch, other, e.at(other, transform.floats))
        e.loop(
            2 * self.length,
            lambda i: e.store(e.load(found, e.mul(i, LANES), LANES), y, e.mul(i, LANES)),
        )


# Every radix by itself and with others before and after it; primes whose sums are loops, alone and as one of two.
@pytest.mark.parametrize(
    "length",
    [
        1,
        2,
        3,
        4,
        5,
        7,
        11,
        13,
        17,
        31,
        6,
        8,
        12,
        16,
        20,
        26,
        34,
        45,
        51,
        64,
        77,
        100,
        143,
        200,
        256,
        289,
        551,
    ],
)
def test_agrees_with_numpy(length: int) -> None:
    transform = FourierTransform(length, LANES)
    x = harness.normal(length, length, 2, LANES)
    y = np.zeros_like(x)
    scratch = harness.Scratch(2 * transform.floats + transform.scratch)
    harness.call(Transformed(length), 1, x, transform.table(), y, scratch)
    expected = np.fft.fft(x[:, 0].astype(float) + 1j * x[:, 1], axis=0)
    scale = np.abs(x).sum() / LANES
    harness.check_close(y[:, 0], expected.real, 3e-7, scale)
    harness.check_close(y[:, 1], expected.imag, 3e-7, scale)


def test_lanes_do_not_meet() -> None:
    transform = FourierTransform(60, LANES)
    x = harness.normal(0, 60, 2, LANES)
    y, alone = np.zeros_like(x), np.zeros_like(x)
    scratch = harness.Scratch(2 * transform.floats)
    harness.call(Transformed(60), 1, x, transform.table(), y, scratch)
    others = x.copy()
    others[..., :3], others[..., 4:] = np.inf, np.nan
    harness.call(Transformed(60), 1, others, transform.table(), alone, scratch)
    np.testing.assert_array_equal(alone[..., 3], y[..., 3])
