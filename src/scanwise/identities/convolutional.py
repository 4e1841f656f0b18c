"""A window network as convolutions that run on any larger input (lecture 3.5, 6.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any, overload

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    CPlane,
    Downsample1d,
    Downsample2d,
    Flatten,
    Layer,
    Linear,
    LogMel,
    MaxByLabel,
    MaxPool1d,
    MaxPool2d,
    PReLU,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Softmax,
    SPlane,
    Subsample1d,
    Subsample2d,
    Unfold1d,
    Unfold2d,
)
from scanwise.layers.base import _Pointwise
from scanwise.model import Model
from scanwise.scanning import obstacle

__all__ = ["fully_convolutional"]


@overload
def fully_convolutional(model: Model, input_shape: Iterable[int] | None = None) -> Model: ...
@overload
def fully_convolutional(model: Sequential, input_shape: Iterable[int]) -> Sequential: ...
def fully_convolutional(
    model: Model | Sequential, input_shape: Iterable[int] | None = None
) -> Model | Sequential:
    """The convolutions that scan with a window network: on a larger input they give its outputs at all windows.

    `Linear` behind `Flatten` becomes a convolution whose kernel is the window's map, every later `Linear` one with
    kernel 1, and aggregation a pooling over the window's map with stride 1; what slides already stays as it is (a
    `Scan1d` too, which `as_convolution` writes as convolutions). So a scanning MLP is a convolutional network (lecture
    3.5), and the same numbers are its parameters. Outputs for a larger input are, bit for bit,
    `scan(model, input).scores`, at the network's own stride. (Where strides leave positions at the window's end that no
    output reads, there may be outputs for windows behind the last whole one, which a scan leaves out.)

    Args:
        model: a `Model` for windows `(C, T)` or `(C, H, W)`, or a network.
        input_shape: of a `Model`, the shape that the result is for, at least the window, and the window if None; of a
            network, the shape of a window, which its layers' sizes follow from.

    Returns:
        A `Model` with the parameters carried over, its output `(K, *positions)`; or the network.

    Raises:
        ArgumentError: a layer has no such form: it pads inside the window, aggregates otherwise than by a maximum or
            mean, or is none that slides. The message says which and why.
        ShapeError: the network does not fit the window, or `input_shape` is smaller.
        ArgumentTypeError: `model` is neither a model nor a network, or a network without `input_shape`.

    Source: lecture 3.5, 6.1.

    >>> import scanwise as sw
    >>> mlp = sw.Sequential(sw.Flatten(), sw.Linear(8), sw.ReLU(), sw.Linear(2))
    >>> sw.fully_convolutional(mlp, (3, 10))
    Sequential(Conv1d(8, 10), ReLU(), Conv1d(2, 1))
    >>> sw.fully_convolutional(sw.Model(mlp, (3, 10)), (3, 500)).output_shape
    (2, 491)
    """
    if isinstance(model, Sequential):
        if input_shape is None:
            raise ArgumentTypeError(
                "input_shape must be given for a network: the shape of a window. Got None."
            )
        return _converted(model, shapes.walk(model, input_shape)[0].input_shape, {}).network  # type: ignore[arg-type]
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model or a Sequential. Got {type(model).__name__}.")
    form = _converted(model.network, model.input_shape, model.parameters)
    result = Model(
        form.network,
        model.input_shape if input_shape is None else input_shape,  # type: ignore[arg-type]  # it checks
        backend=model.backend,
    )
    result.parameters.update(form.parameters)
    result.take_facts(model)
    return result


@dataclass
class Form:
    """The convolutions found so far.

    Attributes:
        layers: the layers.
        parameters: by name: the places of `layers`.
        flattened: shape of the window's map that `Flatten` made a vector of and no `Linear` has read yet, or None.
    """

    layers: list[Layer] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    flattened: Shape | None = None

    @property
    def network(self) -> Sequential:
        """The layers as a network."""
        return Sequential(*self.layers)

    def add(self, layer: Layer, parameters: Mapping[str, Any]) -> None:
        """Append a layer with its parameters by its own names."""
        self.parameters |= {f"{len(self.layers)}.{name}": value for name, value in parameters.items()}
        self.layers.append(layer)


@dataclass(frozen=True)
class Spot:
    """Where a layer of the window network is.

    Attributes:
        place: of the layer: `"2"`, nested `"2.0"`.
        shape: that reaches it.
        axes: spatial axes of the window.
        parameters: the layer's, by its own names; empty where a network without parameters is converted.
    """

    place: str
    shape: Shape
    axes: int
    parameters: Mapping[str, Any]

    def refuse(self, layer: Layer, reason: str) -> ArgumentError:
        """The error for a layer that has no such form."""
        return ArgumentError(
            f"model must be a window network that slides. Got layer {self.place} {layer.label()}, which {reason}."
        )


@singledispatch
def convert(layer: Layer, form: Form, spot: Spot) -> None:
    """Append the layer's form, one rule for each kind of layer."""
    raise spot.refuse(layer, "has no form that slides")


@convert.register
def _(layer: _Pointwise, form: Form, spot: Spot) -> None:
    form.add(layer, spot.parameters)


@convert.register
def _(layer: PReLU, form: Form, spot: Spot) -> None:
    if form.flattened is not None and layer.num_parameters > 1:
        raise spot.refuse(layer, "has a slope for each value of the flattened window")
    form.add(layer, spot.parameters)


@convert.register
def _(layer: BatchNorm, form: Form, spot: Spot) -> None:
    if form.flattened is not None:
        raise spot.refuse(layer, "normalises each value of the flattened window by itself")
    form.add(layer, spot.parameters)


@convert.register(Softmax)
@convert.register(MaxByLabel)
def _(layer: Softmax | MaxByLabel, form: Form, spot: Spot) -> None:
    if form.flattened is not None:
        raise spot.refuse(layer, "compares values of the flattened window")
    form.add(layer, spot.parameters)


@convert.register(Conv1d)
@convert.register(Conv2d)
@convert.register(Downsample1d)
@convert.register(Downsample2d)
@convert.register(LogMel)
@convert.register(Scan1d)
@convert.register(Scan2d)
@convert.register(Unfold1d)
@convert.register(Unfold2d)
@convert.register(Subsample1d)
@convert.register(Subsample2d)
@convert.register(SPlane)
@convert.register(CPlane)
def _(layer: Layer, form: Form, spot: Spot) -> None:
    form.add(layer, spot.parameters)


@convert.register(MaxPool1d)
@convert.register(MaxPool2d)
@convert.register(AvgPool1d)
@convert.register(AvgPool2d)
def _(layer: MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d, form: Form, spot: Spot) -> None:
    # Inside the window it rounds nothing up, or it would be refused; at the end of a larger input it must not.
    form.add(replace(layer, ceil_mode=False), spot.parameters)


@convert.register
def _(layer: Flatten, form: Form, spot: Spot) -> None:
    if math.prod(spot.shape[1:]) > 1:  # else only the name of the axes changes
        form.flattened = spot.shape


@convert.register
def _(layer: Linear, form: Form, spot: Spot) -> None:
    channels, *extents = form.flattened or (*spot.shape, *[1] * spot.axes)
    kind = Conv1d if spot.axes == 1 else Conv2d
    convolution = kind(layer.out_features, tuple(extents), bias=layer.bias)
    parameters = dict(spot.parameters)
    if "weight" in parameters:
        # The flattened map's order is (c, i, j), last axis fastest: a filter's.
        parameters["weight"] = parameters["weight"].reshape(layer.out_features, channels, *extents)
    form.add(convolution, parameters)
    form.flattened = None


@convert.register
def _(layer: Aggregate, form: Form, spot: Spot) -> None:
    kinds: dict[tuple[str, int], type[MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d]] = {
        ("max", 1): MaxPool1d,
        ("max", 2): MaxPool2d,
        ("mean", 1): AvgPool1d,
        ("mean", 2): AvgPool2d,
    }
    if (layer.mode, spot.axes) not in kinds:
        raise spot.refuse(layer, "is no pooling: only a maximum or a mean slides")
    form.add(kinds[layer.mode, spot.axes](spot.shape[1:], stride=1), spot.parameters)


@convert.register
def _(layer: Residual, form: Form, spot: Spot) -> None:
    if form.flattened is not None:
        raise spot.refuse(layer, "adds to the flattened window")
    inner = Form()
    _walk(layer, f"{spot.place}.", spot.shape, spot.axes, spot.parameters, inner)
    if inner.layers:
        form.add(Residual(*inner.layers), inner.parameters)
    else:  # y = x + x: a Flatten of a single position
        raise spot.refuse(layer, "has nothing within that slides")


def _converted(network: Sequential, window: Shape, parameters: Mapping[str, Any]) -> Form:
    if len(window) not in (2, 3):
        raise ArgumentError(f"model must be for windows (C, T) or (C, H, W) to slide. Got {window}.")
    reason = obstacle(network, window)
    if reason is not None:
        raise ArgumentError(f"model must be a window network that slides. Got one whose {reason}.")
    form = Form()
    _walk(network, "", window, len(window) - 1, parameters, form)
    if form.flattened is not None:
        raise ArgumentError(
            "model must be a window network that slides. Got one that ends in a flattened window; "
            "put Linear(...) behind Flatten()."
        )
    if not form.layers:
        raise ArgumentError(
            f"model must be a window network that slides. Got nothing that does in {network.label()}."
        )
    return form


def _walk(
    container: Sequential | Residual,
    prefix: str,
    shape: Shape,
    axes: int,
    parameters: Mapping[str, Any],
    form: Form,
) -> None:
    """Append the forms of a container's layers; `parameters` have names within it."""
    for place, layer in container.flat():
        start = f"{place}."
        own = {n.removeprefix(start): v for n, v in parameters.items() if n.startswith(start)}
        convert(layer, form, Spot(f"{prefix}{place}", shape, axes, own))
        shape = layer.output_shape(shape)
