"""The two questions that every layer answers; each file of this folder answers them for its layers.

Axes: N samples, C input channels, H W input extent, K output channels, R S kernel extent, P Q output positions,
T time steps. A value's gradient carries its name with a `d` in front: `dx` is dL/dx. Everything is float64.

Activation gradients are assigned: `dx` is the whole of it. Parameter gradients add: they are sums over samples and
positions (lecture 6.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from scanwise.layers import Layer

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]
Gradients = dict[str, Array]


@singledispatch
def forward(layer: Layer, x: Array, parameters: Parameters) -> Array:
    """Y of `layer` for x `(N, *input_shape)`."""
    raise NotImplementedError(f"{layer!r} has no reference.")


@singledispatch
def backward(layer: Layer, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    """(dx, gradient of every parameter) of `layer`, given its input x and dL/dy."""
    raise NotImplementedError(f"{layer!r} has no reference.")
