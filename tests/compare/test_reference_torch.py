"""The reference against PyTorch, both in float64, over drawn layers: output, input and parameter gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from scanwise import reference
from scanwise.layers import (
    GELU,
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool1d,
    MaxPool2d,
    PReLU,
    RadialBasis,
    ReLU,
    ScaledTanh,
    Sequential,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    Subsample1d,
    Subsample2d,
    Tanh,
)
from tests.layers import drawn
from tests.reference.finite_differences import random_parameters, spread

Parameters = dict[str, torch.Tensor]


def torch_conv(layer: Conv1d | Conv2d, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    """Padding is applied first: PyTorch's own `"same"` puts an even kernel's larger half behind."""
    weight, axes = parameters["weight"], tuple(range(2, x.ndim))
    if layer.connections is not None:
        connected = torch.tensor(layer.connections, dtype=torch.bool)
        weight = torch.zeros(*connected.shape, *weight.shape[1:], dtype=x.dtype).index_put(
            tuple(connected.nonzero(as_tuple=True)), weight
        )
    _, stride, dilation, padding = layer.sliding_window()
    padded = functional.pad(x, [extent for pair in reversed(padding) for extent in pair])
    convolve = functional.conv1d if isinstance(layer, Conv1d) else functional.conv2d
    if layer.flip:
        weight = weight.flip(axes)
    return convolve(
        padded, weight, parameters.get("bias"), stride=stride, dilation=dilation, groups=layer.groups
    )


def torch_pool(layer: MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d, x: torch.Tensor) -> torch.Tensor:
    functions = {
        MaxPool1d: functional.max_pool1d,
        MaxPool2d: functional.max_pool2d,
        AvgPool1d: functional.avg_pool1d,
        AvgPool2d: functional.avg_pool2d,
    }
    kernel, stride, _, padding = layer.sliding_window()
    before = tuple(pair[0] for pair in padding)
    result = functions[type(layer)](x, kernel, stride, before, ceil_mode=layer.ceil_mode)  # type: ignore[operator]
    assert isinstance(result, torch.Tensor)
    return result


def torch_subsample(
    layer: Subsample1d | Subsample2d, x: torch.Tensor, parameters: Parameters
) -> torch.Tensor:
    """A convolution of each channel by itself whose weights are all equal."""
    kernel, stride, _, _ = layer.sliding_window()
    convolve = functional.conv1d if isinstance(layer, Subsample1d) else functional.conv2d
    weight = parameters["weight"].view(-1, *[1] * len(x.shape[1:])).expand(-1, 1, *kernel)
    return convolve(x, weight, parameters["bias"], stride=stride, groups=x.shape[1])


def torch_aggregate(layer: Aggregate, x: torch.Tensor) -> torch.Tensor:
    if layer.grid is not None:
        whole = Aggregate(layer.mode)
        cells = [torch_aggregate(whole, x[cell.inputs]) for cell in layer.cells(x.shape[1:])]
        return torch.stack(cells, dim=2).view(len(x), *layer.output_shape(x.shape[1:]))
    z = x.flatten(2)
    if layer.mode == "max":
        return z.max(dim=2).values
    if layer.mode == "mean":
        return z.mean(dim=2)
    if layer.mode == "logsumexp":
        return z.logsumexp(dim=2)
    return z.flatten(1).softmax(dim=1).view_as(z).sum(dim=2)


def torch_forward(layer: Layer, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    if isinstance(layer, Linear):
        return functional.linear(x, parameters["weight"], parameters.get("bias"))
    if isinstance(layer, Conv1d | Conv2d):
        return torch_conv(layer, x, parameters)
    if isinstance(layer, MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d):
        return torch_pool(layer, x)
    if isinstance(layer, Subsample1d | Subsample2d):
        return torch_subsample(layer, x, parameters)
    if isinstance(layer, Aggregate):
        return torch_aggregate(layer, x)
    if isinstance(layer, RadialBasis):
        return -((x[:, None] - torch.tensor(layer.codes, dtype=x.dtype)) ** 2).sum(dim=2)
    if isinstance(layer, LeakyReLU):
        return functional.leaky_relu(x, layer.negative_slope)
    if isinstance(layer, PReLU):
        return functional.prelu(x, parameters["weight"])
    if isinstance(layer, GELU):
        return functional.gelu(x, approximate=layer.approximate)
    if isinstance(layer, BatchNorm):
        mean, var = (parameters[name].detach() for name in layer.state)
        weight, bias = parameters.get("weight"), parameters.get("bias")
        return functional.batch_norm(x, mean, var, weight, bias, eps=layer.eps)
    if isinstance(layer, ScaledTanh):
        return 1.7159 * torch.tanh(2 / 3 * x)
    if isinstance(layer, Softmax):
        return x.softmax(dim=1)
    pointwise: dict[type[Layer], Callable[[torch.Tensor], torch.Tensor]] = {
        ReLU: torch.relu,
        SiLU: functional.silu,
        Sigmoid: torch.sigmoid,
        Tanh: torch.tanh,
    }
    return pointwise[type(layer)](x)


def compare(layer: Layer, shape: Shape) -> None:
    network = Sequential(layer)
    x, parameters = spread((2, *shape)), random_parameters(network, shape)
    y = reference.forward(network, x, parameters)
    dy = np.random.default_rng(2).normal(size=y.shape)
    dx, gradients = reference.gradients(network, x, dy, parameters)

    x_torch = torch.tensor(x, requires_grad=True)
    given_torch = {name[2:]: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    y_torch = torch_forward(layer, x_torch, given_torch)
    y_torch.backward(torch.tensor(dy))

    close(y, y_torch, f"{layer} y")
    close(dx, x_torch.grad, f"{layer} dx")
    assert set(gradients) == set(parameters) - set(network.state_names())
    for name, gradient in gradients.items():
        close(gradient, given_torch[name[2:]].grad, f"{layer} d{name}")


def close(actual: np.ndarray, expected: torch.Tensor | None, name: str) -> None:
    assert expected is not None, name
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=1e-11, atol=1e-11, err_msg=name)


KINDS = {
    "linear": drawn.linears(),
    "conv1d": drawn.convs(1),
    "conv2d": drawn.convs(2),
    "max_pool1d": drawn.pools(MaxPool1d),
    "max_pool2d": drawn.pools(MaxPool2d),
    "avg_pool1d": drawn.pools(AvgPool1d),
    "avg_pool2d": drawn.pools(AvgPool2d),
    "subsample": drawn.subsamplings(),
    "prelu": drawn.prelus(),
    "batch_norm": drawn.batch_norms(),
    "activation": drawn.activations(),
    "radial_basis": drawn.radial_bases(),
    "softmax": drawn.softmaxes(),
    "aggregate": drawn.aggregations(),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=150)
def test_reference_is_pytorch(kind: str, data: st.DataObject) -> None:
    layer, shape = data.draw(KINDS[kind])
    compare(layer, shape)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_equal_maxima_go_to_the_one_that_pytorch_takes(ceil_mode: bool) -> None:
    layer = MaxPool2d(3, stride=2, padding=1, ceil_mode=ceil_mode)
    x = np.random.default_rng(0).integers(0, 3, size=(2, 3, 8, 7)).astype(np.float64)
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = torch_pool(layer, x_torch)
    dy = np.random.default_rng(1).normal(size=y_torch.shape)
    y_torch.backward(torch.tensor(dy))
    close(reference.gradients(Sequential(layer), x, dy, {})[0], x_torch.grad, "dx")


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "mse"])
def test_losses_are_pytorchs(name: str) -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=(5, 4)) * 10
    target = {
        "cross_entropy": random.integers(4, size=5),
        "binary_cross_entropy": random.integers(2, size=(5, 4)).astype(np.float64),
        "mse": random.normal(size=(5, 4)),
    }[name]
    functions = {
        "cross_entropy": functional.cross_entropy,
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
        "mse": functional.mse_loss,
    }
    y_torch = torch.tensor(y, requires_grad=True)
    expected = functions[name](y_torch, torch.tensor(target))  # type: ignore[operator]
    expected.backward()
    value, dy = reference.loss(name, y, target)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    close(dy, y_torch.grad, name)
