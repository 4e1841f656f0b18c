"""Dropout, forward and backward, and its random numbers.

Which values are dropped is a hash of (seed, epoch, sample, layer, element): it depends neither on the batch nor
on the thread that a sample falls to, and needs no state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.layers import Dropout, Shape
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward

Keys = NDArray[np.uint32]

_GOLDEN = 0x9E3779B9  # 2^32 / golden ratio: neighbouring counters become far-apart inputs of the hash


# In training y = m x, with m_e = 0 for dropped elements and 1/(1-p) for the others; else y = x. The mask is given
# like a parameter, but it is not trained.
@forward.register(Dropout)
def dropout(layer: Dropout, x: Array, parameters: Parameters) -> Array:
    return x * parameters["mask"] if "mask" in parameters else x


# dL/dx = m dL/dy
@backward.register(Dropout)
def ddropout(layer: Dropout, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return (dy * parameters["mask"] if "mask" in parameters else dy), {}


def mask(
    layer: Dropout,
    shape: Shape,
    sample_keys: Keys,
    ordinal: int,
    *,
    whole: Shape | None = None,
    start: Shape | None = None,
) -> Array:
    """M for every sample, `(N, *shape)`.

    Args:
        layer: with the probability p of a zero.
        shape: of the layer's input, without the sample axis.
        sample_keys: one of `sample_keys` for each sample.
        ordinal: how many dropout layers come before this one in the network.
        whole: where the input is a part of a larger map, in which its elements have their numbers, the shape of that.
        start: where the part begins, along each axis but the first.
    """
    layer_keys = mix(sample_keys + _u32(_GOLDEN * (ordinal + 1)))
    # Elements are counted channels innermost, e = (h W + w) C + c, as the native engine lays them out.
    channels, *extent = shape
    position = np.zeros((1,) * len(extent), np.uint64)
    places = zip(extent, (whole or shape)[1:], start or (0,) * len(extent), strict=True)
    for axis, (inside, in_all, first) in enumerate(places):
        along = np.arange(first, first + inside, dtype=np.uint64)
        position = position * np.uint64(in_all) + along.reshape(-1, *[1] * (len(extent) - 1 - axis))
    element = position * np.uint64(channels) + np.arange(channels, dtype=np.uint64).reshape(
        -1, *[1] * len(extent)
    )
    words = mix(layer_keys[(..., *[None] * len(shape))] + _u32(_GOLDEN * (element + np.uint64(1))))
    kept = words >= np.uint32(int(layer.p * 2**32))
    return np.where(kept, np.float64(np.float32(1 / (1 - layer.p))), 0.0)


def sample_keys(seed: int, epoch: int, samples: ArrayLike) -> Keys:
    """The hash state of each sample: of the run's seed, the epoch and the sample's place in the data set.

    Args:
        seed: of the run.
        epoch: counted from 0.
        samples: indices into the data set, `(N,)`.
    """
    base = mix(_u32(seed + _GOLDEN * (epoch + 1)))
    return mix(base ^ _u32(np.asarray(samples, dtype=np.uint64)))


def mix(h: Keys) -> Keys:
    """MurmurHash3's finalizer (Appleby 2011): every bit of the input changes every bit of the output."""
    h = h ^ (h >> np.uint32(16))
    h = (h * np.uint32(0x85EBCA6B)).astype(np.uint32)
    h = h ^ (h >> np.uint32(13))
    h = (h * np.uint32(0xC2B2AE35)).astype(np.uint32)
    return h ^ (h >> np.uint32(16))


def _u32(value: int | NDArray[np.uint64]) -> Keys:
    """`value` modulo 2^32. An array also where there is one number: numpy wraps arrays without a warning."""
    if isinstance(value, int):
        value = np.array([value % 2**32], dtype=np.uint64)
    return (value % np.uint64(2**32)).astype(np.uint32)
