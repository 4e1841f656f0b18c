"""Gradients of the reference against central differences, element by element.

(L(v + h) - L(v - h)) / 2h differs from dL/dv by h^2 L'''/6 plus rounding of about 1e-16 L/h; with h = 1e-5 and values
around 1 both stay below 1e-9, and a wrong gradient is off by its own size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise import reference
from scanwise.layers import Sequential, Shape

Array = NDArray[np.float64]

STEP = 1e-5
TOLERANCE = 1e-7


def spread(shape: Shape, seed: int = 0) -> Array:
    """Values around zero in random order, no two closer than 0.1 and none closer than 0.03 to zero.

    So no step of a difference crosses the corner of a ReLU or changes which value is the maximum. They lie unevenly
    about zero, or the mean of two could be at the corner.
    """
    random = np.random.default_rng(seed)
    count = int(np.prod(shape))
    places = random.permutation(count).astype(np.float64)
    return (places - (count // 2 - 0.5)).reshape(shape) * 0.1 + 0.0137


def random_parameters(network: Sequential, input_shape: Shape, seed: int = 1) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    shapes = network.parameter_shapes(input_shape)
    values = {name: random.normal(size=extents) for name, extents in shapes.items()}
    # Inhibition divides, and a variance is under a root: they are never negative.
    positive = ("inhibition", "running_var")
    return {name: np.abs(value) if name.endswith(positive) else value for name, value in values.items()}


def check_gradients(
    network: Sequential, input_shape: Shape, samples: int = 2, parameters: dict[str, Array] | None = None
) -> None:
    """Raises where a gradient of L = sum(dy * y) is not the central difference, for x and every parameter."""
    x = spread((samples, *input_shape))
    if parameters is None:
        parameters = random_parameters(network, input_shape)
    dy = np.random.default_rng(2).normal(size=(samples, *network.output_shape(input_shape)))
    dx, gradients = reference.gradients(network, x, dy, parameters)
    given = (".mask", ".training", *network.state_names())
    assert list(gradients) == [name for name in parameters if not name.endswith(given)]

    def loss_at(x: Array) -> float:
        return float((dy * reference.forward(network, x, parameters)).sum())

    assert_gradient(dx, central_difference(loss_at, x), f"{network} dx")
    for name, gradient in gradients.items():

        def loss_of(value: Array, name: str = name) -> float:
            return float((dy * reference.forward(network, x, {**parameters, name: value})).sum())

        assert_gradient(gradient, central_difference(loss_of, parameters[name]), f"{network} d{name}")


def assert_gradient(actual: Array, expected: Array, name: str) -> None:
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


def central_difference(function: Callable[[Array], float], at: Array) -> Array:
    """The gradient of `function`, one element after another."""
    result = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = STEP
        result[index] = (function(at + step) - function(at - step)) / (2 * STEP)
    return result
