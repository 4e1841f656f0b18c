"""Parts of a network as models of their own, with its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.inputs import check_finite
from scanwise.layers import Layer, Sequential, Shape
from scanwise.model import Model

__all__ = ["part", "run"]


def part(
    layers: Sequence[tuple[str, Layer]], shape: Shape, parameters: Mapping[str, Any], backend: str
) -> Model:
    """The model that runs some of a network's layers.

    Args:
        layers: (place, layer) of neighbours within the network; at least one. A place is what the layer's parameters'
            names begin with, before the dot.
        shape: shape that reaches the first.
        parameters: of the network.
        backend: that runs it.

    >>> import scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Linear(3), sw.ReLU(), sw.Linear(2)), (4,))
    >>> end = part([("2", model.network[2])], (3,), model.parameters, "native")
    >>> bool((end.parameters["0.weight"] == model.parameters["2.weight"]).all())
    True
    """
    model = Model(Sequential(*(layer for _, layer in layers)), shape, backend=backend)
    places = [place for place, _ in layers]
    names = ((name, *name.split(".", 1)) for name in model.parameters)
    model.parameters.update({name: parameters[f"{places[int(at)]}.{own}"] for name, at, own in names})
    return model


def run(model: Model, last: tuple[str, Layer], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a part of a network makes of `x`.

    Args:
        model: the part.
        last: (place, layer) of its last layer in the whole network, which an error names.
        x: `(N, ...)`, the input of the part.

    Raises:
        ArgumentError: the output leaves the range of float32, so that no further layer takes it.
    """
    y = model(x)
    place, layer = last
    check_finite(y, f"the output of layer {place} {layer.label()}")
    return y
