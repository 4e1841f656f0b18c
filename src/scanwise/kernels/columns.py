"""Few output channels: several neighbouring columns side by side in one vector.

A map of 4 or 8 channels fills only a part of a 16-lane vector. But m = 16 / L neighbouring columns of L lanes lie one
behind the other in memory, so one vector can hold them, if its weights hold the kernel m times, each copy shifted by
one column:

    y[q m + i, k] = sum over t of x[q m step + t] W'[t][i, k],      W'[t][i, k] = w[t - i step][k], zero outside

Zero weights add S + (m - 1) step - S products to each sum, which changes no bit of it, and m S multiply-adds become
S + (m - 1) step.
"""

from __future__ import annotations

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import lanes_for
from scanwise.kernels.transpose import TransposeWeights

__all__ = ["ColumnWeights", "columns_together"]

VECTOR = 16
# Multiply-adds saved before a second set of weights pays.
LEAST_GAIN = 1.65


def columns_together(channels: int, columns: int, kernel: int, step: int) -> int:
    """How many columns to put into a vector: 16 / L where that saves work and divides the columns, else 1."""
    together = VECTOR // lanes_for(channels)
    if (
        together == 1
        or columns % together
        or together * kernel < LEAST_GAIN * (kernel + (together - 1) * step)
    ):
        return 1
    return together


@dataclass(frozen=True)
class ColumnWeights:
    """W' for one of the two passes: `[R][S'][inner][16]`. Arguments: w, W', scratch.

    Attributes:
        convolution: the sizes.
        together: columns in a vector, m.
        backward: for the input gradient of a stride-1 convolution; there the copies are shifted the other way.
    """

    convolution: Convolution
    together: int
    backward: bool
    pointers: int = 3

    @property
    def inner(self) -> int:
        """Channels that are summed over."""
        c = self.convolution
        return c.outputs if self.backward else c.steps

    @property
    def width(self) -> int:
        """S': columns of the widened kernel."""
        return self.convolution.kernel[1] + (self.together - 1) * self.convolution.stride[1]

    @property
    def size(self) -> int:
        return self.convolution.kernel[0] * self.width * self.inner * VECTOR

    @property
    def scratch(self) -> int:
        return TransposeWeights(self.convolution).size if self.backward else 0

    def emit(self, e: Emitter) -> None:
        w, goal, scratch = e.arguments
        c = self.convolution
        lanes = VECTOR // self.together
        if self.backward:
            TransposeWeights(c).emit_on(e, w, scratch)
            w = scratch
        zero = e.constant(0.0, lanes)

        def element(r: Index, i: Index, place: int) -> None:
            shift = self.together - 1 - place if self.backward else place * c.stride[1]

            def put(t: Index, value: Value) -> None:
                at = e.affine((r, self.width * self.inner * VECTOR), (t, self.inner * VECTOR), (i, VECTOR))
                e.store(value, goal, e.add(at, place * lanes))

            def copy(s: Index) -> None:
                tap = e.add(e.mul(r, c.kernel[1]), s)
                value = e.load(w, e.affine((tap, self.inner * lanes), (i, lanes)), lanes)
                put(e.add(s, shift), value)

            e.loop(shift, lambda t: put(t, zero))
            e.loop(c.kernel[1], copy)
            e.loop(self.width, lambda t: put(t, zero), start=shift + c.kernel[1])

        for place in range(self.together):
            e.loop(c.kernel[0], lambda r, p=place: e.loop(self.inner, lambda i: element(r, i, p)))
