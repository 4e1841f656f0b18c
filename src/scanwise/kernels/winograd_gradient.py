"""The weight gradient of a 3 x 3 convolution by Winograd's algorithm.

The forward pass is linear in the weights: y = A' [ (G g G') * V ] A with V = B' d B for every tile d of x. So the
gradient by g is the transposed map of dy, summed over tiles (and samples):

    dg = G' [ sum over tiles of  (A dy A') * V ] G

36 products for each pair of channels and tile in place of 144. For each point the sum over tiles is a product of two
matrices, tiles x K and tiles x C; what it gives for a few channels is turned into taps at once, while it is in the
cache.
"""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import tile_limit
from scanwise.codegen.target import Target
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.winograd_transforms import (
    LANES,
    POINTS,
    REACH,
    TILE,
    TransformedTiles,
    both_ways,
    error_points,
    input_points,
    tiles_of,
    weight_taps,
)

__all__ = ["WinogradGradient"]

# Tiles that one product sums over, at least, where the call has so many: turning sums into taps costs as much as four
# tiles. Only as many samples are transformed together as this takes, so that they stay in the second-level cache.
LEAST_TILES = 64
# Output channels and input channels whose sums are in registers at a time.
_VECTORS, _CHANNELS = 2, 8


@dataclass(frozen=True)
class WinogradGradient:
    """dw += the correlation of x with dz. Arguments: x, dz, dw (packed as the weights), scratch.

    Attributes:
        convolution: the sizes.
        x: map with a border of what the tiles reach over.
        dz: map with zeros where the tiles hang over.
        samples: most samples in a call.
    """

    convolution: Convolution
    x: FeatureMap
    dz: FeatureMap
    samples: int
    pointers: int = 4

    @property
    def together(self) -> int:
        """Samples whose tiles are summed over together."""
        rows, columns = tiles_of(self.convolution.positions)
        return max(1, min(self.samples, -(-LEAST_TILES // (rows * columns))))

    @property
    def inputs(self) -> TransformedTiles:
        return TransformedTiles(self.x.channels, *tiles_of(self.convolution.positions), self.together)

    @property
    def errors(self) -> TransformedTiles:
        return TransformedTiles(self.dz.channels, *tiles_of(self.convolution.positions), self.together)

    @property
    def scratch(self) -> int:
        return self.inputs.size + self.errors.size + POINTS * LANES * LANES * _VECTORS

    def emit(self, e: Emitter) -> None:
        x, dz, dw, scratch = e.arguments
        c = self.convolution
        errors = e.at(scratch, self.inputs.size)
        sums = e.at(errors, self.errors.size)
        x = e.at(x, self.x.origin - c.padding[0] * self.x.row - c.padding[1] * self.x.pitch)
        dz = e.at(dz, self.dz.origin)

        def group(first: Index, count: Index) -> None:
            def sample(i: Index) -> None:
                n = e.add(first, i)
                self.inputs.fill(e, scratch, i, e.at(x, e.mul(n, self.x.size)), self.x, REACH, input_points)
                self.errors.fill(e, errors, i, e.at(dz, e.mul(n, self.dz.size)), self.dz, TILE, error_points)

            e.loop(count, sample)
            tiles = e.mul(count, self.inputs.rows * self.inputs.columns)
            vectors, channels = _register_tile(e.target, c)

            def outputs(k: Index, ks: int) -> None:
                e.loop(
                    c.channels // channels,
                    lambda i: self._taps(
                        e, scratch, errors, sums, dw, k, ks, e.mul(i, channels), channels, tiles
                    ),
                )

            e.tiles(c.blocks, vectors, outputs)

        step = self.together
        if step == 1:
            e.loop(e.n, lambda n: group(n, 1))
            return
        groups = e.builder.sdiv(e.builder.add(e.n, e.integer(step - 1)), e.integer(step))

        def some(i: Index) -> None:
            first = e.mul(i, step)
            group(first, e.minimum(step, e.builder.sub(e.n, e.integer(first))))

        e.loop(groups, some)

    def _taps(
        self,
        e: Emitter,
        inputs: Value,
        errors: Value,
        sums: Value,
        dw: Value,
        block: Index,
        vectors: int,
        channel: Index,
        channels: int,
        tiles: Index,
    ) -> None:
        """The gradient of `vectors` vectors of output channels by `channels` input channels."""
        c = self.convolution
        inputs, errors = e.at(inputs, channel), e.at(errors, e.mul(block, LANES))
        places = [(v, i) for v in range(vectors) for i in range(channels)]

        def point(p: Index) -> None:
            source, error = (
                e.at(inputs, e.mul(p, self.inputs.point)),
                e.at(errors, e.mul(p, self.errors.point)),
            )

            def tile(t: Index, *partial: Value) -> list[Value]:
                row, column = e.at(error, e.mul(t, c.outputs)), e.at(source, e.mul(t, c.channels))
                dz = [e.load(row, v * LANES, LANES) for v in range(vectors)]
                x = [e.load_broadcast(column, i, LANES) for i in range(channels)]
                return [e.fma(dz[v], x[i], total) for (v, i), total in zip(places, partial, strict=True)]

            totals = e.loop(tiles, tile, [e.constant(0.0, LANES)] * len(places))
            for at, total in enumerate(totals):
                e.store(total, sums, e.add(e.mul(p, len(places) * LANES), at * LANES))

        e.loop(POINTS, point)
        goal = e.at(dw, e.affine((block, c.block), (channel, LANES)))

        def taps(v: Index, i: Index) -> None:
            first = e.affine((v, channels * LANES), (i, LANES))
            m = [
                [
                    e.load(sums, e.add(first, (r * REACH + s) * len(places) * LANES), LANES)
                    for s in range(REACH)
                ]
                for r in range(REACH)
            ]
            for t, value in enumerate(both_ways(e, m, weight_taps)):
                at = e.affine((v, c.block), (i, LANES), (1, t * c.channels * LANES))
                e.store(e.builder.fadd(e.load(goal, at, LANES), value), goal, at)

        e.loop(vectors, lambda v: e.loop(channels, lambda i: taps(v, i)))


def _register_tile(target: Target, c: Convolution) -> tuple[int, int]:
    """(vectors of output channels, input channels); channels come in vectors, so a power of two divides them."""
    vectors = min(_VECTORS, c.blocks) if target.registers_for(LANES) == 1 else 1
    channels = LANES if vectors == 1 else _CHANNELS
    while channels > tile_limit(target, LANES, vectors):
        channels //= 2
    return vectors, channels
