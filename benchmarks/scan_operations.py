"""How many operations a scan takes at least: with every value that windows share computed once, and without sharing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

import scanwise as sw
from benchmarks.least_time import weighted_products
from scanwise import shapes

__all__ = ["ideal_ratio", "least_scan_seconds", "shared_operations"]


def ideal_ratio(model: sw.Model, step: Sequence[int], counts: Sequence[int]) -> float:
    """Operations of all windows one by one, over those of a scan that computes each shared value once.

    Args:
        model: a window network.
        step: between windows, in samples or pixels.
        counts: windows along each axis.
    """
    alone = sum(row.operations for row in shapes.walk(model.network, model.input_shape))
    return alone * math.prod(counts) / shared_operations(model, step, counts)


def shared_operations(model: sw.Model, step: Sequence[int], counts: Sequence[int]) -> float:
    """Operations of such a scan."""
    cost = {row.name: row.operations for row in shapes.walk(model.network, model.input_shape)}
    return _shared(model, step, counts, cost)


def least_scan_seconds(model: sw.Model, step: Sequence[int], counts: Sequence[int], gflops: float) -> float:
    """The least time in which the multiply-adds with weights of such a scan can be done, at `gflops`.

    Nothing else is counted, no `LogMel` either: it has no weights.
    """
    products = weighted_products(model.network, model.input_shape)
    return _shared(model, step, counts, {row.name: 2 * count for row, count in products}) / (gflops * 1e9)


def _shared(model: sw.Model, step: Sequence[int], counts: Sequence[int], cost: Mapping[str, float]) -> float:
    """The cost of all layers, given by name for one window.

    From the first layer that pads on, no value belongs to two windows, and neither does what sees a window's whole map.
    """
    padded = shapes.has_padding(model.network, model.input_shape)
    shared = True
    total = 0.0
    for row in shapes.walk(model.network, model.input_shape):
        shared = shared and (padded is None or row.name != padded.name)
        inside = row.output_shape[1:]
        if not shared or not inside:
            total += cost.get(row.name, 0) * math.prod(counts)
            continue
        values = (
            _distinct(n, s, count, hop)
            for n, s, count, hop in zip(inside, row.stride, counts, step, strict=True)
        )
        total += cost.get(row.name, 0) * math.prod(values) / math.prod(inside)
    return total


def _distinct(inside: int, stride: int, count: int, step: int) -> int:
    """Different positions of a layer along one axis: each window has `inside` of them, `stride` apart."""
    return len(np.unique(np.add.outer(np.arange(count) * step, np.arange(inside) * stride)))
