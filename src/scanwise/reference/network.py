"""Whole networks: forward, gradients, loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.layers import (
    Aggregate,
    BatchNorm,
    Dropout,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Sigmoid,
    Softmax,
)
from scanwise.reference import batch_norm, dropout
from scanwise.reference import layer as base
from scanwise.reference.container import Chain, chain, chain_backward, chain_inputs, within
from scanwise.reference.layer import Array, Gradients
from scanwise.reference.loss import (
    binary_cross_entropy_of_probabilities,
    cross_entropy_of_probabilities,
    labels,
    same_shape,
)
from scanwise.reference.loss import loss as output_loss

Given = Mapping[str, NDArray[Any]]


def forward(network: Sequential, x: NDArray[Any], parameters: Given) -> Array:
    """The network's output.

    Args:
        network: the layers.
        x: `(N, *input_shape)`.
        parameters: by name, PyTorch's layout. `"3.mask"` is the mask of a dropout layer in training (see
            `dropout_masks`); without one dropout is the identity. `"3.training"` says that a batch normalisation
            takes the batch's statistics (see `batch_statistics`).

    Returns:
        y: `(N, *output_shape)`, float64.

    >>> from scanwise.layers import Linear
    >>> parameters = {"0.weight": np.array([[2.0, 3.0]]), "0.bias": np.array([1.0])}
    >>> forward(Sequential(Linear(1)), np.ones((1, 2)), parameters)
    array([[6.]])
    """
    return base.forward(network, _float64(x), _all_float64(parameters))


def gradients(
    network: Sequential, x: NDArray[Any], dy: NDArray[Any], parameters: Given
) -> tuple[Array, Gradients]:
    """(dx, gradient of every parameter) for one batch; parameter gradients are sums over its samples.

    Args:
        network, x, parameters: as for `forward`.
        dy: gradient with respect to the output, `(N, *output_shape)`.
    """
    return base.backward(network, _float64(x), _float64(dy), _all_float64(parameters))


def loss_and_gradients(
    network: Sequential, x: NDArray[Any], target: NDArray[Any], parameters: Given, loss: str
) -> tuple[float, Gradients]:
    """(mean loss of the batch, gradient of every parameter).

    Losses are of logits. So where the network ends in `Softmax` and the loss is cross-entropy, or in `Sigmoid` and
    it is binary cross-entropy, that last layer is left out: the loss applies it itself, in a form that does not
    lose digits. Where the network ends in `Aggregate("softmax")` both are of its probabilities.

    Args:
        network, x, parameters: as for `forward`.
        target: labels `(N,)` for `"cross_entropy"`, else values `(N, *output_shape)`.
        loss: `"cross_entropy"`, `"binary_cross_entropy"` or `"mse"`.
    """
    values = _all_float64(parameters)
    links, of_probabilities = loss_chain(network, loss)
    inputs = chain_inputs(links, _float64(x), values)
    y = inputs[-1]
    if not of_probabilities:
        value, dy = output_loss(loss, y, target)
    elif loss == "cross_entropy":
        value, dy = cross_entropy_of_probabilities(y, labels(y, target))
    else:
        value, dy = binary_cross_entropy_of_probabilities(y, same_shape(loss, y, target))
    _, found = chain_backward(links, inputs, dy, values)
    return value, found


def loss_chain(network: Sequential, loss: str) -> tuple[Chain, bool]:
    """(the layers that the loss is taken after, whether they give probabilities, not logits)."""
    links = chain(network)
    last = links[-1][1]
    absorbed = (loss == "cross_entropy" and isinstance(last, Softmax)) or (
        loss == "binary_cross_entropy" and isinstance(last, Sigmoid)
    )
    of_probabilities = loss != "mse" and isinstance(last, Aggregate) and last.mode == "softmax"
    return (links[:-1] if absorbed else links), of_probabilities


def dropout_masks(network: Sequential, input_shape: Shape, sample_keys: dropout.Keys) -> dict[str, Array]:
    """The mask of every dropout layer for one batch in training, by name (`"3.mask"`), as `forward` takes it.

    Args:
        network: the layers.
        input_shape: without the sample axis.
        sample_keys: `dropout.sample_keys` of the batch.
    """
    masks: dict[str, Array] = {}
    _collect_masks(network, "", input_shape, sample_keys, masks)
    return masks


def _collect_masks(
    network: Sequential | Residual | Scan1d | Scan2d,
    prefix: str,
    shape: Shape,
    keys: dropout.Keys,
    masks: dict[str, Array],
) -> None:
    for place, layer, reached in network.chain(shape):
        if isinstance(layer, Sequential | Residual | Scan1d | Scan2d):
            _collect_masks(layer, f"{prefix}{place}.", reached, keys, masks)
        elif isinstance(layer, Dropout):
            masks[f"{prefix}{place}.mask"] = dropout.mask(layer, reached, keys, len(masks))


def batch_statistics(network: Sequential) -> dict[str, Array]:
    """What makes every batch normalisation take the statistics of its batch, by name (`"3.training"`)."""
    return {f"{place}.{batch_norm.TRAINING}": np.ones(()) for place in _batch_norms(network, "")}


def running_statistics(network: Sequential, x: NDArray[Any], parameters: Given) -> dict[str, Array]:
    """The running statistics of every batch normalisation after a training step on a batch, by name.

    Args:
        network, x: as for `forward`.
        parameters: with the entries of `batch_statistics`.
    """
    found: dict[str, Array] = {}
    _collect_running(network, "", _float64(x), _all_float64(parameters), found)
    return found


def _batch_norms(network: Sequential | Residual, prefix: str) -> list[str]:
    places: list[str] = []
    for place, layer in network.flat(prefix):
        if isinstance(layer, Residual):
            places += _batch_norms(layer, f"{place}.")
        elif isinstance(layer, BatchNorm):
            places.append(place)
    return places


def _collect_running(
    network: Sequential | Residual, prefix: str, x: Array, parameters: Given, found: dict[str, Array]
) -> None:
    links = chain(network)
    own = within(parameters, prefix.rstrip(".")) if prefix else dict(parameters)
    for (place, layer), reached in zip(links, chain_inputs(links, x, own), strict=False):
        if isinstance(layer, Residual):
            _collect_running(layer, f"{prefix}{place}.", reached, parameters, found)
        elif isinstance(layer, BatchNorm):
            news = batch_norm.running_statistics(layer, reached, within(own, place))
            found |= {f"{prefix}{place}.{name}": value for name, value in news.items()}


def _float64(x: NDArray[Any]) -> Array:
    return np.asarray(x, dtype=np.float64)


def _all_float64(parameters: Given) -> dict[str, Array]:
    return {name: _float64(value) for name, value in parameters.items()}
