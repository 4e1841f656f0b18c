"""Which inputs of a layer its outputs can depend on, given what its maxima chose: one rule for each kind of layer.

A mask is a boolean array of a layer's output or input shape. A rule leads from the one to the other: exactly those
inputs are set that a set output reads (lecture 8.4), and of a maximum the one that it chose (lecture 7.2).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    CPlane,
    Downsample1d,
    Downsample2d,
    Flatten,
    Geometry,
    Layer,
    Linear,
    LogMel,
    MaxByLabel,
    MaxPool1d,
    MaxPool2d,
    Pad1d,
    Pad2d,
    RadialBasis,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Softmax,
    SPlane,
    Subsample1d,
    Subsample2d,
    Unfold1d,
    Unfold2d,
    UnitBias,
)
from scanwise.layers.base import _Pointwise

__all__ = ["Choice", "Mask", "Trail", "inputs_of"]

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
        f"route must know every layer of the network. Got layer {place} {layer.label()}, which it does not."
    )


@inputs_of.register(_Pointwise)
@inputs_of.register(UnitBias)
@inputs_of.register(BatchNorm)
def _(layer: _Pointwise | UnitBias | BatchNorm, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return mask


@inputs_of.register
def _(layer: Flatten, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return mask.reshape(shape)


@inputs_of.register(Linear)
@inputs_of.register(RadialBasis)
def _(layer: Linear | RadialBasis, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return np.full(shape, mask.any())


@inputs_of.register
def _(layer: Softmax, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return np.broadcast_to(mask.any(axis=0), shape)


@inputs_of.register(MaxPool1d)
@inputs_of.register(MaxPool2d)
@inputs_of.register(MaxByLabel)
def _(
    layer: MaxPool1d | MaxPool2d | MaxByLabel | Aggregate, mask: Mask, shape: Shape, place: str, trail: Trail
) -> Mask:
    chosen = np.zeros(shape, bool)
    chosen.flat[trail.maxima[place][mask]] = True
    trail.choices.append(Choice(place, np.argwhere(chosen)))
    return chosen


@inputs_of.register
def _(layer: Aggregate, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    if layer.mode == "max":
        return inputs_of.dispatch(MaxPool1d)(layer, mask, shape, place, trail)
    read = np.zeros(shape, bool)
    for cell in layer.cells(shape):
        own = mask[cell.output]
        if layer.mode == "softmax":  # one sum over all channels and positions is in every output
            own = np.broadcast_to(own.any(), own.shape)
        read[cell.inputs] = own.reshape(-1, *[1] * (len(shape) - 1))
    return read


@inputs_of.register(Conv1d)
@inputs_of.register(Conv2d)
def _(layer: Conv1d | Conv2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    geometry = layer.geometry(shape)
    if layer.connections is None:
        return np.repeat(_under(_any(mask, layer.groups), geometry, shape), shape[0] // layer.groups, axis=0)
    # Input channel c is read where an output channel that sees it is set.
    table = np.array(layer.connections, bool)
    read = np.stack([mask[table[:, c]].any(axis=0) for c in range(shape[0])])
    return _under(read, geometry, shape)


@inputs_of.register(ConvTranspose1d)
@inputs_of.register(ConvTranspose2d)
def _(layer: ConvTranspose1d | ConvTranspose2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    """An input is a window of the outputs that it is spread over (lecture 8.8)."""
    read = _over(_any(mask, layer.groups), layer.geometry(shape)).reshape(layer.groups, *shape[1:])
    return np.repeat(read, shape[0] // layer.groups, axis=0)


@inputs_of.register
def _(layer: SPlane, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    return np.repeat(_under(_any(mask, 1), layer.geometry(shape), shape), shape[0], axis=0)


@inputs_of.register(AvgPool1d)
@inputs_of.register(AvgPool2d)
@inputs_of.register(Downsample1d)
@inputs_of.register(Downsample2d)
@inputs_of.register(Subsample1d)
@inputs_of.register(Subsample2d)
@inputs_of.register(CPlane)
def _(
    layer: AvgPool1d | AvgPool2d | Downsample1d | Downsample2d | Subsample1d | Subsample2d | CPlane,
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
    return _under(_any(mask, 1), geometry, shape)


@inputs_of.register(Unfold1d)
@inputs_of.register(Unfold2d)
def _(layer: Unfold1d | Unfold2d, mask: Mask, shape: Shape, place: str, trail: Trail) -> Mask:
    geometry, (C, (H, W)) = layer.geometry(shape), (shape[0], (1, *shape[1:])[-2:])
    windows = mask.reshape(C, *geometry.kernel, *geometry.output)
    read = np.zeros((C, H, W), bool)
    rows, columns = (list(_reads(geometry, axis, extent)) for axis, extent in enumerate((H, W)))
    for (r, (_, down)), (s, (_, across)) in itertools.product(enumerate(rows), enumerate(columns)):
        read[:, down, across] |= windows[:, r, s]
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
    for place, layer in layers.flat(prefix):
        steps.append((place, layer, shape))
        shape = layer.output_shape(shape)
    for place, layer, reached in reversed(steps):
        mask = inputs_of(layer, mask, reached, place, trail)
    return mask


def _any(mask: Mask, groups: int) -> Mask:
    """`(K, ...)` to `(groups, ...)`: where a channel of the group is set."""
    return np.asarray(np.any(mask.reshape(groups, -1, *mask.shape[1:]), axis=1))


# in(i, j) = any over (p, q) of rows(p, i) out(p, q) columns(q, j): what a window reads is a rectangle, so that the two
# axes part, and each goes through the offsets of its kernel.
def _under(mask: Mask, geometry: Geometry, shape: Shape) -> Mask:
    """Inputs under the set windows, each map by itself: `(G, positions)` to `(G, extents)`."""
    maps = mask.reshape(len(mask), *geometry.output)
    for axis, extent in enumerate((1, *shape[1:])[-2:]):
        windows = np.moveaxis(maps, 1 + axis, 0)
        read = np.zeros((extent, *windows.shape[1:]), bool)
        for positions, sources in _reads(geometry, axis, extent):
            read[sources] |= windows[positions]
        maps = np.moveaxis(read, 0, 1 + axis)
    return maps.reshape(len(mask), *shape[1:])


def _over(mask: Mask, geometry: Geometry) -> Mask:
    """Windows over the set inputs: `(G, extents)` to `(G, *geometry.output)`."""
    maps = mask.reshape(len(mask), *(1, *mask.shape[1:])[-2:])
    for axis in range(2):
        inputs = np.moveaxis(maps, 1 + axis, 0)
        set_windows = np.zeros((geometry.output[axis], *inputs.shape[1:]), bool)
        for positions, sources in _reads(geometry, axis, len(inputs)):
            set_windows[positions] |= inputs[sources]
        maps = np.moveaxis(set_windows, 0, 1 + axis)
    return maps


def _reads(geometry: Geometry, axis: int, extent: int) -> Iterator[tuple[slice, slice]]:
    """For each offset of the kernel the windows that read an input there, and the inputs, as many."""
    stride, before = geometry.stride[axis], geometry.padding[2 * axis]
    for tap in range(geometry.kernel[axis]):
        first = tap * geometry.dilation[axis] - before  # what window 0 reads
        start = max(0, -(first // stride))
        stop = min(geometry.output[axis], (extent - 1 - first) // stride + 1)
        if start < stop:
            yield (
                slice(start, stop),
                slice(start * stride + first, (stop - 1) * stride + first + 1, stride),
            )
