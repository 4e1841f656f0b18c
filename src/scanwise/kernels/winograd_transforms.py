"""The transforms of Winograd's F(4 x 4, 3 x 3), the weights that are transformed once a step, and where tiles lie.

The matrices are those of Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4: the
points are 0, 1, -1, 2, -2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.transpose import TransposeWeights

__all__ = [
    "LANES",
    "POINTS",
    "REACH",
    "TILE",
    "TransformedTiles",
    "WinogradWeights",
    "both_ways",
    "error_points",
    "input_points",
    "output_points",
    "tiles_of",
    "weight_taps",
]

TILE = 4
REACH = 6
POINTS = REACH * REACH
LANES = 16

Transform = Callable[[Emitter, list[Value]], list[Value]]


def tiles_of(extent: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of tiles that cover an output of this extent."""
    return -(-extent[0] // TILE), -(-extent[1] // TILE)


@dataclass(frozen=True)
class TransformedTiles:
    """The tiles of some samples at the 36 points: `[36][samples][tile rows][tile columns][channels]`.

    Attributes:
        channels: a multiple of the vector width.
        rows: rows of tiles.
        columns: columns of tiles.
        samples: samples side by side.
    """

    channels: int
    rows: int
    columns: int
    samples: int

    @property
    def sample(self) -> int:
        """Floats from one sample to the next."""
        return self.rows * self.columns * self.channels

    @property
    def point(self) -> int:
        """Floats from one point to the next, with a spare line: a tile is written to 36 places that far apart, and
        places a power of two apart share their cache sets (measured: 7 % of the time of all of CIFAR VGG's kernels).
        """
        return self.samples * self.sample + LANES

    @property
    def size(self) -> int:
        return POINTS * self.point

    def at(self, e: Emitter, sample: Index, i: Index, j: Index, block: Index) -> Index:
        """Index of a vector of tile (i, j) at the first point."""
        return e.affine(
            (sample, self.sample), (i, self.columns * self.channels), (j, self.channels), (block, LANES)
        )

    def fill(
        self,
        e: Emitter,
        goal: Value,
        sample: Index,
        source: Value,
        extent: FeatureMap,
        reach: int,
        transform: Transform,
    ) -> None:
        """Transform tiles of `reach` x `reach`, one every four rows and columns from where `source` points to."""

        def tile(i: Index, j: Index, block: Index) -> None:
            at = e.affine((i, TILE * extent.row), (j, TILE * extent.pitch), (block, LANES))
            d = [
                [e.load(source, e.add(at, r * extent.row + s * extent.pitch), LANES) for s in range(reach)]
                for r in range(reach)
            ]
            first = self.at(e, sample, i, j, block)
            for place, value in enumerate(both_ways(e, d, transform)):
                e.store(value, goal, e.add(first, place * self.point))

        blocks = self.channels // LANES
        e.loop(
            self.rows,
            lambda i: e.loop(self.columns, lambda j: e.loop(blocks, lambda block: tile(i, j, block))),
        )


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


def both_ways(e: Emitter, matrix: list[list[Value]], transform: Transform) -> list[Value]:
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


def error_points(e: Emitter, d: list[Value]) -> list[Value]:
    """A d: what `output_points` does, transposed."""
    b = e.builder

    def times(factor: float, x: Value, y: Value) -> Value:
        return e.fma(e.constant(factor, LANES), x, y)

    even, odd = b.fadd(d[0], d[2]), b.fadd(d[1], d[3])
    far_even = times(4.0, d[2], d[0])
    far_odd = times(8.0, d[3], b.fadd(d[1], d[1]))
    return [
        d[0],
        b.fadd(even, odd),
        b.fsub(even, odd),
        b.fadd(far_even, far_odd),
        b.fsub(far_even, far_odd),
        d[3],
    ]


def weight_taps(e: Emitter, m: list[Value]) -> list[Value]:
    """G' m: what `weight_points` does, transposed."""
    b = e.builder

    def times(factor: float, x: Value, y: Value) -> Value:
        return e.fma(e.constant(factor, LANES), x, y)

    near, near_odd = b.fadd(m[1], m[2]), b.fsub(m[2], m[1])
    far, far_odd = b.fadd(m[3], m[4]), b.fsub(m[3], m[4])
    zero = e.constant(0.0, LANES)
    return [
        times(1 / 4, m[0], times(1 / 24, far, times(-1 / 6, near, zero))),
        times(1 / 12, far_odd, times(1 / 6, near_odd, zero)),
        times(1 / 6, b.fsub(far, near), m[5]),
    ]
