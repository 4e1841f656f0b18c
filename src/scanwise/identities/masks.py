"""Which inputs of a layer its outputs can depend on, given what its maxima chose: one rule for each kind of layer.

A mask is a boolean array of a layer's output or input shape. A rule leads from the one to the other: exactly those
inputs are set that a set output reads (lecture 8.4), and of a maximum the one that it chose (lecture 7.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.identities.affine import taps
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Downsample1d,
    Downsample2d,
    Flatten,
    Geometry,
    Layer,
    Linear,
    LogMel,
    MaxPool1d,
    MaxPool2d,
    Pad1d,
    Pad2d,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Softmax,
    Unfold1d,
    Unfold2d,
)
from scanwise.layers.base import _Pointwise

__all__ = ["Choice", "Mask", "Trail", "chain", "first_maxima", "inputs_of", "takes_maxima"]

Mask = NDArray[np.bool_]


class Choice(NamedTuple):
    """What a layer of maxima chose on the way of a score.

    Attributes:
        place: of the layer in the network: `"2"`, nested `"2.0"`.
        positions: `(n, axes)`, the chosen positions of its input, channel first, sorted.
    """

    place: str
    positions: NDArray[np.int64]


@dataclass
class Trail:
    """Stored maxima, and those of them that have been passed on the way back.

    Attributes:
        maxima: place of a layer -> for each of its outputs the number of the input that it chose.
        choices: in the order of the way back.
    """

    maxima: dict[str, NDArray[np.int64]]
    choices: list[Choice] = field(default_factory=list)


def chain(layers: Sequential | Residual | Scan1d | Scan2d, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """(place, layer) of a container's layers, or of a scan's as layers of maps; a `Sequential` within as its layers."""
    named = layers.on_maps if isinstance(layers, Scan1d | Scan2d) else enumerate(layers)
    for name, layer in named:
        if isinstance(layer, Sequential):
            yield from chain(layer, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", layer


def takes_maxima(layer: Layer) -> bool:
    """Whether the layer is a choice among its inputs."""
    return isinstance(layer, MaxPool1d | MaxPool2d) or layer == Aggregate("max")


def first_maxima(layer: Layer, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each output of a layer of maxima the number of the input that it is: of equal ones the first.

    Args:
        layer: the layer.
        x: its input for one sample.
    """
    if isinstance(layer, Aggregate):
        flat = x.reshape(len(x), -1)
        return np.asarray(np.arange(len(x)) * flat.shape[1] + flat.argmax(axis=1))
    assert isinstance(layer, MaxPool1d | MaxPool2d)
    geometry = layer.geometry(x.shape)
    (R, S), (sh, sw), (P, Q) = geometry.kernel, geometry.stride, geometry.output
    top, _, left, _ = geometry.padding
    maps = x.reshape(len(x), *(1, *x.shape[1:])[-2:])
    C, H, W = maps.shape
    # Padding never wins; the last windows may reach further than it (`ceil_mode`).
    below, behind = max(0, (P - 1) * sh + R - top - H), max(0, (Q - 1) * sw + S - left - W)
    padded = np.pad(maps, ((0, 0), (top, below), (left, behind)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (R, S), axis=(1, 2))[:, ::sh, ::sw]
    first = windows[:, :P, :Q].reshape(C, P, Q, R * S).argmax(axis=3)
    c, p, q = np.ogrid[:C, :P, :Q]
    source = (c * H + p * sh - top + first // S) * W + q * sw - left + first % S
    return np.asarray(source.reshape(layer.output_shape(x.shape)))


@singledispatch
def inputs_of(layer: Layer, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    """The mask of the layer's inputs.

    Args:
        layer: the layer.
        mask: of its outputs.
        shape: shape that reaches it.
        place: of the layer in the network.
        trail: the stored maxima; what is chosen on the way is added to it.
    """
    raise ArgumentError(
        f"route must know every layer of the network. Got layer {place} {layer!r}, which it does not."
    )


@inputs_of.register
def _(layer: _Pointwise, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return mask


@inputs_of.register
def _(layer: Flatten, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return mask.reshape(shape)


@inputs_of.register
def _(layer: Linear, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return np.full(shape, mask.any())


@inputs_of.register
def _(layer: Softmax, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return np.broadcast_to(mask.any(axis=0), shape)


@inputs_of.register(MaxPool1d)
@inputs_of.register(MaxPool2d)
def _(layer: MaxPool1d | MaxPool2d | Aggregate, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    chosen = np.zeros(shape, bool)
    chosen.flat[trail.maxima[place][mask]] = True
    trail.choices.append(Choice(place, np.argwhere(chosen)))
    return chosen


@inputs_of.register
def _(layer: Aggregate, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    if layer.mode == "max":
        return inputs_of.dispatch(MaxPool1d)(layer, mask, shape, place, trail)
    if layer.mode == "softmax":  # one sum over all channels and positions is in every output
        return np.full(shape, mask.any())
    return np.broadcast_to(mask.reshape(-1, *[1] * (len(shape) - 1)), shape)


@inputs_of.register(Conv1d)
@inputs_of.register(Conv2d)
def _(layer: Conv1d | Conv2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    groups: Mask = np.any(mask.reshape(layer.groups, -1, *mask.shape[1:]), axis=1)
    read = _under(groups, layer.geometry(shape), shape)
    return np.repeat(read, shape[0] // layer.groups, axis=0)


@inputs_of.register(AvgPool1d)
@inputs_of.register(AvgPool2d)
@inputs_of.register(Downsample1d)
@inputs_of.register(Downsample2d)
def _(
    layer: AvgPool1d | AvgPool2d | Downsample1d | Downsample2d,
    mask: Mask,
    shape: Shape,
    place: str,
    trail: Trail,
) -> Mask:
    return _under(mask, layer.geometry(shape), shape)


@inputs_of.register(Pad1d)
@inputs_of.register(Pad2d)
def _(layer: Pad1d | Pad2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    P, Q = (1, *mask.shape[1:])[-2:]
    return _under(mask, Geometry((1, 1), (1, 1), (1, 1), layer.pads, (P, Q)), shape)


@inputs_of.register
def _(layer: LogMel, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    geometry = Geometry((1, layer.n_fft), (1, layer.hop), (1, 1), (0, 0, 0, 0), (1, mask.shape[1]))
    return _under(np.asarray(mask.any(axis=0))[None], geometry, shape)


@inputs_of.register(Unfold1d)
@inputs_of.register(Unfold2d)
def _(layer: Unfold1d | Unfold2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    geometry, (C, (H, W)) = layer.geometry(shape), (shape[0], (1, *shape[1:])[-2:])
    windows = mask.reshape(C, *geometry.kernel, *geometry.output)
    read = np.zeros((C, H, W), bool)
    for r, s, p, q in np.ndindex(windows.shape[1:]):
        read[:, p * geometry.stride[0] + r, q * geometry.stride[1] + s] |= windows[:, r, s, p, q]
    return read.reshape(shape)


@inputs_of.register
def _(layer: Sequential, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return _through(layer, mask, shape, "", trail)


@inputs_of.register(Scan1d)
@inputs_of.register(Scan2d)
def _(layer: Scan1d | Scan2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return _through(layer, mask, shape, f"{place}.", trail)


@inputs_of.register
def _(layer: Residual, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return mask | _through(layer, mask, shape, f"{place}.", trail)


def _through(
    layers: Sequential | Residual | Scan1d | Scan2d, mask: Mask, shape: Shape, prefix: str, trail: Trail
) -> Mask:
    steps = []
    for place, layer in chain(layers, prefix):
        steps.append((place, layer, shape))
        shape = layer.output_shape(shape)
    for place, layer, reached in reversed(steps):
        mask = inputs_of(layer, mask, reached, place, trail)
    return mask


# in(i, j) = any over (p, q) of rows(p, i) out(p, q) columns(q, j): what a window reads is a rectangle, so that the two
# axes part. Numbers of ways instead of truth values make it two products of matrices.
def _under(mask: Mask, geometry: Geometry, shape: Shape) -> Mask:
    """Inputs under the set windows, each map by itself: `(G, positions)` to `(G, extents)`."""
    extents = (1, *shape[1:])[-2:]
    maps = mask.reshape(len(mask), *geometry.output)
    rows, columns = (_reads(geometry, axis, extent) for axis, extent in enumerate(extents))
    ways: NDArray[Any] = rows.T @ maps.astype(np.float32) @ columns
    return np.asarray((ways > 0).reshape(len(mask), *shape[1:]))


def _reads(geometry: Geometry, axis: int, extent: int) -> NDArray[np.float32]:
    """`(positions, extent)`: 1 where the window at a position reads an input, else 0."""
    found = taps(geometry, axis, extent)
    reads = np.zeros((geometry.output[axis], extent), np.float32)
    reads[found.position, found.source] = 1
    return reads
