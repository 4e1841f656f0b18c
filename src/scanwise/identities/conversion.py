"""A scanning MLP is a convolutional network (lecture 3.5): the one written as the other, both ways.

The MLP's first layer at position t and the convolution with the same numbers as filters are one formula:

    z_j(t) = b_j + sum_{c,k} w_j(c, k) x_c(t + k)

A later layer of the MLP sees one position, so it is a convolution with a kernel of one. Pointwise functions are the
same on maps as on vectors. A `Linear`'s weight `(D, C K)` becomes the convolution's `(D, C, K)`: the same numbers in
the same order. So nothing is lost, and the engine runs both with the same kernels: all bits are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.layers import (
    Conv1d,
    Conv2d,
    Layer,
    Linear,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Softmax,
)
from scanwise.layers.base import _Pointwise
from scanwise.model import Model

__all__ = ["as_convolution", "as_scan"]

_SCANS = (Scan1d, Scan2d)
_CONVOLUTIONS = (Conv1d, Conv2d)
# What may follow a scan's first convolution and still be the same function of each position's vector.
_AFTER = (_Pointwise, Softmax)


@overload
def as_convolution(scan: Model) -> Model: ...
@overload
def as_convolution(scan: Layer) -> Sequential: ...
def as_convolution(scan: Layer | Model) -> Sequential | Model:
    """The convolutional network that a scanning MLP is (lecture 3.5).

    Args:
        scan: a `Scan1d` or `Scan2d`, a `Sequential` that holds some, or a `Model` of such a network.

    Returns:
        the `Sequential` with every scan as convolutions, without nesting; for a model the model of it, with the same
        parameters, labels and facts. Outputs and gradients have the same bits.

    Raises:
        ArgumentError: there is no scan in the network, or an MLP has no such form: its first layer that looks at more
            than one value must be a `Linear`.

    >>> from scanwise.layers import ReLU
    >>> as_convolution(Scan1d(Sequential(Linear(8), ReLU(), Linear(3)), window=5))
    Sequential(Conv1d(8, 5), ReLU(), Conv1d(3, 1))
    """
    if isinstance(scan, Model):
        return _converted(scan, _as_convolutions(_flat(scan.network)))
    return Sequential(*_as_convolutions(_flat(_as_network("scan", scan))))


@overload
def as_scan(network: Model) -> Model: ...
@overload
def as_scan(network: Layer) -> Sequential: ...
def as_scan(network: Layer | Model) -> Sequential | Model:
    """The scanning MLPs that a convolutional network is (lecture 3.5): the inverse of `as_convolution`.

    Each convolution begins a scan, which takes the pointwise layers, `Softmax` and 1 x 1 convolutions behind it along.
    A wider convolution begins a scan of its own: hierarchical scanning (lecture 6.1).

    Args:
        network: a convolution, a `Sequential` that holds some, or a `Model` of such a network.

    Returns:
        the `Sequential` with scans in place of convolutions, without nesting; for a model the model of it, with the
        same parameters, labels and facts. Outputs and gradients have the same bits.

    Raises:
        ArgumentError: there is no convolution, or one has no such form: with padding, dilation, groups, a connection
            table or a flipped kernel it is not the same `Linear` at every window.

    >>> from scanwise.layers import MaxPool1d, ReLU
    >>> as_scan(Sequential(Conv1d(8, 5), ReLU(), Conv1d(3, 1), MaxPool1d(2)))
    Sequential(Scan1d(Sequential(Linear(8), ReLU(), Linear(3)), 5), MaxPool1d(2))
    """
    if isinstance(network, Model):
        return _converted(network, _as_scans(_flat(network.network)))
    return Sequential(*_as_scans(_flat(_as_network("network", network))))


def _as_network(name: str, given: object) -> Sequential:
    if not isinstance(given, Layer):
        raise ArgumentTypeError(f"{name} must be a layer, a Sequential or a Model. Got {given!r}.")
    return given if isinstance(given, Sequential) else Sequential(given)


def _flat(container: Sequential | Residual | Scan1d | Scan2d) -> list[Layer]:
    """The layers, those of a nested `Sequential` in its place."""
    return [layer for _, layer in container.flat()]


def _converted(model: Model, layers: list[Layer]) -> Model:
    """The model of `layers`, which have the model's parameters in their order and number, in other shapes."""
    network = Sequential(*layers)
    result = Model(network, model.input_shape, backend=model.backend)
    for (_, value), (name, shape) in zip(
        model.parameters.items(), result.parameters.shapes.items(), strict=True
    ):
        result.parameters[name] = value.reshape(shape)
    result.take_facts(model)
    return result


# --- scans as convolutions ----------------------------------------------------------------------------------------


def _as_convolutions(layers: Sequence[Layer]) -> list[Layer]:
    if not _holds(layers, _SCANS):
        raise ArgumentError(f"scan must be or hold a Scan1d or Scan2d. Got {Sequential(*layers).label()}.")
    return [part for layer in layers for part in _convolutions(layer)]


def _convolutions(layer: Layer) -> list[Layer]:
    """What takes the place of one layer."""
    if isinstance(layer, Residual) and _holds(layer.layers, _SCANS):
        return [Residual(*_as_convolutions(_flat(layer)))]
    if not isinstance(layer, _SCANS):
        return [layer]
    if layer.needs_windows is not None:
        raise ArgumentError(
            "scan must begin with a Linear, behind pointwise layers at most, to be a convolution. "
            f"Got {layer.label()}, in which {layer.needs_windows}."
        )
    parts = _flat(layer)
    return [part for part in parts if part != layer.identity] or [layer.identity]


# --- convolutions as scans ----------------------------------------------------------------------------------------


def _as_scans(layers: Sequence[Layer]) -> list[Layer]:
    if not _holds(layers, _CONVOLUTIONS):
        raise ArgumentError(f"network must be or hold a Conv1d or Conv2d. Got {Sequential(*layers).label()}.")
    found: list[Layer] = []
    waiting = list(layers)
    while waiting:
        layer = waiting.pop(0)
        if isinstance(layer, _CONVOLUTIONS):
            mlp: list[Layer] = [_linear(layer)]
            while waiting and _at_one_position(waiting[0]):
                mlp.append(_on_vectors(waiting.pop(0)))
            kind = Scan1d if isinstance(layer, Conv1d) else Scan2d
            found.append(kind(Sequential(*mlp), layer.kernel_size, layer.stride))
        elif isinstance(layer, Residual) and _holds(layer.layers, _CONVOLUTIONS):
            found.append(Residual(*_as_scans(_flat(layer))))
        else:
            found.append(layer)
    return found


def _linear(layer: Conv1d | Conv2d) -> Linear:
    """The `Linear` that the convolution applies at every window."""
    faults = {
        "padding": any(any(sides) for sides in layer.sliding_window()[3]),
        "dilation": layer.dilation != 1,
        "groups": layer.groups != 1,
        "connections": layer.connections is not None,
        "flip": layer.flip,
    }
    for name, found in faults.items():
        if found:
            raise ArgumentError(
                f"network must have convolutions without {', '.join(faults)}, to be a scanning MLP. "
                f"Got {name} in {layer.label()}."
            )
    return Linear(layer.out_channels, bias=layer.bias)


def _at_one_position(layer: Layer) -> bool:
    """Whether the layer computes each position from that position alone."""
    if isinstance(layer, _CONVOLUTIONS):
        return layer.kernel_size == 1 and layer.stride == 1
    if isinstance(layer, Residual):
        return all(_at_one_position(inner) for inner in _flat(layer))
    return isinstance(layer, _AFTER)


def _on_vectors(layer: Layer) -> Layer:
    """The layer of vectors that `layer` is at each position."""
    if isinstance(layer, Residual):
        return Residual(*(_on_vectors(inner) for inner in _flat(layer)))
    return _linear(layer) if isinstance(layer, _CONVOLUTIONS) else layer


def _holds(layers: Sequence[Layer], kinds: tuple[type[Layer], ...]) -> bool:
    return any(
        isinstance(layer, kinds) or (isinstance(layer, Sequential | Residual) and _holds(layer.layers, kinds))
        for layer in layers
    )
