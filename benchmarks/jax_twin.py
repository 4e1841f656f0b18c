"""The same network as a pure function for JAX, with images and signals channels first or last.

Parameters keep PyTorch's names. They lie as Flax's do, whose kernels end with (input, output) channels, so that XLA
gets what its users give it; `JaxTwin.named` turns them back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

import scanwise as sw
from scanwise import layers, shapes

Shape = tuple[int, ...]
Parameters = dict[str, Any]


class JaxTwin:
    """A network as a function of parameters and samples.

    Args:
        model: its network is translated and its parameters are copied.
        channels_last: `(N, H, W, C)` and `(N, T, C)` instead of `(N, C, H, W)` and `(N, C, T)`.
    """

    def __init__(self, model: sw.Model, *, channels_last: bool) -> None:
        self.channels_last = channels_last
        self.rows = shapes.walk(model.network, model.input_shape)
        self.orders = dict(self._orders())
        self.first = {name: self._laid_out(name, value) for name, value in model.parameters.items()}

    def parameters(self) -> Parameters:
        """Fresh copies, which a training step may take over."""
        return {name: jnp.array(value) for name, value in self.first.items()}

    def samples(self, x: NDArray[np.float32]) -> Any:
        """Samples that lie channels first, in memory of JAX and in this twin's layout."""
        return jnp.asarray(np.moveaxis(x, 1, -1) if self.channels_last else x)

    def named(self, parameters: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """Parameters in PyTorch's layout."""
        return {name: self._turned_back(name, np.asarray(value)) for name, value in parameters.items()}

    def __call__(self, parameters: Parameters, x: Any) -> Any:
        """Outputs of the network."""
        for row in self.rows:
            x = self._apply(row.layer, row.name, row.input_shape, parameters, x)
        return x

    # --- layouts --------------------------------------------------------------------------------------------------

    def _orders(self) -> Iterator[tuple[str, tuple[Shape, Shape]]]:
        """For each weight: its name, the shape it is viewed in, and the order of that shape's axes in JAX."""
        for index, row in enumerate(self.rows):
            layer, name = row.layer, f"{row.name}.weight"
            if isinstance(layer, layers.Conv1d | layers.Conv2d):
                view = layer.parameter_shapes(row.input_shape)["weight"]
                yield name, (view, (*range(2, len(view)), 1, 0))
            elif isinstance(layer, layers.Linear):
                before = self.rows[index - 1]
                map_shape = (
                    before.input_shape if isinstance(before.layer, layers.Flatten) else row.input_shape
                )
                axes = range(1, len(map_shape) + 1)
                spatial_first = (*axes[1:], 1) if self.channels_last else tuple(axes)
                yield name, ((layer.out_features, *map_shape), (*spatial_first, 0))

    def _laid_out(self, name: str, value: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in self.orders:
            return value
        view, axes = self.orders[name]
        turned = value.reshape(view).transpose(axes)
        return turned.reshape(-1, view[0]) if value.ndim == 2 else turned

    def _turned_back(self, name: str, value: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in self.orders:
            return value
        view, axes = self.orders[name]
        turned = value.reshape([view[axis] for axis in axes]).transpose(np.argsort(axes))
        return turned.reshape(view[0], -1) if value.ndim == 2 else turned

    # --- layers ---------------------------------------------------------------------------------------------------

    def _apply(self, layer: layers.Layer, name: str, shape: Shape, parameters: Parameters, x: Any) -> Any:
        spatial = tuple(range(1, len(shape))) if self.channels_last else tuple(range(2, len(shape) + 1))
        match layer:
            case layers.Conv1d() | layers.Conv2d() if not layer.flip and layer.connections is None:
                y = self._convolution(layer, shape, x, parameters[f"{name}.weight"])
                bias = parameters[f"{name}.bias"] if layer.bias else jnp.zeros(())
                return y + (bias if self.channels_last else bias.reshape(-1, *(1,) * len(spatial)))
            case layers.MaxPool1d() | layers.MaxPool2d():
                return self._maximum(layer, shape, spatial, x)
            case layers.Linear():
                y = x @ parameters[f"{name}.weight"]
                return y + parameters[f"{name}.bias"] if layer.bias else y
            case layers.ReLU():
                return jax.nn.relu(x)
            case layers.Flatten():
                return x.reshape(len(x), math.prod(shape))
            case layers.Aggregate(mode="max" | "mean"):
                return x.max(spatial) if layer.mode == "max" else x.mean(spatial)
        raise NotImplementedError(f"jax_twin has no translation of {layer!r}")

    def _convolution(self, layer: layers.Conv1d | layers.Conv2d, shape: Shape, x: Any, weight: Any) -> Any:
        geometry = layer.geometry(shape)
        top, bottom, left, right = geometry.padding
        axes = slice(3 - len(shape), None)
        letters = "HW"[axes]
        side = f"N{letters}C" if self.channels_last else f"NC{letters}"
        return lax.conv_general_dilated(
            x,
            weight,
            window_strides=geometry.stride[axes],
            padding=((top, bottom), (left, right))[axes],
            rhs_dilation=geometry.dilation[axes],
            dimension_numbers=(side, f"{letters}IO", side),
            feature_group_count=layer.groups,
        )

    def _maximum(
        self, layer: layers.MaxPool1d | layers.MaxPool2d, shape: Shape, spatial: Shape, x: Any
    ) -> Any:
        geometry = layer.geometry(shape)
        top, bottom, left, right = geometry.padding
        axes = slice(3 - len(shape), None)
        window, stride = (
            self._at(spatial, [*rows_and_columns][axes], 1)
            for rows_and_columns in (geometry.kernel, geometry.stride)
        )
        padding = self._at(spatial, [(top, bottom), (left, right)][axes], (0, 0))
        return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, padding)

    @staticmethod
    def _at(spatial: Shape, values: Sequence[Any], otherwise: Any) -> list[Any]:
        """One entry an axis of a batch: the values at the spatial axes."""
        placed = dict(zip(spatial, values, strict=True))
        return [placed.get(axis, otherwise) for axis in range(len(spatial) + 2)]
