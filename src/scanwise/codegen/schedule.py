"""Register tiles, chosen by a small model of registers, latency and load ports.

A tile is `vectors` output-channel vectors by `positions` output positions, all accumulators in registers. One step of
the reduction loads `vectors` weights, broadcasts `positions` inputs and does their product in multiply-adds. On the
processors that this was measured on, two multiply-adds and two loads start per cycle and a multiply-add takes four
cycles, so a step takes the largest of half its multiply-adds, half its loads, and four cycles.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scanwise.codegen.target import Target

__all__ = [
    "GradientTile",
    "Grid",
    "Tile",
    "choose_gradient_tile",
    "choose_tile",
    "few_positions_tile",
    "gradient_places",
    "gradient_tiles",
    "likely_tiles",
    "side_by_side",
    "tile_limit",
    "unroll",
    "vectors_for_one_position",
]

LATENCY = 4
# Samples that a `Linear` layer's tile goes over at most; plans hold a multiple of it where memory allows.
SAMPLES = 8
# Cycles for what a tile does once: addresses, bias, activation, stores.
TILE_OVERHEAD = 20
# What remains beside whole tiles is code of its own, to be compiled and kept in the instruction cache: it must gain
# this much.
REST_PENALTY = 1.01
# Schedules of a kernel that are worth timing beside the model's choice: each costs a compilation of about 0.1 s.
ALTERNATIVES = 5
# How much slower than the best one, by the model, a tile may be to be worth timing: it leaves out caches.
ALMOST_AS_GOOD = 1.4
# With so many positions a weight gradient is summed sample by sample: a sample's maps then stay in the second-level
# cache while every tile of the gradient passes over them (measured: 1.5 to 2 times faster at 32 x 32). With fewer,
# loading and storing the tile would cost more than that saves. The order of each sum is the same.
POSITIONS_FOR_A_PASS = 32


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
class GradientTile:
    """The register tile of a weight gradient, and the order in which its samples pass.

    Attributes:
        vectors: output-channel vectors.
        places: most pairs of a kernel tap and an input channel.
        by_sample: whether the loop over samples is the outermost one rather than inside every tile.
    """

    vectors: int
    places: int
    by_sample: bool


@dataclass(frozen=True)
class Grid:
    """What a tile is chosen for.

    Attributes:
        rows: output rows P.
        columns: output columns Q.
        steps: length of the reduction.
        tallest: most rows in a tile, if that matters.
        most: most positions in a tile, for the cache's sake: see `side_by_side`.
    """

    rows: int
    columns: int
    steps: int
    tallest: int | None = None
    most: int = 64


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


def few_positions_tile(target: Target, lanes: int, blocks: int, columns: int) -> Tile:
    """The tile for the few positions of a single sample: all of them, where the registers are enough.

    Each weight is then fetched once, which is what a large layer takes its time for: 400 x 416 weights, 650 kB in the
    second-level cache, at two positions took 6 us, and 26 position by position. Beside the accumulators there are the
    weights of a step and a broadcast.
    """
    width = target.registers_for(lanes)
    columns = max(1, min(columns, tile_limit(target, lanes, 1)))
    most = max(1, min(8, (target.registers - 1) // (width * (columns + 1))))
    return Tile(-(-blocks // -(-blocks // most)), 1, 1, columns)  # blocks in turns of about equal size


def _step_cycles(target: Target, lanes: int, vectors: int, positions: int) -> float:
    width = target.registers_for(lanes)
    return max(vectors * positions * width / 2, (vectors * width + positions) / 2, LATENCY)


def _cover_cycles(extent: int, tile: int, cost: float, rest_cost: float) -> float:
    full, rest = divmod(extent, tile)
    return (full * cost + rest_cost) * REST_PENALTY if rest and full else full * cost


@functools.cache
def choose_tile(target: Target, lanes: int, blocks: int, grid: Grid, samples: int = SAMPLES) -> Tile:
    """The tile with the least modelled time.

    Args:
        target: the processor.
        lanes: floats per vector.
        blocks: output-channel vectors in all.
        grid: what it goes over.
        samples: samples that are there to tile over where a map has few positions.
    """
    return min(_modelled(target, lanes, blocks, grid, samples), key=lambda found: found[0])[1]


def likely_tiles(
    target: Target, lanes: int, blocks: int, grids: Sequence[Grid], samples: int = SAMPLES
) -> list[Tile]:
    """The tiles that are worth timing beside those that `choose_tile` takes for the grids, one tile for all of them.

    For each number of vectors the best one, then the best of all, as far as the model does not tell against them.
    """
    totals: dict[Tile, list[float]] = {}
    for grid in grids:
        for cycles, tile in _modelled(target, lanes, blocks, grid, samples):
            totals.setdefault(tile, []).append(cycles)
    ranked = sorted(
        (tile for tile in totals if len(totals[tile]) == len(grids)), key=lambda t: sum(totals[t])
    )
    if not ranked:
        return []
    chosen = {choose_tile(target, lanes, blocks, grid, samples) for grid in grids}
    known = chosen if len(chosen) == 1 else set()
    limit = ALMOST_AS_GOOD * sum(totals[ranked[0]])
    ranked = [tile for tile in ranked if sum(totals[tile]) <= limit and tile not in known]
    first = {tile.vectors: tile for tile in reversed(ranked)}
    return list(dict.fromkeys([*sorted(first.values(), key=ranked.index), *ranked]))[:ALTERNATIVES]


def _modelled(
    target: Target, lanes: int, blocks: int, grid: Grid, samples: int
) -> Iterator[tuple[float, Tile]]:
    """Every tile that fits the registers, with its modelled cycles."""
    for vectors in range(1, min(blocks, 4) + 1):
        limit = min(grid.most, tile_limit(target, lanes, vectors))
        if limit == 0:
            break
        # A rest of one vector at a time would be a second kernel body with half the speed.
        block_cost = blocks / vectors if blocks % vectors == 0 else blocks // vectors + 1.0
        for tile in _candidates(limit, vectors, grid.rows, grid.columns, samples):
            if grid.tallest is not None and tile.rows > grid.tallest:
                continue
            cycles = _grid_cycles(target, lanes, tile, grid.rows, grid.columns, grid.steps, samples)
            yield block_cost * cycles, tile


def _candidates(limit: int, vectors: int, rows: int, columns: int, samples: int) -> list[Tile]:
    if rows * columns <= 4:
        return [
            Tile(vectors, count, 1, 1) for count in range(1, min(limit, samples) + 1) if samples % count == 0
        ]
    found = [Tile(vectors, 1, 1, count) for count in range(1, min(limit, columns) + 1)]
    found += [
        Tile(vectors, 1, height, columns) for height in range(2, min(limit // max(1, columns), rows) + 1)
    ]
    return found


def _grid_cycles(
    target: Target, lanes: int, tile: Tile, rows: int, columns: int, steps: int, samples: int
) -> float:
    def cost(positions: int) -> float:
        return steps * _step_cycles(target, lanes, tile.vectors, positions) + TILE_OVERHEAD

    if tile.samples > 1 or rows * columns <= 4:
        return rows * columns * _cover_cycles(samples, tile.samples, cost(tile.positions), cost(1)) / samples
    if tile.rows > 1:
        rest = cost((rows % tile.rows) * columns)
        return _cover_cycles(rows, tile.rows, cost(tile.positions), rest)
    return rows * _cover_cycles(columns, tile.columns, cost(tile.columns), cost(columns % tile.columns))


def choose_gradient_tile(
    target: Target, lanes: int, blocks: int, positions: int, *, depthwise: bool
) -> GradientTile:
    """The tile of a weight gradient.

    Args:
        target: the processor.
        lanes: floats per vector.
        blocks: output-channel vectors in all.
        positions: output positions P Q.
        depthwise: whether inputs are vectors too.
    """
    # Two vectors of dz let each broadcast of x serve two multiply-adds.
    vectors = 2 if blocks > 1 and target.registers_for(lanes) == 1 and not depthwise else 1
    return GradientTile(vectors, gradient_places(target, lanes, vectors), positions >= POSITIONS_FOR_A_PASS)


def gradient_places(target: Target, lanes: int, vectors: int) -> int:
    """Places of a weight gradient's tile: accumulators, dz vectors and a broadcast fit the registers."""
    return min(tile_limit(target, lanes, vectors), 12 if vectors > 1 else 25)


def gradient_tiles(
    target: Target, lanes: int, blocks: int, positions: int, *, depthwise: bool
) -> list[GradientTile]:
    """The tiles of a weight gradient that are worth timing beside the chosen one."""
    chosen = choose_gradient_tile(target, lanes, blocks, positions, depthwise=depthwise)
    found = [GradientTile(chosen.vectors, chosen.places, not chosen.by_sample)]
    for vectors in range(1, min(blocks, 1 if depthwise else 4) + 1):
        places = tile_limit(target, lanes, vectors)
        if places > 0:
            found.append(GradientTile(vectors, places, chosen.by_sample))
    return [tile for tile in found if tile != chosen][:ALTERNATIVES]


def unroll(count: int, work: int) -> int:
    """How many steps of a loop to write out, for `work` multiply-adds in a step: about a hundred in a body."""
    most = max(1, min(count, 128 // max(1, work), 8))
    for candidate in range(most, most // 2, -1):
        if count % candidate == 0:
            return candidate
    return most
