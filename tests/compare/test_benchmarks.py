"""What the benchmarks count and draw."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from benchmarks import kernel_minimums, roofline
from benchmarks.drawn_layers import KERNELS, MOST_CHANNELS, MOST_SAMPLES, STRIDES, draw
from benchmarks.layer import PASSES, LayerAlone, relative_error
from benchmarks.sweep import Ratios, sections
from scanwise import shapes


def test_drawn_layers_are_the_same_each_time() -> None:
    assert draw(20) == draw(30)[:20]
    assert draw(5) != draw(5, seed=1)


def test_drawn_layers_are_within_bounds_and_of_every_kind() -> None:
    drawn = draw(200)
    for one in drawn:
        layer, (channels, *_) = one.layer, one.input_shape
        geometry = layer.geometry(one.input_shape)
        assert 1 <= channels <= MOST_CHANNELS
        assert 1 <= layer.out_channels <= MOST_CHANNELS
        assert 1 <= one.samples <= MOST_SAMPLES
        assert min(geometry.output) >= 1
        assert all(KERNELS[0] <= k <= KERNELS[1] for k in geometry.kernel)
        assert all(STRIDES[0] <= s <= STRIDES[1] for s in geometry.stride)
    assert {one.layer.axes for one in drawn} == {1, 2}
    assert {max(one.layer.geometry(one.input_shape).stride) for one in drawn} == {1, 2, 3}
    assert any(one.layer.groups == one.input_shape[0] > 1 for one in drawn)
    assert any(1 < one.layer.groups < one.input_shape[0] for one in drawn)
    assert any(max(one.layer.geometry(one.input_shape).dilation) > 1 for one in drawn)


def test_ratios_in_the_better_layout_and_in_the_same() -> None:
    row = Ratios(
        3,
        "a layer",
        {"Scanwise": 2.0, "PyTorch": 4.0, "PyTorch channels_last": 1.0},
        {"Scanwise": 1.0, "PyTorch": 3.0},
    )
    assert row.ratio("forward") == 0.5
    assert row.ratio("backward") == 3.0
    spread, worst = sections([row])
    assert row.ratio_in_same_layout("forward") == 2.0
    assert [cells[:3] for cells in spread.rows] == [
        ["forward", "the better", "0 of 1"],
        ["forward", "the same", "1 of 1"],
        ["backward", "the better", "1 of 1"],
        ["backward", "the same", "1 of 1"],
    ]
    assert [cells[3:] for cells in worst.rows] == [["0.50", "2.00"], ["3.00", "3.00"]]


def test_bytes_of_a_depthwise_kernel_are_its_inputs_for_every_output() -> None:
    (kind,) = (kind for kind in kernel_minimums.KINDS if kind.in_cache)
    assert kernel_minimums.loaded_bytes(kind) == 4 * 9 * 64 * 25 * 5


def test_bytes_that_a_layer_moves() -> None:
    (row,) = shapes.walk(sw.Sequential(sw.Conv1d(2, 3)), (4, 10))
    maps, parameters = 4 * 10 + 2 * 8, 2 * 4 * 3 + 2
    assert roofline.moved_bytes(row, "inference", 1) == 4 * (maps + parameters)
    assert roofline.moved_bytes(row, "parameter gradients", 2) == 4 * (maps + parameters)


@pytest.mark.parametrize("fast", [False, True])
def test_a_layer_alone_is_right_in_every_pass(fast: bool) -> None:
    alone = LayerAlone(sw.Conv2d(32, 3, padding=1), (16, 9, 9), 2, fast=fast)
    assert tuple(alone.errors) == PASSES
    for name, error in alone.errors.items():
        assert 0 < error < 2e-5, name
        alone.work(name)(2)


def test_relative_error_is_of_lengths() -> None:
    assert relative_error(np.array([3.0, 5.0]), np.array([3.0, 4.0])) == pytest.approx(0.2)
