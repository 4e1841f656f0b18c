"""Layers made of layers: one after another, and with a way around."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError

from .base import DEEPEST, Layer, Shape, from_json, layer_of


def flattened(named: Iterable[tuple[str, Layer]], prefix: str) -> Iterator[tuple[str, Layer]]:
    """Layers with their names, a `Sequential` among them as its layers."""
    for name, layer in named:
        if isinstance(layer, Sequential):
            yield from layer.flat(f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", layer


@dataclass(frozen=True, repr=False, init=False)
class _Container(Layer):
    layers: tuple[Layer, ...]
    depth: ClassVar[int]  # levels of nesting; set with the layers, which decide it

    def __init__(self, *layers: Layer) -> None:
        kind = type(self).__name__
        if not layers:
            raise ArgumentError(f"{kind}: layers must be at least one layer. Got none.")
        for index, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ArgumentTypeError(
                    f"{kind}: layer {index} must be a layer, such as ReLU(). Got {layer!r}."
                )
        depth = 1 + max(getattr(layer, "depth", 0) for layer in layers)
        if depth > DEEPEST:
            raise ArgumentError(f"{kind}: layers must be nested at most {DEEPEST} levels deep. Got {depth}.")
        self._settle("layers", layers)
        self._settle("depth", depth)

    def chain(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """(name, layer, shape that reaches it), in order."""
        shape = input_shape
        for index, layer in enumerate(self.layers):
            yield str(index), layer, shape
            shape = layer.output_shape(shape)

    def flat(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """(place, layer) in order; a `Sequential` within appears as its layers: `"2.0"`."""
        return flattened(((str(index), layer) for index, layer in enumerate(self.layers)), prefix)

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Names are PyTorch's: the layer's place, a dot, its own name: `"0.weight"`, `"2.0.weight"`."""
        return {
            f"{place}.{name}": shape
            for place, layer, reached in self.chain(input_shape)
            for name, shape in layer.parameter_shapes(reached).items()
        }

    def state_names(self) -> tuple[str, ...]:
        return tuple(f"{i}.{name}" for i, layer in enumerate(self.layers) for name in layer.state_names())

    def operations(self, input_shape: Shape) -> int:
        return sum(layer.operations(shape) for _, layer, shape in self.chain(input_shape))

    def connection_count(self, input_shape: Shape) -> int:
        return sum(layer.connection_count(shape) for _, layer, shape in self.chain(input_shape))

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        extent = step = (1,) * (len(input_shape) - 1)
        for _, layer, shape in self.chain(input_shape):
            if len(shape) == 1:
                break
            inner, stride = layer.reach(shape)
            extent = tuple(e + (i - 1) * s for e, i, s in zip(extent, inner, step, strict=True))
            step = tuple(s * t for s, t in zip(step, stride, strict=True))
        return extent, step

    def to_json(self) -> dict[str, Any]:
        return {"kind": type(self).__name__, "layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def _from_fields(cls, data: Mapping[str, Any]) -> Layer:
        for name in data:
            if name != "layers":
                raise ArgumentError(f"{cls.__name__}: field must be 'layers'. Got {name!r}.")
        layers = data.get("layers")
        if not isinstance(layers, list | tuple):
            raise ArgumentTypeError(
                f"{cls.__name__}: field 'layers' must be a list of layers. Got {layers!r}."
            )
        return cls(*(layer_of(layer) for layer in layers))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(layer) for layer in self.layers)})"

    def label(self) -> str:
        return f"{type(self).__name__}({', '.join(layer.label() for layer in self.layers)})"

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]


@dataclass(frozen=True, repr=False, init=False)
class Sequential(_Container):
    """Layers one after another; a network is a `Sequential`.

    Args:
        layers: at least one layer; another `Sequential` is one too.

    Raises:
        ArgumentError, ArgumentTypeError: no layer, or something that is not a layer.

    >>> from scanwise.layers import Flatten, Linear
    >>> Sequential(Flatten(), Linear(10)).parameter_shapes((1, 8, 8))
    {'1.weight': (10, 64), '1.bias': (10,)}
    """

    @staticmethod
    def from_json(data: object) -> Sequential:
        """The network that a network file describes: `{"layers": [{"kind": "Flatten"}, ...]}`.

        Args:
            data: JSON data; a `"kind"` is optional and must be `"Sequential"`. A layer is an object of its
                `"kind"` and its arguments by name; arguments at their default may be left out.

        Raises:
            ArgumentError, ArgumentTypeError: not a network; unknown kind; unknown or missing field.

        >>> Sequential.from_json({"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]})
        Sequential(Flatten(), Linear(10))
        """
        if not isinstance(data, Mapping):
            raise ArgumentTypeError(f"network must be a JSON object with 'layers'. Got {data!r}.")
        network = from_json({"kind": "Sequential", **data})
        if not isinstance(network, Sequential):
            raise ArgumentError(f"network kind must be 'Sequential'. Got {type(network).__name__!r}.")
        return network


@dataclass(frozen=True, repr=False, init=False)
class Residual(_Container):
    """y = x + layers(x): the layers learn what to add to their input.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2016), equation 1.

    Args:
        layers: at least one layer; together they must give back the shape that they get.

    Raises:
        ArgumentError, ArgumentTypeError: no layer, or something that is not a layer.

    >>> from scanwise.layers import Conv2d, ReLU
    >>> Residual(Conv2d(8, 3, padding="same"), ReLU()).output_shape((8, 16, 16))
    (8, 16, 16)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = super().output_shape(input_shape)
        if shape != input_shape:
            raise ShapeError(
                f"Residual: its layers must give back the input shape {input_shape}. Got {shape}."
            )
        return shape

    def operations(self, input_shape: Shape) -> int:
        return super().operations(input_shape) + math.prod(input_shape)
