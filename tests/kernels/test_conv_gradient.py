"""The order of summation of weight gradients, and weights transposed part by part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise.codegen.schedule import POSITIONS_FOR_A_PASS
from scanwise.kernels import transpose
from scanwise.kernels.conv import BiasGradient, Convolution, ParameterGradient, TransposeWeights
from scanwise.kernels.maps import lanes_for
from scanwise.kernels.transpose import TRANSPOSED_AT_ONCE
from tests.kernels import harness
from tests.kernels.harness import Float32

Pair = tuple[int, int]
ONE = (1, 1)


def convolution(channels: int, outputs: int, kernel: Pair, positions: Pair, groups: int = 1) -> Convolution:
    extent = positions[0] + kernel[0] - 1, positions[1] + kernel[1] - 1
    return Convolution(channels, outputs, kernel, ONE, ONE, (0, 0), extent, positions, groups)


# --- sample by sample -------------------------------------------------------------------------------------------------


def check_order(c: Convolution, samples: int, seed: int) -> None:
    """One call of many samples leaves the bits of as many calls of one sample."""
    x_map = harness.bordered(c.channels, *c.extent)
    dz_map = harness.bordered(c.outputs, *c.positions, border=(0, 1, 1, 0))
    x = harness.normal(seed, samples, c.channels, *c.extent)
    dz = harness.normal(seed + 1, samples, c.outputs, *c.positions)
    start = c.pack(harness.normal(seed + 2, c.outputs, c.channels // c.groups, *c.kernel))
    kernel = ParameterGradient(c, x_map, dz_map)
    at_once, one_by_one = start.copy(), start.copy()
    harness.call(kernel, samples, harness.filled(x_map, x), harness.filled(dz_map, dz), at_once)
    for n in range(samples):
        one_x, one_dz = harness.filled(x_map, x[n : n + 1]), harness.filled(dz_map, dz[n : n + 1])
        harness.call(kernel, 1, one_x, one_dz, one_by_one)
    np.testing.assert_array_equal(at_once.view(np.uint32), one_by_one.view(np.uint32))


@pytest.mark.parametrize(
    "positions", [(1, 1), (1, POSITIONS_FOR_A_PASS - 1), (1, POSITIONS_FOR_A_PASS), (6, 7)], ids=str
)
@pytest.mark.parametrize("sizes", [(5, 17, 1), (33, 33, 1), (6, 10, 2), (9, 9, 9)], ids=str)
def test_weight_gradients_add_sample_after_sample(positions: Pair, sizes: tuple[int, int, int]) -> None:
    channels, outputs, groups = sizes
    check_order(convolution(channels, outputs, (2, 3), positions, groups), 3, 0)


@settings(max_examples=6)
@given(
    harness.CHANNELS,
    harness.CHANNELS,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.integers(1, 4),
    harness.SEEDS,
)
def test_weight_gradients_of_drawn_sizes(
    channels: int, outputs: int, kernel: Pair, positions: Pair, samples: int, seed: int
) -> None:
    check_order(convolution(channels, outputs, kernel, positions), samples, seed)


def test_bias_gradients_are_summed_before_they_are_added() -> None:
    """Integers, so that every order gives the same sum: what is checked is that each value counts once."""
    c = convolution(3, 20, ONE, (3, 7))
    dz_map = harness.bordered(20, 3, 7, border=(1, 0, 0, 2))
    dz = np.random.default_rng(0).integers(-9, 9, (4, 20, 3, 7)).astype(np.float32)
    db = c.pack_bias(np.arange(20, dtype=np.float32))
    harness.call(BiasGradient(c, dz_map), 4, harness.filled(dz_map, dz), db)
    np.testing.assert_array_equal(c.unpack_bias(db), np.arange(20) + dz.sum((0, 2, 3)))


# --- transposed weights -----------------------------------------------------------------------------------------------


def transposed(c: Convolution, weight: NDArray[np.float32]) -> Float32:
    """`[groups][C / lanes][R S][K][lanes]` by NumPy."""
    groups, outputs, channels = c.group_count, c.group_outputs, c.group_channels
    lanes = lanes_for(channels)
    blocks = -(-channels // lanes)
    spread = np.zeros((groups, blocks * lanes, c.taps, outputs), np.float32)
    spread[:, :channels] = weight.reshape(groups, outputs, channels, c.taps).transpose(0, 2, 3, 1)
    shape = (groups, blocks, lanes, c.taps, outputs)
    return spread.reshape(shape).transpose(0, 1, 3, 4, 2).reshape(-1)


def check_parts(c: Convolution) -> int:
    weight = harness.normal(0, c.outputs, c.channels // c.groups, *c.kernel)
    kernel = TransposeWeights(c)
    result = np.full(kernel.size, np.nan, np.float32)
    packed = c.pack(weight)
    for part, source, goal in kernel.parts():
        harness.call(part, 0, packed[source:], result[goal:])
    np.testing.assert_array_equal(result, transposed(c, weight))
    return len(kernel.parts())


@pytest.mark.parametrize(
    "c",
    [
        convolution(5, 17, (3, 2), ONE),
        convolution(33, 9, (1, 3), ONE),
        convolution(12, 6, (2, 2), ONE, groups=3),
        convolution(1, 1, ONE, ONE),
    ],
)
def test_small_weights_are_transposed_in_one_part(c: Convolution) -> None:
    assert check_parts(c) == 1


@pytest.mark.parametrize("channels", [64, 70, 41], ids=str)
def test_parts_do_all_channels_between_them(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last part may have fewer channels, and not a whole vector of them."""
    monkeypatch.setattr(transpose, "TRANSPOSED_AT_ONCE", 1500)
    assert check_parts(convolution(channels, 20, (2, 2), ONE)) == -(-channels // 16)


def test_large_weights_are_shared_among_threads() -> None:
    kernel = TransposeWeights(convolution(9216, 128, ONE, ONE))
    parts = kernel.parts()
    assert len(parts) == 9216 * 128 // TRANSPOSED_AT_ONCE
    # One kernel for all: each has the same number of channels.
    assert len({part for part, _, _ in parts}) == 1
