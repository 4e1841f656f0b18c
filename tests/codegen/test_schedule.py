"""Register tiles fit the registers of every processor, and the code that comes of them keeps its sums there."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.codegen import jit
from scanwise.codegen.schedule import (
    ALTERNATIVES,
    SAMPLES,
    Grid,
    Tile,
    choose_gradient_tile,
    choose_tile,
    few_positions_tile,
    gradient_tiles,
    likely_tiles,
    side_by_side,
    tile_limit,
    unroll,
    vectors_for_one_position,
)
from scanwise.codegen.target import AVX2, AVX512, NEON, TARGETS, Target
from scanwise.kernels import conv
from scanwise.kernels.conv import Convolution, ParameterGradient
from scanwise.kernels.maps import plain_map

targets = st.sampled_from(list(TARGETS.values()))
lane_counts = st.sampled_from([4, 8, 16])


@given(
    targets,
    lane_counts,
    st.integers(1, 40),
    st.integers(1, 70),
    st.integers(1, 300),
    st.integers(1, 5000),
    st.sampled_from([1, 2, SAMPLES]),
)
def test_tiles_fit_the_registers(
    target: Target, lanes: int, blocks: int, rows: int, columns: int, steps: int, samples: int
) -> None:
    tile = choose_tile(target, lanes, blocks, Grid(rows, columns, steps), samples)
    assert 1 <= tile.vectors <= blocks
    assert 1 <= tile.rows <= rows
    assert 1 <= tile.columns <= columns
    assert samples % tile.samples == 0
    # Rows and samples are tiled over only where a tile takes all columns, or the whole of a small map is walked.
    assert tile.rows == 1 or tile.columns == columns
    assert tile.samples == 1 or tile.rows == tile.columns == 1
    assert_fits(tile, target, lanes)


@given(targets, lane_counts, st.integers(1, 40), st.integers(1, 4))
def test_a_tile_of_few_positions_has_all_that_fit(
    target: Target, lanes: int, blocks: int, columns: int
) -> None:
    tile = few_positions_tile(target, lanes, blocks, columns)
    assert (tile.samples, tile.rows) == (1, 1)
    assert tile.columns == min(columns, tile_limit(target, lanes, 1))
    assert 1 <= tile.vectors <= min(8, blocks)
    assert_fits(tile, target, lanes)


grids = st.builds(Grid, st.integers(1, 40), st.integers(1, 70), st.integers(1, 5000))


@given(targets, lane_counts, st.integers(1, 40), grids, st.sampled_from([1, 2, SAMPLES]))
def test_the_tiles_to_time_fit_too_and_differ(
    target: Target, lanes: int, blocks: int, grid: Grid, samples: int
) -> None:
    chosen = choose_tile(target, lanes, blocks, grid, samples)
    tiles = likely_tiles(target, lanes, blocks, [grid], samples)
    assert len({chosen, *tiles}) == len(tiles) + 1 <= ALTERNATIVES + 1
    for tile in tiles:
        assert_fits(tile, target, lanes)
        assert tile.rows == 1 or tile.columns == grid.columns
        assert samples % tile.samples == 0


@given(targets, lane_counts, st.integers(1, 40), st.lists(grids, min_size=2, max_size=4))
def test_tiles_for_several_grids_fit_all(
    target: Target, lanes: int, blocks: int, several: list[Grid]
) -> None:
    for tile in likely_tiles(target, lanes, blocks, several):
        assert_fits(tile, target, lanes)
        assert tile.columns <= min(grid.columns for grid in several)


@given(targets, lane_counts, st.integers(1, 40), st.integers(1, 1000), st.booleans())
def test_tiles_of_weight_gradients_fit_the_registers(
    target: Target, lanes: int, blocks: int, positions: int, depthwise: bool
) -> None:
    chosen = choose_gradient_tile(target, lanes, blocks, positions, depthwise=depthwise)
    tiles = gradient_tiles(target, lanes, blocks, positions, depthwise=depthwise)
    assert len({chosen, *tiles}) == len(tiles) + 1 <= ALTERNATIVES + 1
    assert chosen.by_sample not in {tile.by_sample for tile in tiles[:1]}
    for tile in (chosen, *tiles):
        assert_fits(Tile(tile.vectors, 1, 1, tile.places), target, lanes)
        assert tile.vectors <= max(1, blocks)


def assert_fits(tile: Tile, target: Target, lanes: int) -> None:
    weights = tile.vectors * target.registers_for(lanes)
    assert weights * tile.positions + weights + 1 <= target.registers


@given(targets, lane_counts, st.integers(1, 4))
def test_the_limit_is_the_largest_that_fits(target: Target, lanes: int, vectors: int) -> None:
    weights = vectors * target.registers_for(lanes)
    limit = tile_limit(target, lanes, vectors)
    assert limit == 0 or weights * limit + weights + 1 <= target.registers
    assert weights * (limit + 1) + weights + 1 > target.registers


def test_steps_of_a_power_of_two_leave_room_for_few_inputs() -> None:
    assert side_by_side(512) == 12  # 2 KB: two of the 64 sets
    assert side_by_side(1024) == side_by_side(4096) == 6
    assert side_by_side(33) == 6 * 64
    tile = choose_tile(AVX512, 16, 1, Grid(56, 56, 18432, most=side_by_side(512)))
    assert tile.positions <= 12


@given(targets, lane_counts, st.integers(1, 40))
def test_one_position_by_itself_fits_too(target: Target, lanes: int, blocks: int) -> None:
    vectors = vectors_for_one_position(target, lanes, blocks)
    assert 1 <= vectors <= min(blocks, 8)
    assert vectors * target.registers_for(lanes) + 2 <= target.registers


@given(st.integers(1, 5000), st.integers(1, 40))
def test_a_loop_is_written_out_a_few_times(count: int, work: int) -> None:
    times = unroll(count, work)
    assert 1 <= times <= min(count, 8)
    assert times == 1 or times * work <= 128


# --- what LLVM makes of it --------------------------------------------------------------------------------------------

WIDE = Convolution(64, 64, (3, 3), (1, 1), (1, 1), (1, 1), (32, 32), (32, 32))
X, Y = plain_map(64, 32, 32).with_border((1, 1, 1, 1)), plain_map(64, 32, 32)


def innermost_loops(kernel: jit.Kernel, target: Target) -> list[list[str]]:
    """The loops of one block of machine code that jumps back to its own start, each as its instructions."""
    found: list[list[str]] = []
    body: list[str] = []
    label = ""
    comment = "//" if target is NEON else "#"
    for line in jit.assembly(kernel, target).splitlines():
        text = line.split(comment)[0].strip()
        if text.endswith(":"):
            label, body = text[:-1], []
        elif text and not text.startswith("."):
            body.append(text)
            if re.match(r"(j|b\b|b\.|cb|tb)", text):
                if text.split()[-1] == label:
                    found.append(body)
                label, body = "", []
    return found


def multiply_adds(instructions: list[str]) -> list[str]:
    return [text for text in instructions if re.match(r"vfmadd|fmla", text)]


@pytest.mark.parametrize(
    ("target", "register"), [(AVX512, "%zmm"), (AVX2, "%ymm"), (NEON, ".4s")], ids=["avx512", "avx2", "neon"]
)
@pytest.mark.parametrize(
    "kernel", [conv.forward(WIDE, X, Y), ParameterGradient(WIDE, X, Y)], ids=["forward", "weight gradient"]
)
def test_the_innermost_loop_has_no_spills(kernel: jit.Kernel, target: Target, register: str) -> None:
    """Also for a processor that is not this one: the machine code is read, not run."""
    loops = [body for body in innermost_loops(kernel, target) if multiply_adds(body)]
    assert loops
    heaviest = max(loops, key=lambda body: len(multiply_adds(body)))
    assert len(multiply_adds(heaviest)) >= 8
    for body in loops:
        for text in body:
            assert "(%rsp)" not in text, text
            assert "[sp" not in text, text
        assert all(register in text for text in multiply_adds(body))
    # At least half of the instructions do the arithmetic.
    assert 2 * len(multiply_adds(heaviest)) >= len(heaviest)
