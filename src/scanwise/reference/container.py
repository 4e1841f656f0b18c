"""Sequential and Residual, forward and backward: the chain rule from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence

from scanwise.layers import Layer, Residual, Sequential
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward

Chain = Sequence[tuple[str, Layer]]


# y^(0) = x,    y^(l) = f_l(y^(l-1)),    y = y^(L)        (lecture 2.2)
@forward.register(Sequential)
def sequential(layer: Sequential, x: Array, parameters: Parameters) -> Array:
    return chain_inputs(chain(layer), x, parameters)[-1]


# dL/dy^(l-1) from dL/dy^(l), the last layer first (lecture 9.9)
@backward.register(Sequential)
def dsequential(layer: Sequential, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    links = chain(layer)
    return chain_backward(links, chain_inputs(links, x, parameters), dy, parameters)


# y = x + f(x)        (He et al. 2016, equation 1)
@forward.register(Residual)
def residual(layer: Residual, x: Array, parameters: Parameters) -> Array:
    return x + chain_inputs(chain(layer), x, parameters)[-1]


# x reaches y twice, and the gradients of both ways add: dL/dx = dL/dy + f'(x)^T dL/dy
@backward.register(Residual)
def dresidual(layer: Residual, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    links = chain(layer)
    dx, gradients = chain_backward(links, chain_inputs(links, x, parameters), dy, parameters)
    return dy + dx, gradients


def chain(network: Sequential | Residual) -> list[tuple[str, Layer]]:
    """(name, layer) in order of evaluation; a nested `Sequential` appears as its layers: `"2.0"`."""
    return list(network.flat())


def chain_inputs(links: Chain, x: Array, parameters: Parameters) -> list[Array]:
    """What reaches each layer, and what leaves the last one."""
    inputs = [x]
    for name, layer in links:
        inputs.append(forward(layer, inputs[-1], within(parameters, name)))
    return inputs


def chain_backward(
    links: Chain, inputs: list[Array], dy: Array, parameters: Parameters
) -> tuple[Array, Gradients]:
    """(dx, gradients of all parameters by full name), given what `chain_inputs` gave."""
    gradients: Gradients = {}
    for (name, layer), x in reversed(list(zip(links, inputs[:-1], strict=True))):
        dy, found = backward(layer, x, dy, within(parameters, name))
        gradients.update({f"{name}.{parameter}": gradient for parameter, gradient in found.items()})
    return dy, {name: gradients[name] for name in parameters if name in gradients}


def within(parameters: Parameters, name: str) -> dict[str, Array]:
    """The parameters of the layer called `name`, by their own names."""
    prefix = f"{name}."
    return {key[len(prefix) :]: value for key, value in parameters.items() if key.startswith(prefix)}
