"""Where a network leaves the finite numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Executor
from scanwise.inputs import real_array
from scanwise.layers import Layer, Sequential
from scanwise.model import Model

Parameters = Mapping[str, NDArray[np.float32]]


def where_it_diverged(model: Model, parameters: Parameters, x: NDArray[Any] | list[NDArray[Any]]) -> str:
    """A sentence on the first layer of the network that gives a value that is not finite.

    The network's beginnings are run on the batch, each one layer longer, with the parameters before the step whose
    loss is not finite. Dropout is the identity there.

    Args:
        model: its network and backend are used, its parameters are not.
        parameters: by name.
        x: `(n, *input_shape)`, the samples of the step, or a list of signals.
    """
    for name, value in parameters.items():
        if not np.isfinite(value).all():
            return f"The parameter {name!r} was the first that is not finite."
    layers = list(model.network.flat())
    signals = isinstance(x, list)
    groups = [real_array(each[np.newaxis], "x") for each in x] if signals else [real_array(x, "x")]
    largest = 0.0
    for length in range(1, len(layers) + 1):
        place, layer = layers[length - 1]
        reached = 0.0
        for number, samples in enumerate(groups):
            with np.errstate(all="ignore"):
                part = _beginning(model, layers[:length], parameters, samples.shape[1:])
                y = part.forward(samples)
            finite = np.isfinite(y)
            if not finite.all():
                sample, *_ = np.unravel_index(int(np.argmin(finite)), y.shape)
                before = (
                    f"the values that reach it are up to {largest:.3g}" if length > 1 else "the first layer"
                )
                return (
                    f"The first value that is not finite is {y[~finite][0]}, of layer {place}, {layer.label()}, for "
                    f"sample {number + sample + 1} of the batch; {before}."
                )
            reached = max(reached, float(np.abs(y).max()))
        largest = reached
    return f"The outputs of all layers are finite, up to {largest:.3g}: it is the loss of them that is not."


def _beginning(
    model: Model, layers: list[tuple[str, Layer]], parameters: Parameters, input_shape: tuple[int, ...]
) -> Executor:
    """The first layers of a network, with its parameters."""
    part = Model(Sequential(*(layer for _, layer in layers)), input_shape, backend=model.backend)
    for index, (place, _) in enumerate(layers):
        for name in parameters:
            if name.startswith(f"{place}."):
                part.parameters[f"{index}{name.removeprefix(place)}"] = parameters[name]
    return part.executor
