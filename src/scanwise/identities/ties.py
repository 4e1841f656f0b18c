"""Which connections of a layer that scans share a weight (lecture 1.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.identities.affine import affine
from scanwise.identities.equivalent import equivalent_matrix
from scanwise.layers import Layer, Residual, Scan1d, Scan2d, Sequential, Shape
from scanwise.model import Model

__all__ = ["Ties", "ties"]

LARGEST = 400  # outputs and inputs of a matrix whose entries can be told apart in a picture


class Ties(NamedTuple):
    """The connections of a layer.

    Attributes:
        name: of the layer, with its place in a network.
        number: `(outputs, inputs)`: which weight the connection has, from 1; 0 where there is none.
        weights: how many weights there are.
    """

    name: str
    number: NDArray[np.intp]
    weights: int


def ties(layer: Layer | Model, input_shape: Iterable[int] | None = None) -> list[Ties]:
    """The ties of a layer, or of every layer with weights of a network.

    >>> from scanwise.layers import Conv1d
    >>> ties(Conv1d(1, 2), (1, 4))[0].number.tolist()
    [[1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2]]
    """
    if isinstance(layer, Model):
        input_shape = layer.input_shape if input_shape is None else input_shape
        layer = layer.network
    if not isinstance(layer, Layer):
        raise ArgumentTypeError(f"layer must be a layer or a Model. Got {layer!r}.")
    if input_shape is None:
        raise ArgumentTypeError("input_shape must be given for a layer. Got None.")
    shape = shapes.walk(Sequential(layer), input_shape)[0].input_shape  # type: ignore[arg-type]  # it checks
    if not isinstance(layer, Sequential | Residual | Scan1d | Scan2d):
        return [_ties(layer.label(), layer, shape)]
    found = [
        _ties(f"layer {place}: {inner.label()}", inner, reached)
        for place, inner, reached in _weighted(layer, shape, "")
    ]
    if not found:
        raise ArgumentError(f"layer must have a layer with weights to draw. Got {layer.label()}.")
    return found


def _weighted(
    container: Sequential | Residual | Scan1d | Scan2d, shape: Shape, prefix: str
) -> Iterator[tuple[str, Layer, Shape]]:
    """(place, layer, shape that reaches it) of the affine layers with weights, in order."""
    for place, layer, reached in container.chain(shape):
        if isinstance(layer, Sequential | Residual | Scan1d | Scan2d):
            yield from _weighted(layer, reached, f"{prefix}{place}.")
        elif "weight" in layer.parameter_shapes(reached) and affine.dispatch(
            type(layer)
        ) is not affine.dispatch(Layer):
            yield f"{prefix}{place}", layer, reached


def _ties(name: str, layer: Layer, shape: Shape) -> Ties:
    outputs, inputs = math.prod(layer.output_shape(shape)), math.prod(shape)
    if max(outputs, inputs) > LARGEST:
        raise ArgumentError(
            f"input_shape must leave at most {LARGEST} inputs and outputs to be told apart in a picture. "
            f"Got {shape} for {layer.label()}: {outputs:,} x {inputs:,}."
        )
    parameters = {own: np.zeros(size, np.float32) for own, size in layer.parameter_shapes(shape).items()}
    weights = parameters.get("weight")
    if weights is not None:  # weights that are their own numbers say which one an entry is
        weights[:] = np.arange(1, weights.size + 1).reshape(weights.shape)
    entries = equivalent_matrix(layer, shape, parameters).matrix.tocoo()
    if weights is None or layer.state:  # or where an entry is a weight divided by something
        distinct, inverse = np.unique(entries.data, return_inverse=True)
        count, numbers = len(distinct), inverse + 1
    else:
        count, numbers = weights.size, entries.data.astype(np.intp)
    number = np.zeros((outputs, inputs), np.intp)
    number[entries.row, entries.col] = numbers
    return Ties(name, number, count)
