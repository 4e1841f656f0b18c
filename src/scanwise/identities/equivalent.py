"""A scanning layer as one giant affine layer with tied weights (lecture 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.identities.affine import affine
from scanwise.identities.extra import require_extra
from scanwise.identities.sparse import EquivalentMatrix, make_room_around
from scanwise.layers import Layer, Sequential, Shape
from scanwise.model import Model
from scanwise.parameters import Parameters

__all__ = ["equivalent_matrix"]


def equivalent_matrix(
    layer: Layer | Model,
    input_shape: Iterable[int] | None = None,
    parameters: Mapping[str, ArrayLike] | None = None,
) -> EquivalentMatrix:
    """The layer as one matrix: `matrix @ x.ravel() + bias` is its output, flattened, last axis fastest.

    A layer that scans is a giant affine layer: sparse, with the same block of weights at every position (lecture 1.3).
    The matrix has an entry exactly where an output reads an input; that of a weight 0.0 is an entry too. So the
    distinct values of a convolution's matrix are its weights. Of several layers it is the product of their matrices
    (and the input's own way is added in a `Residual`): its values are then sums of products of weights.

    Args:
        layer: an affine layer (`Linear`, a convolution or transposed convolution, mean pooling or aggregation,
            subsampling, downsampling, padding, `Unfold1d`, `UnitBias`, `Flatten`, `Dropout`, which is the identity
            outside training); a `Sequential`, `Residual` or scanning MLP of affine layers; or a `Model` whose layers
            all are.
        input_shape: shape that reaches it, channels first. Of a `Model` it may be left out.
        parameters: by the layer's own names: `"weight"` and `"bias"`, or `"0.weight"`, ... of a container. None: those
            that `Model(Sequential(layer), input_shape)` starts with. Of a `Model` always its own.

    Returns:
        `matrix` `(outputs, inputs)`, a float32 `scipy.sparse.csr_array`, and `bias` `(outputs,)` float32.

    Raises:
        ArgumentError: a layer is not affine; the matrix does not fit into memory; a parameter is missing or unknown;
            scipy is not installed.
        ShapeError: the layer does not fit `input_shape`, or a parameter has another shape.
        ArgumentTypeError: `layer` is not a layer or model, or an argument is not as stated.

    Source: lecture 1.3.

    >>> import scanwise as sw
    >>> matrix, bias = sw.equivalent_matrix(sw.Conv1d(1, 2), (1, 4), {"weight": [[[1.0, 2.0]]], "bias": [0.5]})
    >>> matrix.toarray().tolist()
    [[1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 1.0, 2.0]]
    >>> bias.tolist()
    [0.5, 0.5, 0.5]
    """
    require_extra("scipy", "equivalent_matrix")
    network: Layer
    if isinstance(layer, Model):
        if parameters is not None:
            raise ArgumentError("parameters must be left out for a Model, which has its own. Got some.")
        network, parameters = layer.network, layer.parameters
        input_shape = layer.input_shape if input_shape is None else input_shape
    elif isinstance(layer, Layer):
        network = layer
    else:
        raise ArgumentTypeError(f"layer must be a layer or a Model. Got {layer!r}.")
    if input_shape is None:
        raise ArgumentTypeError("input_shape must be given for a layer. Got None.")
    rows = shapes.walk(Sequential(network), input_shape)  # type: ignore[arg-type]  # it checks
    for row in rows:
        make_room_around(row.layer, row.input_shape)
    shape = rows[0].input_shape
    values = _first_values(network, shape) if parameters is None else _checked(network, shape, parameters)
    matrix, bias = affine(network, shape, values, "")
    return EquivalentMatrix(matrix.astype(np.float32), bias.astype(np.float32))


def _first_values(layer: Layer, shape: Shape) -> dict[str, NDArray[np.float32]]:
    model = Model(Sequential(layer), shape)
    return {name.removeprefix("0."): value for name, value in model.parameters.items()}


def _checked(layer: Layer, shape: Shape, parameters: Mapping[str, Any]) -> Parameters:
    if not isinstance(parameters, Mapping):
        raise ArgumentTypeError(f"parameters must be a mapping from names to arrays. Got {parameters!r}.")
    expected = layer.parameter_shapes(shape)
    missing = [name for name in expected if name not in parameters]
    if missing:
        raise ArgumentError(
            f"parameters must hold {', '.join(expected)}. Got {', '.join(parameters) or 'none'}: no {missing[0]!r}."
        )
    values = Parameters({name: np.zeros(each, np.float32) for name, each in expected.items()})
    values.update(parameters)
    return values
