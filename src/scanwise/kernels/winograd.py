"""Winograd's minimal filtering F(4 x 4, 3 x 3) for 3 x 3 convolutions of stride 1: forward and input gradient.

    y = A' [ (G g G') * (B' d B) ] A       for every 6 x 6 tile d of x and the 4 x 4 tile y of the output

(Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4; the points are 0, 1, -1, 2,
-2.) 36 products in place of 144 for each pair of channels; the products over channels are 36 matrix products, which the
convolution nest does as 36 groups. Rounding differs from the direct sum (relative error about 1e-6 rather than 1e-7),
so it serves training steps and `precision="fast"` alone.
"""

from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import Tile
from scanwise.codegen.target import Target
from scanwise.kernels import activation as activations
from scanwise.kernels.activation import Activation
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.sweep import Axis, Sweep, View
from scanwise.kernels.winograd_transforms import (
    LANES,
    POINTS,
    REACH,
    TILE,
    TransformedTiles,
    WinogradWeights,
    both_ways,
    input_points,
    output_points,
    tiles_of,
)

__all__ = [
    "POINTS",
    "WinogradConvolution",
    "WinogradWeights",
    "overhang",
]


# Tiles in a sample from which one sample at a time fills the register tiles of the matrix products.
TILES_FOR_A_SAMPLE = 12


def overhang(extent: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns by which the tiles reach past an output of this extent."""
    rows, columns = tiles_of(extent)
    return rows * TILE - extent[0], columns * TILE - extent[1]


@dataclass(frozen=True)
class WinogradConvolution:
    """y[p, q] = f(b + sum of w[r, s] x[p - top + r, q - left + s]), or the same times f'(saved).

    Arguments: x, transformed weights, b (forward) or the saved map (backward), y, scratch.

    Attributes:
        x: map that is read, with a border of what the tiles reach over.
        y: map that is written.
        padding: (top, left).
        bias: whether the third argument is a bias.
        activation: applied (forward), or whose derivative multiplies (with `saved`).
        saved: the map that the derivative is told from.
        samples: most samples in a call.
        schedule: the register tile of the matrix products; None for the model's choice.
    """

    x: FeatureMap
    y: FeatureMap
    padding: tuple[int, int]
    bias: bool
    activation: Activation | None
    saved: FeatureMap | None
    samples: int
    schedule: Tile | None = None
    pointers: int = 5

    def candidates(self, target: Target) -> list["WinogradConvolution"]:
        """The schedules that are worth timing: itself with the model's choice, then others."""
        products = replace(self, schedule=None)._products()
        return [replace(self, schedule=product.schedule) for product in products.candidates(target)]

    @property
    def tiles(self) -> tuple[int, int]:
        return tiles_of((self.y.height, self.y.width))

    @property
    def together(self) -> int:
        """Samples whose tiles are multiplied together."""
        return 1 if self.tiles[0] * self.tiles[1] >= TILES_FOR_A_SAMPLE else self.samples

    @property
    def inputs(self) -> TransformedTiles:
        return TransformedTiles(self.x.channels, *self.tiles, self.together)

    @property
    def products(self) -> TransformedTiles:
        return TransformedTiles(self.y.channels, *self.tiles, self.together)

    @property
    def scratch(self) -> int:
        return self.inputs.size + self.products.size

    def emit(self, e: Emitter) -> None:
        x, u, other, y, scratch = e.arguments
        spread = e.at(scratch, self.inputs.size)
        origin = self.x.origin - self.padding[0] * self.x.row - self.padding[1] * self.x.pitch

        def samples(first: Index, count: Index) -> None:
            def transform(i: Index) -> None:
                source = e.at(x, e.affine((e.add(first, i), self.x.size), (1, origin)))
                self.inputs.fill(e, scratch, i, source, self.x, REACH, input_points)

            e.loop(count, transform)
            self._products().emit_on(e, (scratch, u, u, spread, u), count)
            e.loop(count, lambda i: self._transform_output(e, spread, other, y, e.add(first, i), i))

        if self.together == 1:
            e.loop(e.n, lambda n: samples(n, 1))
        else:
            samples(0, e.n)

    def _products(self) -> Correlation:
        """36 matrix products over channels: one group of a 1 x 1 convolution for each point."""
        c, k = self.x.channels, self.y.channels
        sweep = Sweep(
            1,
            self.tiles[0] * self.tiles[1],
            x=View(self.inputs.sample, 0, c, 0),
            y=View(self.products.sample, 0, k, 0),
            axes=(Axis(c, 1, LANES),),
        )
        return Correlation(
            (sweep,),
            LANES,
            k,
            c * LANES,
            k,
            groups=POINTS,
            x_group=self.inputs.point,
            y_group=self.products.point,
            w_group=c * k,
            schedule=self.schedule,
        )

    def _transform_output(
        self, e: Emitter, spread: Value, other: Value, y: Value, n: Index, sample: Index
    ) -> None:
        m = self.y
        point = self.products.point
        y = e.at(y, e.affine((n, m.size), (1, m.origin)))
        if self.saved is not None:
            other = e.at(other, e.affine((n, self.saved.size), (1, self.saved.origin)))

        def tile(i: Index, j: Index, height: int, width: int, block: Index) -> None:
            source = self.products.at(e, sample, i, j, block)
            products = [
                [e.load(spread, e.add(source, (r * REACH + s) * point), LANES) for s in range(REACH)]
                for r in range(REACH)
            ]
            values = both_ways(e, products, output_points)
            base = e.at(y, e.affine((i, TILE * m.row), (j, TILE * m.pitch), (block, LANES)))
            for r in range(height):
                for s in range(width):
                    value = self._finish(e, values[r * TILE + s], other, i, j, r, s, block)
                    e.store(value, base, r * m.row + s * m.pitch)

        def row(i: Index, height: int) -> None:
            full, rest = divmod(m.width, TILE)
            blocks = m.channels // LANES
            e.loop(full, lambda j: e.loop(blocks, lambda block: tile(i, j, height, TILE, block)))
            if rest:
                e.loop(blocks, lambda block: tile(i, full, height, rest, block))

        full, rest = divmod(m.height, TILE)
        e.loop(full, lambda i: row(i, TILE))
        if rest:
            row(full, rest)

    def _finish(
        self, e: Emitter, value: Value, other: Value, i: Index, j: Index, r: int, s: int, block: Index
    ) -> Value:
        if self.saved is not None:
            m = self.saved
            at = e.affine(
                (i, TILE * m.row), (j, TILE * m.pitch), (block, LANES), (1, r * m.row + s * m.pitch)
            )
            assert self.activation is not None
            return activations.derivative(e, self.activation, e.load(other, at, LANES), value, LANES)
        if self.bias:
            value = e.builder.fadd(value, e.load(other, e.mul(block, LANES), LANES))
        if self.activation is not None:
            value = activations.apply(e, self.activation, value, LANES)
        return value
