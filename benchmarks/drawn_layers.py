"""Convolutions drawn at random, the ordinary and the odd: what the sweep times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import scanwise as sw
from scanwise import shapes
from scanwise.layers import Conv1d, Conv2d

__all__ = ["DrawnLayer", "draw"]

CHANNELS = (1, 3, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
MOST_CHANNELS = 512
KERNELS = (1, 11)
STRIDES = (1, 3)
# A guess of how long a call takes, from operations and from what is read and written, to draw batches by.
OPERATIONS_PER_SECOND = 5e10
BYTES_PER_SECOND = 2e9
SECONDS = (2e-3, 2e-2)
MOST_SECONDS = 5e-2
MOST_SAMPLES = 8192


@dataclass(frozen=True)
class DrawnLayer:
    """A layer, the shape of one input sample, and the samples in a call."""

    layer: Conv1d | Conv2d
    input_shape: tuple[int, ...]
    samples: int

    def __str__(self) -> str:
        return f"{self.layer!r} on {self.samples} x {'x'.join(map(str, self.input_shape))}"


def draw(count: int, seed: int = 0) -> list[DrawnLayer]:
    """The first `count` layers of an endless list that the seed decides."""
    stream = _stream(np.random.default_rng(seed))
    return [next(stream) for _ in range(count)]


def _stream(random: np.random.Generator) -> Iterator[DrawnLayer]:
    while True:
        layer, shape = _layer(random)
        wanted = math.exp(random.uniform(*np.log(SECONDS)))
        try:
            rows = shapes.walk(sw.Sequential(layer), shape)
        except sw.ShapeError:  # the kernel reaches past the map
            continue
        numbers = math.prod(shape) + math.prod(rows[0].output_shape)
        seconds = rows[0].operations / OPERATIONS_PER_SECOND + 4 * numbers / BYTES_PER_SECOND
        if seconds <= MOST_SECONDS:
            yield DrawnLayer(layer, shape, min(MOST_SAMPLES, max(1, round(wanted / seconds))))


def _layer(random: np.random.Generator) -> tuple[Conv1d | Conv2d, tuple[int, ...]]:
    axes = 1 if random.random() < 0.25 else 2
    channels, outputs, groups = _channels(random)
    kernel = _kernel(random, axes)
    stride = int(random.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    dilation = 2 if random.random() < 0.1 else 1
    padding = tuple(dilation * (extent // 2) for extent in kernel) if random.random() < 0.6 else (0,) * axes
    longest = 400 if axes == 1 else 64
    extents = tuple(int(math.exp(random.uniform(math.log(5), math.log(longest + 1)))) for _ in kernel)
    if axes == 2 and random.random() < 0.7:
        extents = (extents[0], extents[0])
    # In one dimension a pair of paddings is (before, after).
    pads = padding if axes == 2 else padding * 2
    kind = Conv1d if axes == 1 else Conv2d
    layer = kind(outputs, kernel, stride=stride, padding=pads, dilation=dilation, groups=groups)
    return layer, (channels, *extents)


def _channels(random: np.random.Generator) -> tuple[int, int, int]:
    """Input channels, output channels, groups."""
    kind = random.random()
    channels, outputs = _count(random), _count(random)
    if kind < 0.15:
        return channels, channels, channels  # depthwise
    if kind < 0.3:
        groups = int(random.choice([2, 3, 4, 8]))
        return groups * max(1, channels // groups), groups * max(1, outputs // groups), groups
    return channels, outputs, 1


def _count(random: np.random.Generator) -> int:
    """Half of the time a usual number of channels, else any."""
    if random.random() < 0.5:
        return int(random.choice(CHANNELS))
    return int(math.exp(random.uniform(0, math.log(MOST_CHANNELS + 1))))


def _kernel(random: np.random.Generator, axes: int) -> tuple[int, ...]:
    """Half of the time 3 and mostly square, else any size from 1 to 11."""
    first, second = (
        3 if random.random() < 0.4 else int(random.integers(KERNELS[0], KERNELS[1] + 1)) for _ in range(2)
    )
    return (first,) * axes if random.random() < 0.8 else (first, second)[:axes]
