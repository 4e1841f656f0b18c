"""What layers of maxima choose: the stored argmax (lecture 7.2)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scanwise.layers import Aggregate, Layer, MaxByLabel, MaxPool1d, MaxPool2d

__all__ = ["first_maxima", "takes_maxima"]


def takes_maxima(layer: Layer) -> bool:
    """Whether the layer is a choice among its inputs."""
    if isinstance(layer, Aggregate):
        return layer.mode == "max"
    return isinstance(layer, MaxPool1d | MaxPool2d | MaxByLabel)


def first_maxima(layer: Layer, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each output of a layer of maxima the number of the input that it is: of equal ones the first.

    Args:
        layer: the layer.
        x: its input for one sample.
    """
    if isinstance(layer, Aggregate):
        numbers = np.arange(x.size).reshape(x.shape)
        chosen = np.empty(layer.output_shape(x.shape), np.int64)
        for cell in layer.cells(x.shape):
            own = x[cell.inputs].reshape(len(x), -1).argmax(axis=1)
            inside = numbers[cell.inputs].reshape(len(x), -1)
            chosen[cell.output] = inside[np.arange(len(x)), own]
        return chosen
    if isinstance(layer, MaxByLabel):
        size = math.prod(x.shape[1:])
        labels = np.array(layer.labels)
        channels = [np.flatnonzero(labels == label) for label in range(max(layer.labels) + 1)]
        first = np.stack([own[x[own].argmax(axis=0)] for own in channels])
        return np.asarray(first * size + np.arange(size).reshape(x.shape[1:]))
    assert isinstance(layer, MaxPool1d | MaxPool2d)
    geometry = layer.geometry(x.shape)
    (R, S), (sh, sw), (P, Q) = geometry.kernel, geometry.stride, geometry.output
    top, _, left, _ = geometry.padding
    maps = x.reshape(len(x), *(1, *x.shape[1:])[-2:])
    C, H, W = maps.shape
    # Padding never wins; the last windows may reach further than it (`ceil_mode`).
    below, behind = max(0, (P - 1) * sh + R - top - H), max(0, (Q - 1) * sw + S - left - W)
    padded = np.pad(maps, ((0, 0), (top, below), (left, behind)), constant_values=-np.inf)
    # Offset after offset, so that nothing is as large as all windows together.
    best = np.full((C, P, Q), -np.inf, np.float32)
    first = np.zeros((C, P, Q), np.int64)
    for r, s in np.ndindex(R, S):
        value = padded[:, r : r + (P - 1) * sh + 1 : sh, s : s + (Q - 1) * sw + 1 : sw]
        larger = value > best
        best[larger], first[larger] = value[larger], r * S + s
    c, p, q = np.ogrid[:C, :P, :Q]
    source = (c * H + p * sh - top + first // S) * W + q * sw - left + first % S
    return np.asarray(source.reshape(layer.output_shape(x.shape)))
