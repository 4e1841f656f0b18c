"""First values of a network's parameters.

Weights are uniform in [-b, b], so that the variance of the signal neither dies out nor explodes with depth:

    He:      b = sqrt(6 / fan_in), times sqrt(1 / (1 + slope^2))    before ReLU, GELU, SiLU and (Leaky, P)ReLU(slope)
    Xavier:  b = sqrt(6 / (fan_in + fan_out))                       before anything else

Of a convolution with `connections`, and of subsampling, fan_in and fan_out are averages over channels and inputs.
Biases are zero. A `BatchNorm` in between is passed over.

Sources: He et al., "Delving deep into rectifiers", ICCV 2015, equations 10 and 15; Glorot and Bengio, "Understanding
the difficulty of training deep feedforward neural networks", AISTATS 2010, equation 16.

The same seed gives the same bits on every platform and with every NumPy: only the Philox counter's raw 64-bit words are
used (NumPy promises those, not its distributions), and the arithmetic after it is exactly rounded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.layers import (
    GELU,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Layer,
    LeakyReLU,
    PReLU,
    ReLU,
    Residual,
    ScaledTanh,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    Subsample1d,
    Subsample2d,
    Tanh,
)
from scanwise.layers.arguments import per_axis

_PIECE = 1 << 20  # values made in one go: their words and float64 values are six times as large as they are

_ACTIVATIONS = (ReLU, LeakyReLU, PReLU, GELU, SiLU, Sigmoid, Tanh, ScaledTanh, Softmax)


def initial_parameters(network: Sequential, input_shape: Shape, seed: int) -> dict[str, NDArray[np.float32]]:
    """First values of every parameter, by name.

    Args:
        network: the layers.
        input_shape: shape of one sample.
        seed: 0 to 2**64 - 1.

    >>> from scanwise.layers import Linear
    >>> values = initial_parameters(Sequential(Linear(2)), (3,), seed=0)
    >>> values["0.weight"].shape, values["0.bias"].tolist()
    ((2, 3), [0.0, 0.0])
    """
    seed = check_seed(seed)
    parameters: dict[str, NDArray[np.float32]] = {}
    for place, layer, reached, follower in _followers(network, input_shape, "", None):
        for name, shape in layer.parameter_shapes(reached).items():
            if name in layer.first_values:
                values = np.full(shape, layer.first_values[name], np.float32)
            else:
                values = _uniform(shape, _bound(layer, shape, follower), seed, len(parameters))
            parameters[place + name] = values
    return parameters


def check_seed(seed: object) -> int:
    """`seed` as an integer in 0..2**64 - 1, or an error."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(f"seed must be a whole number. Got {seed!r}.") from None
    if not 0 <= number < 2**64:
        raise ArgumentError(f"seed must be from 0 to 2**64 - 1. Got {number}.")
    return number


def raw_words(seed: int, stream: int, count: int) -> NDArray[np.uint64]:
    """`count` words of the Philox counter under the key `(seed, stream)`: the only randomness there is."""
    return _counter(seed, stream).random_raw(count)


def _counter(seed: int, stream: int) -> np.random.Philox:
    return np.random.Philox(key=np.array([seed, stream], np.uint64))


def _uniform(shape: Shape, bound: float, seed: int, stream: int) -> NDArray[np.float32]:
    values = np.empty(math.prod(shape), np.float32)
    counter = _counter(seed, stream)
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE]
        words = counter.random_raw(piece.size)
        unit = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53  # the upper 53 bits: exact in [0, 1)
        piece[:] = (2.0 * unit - 1.0) * bound
    return values.reshape(shape)


def _bound(layer: Layer, shape: Shape, follower: Layer | None) -> float:
    fan_in, fan_out = _fans(layer, shape)
    if isinstance(follower, ReLU | GELU | SiLU):
        return math.sqrt(6.0 / fan_in)
    if isinstance(follower, LeakyReLU | PReLU):
        slope = follower.negative_slope if isinstance(follower, LeakyReLU) else follower.init
        return math.sqrt(6.0 / (fan_in * (1.0 + slope**2)))
    return math.sqrt(6.0 / (fan_in + fan_out))


def _fans(layer: Layer, shape: Shape) -> tuple[float, float]:
    """Weights that meet in an output, and weights that leave an input, of a layer with weights of `shape`."""
    if isinstance(layer, Conv1d | Conv2d) and layer.connections is not None:
        weights = math.prod(shape)
        return weights / len(layer.connections), weights / len(layer.connections[0])
    if isinstance(layer, ConvTranspose1d | ConvTranspose2d):
        # Axis 0 is the input. There are `stride` times as many outputs as inputs, so that an output sums over
        # 1 / stride of the window on average.
        outputs = math.prod(per_axis(layer.stride, layer.axes))
        return shape[0] // layer.groups * math.prod(shape[2:]) / outputs, math.prod(shape[1:])
    if isinstance(layer, Subsample1d | Subsample2d):
        kernel, stride, _, _ = layer.sliding_window()
        return math.prod(kernel), math.prod(kernel) / math.prod(stride)
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])


def _followers(
    container: Sequential | Residual, shape: Shape, prefix: str, after: Layer | None
) -> Iterator[tuple[str, Layer, Shape, Layer | None]]:
    """(name prefix, layer, shape that reaches it, the activation that follows it) of every layer.

    Layers without parameters of their own (pooling, flattening, dropout) pass the question on to the next one.
    `after` is the activation that follows the container.
    """
    chain = list(container.chain(shape))
    for index, (place, layer, reached) in enumerate(chain):
        following = (_first(other, at) for _, other, at in chain[index + 1 :])
        follower = next((found for found in following if found is not None), after)
        if isinstance(layer, Sequential | Residual):
            # What follows a Residual follows its sum, not its last layer.
            inner = None if isinstance(layer, Residual) else follower
            yield from _followers(layer, reached, f"{prefix}{place}.", inner)
        elif isinstance(layer, Scan1d | Scan2d):
            yield from _followers(layer.mlp, layer.patch(reached), f"{prefix}{place}.", follower)
        else:
            yield f"{prefix}{place}.", layer, reached, follower


def _first(layer: Layer, shape: Shape) -> Layer | None:
    """The first activation or layer with parameters inside `layer`, or None if it has neither."""
    if isinstance(layer, Sequential | Residual):
        inner = (_first(each, at) for _, each, at in layer.chain(shape))
        return next((found for found in inner if found is not None), None)
    if isinstance(layer, BatchNorm):
        return None
    if isinstance(layer, _ACTIVATIONS) or layer.parameter_shapes(shape):
        return layer
    return None
