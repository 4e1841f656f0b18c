"""Register tiles, chosen by a small model of registers, latency and load ports.

A tile is `vectors` output-channel vectors by `positions` output positions, all accumulators in registers. One step of
the reduction loads `vectors` weights, broadcasts `positions` inputs and does their product in multiply-adds. On the
processors that this was measured on, two multiply-adds and two loads start per cycle and a multiply-add takes four
cycles, so a step takes the largest of half its multiply-adds, half its loads, and four cycles.
"""

import functools
import math
from dataclasses import dataclass

from scanwise.codegen.target import Target

__all__ = ["Skip", "Tile", "choose_tile", "side_by_side", "tile_limit", "unroll", "vectors_for_one_position"]

LATENCY = 4
# Samples that a `Linear` layer's tile goes over at most; plans hold a multiple of it where memory allows.
SAMPLES = 8
# Cycles for what a tile does once: addresses, bias, activation, stores.
TILE_OVERHEAD = 20
# Cycles for starting the loop over channels anew at every tap, where taps may be skipped.
TAP_OVERHEAD = 6
# Share of the taps that must meet the border alone before skipping them pays for loops of unknown length.
LEAST_BORDER = 0.1


@dataclass(frozen=True)
class Tile:
    """A register tile: output-channel vectors, samples, rows and columns of positions."""

    vectors: int
    samples: int
    rows: int
    columns: int

    @property
    def positions(self) -> int:
        return self.samples * self.rows * self.columns


@dataclass(frozen=True)
class Skip:
    """Along one axis: a nest reads place `start + stride p + step t` of a map for position p and tap t. Places outside
    of 0..extent are border zeros, so that taps which only meet those may be skipped (which changes no bit).
    """

    start: int
    extent: int
    taps: int
    step: int = 1
    stride: int = 1

    def share(self, positions: int, size: int) -> float:
        """The share of taps that are left, in tiles of `size` positions that run the taps of any of them."""
        left = 0
        tiles = range(0, positions, size)
        for first in tiles:
            last = min(first + size, positions) - 1
            for tap in range(self.taps):
                low = self.start + self.stride * first + self.step * tap
                left += low < self.extent and low + self.stride * (last - first) >= 0
        return left / (len(tiles) * self.taps)

    def pays(self, positions: int, size: int = 1) -> bool:
        return self.share(positions, size) < 1 - LEAST_BORDER

    def where_it_pays(self, positions: int) -> "Skip | None":
        return self if self.taps and self.pays(positions) else None


def tile_limit(target: Target, lanes: int, vectors: int) -> int:
    """The most positions that fit the registers beside the weights and one broadcast; 0 where not even one does."""
    width = target.registers_for(lanes)
    return max(0, (target.registers - 1) // (vectors * width) - 1)


def side_by_side(step: int) -> int:
    """How many inputs `step` floats apart stay in the first-level cache beside a few weights.

    It keeps 8 lines of 64 bytes for each of 64 sets, and steps of a large power of two meet the same few sets again and
    again (measured at 512 channels, 16 outputs: 28 positions reached half of the speed of 12).
    """
    sets = 64 // math.gcd(64, step // 16) if step % 16 == 0 else 64
    return 6 * sets


def vectors_for_one_position(target: Target, lanes: int, blocks: int) -> int:
    """Vectors side by side for a position by itself. Each weight is used once, as an operand that comes from memory, so
    beside the accumulators there is one weight on its way and the broadcast.
    """
    return max(1, min(blocks, 8, (target.registers - 2) // target.registers_for(lanes)))


def _step_cycles(target: Target, lanes: int, vectors: int, positions: int) -> float:
    width = target.registers_for(lanes)
    return max(vectors * positions * width / 2, (vectors * width + positions) / 2, LATENCY)


def _cover_cycles(extent: int, tile: int, cost: float, rest_cost: float) -> float:
    full, rest = divmod(extent, tile)
    return full * cost + (rest_cost if rest else 0.0)


@functools.cache
def choose_tile(
    target: Target,
    lanes: int,
    blocks: int,
    rows: int,
    columns: int,
    steps: int,
    samples: int = SAMPLES,
    skips: tuple[Skip | None, Skip | None] = (None, None),
    over_samples: bool = False,
    most: int = 64,
) -> Tile:
    """The tile with the least modelled time.

    Args:
        target: the processor.
        lanes: floats per vector.
        blocks: output-channel vectors in all.
        rows: output rows P.
        columns: output columns Q.
        steps: length of the reduction.
        samples: samples that are there to tile over where a map has few positions.
        skips: taps of the rows and of the columns that may be skipped.
        most: most positions in a tile, for the cache's sake: see `side_by_side`.
        over_samples: whether to tile over samples too where a map has many positions.
    """
    best: tuple[float, Tile] | None = None
    for vectors in range(1, min(blocks, 4) + 1):
        limit = min(most, tile_limit(target, lanes, vectors))
        if limit == 0:
            break
        # A rest of one vector at a time would be a second kernel body with half the speed.
        block_cost = blocks / vectors if blocks % vectors == 0 else blocks // vectors + 1.0
        for tile in _candidates(limit, vectors, rows, columns, samples, over_samples):
            left = _steps_left(tile, rows, columns, steps, skips)
            cycles = block_cost * _grid_cycles(target, lanes, tile, rows, columns, left, samples)
            if best is None or cycles < best[0] * 0.995:
                best = (cycles, tile)
    assert best is not None
    return best[1]


def _steps_left(
    tile: Tile, rows: int, columns: int, steps: int, skips: tuple[Skip | None, Skip | None]
) -> float:
    """Mean steps of a tile's reduction, with what the skipping loops cost in steps of four cycles."""
    left, taps = float(steps), 1.0
    for skip, positions, size in zip(skips, (rows, columns), (tile.rows, tile.columns), strict=True):
        if skip is not None:
            share = skip.share(positions, size)
            left *= share
            taps *= share * skip.taps
    if skips[1] is not None:
        left += taps * TAP_OVERHEAD / LATENCY
    return left


def _candidates(
    limit: int, vectors: int, rows: int, columns: int, samples: int, over_samples: bool
) -> list[Tile]:
    stacked = [
        Tile(vectors, count, 1, 1) for count in range(1, min(limit, samples) + 1) if samples % count == 0
    ]
    if rows * columns <= 4:
        return stacked
    found = stacked[1:] if over_samples else []
    found += [Tile(vectors, 1, 1, count) for count in range(1, min(limit, columns) + 1)]
    found += [
        Tile(vectors, 1, height, columns) for height in range(2, min(limit // max(1, columns), rows) + 1)
    ]
    return found


def _grid_cycles(
    target: Target, lanes: int, tile: Tile, rows: int, columns: int, steps: float, samples: int
) -> float:
    def cost(positions: int) -> float:
        return steps * _step_cycles(target, lanes, tile.vectors, positions) + TILE_OVERHEAD

    if tile.samples > 1 or rows * columns <= 4:
        return rows * columns * _cover_cycles(samples, tile.samples, cost(tile.positions), cost(1)) / samples
    if tile.rows > 1:
        rest = cost((rows % tile.rows) * columns)
        return _cover_cycles(rows, tile.rows, cost(tile.positions), rest)
    return rows * _cover_cycles(columns, tile.columns, cost(tile.columns), cost(columns % tile.columns))


def unroll(count: int, work: int) -> int:
    """How many steps of a loop to write out, for `work` multiply-adds in a step: about a hundred in a body."""
    most = max(1, min(count, 128 // max(1, work), 8))
    for candidate in range(most, most // 2, -1):
        if count % candidate == 0:
            return candidate
    return most
