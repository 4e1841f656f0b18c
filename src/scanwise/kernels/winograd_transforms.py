"""The transforms of Winograd's F(4 x 4, 3 x 3), and the weights that are transformed once a step.

The matrices are those of Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4: the
points are 0, 1, -1, 2, -2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.transpose import TransposeWeights

__all__ = [
    "LANES",
    "POINTS",
    "REACH",
    "TILE",
    "WinogradWeights",
    "both_ways",
    "input_points",
    "output_points",
]

TILE = 4
REACH = 6
POINTS = REACH * REACH
LANES = 16


@dataclass(frozen=True)
class WinogradWeights:
    """U = G g G' for every pair of channels: `[36][K / lanes][C][lanes]`. Arguments: w, U, scratch.

    Attributes:
        convolution: the sizes.
        backward: for the input gradient: the kernel turned by 180 degrees, lanes are input channels. A call then does
            one vector of input channels; otherwise one vector of output channels.
    """

    convolution: Convolution
    backward: bool
    pointers: int = 3

    @property
    def size(self) -> int:
        return POINTS * self.convolution.channels * self.convolution.outputs

    @property
    def scratch(self) -> int:
        """Floats for one vector of transposed weights."""
        return self.convolution.taps * self.convolution.outputs * LANES if self.backward else 0

    def parts(self) -> Sequence[tuple["WinogradWeights", int, int]]:
        """Calls that do all channels between them: (kernel, offset into w, offset into U)."""
        c = self.convolution
        if self.backward:
            return [(self, i * LANES * c.lanes, i * c.outputs * LANES) for i in range(c.channels // LANES)]
        return [(self, i * c.block, i * c.channels * LANES) for i in range(c.outputs // LANES)]

    def emit(self, e: Emitter) -> None:
        w, u, scratch = e.arguments
        c = self.convolution
        inner = c.channels
        if self.backward:
            inner = c.outputs
            TransposeWeights(c, LANES).emit_on(e, w, scratch)
            w = scratch
        point = c.channels * c.outputs

        def pair(i: Index) -> None:
            taps = [e.load(w, e.affine((i, LANES), (1, t * inner * LANES)), LANES) for t in range(9)]
            if self.backward:
                taps.reverse()
            g = [taps[0:3], taps[3:6], taps[6:9]]
            for place, value in enumerate(both_ways(e, g, weight_points)):
                e.store(value, u, e.affine((i, LANES), (1, place * point)))

        e.loop(inner, pair)


def both_ways(
    e: Emitter, matrix: list[list[Value]], transform: Callable[[Emitter, list[Value]], list[Value]]
) -> list[Value]:
    """T m T' row by row: the transform of the columns, then of the rows."""
    columns = [transform(e, list(column)) for column in zip(*matrix, strict=True)]
    return [value for row in zip(*columns, strict=True) for value in transform(e, list(row))]


def input_points(e: Emitter, d: list[Value]) -> list[Value]:
    """B' d."""
    b = e.builder

    def times(factor: float, x: Value, y: Value) -> Value:
        return e.fma(e.constant(factor, LANES), x, y)

    even, odd = times(-4.0, d[2], d[4]), times(-4.0, d[1], d[3])
    near, far = b.fsub(d[4], d[2]), b.fsub(d[3], d[1])
    return [
        times(4.0, d[0], times(-5.0, d[2], d[4])),
        b.fadd(even, odd),
        b.fsub(even, odd),
        times(2.0, far, near),
        times(-2.0, far, near),
        times(4.0, d[1], times(-5.0, d[3], d[5])),
    ]


def weight_points(e: Emitter, g: list[Value]) -> list[Value]:
    """G g."""
    b = e.builder

    def scaled(factor: float, x: Value) -> Value:
        return b.fmul(e.constant(factor, LANES), x)

    ends = b.fadd(g[0], g[2])
    wide = e.fma(e.constant(4.0, LANES), g[2], g[0])
    middle = b.fadd(g[1], g[1])
    return [
        scaled(1 / 4, g[0]),
        scaled(-1 / 6, b.fadd(ends, g[1])),
        scaled(-1 / 6, b.fsub(ends, g[1])),
        scaled(1 / 24, b.fadd(wide, middle)),
        scaled(1 / 24, b.fsub(wide, middle)),
        g[2],
    ]


def output_points(e: Emitter, m: list[Value]) -> list[Value]:
    """A' m."""
    b = e.builder

    def times(factor: float, x: Value, y: Value) -> Value:
        return e.fma(e.constant(factor, LANES), x, y)

    near, near_odd = b.fadd(m[1], m[2]), b.fsub(m[1], m[2])
    far, far_odd = b.fadd(m[3], m[4]), b.fsub(m[3], m[4])
    return [
        b.fadd(b.fadd(m[0], near), far),
        times(2.0, far_odd, near_odd),
        times(4.0, far, near),
        b.fadd(times(8.0, far_odd, near_odd), m[5]),
    ]
