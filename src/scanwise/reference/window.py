"""1-D is 2-D with H = 1: how the windowed layers see their input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scanwise.layers import Geometry
from scanwise.reference.layer import Array


def as_maps(x: Array) -> Array:
    """`(N, C, T)` as `(N, C, 1, T)`, `(N, C, H, W)` as it is; weights likewise: `(K, C, S)` as `(K, C, 1, S)`."""
    return x[:, :, None, :] if x.ndim == 3 else x


def padded(x: Array, geometry: Geometry) -> Array:
    """X with zeros around it (lecture 5.6)."""
    top, bottom, left, right = geometry.padding
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))


def positions(geometry: Geometry) -> Iterator[tuple[int, int]]:
    """Every output position (p, q), row-major."""
    P, Q = geometry.output
    for p in range(P):
        for q in range(Q):
            yield p, q


def offsets(geometry: Geometry) -> Iterator[tuple[int, int]]:
    """Every kernel offset (r, s), row-major."""
    R, S = geometry.kernel
    for r in range(R):
        for s in range(S):
            yield r, s


def patch(maps: Array, geometry: Geometry, p: int, q: int) -> Array:
    """The window at position (p, q), `(N, C, R, S)`, as a view: for windows without padding and dilation."""
    (R, S), (sh, sw) = geometry.kernel, geometry.stride
    return maps[:, :, p * sh : p * sh + R, q * sw : q * sw + S]
