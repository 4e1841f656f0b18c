"""The preset weights: cells for contrast (U_G) and for edges (S1). Fukushima 2003."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scanwise.neocognitron.planes import Planes
from scanwise.neocognitron.stages import Contrast, Edges

Float32 = NDArray[np.float32]

_STEEPNESS = (
    4.0  # of the ideal edge, a logistic curve: from 0 to 1 within about a pixel, like the edge of a stroke
)


def contrast_weights(contrast: Contrast) -> Float32:
    """`(2, 1, R, S)`: a Gaussian minus a wider one, and the reverse. Each sums to 0, so even grey gives nothing."""
    centre, around = (
        _gaussian(contrast.kernel_size, width) for width in (contrast.centre, contrast.surround)
    )
    difference = centre - around
    brighter = 2 * difference / np.abs(difference).sum()  # the largest answer to values in 0..1 is 1
    return np.stack([brighter, -brighter])[:, None].astype(np.float32)


def edge_planes(edges: Edges, contrast: Contrast) -> Planes:
    """One plane an orientation: each has learnt, once, the contrast around an ideal edge through its centre."""
    layer = edges.layer()
    planes = Planes(layer.falloff(2), channels=2)
    weights = contrast_weights(contrast)[:, 0].astype(np.float64)
    for k in range(edges.orientations):
        planes.add(_edge_contrast(weights, edges.kernel_size, 2 * math.pi * k / edges.orientations))
    return planes


def _edge_contrast(weights: NDArray[np.float64], size: int, angle: float) -> Float32:
    """U_G's answers `(2, size, size)` to an edge that is bright on the side to which `angle` points."""
    reach = weights.shape[-1] - 1
    offset = np.arange(size + reach) - (size + reach - 1) / 2
    distance = math.cos(angle) * offset[:, None] + math.sin(angle) * offset[None, :]
    image = 1 / (1 + np.exp(-_STEEPNESS * distance))
    windows = np.lib.stride_tricks.sliding_window_view(image, weights.shape[1:])
    return np.asarray(np.maximum(np.einsum("pqrs,krs->kpq", windows, weights), 0), np.float32)


def _gaussian(size: int, width: float) -> NDArray[np.float64]:
    squares = (np.arange(size) - size // 2) ** 2
    gaussian = np.exp(-(squares[:, None] + squares[None, :]) / (2 * width**2))
    return np.asarray(gaussian / gaussian.sum(), np.float64)
