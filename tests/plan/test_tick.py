"""What a tick adds to every value, and what is kept for its readers."""

from __future__ import annotations

import pytest

from scanwise import shapes
from scanwise.layers import (
    Aggregate,
    Conv1d,
    Downsample1d,
    Flatten,
    Layer,
    Linear,
    LogMel,
    MaxPool1d,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)
from scanwise.plan.graph import build_graph
from scanwise.plan.tick import Tick


def tick_of(*layers: Layer, extent: int) -> Tick:
    network, shape = Sequential(*layers), (1, extent)
    (stride,) = shapes.receptive_field(network, shape)[1]
    return Tick.of(build_graph(network, shape).with_flat_output(), stride)


def test_columns_of_a_small_network() -> None:
    """Window 12: 10 columns, pooled to 5, then 4, of which the last layer reads all."""
    tick = tick_of(Conv1d(4, 3), ReLU(), MaxPool1d(2), Conv1d(4, 2), ReLU(), Aggregate("max"), extent=12)
    assert [extent[2] for extent in tick.graph.extents] == [2, 2, 1, 1, 1]
    assert tick.columns == [4, 2, 2, 4, 1]
    assert tick.reads == [(4, 0), (2, 0), (2, 0), (4, 0)]


def test_readers_that_lag() -> None:
    """A pooling leaves the last of 11 columns of a window to the next tick."""
    tick = tick_of(Conv1d(4, 3), ReLU(), MaxPool1d(2), Flatten(), Linear(2), extent=13)
    assert tick.columns[1] == 3
    assert tick.reads[1] == (2, 1)


def test_gaps_between_what_is_read() -> None:
    tick = tick_of(Downsample1d(5), Aggregate("mean"), extent=13)
    assert tick.columns == [5, 3, 1]
    assert tick.reads == [(1, 2), (3, 0)]  # of samples 0, 5 and 10 the last comes two before the window's end


def test_a_residual_keeps_one_map_for_two_readers() -> None:
    tick = tick_of(Residual(Conv1d(1, 1), Tanh()), Conv1d(2, 4), extent=4)
    assert tick.columns == [1, 1, 4, 1]


@pytest.mark.parametrize(("frames", "pool"), [(10, 2), (11, 2), (11, 3)])
def test_work_of_a_tick(frames: int, pool: int) -> None:
    """Every operation computes the share of its positions that a tick adds: one of all its outputs at the end."""
    layers = (LogMel(8000, 32, 8, 10), Conv1d(6, 3), MaxPool1d(pool), Flatten(), Linear(2))
    extent = 32 + 8 * (frames - 1)
    tick = tick_of(*layers, extent=extent)
    window = build_graph(Sequential(*layers), (1, extent))
    for small, large in zip(tick.graph.nodes[:-1], window.nodes[:-1], strict=True):
        positions = (small.operation.output[2], large.operation.output[2])
        assert small.operation.work * positions[1] == large.operation.work * positions[0]
    assert [extent[2] for extent in tick.graph.extents] == [8 * pool, *[pool] * 2, 1, 1]
