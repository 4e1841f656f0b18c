"""The gradient of a shared weight, one term for each position where it is used (lecture 1.4, 6.3, 6.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import singledispatch

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.executor import unit_range
from scanwise.inputs import as_gradient, as_samples, check_finite
from scanwise.layers import (
    Conv1d,
    Conv2d,
    Geometry,
    Layer,
    Linear,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
)
from scanwise.memory import available_bytes, gibibytes
from scanwise.model import Model
from scanwise.routing.parts import part, run

__all__ = ["position_gradients"]

Array = NDArray[np.float32]
Steps = list[tuple[str, Layer]]


def position_gradients(model: Model, x: ArrayLike, dy: ArrayLike, place: str) -> dict[str, Array]:
    """The terms that the gradients of a scanning layer's parameters are the sums of.

    A weight that is used at every position is one parameter, so its gradient is the sum over the positions of what it
    would be if each had a weight of its own (lecture 6.3). These are the terms, each added up over the samples.

    Args:
        model: the model.
        x: `(N, *input_shape)`, as for a call.
        dy: `(N, *output_shape)`: the terms are those of the gradient of `sum(model(x) * dy)`.
        place: of a convolution or a scanning MLP in the network: `"0"`, nested `"2.0"`.

    Returns:
        The layer's own name (`"weight"`, `"bias"`; of a scan `"0.weight"`, ...) -> `(*positions, *shape of the
        parameter)` float32. Summed over the positions it is `model.gradients(x, dy)[1][f"{place}.weight"]`, up to
        rounding.

    Raises:
        ShapeError, ArgumentTypeError: `x` or `dy` is not as stated.
        ArgumentError: no layer that scans is at `place`; the terms do not fit into memory.

    Source: lecture 1.4 (the sum over t), 6.3, 6.4 and 9.4 (the term of one position).

    >>> import scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(1, 2, bias=False)), (1, 4))
    >>> terms = sw.position_gradients(model, [[[1.0, 2.0, 3.0, 4.0]]], [[[1.0, 10.0, 100.0]]], "0")
    >>> terms["weight"].squeeze().tolist()
    [[1.0, 2.0], [20.0, 30.0], [300.0, 400.0]]
    >>> model.gradients([[[1.0, 2.0, 3.0, 4.0]]], [[[1.0, 10.0, 100.0]]])[1]["0.weight"].tolist()
    [[[321.0, 432.0]]]
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    samples = as_samples(x, model.input_shape)
    upstream = as_gradient(dy, (len(samples), *model.output_shape))
    layer, shape = _scanning_layer(model, place)
    _make_room(layer, shape)
    values = unit_range(samples).astype(np.float32)
    inner, error = _at(place, list(model.network.flat()), values, upstream, model)
    own = {n.removeprefix(f"{place}."): v for n, v in model.parameters.items() if n.startswith(f"{place}.")}
    return terms(layer, inner, error, own, model.backend)


@singledispatch
def terms(
    layer: Layer, x: Array, dz: Array, parameters: Mapping[str, Array], backend: str
) -> dict[str, Array]:
    """The terms of every parameter of a layer that scans.

    Args:
        layer: the layer.
        x: its input `(N, C, ...)`.
        dz: the gradient by its output `(N, K, *positions)`.
        parameters: the layer's, by its own names.
        backend: that computes them.
    """
    raise NotImplementedError(f"{layer!r} does not scan.")


# At one position a filter is a neuron on the window below it (lecture 5.5): Linear, for each group of channels.
#
#   dL/dw_kc(r, s) at (p, q) = sum_n dL/dz_k(p, q) x_c(p sh + r dh, q sw + s dw)        (lecture 6.4, 9.4)
@terms.register(Conv1d)
@terms.register(Conv2d)
def _(
    layer: Conv1d | Conv2d, x: Array, dz: Array, parameters: Mapping[str, Array], backend: str
) -> dict[str, Array]:
    geometry, (N, C) = layer.geometry(x.shape[1:]), x.shape[:2]
    K, shape = layer.out_channels // layer.groups, (C // layer.groups, *geometry.kernel)
    errors = dz.reshape(N, layer.groups, K, *geometry.output)
    neurons = Model(Sequential(Linear(K, layer.bias)), (math.prod(shape),), backend=backend)
    own = layer.parameter_shapes(x.shape[1:])
    found = {name: np.empty((*geometry.output, *each), np.float32) for name, each in own.items()}
    for p, q, window in _windows(geometry, x):
        weight, bias = (
            np.empty((layer.groups, K, *shape), np.float32),
            np.empty((layer.groups, K), np.float32),
        )
        for g in range(layer.groups):
            below = window[:, g * shape[0] : (g + 1) * shape[0]].reshape(N, math.prod(shape))
            _, gradients = neurons.gradients(below, errors[:, g, :, p, q])
            weight[g], bias[g] = gradients["0.weight"].reshape(K, *shape), gradients.get("0.bias", 0)
        weight = weight[..., ::-1, ::-1] if layer.flip else weight
        if layer.connections is not None:  # what a channel does not see is no parameter
            weight = weight[0][np.array(layer.connections, bool)]
        found["weight"][p, q] = weight.reshape(own["weight"])
        if layer.bias:
            found["bias"][p, q] = bias.ravel()
    return {name: values.reshape(*dz.shape[2:], *own[name]) for name, values in found.items()}


# The MLP at position t has the gradient dL/dw^(t), as if its weights were its own (lecture 1.4).
@terms.register(Scan1d)
@terms.register(Scan2d)
def _(
    layer: Scan1d | Scan2d, x: Array, dz: Array, parameters: Mapping[str, Array], backend: str
) -> dict[str, Array]:
    geometry, N = layer.geometry(x.shape[1:]), len(x)
    errors = dz.reshape(*dz.shape[:2], *geometry.output)
    mlp = Model(layer.mlp, layer.windows.patch(x.shape[1:]), backend=backend)
    mlp.parameters.update(parameters)
    found = {
        name: np.empty((*geometry.output, *own), np.float32) for name, own in mlp.parameters.shapes.items()
    }
    for p, q, window in _windows(geometry, x):
        _, gradients = mlp.gradients(window.reshape(N, math.prod(window.shape[1:])), errors[:, :, p, q])
        for name, gradient in gradients.items():
            found[name][p, q] = gradient
    return {name: values.reshape(*dz.shape[2:], *values.shape[2:]) for name, values in found.items()}


def _windows(geometry: Geometry, x: Array) -> Iterator[tuple[int, int, Array]]:
    """(p, q, window `(N, C, R, S)`) at every position, zeros around the input included."""
    (R, S), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    top, bottom, left, right = geometry.padding
    maps = x.reshape(*x.shape[:2], *(1, *x.shape[2:])[-2:])
    padded = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)))
    for p, q in np.ndindex(geometry.output):
        rows = slice(p * sh, p * sh + (R - 1) * dh + 1, dh)
        columns = slice(q * sw, q * sw + (S - 1) * dw + 1, dw)
        yield p, q, padded[:, :, rows, columns]


def _scanning_layer(model: Model, place: object) -> tuple[Layer, Shape]:
    """The layer, and the shape that reaches it."""
    found = {
        name: (layer, shape)
        for name, layer, shape in _leaves(model.network, model.input_shape, "")
        if terms.dispatch(type(layer)) is not terms.dispatch(Layer)
    }
    told = ", ".join(map(repr, found)) or "none: no layer scans"
    if not isinstance(place, str):
        raise ArgumentTypeError(f"place must be that of a layer that scans ({told}). Got {place!r}.")
    if place not in found:
        raise ArgumentError(f"place must be that of a layer that scans ({told}). Got {place!r}.")
    return found[place]


def _leaves(
    container: Sequential | Residual, shape: Shape, prefix: str
) -> Iterator[tuple[str, Layer, Shape]]:
    for place, layer in container.flat(prefix):
        if isinstance(layer, Residual):
            yield from _leaves(layer, shape, f"{place}.")
        else:
            yield place, layer, shape
        shape = layer.output_shape(shape)


def _at(place: str, steps: Steps, x: Array, dy: Array, model: Model) -> tuple[Array, Array]:
    """The input of the layer at `place`, and the gradient by its output.

    Args:
        place: of the layer.
        steps: layers one after another, one of which is the layer or has it within.
        x: input of the first.
        dy: gradient by the output of the last.
        model: whose layers they are.
    """
    number = next(i for i, (name, _) in enumerate(steps) if place == name or place.startswith(f"{name}."))
    before, (name, layer), after = steps[:number], steps[number], steps[number + 1 :]
    parameters: Mapping[str, Array] = model.parameters
    if before:
        x = run(part(before, x.shape[1:], parameters, model.backend), before[-1], x)
    if after:
        y = run(part([(name, layer)], x.shape[1:], parameters, model.backend), (name, layer), x)
        dy, _ = part(after, y.shape[1:], parameters, model.backend).gradients(y, dy)
        check_finite(dy, f"the gradient by the output of layer {name} {layer.label()}")
    if isinstance(layer, Residual):  # y = x + f(x): the gradient by f(x) is that by y
        return _at(place, list(layer.flat(f"{name}.")), x, dy, model)
    return x, dy


def _make_room(layer: Layer, shape: Shape) -> None:
    positions = math.prod(layer.output_shape(shape)[1:])
    each = sum(math.prod(own) for own in layer.parameter_shapes(shape).values())
    needed, memory = 2 * 4 * positions * each, available_bytes()  # as they are found, and put in order
    if needed > memory:
        raise ArgumentError(
            f"position_gradients must fit into memory ({gibibytes(memory)} available). Got {positions:,} positions of "
            f"{layer.label()} with {each:,} parameters each, which need {gibibytes(needed)}."
        )
