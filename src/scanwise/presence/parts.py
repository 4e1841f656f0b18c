"""An aggregating network in its parts: the body before the `Aggregate`, the `Aggregate`, and the tail after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ShapeError
from scanwise.layers import Aggregate, Downsample1d, Downsample2d, Layer, Sequential, Shape
from scanwise.model import Model

__all__ = ["Part", "smallest_extent", "split", "takes_any_extent"]

_KEPT_SHAPES = 8


class Part:
    """Some layers of a network, in a row, as models for inputs of several shapes.

    Args:
        named: the layers, with their places in the network.
        backend: of the models.
    """

    def __init__(self, named: Sequence[tuple[str, Layer]], backend: str) -> None:
        self.named = list(named)
        self.network = Sequential(*(layer for _, layer in named))
        self._places = [place for place, _ in named]
        self._backend = backend
        self._parameters: dict[str, NDArray[np.float32]] = {}
        self._models: dict[Shape, Model] = {}

    def place(self, name: str) -> str:
        """The place in the whole network of the layer that is called so here."""
        index, _, within = name.partition(".")
        return ".".join(filter(None, [self._places[int(index)], within]))

    def load(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the whole network's parameters, of which those of these layers have other names here."""
        self._parameters = {
            f"{index}.{name.removeprefix(f'{place}.')}": value
            for index, place in enumerate(self._places)
            for name, value in parameters.items()
            if name.startswith(f"{place}.")
        }
        for model in self._models.values():
            model.parameters = self._parameters

    def at(self, input_shape: Shape) -> Model:
        """The layers on inputs of this shape."""
        if input_shape not in self._models:
            if len(self._models) == _KEPT_SHAPES:
                del self._models[next(iter(self._models))]
            model = Model(self.network, input_shape, backend=self._backend)
            model.parameters = self._parameters
            self._models[input_shape] = model
        return self._models[input_shape]


def split(network: Sequential, input_shape: Shape, backend: str) -> tuple[Part, Aggregate, Part | None]:
    """Body, `Aggregate`, and tail; None for a tail without layers.

    Raises:
        ArgumentError: there is no `Aggregate`, the layers before it do not take inputs of any size, or those after it
            leave cells of its grid as they are.
    """
    named = list(network.flat())
    index = next((i for i, (_, layer) in enumerate(named) if isinstance(layer, Aggregate)), None)
    if index is None:
        raise ArgumentError(
            'network must end in Aggregate(...) to take signals of any size, such as Aggregate("max"); other layers '
            f"may follow it. Got a network without, whose last layer is {named[-1][1].label()}."
        )
    aggregate = named[index][1]
    assert isinstance(aggregate, Aggregate)
    # Without layers before it, the positions are those of the signal.
    body = named[:index] or [("", Downsample1d(1) if len(input_shape) == 2 else Downsample2d(1))]
    before = Part(body, backend)
    for row in shapes.walk(before.network, input_shape):
        if row.layer.unshared is not None:
            raise ArgumentError(
                "network must take signals of any size before its Aggregate. "
                f"Got layer {before.place(row.name)} {row.layer.label()}, which {row.layer.unshared}."
            )
    output = shapes.walk(network, input_shape)[-1].output_shape
    if len(output) > 1:
        raise ArgumentError(
            "network must give one score for each label to take signals of any size, such as by Flatten() and "
            f"Linear(...) after {aggregate.label()}. Got output shape {output}."
        )
    after = named[index + 1 :]
    return before, aggregate, Part(after, backend) if after else None


def takes_any_extent(network: Sequential, input_shape: Shape) -> bool:
    """Whether a network takes signals of any size.

    >>> from scanwise.layers import Conv1d, Flatten, Linear
    >>> takes_any_extent(Sequential(Conv1d(4, 5), Aggregate("max"), Linear(2)), (1, 20))
    True
    >>> takes_any_extent(Sequential(Conv1d(4, 5), Flatten(), Linear(2)), (1, 20))
    False
    """
    try:
        split(network, input_shape, "reference")
    except ArgumentError:
        return False
    return True


def smallest_extent(network: Sequential, input_shape: Shape) -> Shape:
    """The smallest signal that the layers before the `Aggregate` give a position for, `(T,)` or `(H, W)`; if it has a
    grid, one for each of its cells.

    >>> from scanwise.layers import Conv1d, MaxPool1d
    >>> smallest_extent(Sequential(Conv1d(4, 5), MaxPool1d(2), Aggregate("max")), (1, 20))
    (6,)
    """
    body, aggregate, _ = split(network, input_shape, "reference")
    if shapes.has_padding(body.network, input_shape) is None:
        last = shapes.walk(body.network, input_shape)[-1]
        cells = aggregate.output_shape(last.output_shape)[1:] or (1,) * len(last.stride)
        return tuple(
            f + (n - 1) * s for f, n, s in zip(last.receptive_field, cells, last.stride, strict=True)
        )
    aggregating = Sequential(*body.network.layers, aggregate)
    return tuple(_smallest(aggregating, input_shape, axis) for axis in range(1, len(input_shape)))


def _smallest(network: Sequential, input_shape: Shape, axis: int) -> int:
    """Along one axis, by bisection, the others as in `input_shape`, which is large enough."""
    too_small, enough = 0, input_shape[axis]
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        try:
            shapes.walk(network, (*input_shape[:axis], middle, *input_shape[axis + 1 :]))
        except (ShapeError, ArgumentError):
            too_small = middle
        else:
            enough = middle
    return enough
