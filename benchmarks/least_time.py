"""The least time in which a network's multiply-adds can be done at the machine's measured peak.

Products with weights are counted, nothing else: no bias, activation, pooling or optimizer, no reading and writing of
memory, and no product with a zero of the padding. So nothing that does these multiply-adds can be faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.networks import Case
from scanwise import layers, shapes

WINOGRAD_SAVING = 4
"""F(4x4, 3x3) multiplies 36 times for 16 outputs of 9 products each (Lavin and Gray 2016, section 4.3)."""


def least_seconds(case: Case, batch: int, gflops: float, *, training: bool, winograd: bool) -> float:
    """Of one call.

    Args:
        case: the network.
        batch: samples in the call.
        gflops: the measured peak of all threads, in billions of operations a second.
        training: forward, the parameters' gradients, and the inputs' gradients but those of the network's own input.
        winograd: 3x3 convolutions may take Winograd's algorithm, whose transforms are not counted.
    """
    total = 0.0
    for place, (row, products) in enumerate(weighted_products(case.network(), case.input_shape)):
        passes = (2 if place == 0 else 3) if training else 1
        saving = WINOGRAD_SAVING if winograd and _suits_winograd(row.layer) else 1
        total += 2.0 * products * passes / saving
    return total * batch / (gflops * 1e9)


def weighted_products(
    network: layers.Sequential, input_shape: tuple[int, ...]
) -> Iterator[tuple[shapes.Row, int]]:
    """For each layer with weights, the multiply-adds of one sample."""
    for row in shapes.walk(network, input_shape):
        weights = math.prod(row.layer.parameter_shapes(row.input_shape).get("weight", (0,)))
        if isinstance(row.layer, layers.Conv1d | layers.Conv2d):
            yield row, weights // math.prod(row.layer.geometry(row.input_shape).kernel) * _taps(row)
        elif weights:
            yield row, weights


def _taps(row: shapes.Row) -> int:
    """How often a kernel's positions lie on the map, and not on its padding, over all output positions."""
    assert isinstance(row.layer, layers.Conv1d | layers.Conv2d)
    geometry = row.layer.geometry(row.input_shape)
    extents = (1, 1, *row.input_shape[1:])[-2:]
    taps = 1
    for axis, extent in enumerate(extents):
        starts = [
            p * geometry.stride[axis] - geometry.padding[2 * axis] for p in range(geometry.output[axis])
        ]
        offsets = [r * geometry.dilation[axis] for r in range(geometry.kernel[axis])]
        taps *= sum(0 <= start + offset < extent for start in starts for offset in offsets)
    return taps


def _suits_winograd(layer: layers.Layer) -> bool:
    return (
        isinstance(layer, layers.Conv2d)
        and layer.kernel_size in (3, (3, 3))
        and layer.stride in (1, (1, 1))
        and layer.dilation in (1, (1, 1))
        and layer.groups == 1
    )
