"""Activations, forward and backward: dL/dz = dL/dy f'(z), value by value (lecture 9.8)."""

from __future__ import annotations

import math

import numpy as np

from scanwise.layers import GELU, LeakyReLU, ReLU, ScaledTanh, Sigmoid, SiLU, Tanh
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# y = max(z, 0)
@forward.register(ReLU)
def relu(layer: ReLU, z: Array, parameters: Parameters) -> Array:
    return np.maximum(z, 0)


# f'(z) = 1 for z > 0, 0 for z < 0, and 0 by choice at the corner z = 0
@backward.register(ReLU)
def drelu(layer: ReLU, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return np.where(z > 0, dy, 0.0), {}


# y = z for z > 0, a z otherwise
@forward.register(LeakyReLU)
def leaky_relu(layer: LeakyReLU, z: Array, parameters: Parameters) -> Array:
    return np.where(z > 0, z, layer.negative_slope * z)


# f'(z) = 1 for z > 0, a otherwise; a by choice at the corner
@backward.register(LeakyReLU)
def dleaky_relu(layer: LeakyReLU, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return np.where(z > 0, dy, layer.negative_slope * dy), {}


# y = z Phi(z), or with approximate="tanh" y = z s(2 u), u = k (z + 0.044715 z^3), k = sqrt(2 / pi), s the sigmoid,
# since (1 + tanh(u)) / 2 = s(2 u)        (Hendrycks and Gimpel 2016, section 2)
@forward.register(GELU)
def gelu(layer: GELU, z: Array, parameters: Parameters) -> Array:
    return z * (_normal(z) if layer.approximate == "none" else _near_normal(z))


# f'(z) = Phi(z) + z phi(z);    for "tanh" f'(z) = s + z s (1 - s) 2 u',    u' = k (1 + 3 0.044715 z^2)
@backward.register(GELU)
def dgelu(layer: GELU, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    if layer.approximate == "none":
        return dy * (_normal(z) + z * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)), {}
    s = _near_normal(z)
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return dy * (s + z * s * (1 - s) * 2 * slope), {}


def _normal(z: Array) -> Array:
    """Phi(z) = erfc(-z / sqrt(2)) / 2, a form that keeps its digits where z is far below zero."""
    values = [0.5 * math.erfc(-v / math.sqrt(2)) for v in z.ravel()]
    return np.array(values, np.float64).reshape(z.shape)


def _near_normal(z: Array) -> Array:
    u = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
    s: Array = 0.5 * (1 + np.tanh(u))
    return s


# y = z s(z) with the sigmoid s
@forward.register(SiLU)
def silu(layer: SiLU, z: Array, parameters: Parameters) -> Array:
    s: Array = 0.5 * (1 + np.tanh(0.5 * z))
    return z * s


# f'(z) = s + z s (1 - s)
@backward.register(SiLU)
def dsilu(layer: SiLU, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    s = 0.5 * (1 + np.tanh(0.5 * z))
    return dy * (s + z * s * (1 - s)), {}


# y = 1 / (1 + exp(-z)) = (1 + tanh(z/2)) / 2, a form that does not overflow
@forward.register(Sigmoid)
def sigmoid(layer: Sigmoid, z: Array, parameters: Parameters) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * z))


# f'(z) = exp(-z) / (1 + exp(-z))^2 = y (1 - y)
@backward.register(Sigmoid)
def dsigmoid(layer: Sigmoid, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    y = sigmoid(layer, z, parameters)
    return dy * y * (1 - y), {}


# y = tanh(z)
@forward.register(Tanh)
def tanh(layer: Tanh, z: Array, parameters: Parameters) -> Array:
    return np.tanh(z)


# f'(z) = 1 - tanh(z)^2
@backward.register(Tanh)
def dtanh(layer: Tanh, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return dy * (1 - np.tanh(z) ** 2), {}


# y = A tanh(B z), A = 1.7159, B = 2/3        (LeCun et al. 1998, appendix A)
@forward.register(ScaledTanh)
def scaled_tanh(layer: ScaledTanh, z: Array, parameters: Parameters) -> Array:
    return 1.7159 * np.tanh(2 / 3 * z)


# f'(z) = A B (1 - tanh(B z)^2)
@backward.register(ScaledTanh)
def dscaled_tanh(layer: ScaledTanh, z: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    return dy * 1.7159 * 2 / 3 * (1 - np.tanh(2 / 3 * z) ** 2), {}
