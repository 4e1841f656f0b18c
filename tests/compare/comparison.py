"""One network on both sides: Scanwise in float32, PyTorch in float64, so that differences are Scanwise's rounding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.nn import functional

import scanwise as sw
from benchmarks.torch_twin import twin_of

TOLERANCE = 2e-5
"""Allowed difference, relative to the largest value of the array: some hundred roundings of float32 (6e-8)."""


def assert_close(actual: ArrayLike, expected: ArrayLike, name: str, tolerance: float = TOLERANCE) -> None:
    """Compares arrays relative to the expected array's largest value."""
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert a.shape == e.shape, f"{name}: shape {a.shape}, expected {e.shape}"
    scale = max(float(np.abs(e).max(initial=0.0)), 1e-3)
    np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * scale, err_msg=name)


def assert_all_close(
    actual: Mapping[str, NDArray[np.float32]],
    expected: Mapping[str, NDArray[np.float64]],
    tolerance: float = TOLERANCE,
) -> None:
    """The same for named arrays, which must have the same names."""
    assert sorted(actual) == sorted(expected)
    for name, value in expected.items():
        assert_close(actual[name], value, name, tolerance)


def double_twin(model: sw.Model) -> nn.Module:
    """PyTorch's network with the same parameters, in float64, dropout off."""
    return twin_of(model).double().eval()


def named_gradients(module: nn.Module) -> dict[str, NDArray[np.float64]]:
    """The gradients after a backward pass."""
    gradients = {}
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        gradients[name] = parameter.grad.numpy()
    return gradients


def values(module: nn.Module) -> dict[str, NDArray[np.float64]]:
    """The parameters, and the running statistics."""
    found = module.state_dict().items()
    return {name: value.numpy() for name, value in found if not name.endswith("num_batches_tracked")}


def samples(shape: tuple[int, ...], n: int, seed: int = 0) -> NDArray[np.float32]:
    """Random inputs with both signs."""
    return np.random.default_rng(seed).standard_normal((n, *shape)).astype(np.float32)


def randomised(model: sw.Model, seed: int = 1) -> sw.Model:
    """Random biases too: freshly made ones are zero, which would hide mistakes."""
    random = np.random.default_rng(seed)
    for name, value in model.parameters.items():
        if name.endswith(("bias", "running_mean")):
            model.parameters[name] = random.uniform(-0.5, 0.5, value.shape).astype(np.float32)
        elif name.endswith("running_var"):
            model.parameters[name] = random.uniform(0.5, 2.0, value.shape).astype(np.float32)
    return model


def compare_outputs_and_gradients(
    model: sw.Model, x: NDArray[np.float32], tolerance: float = TOLERANCE
) -> None:
    """Output, input gradient and every parameter gradient, for a random upstream gradient."""
    module = double_twin(model)
    x_torch = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y_torch = module(x_torch)
    assert_close(model(x), y_torch.detach().numpy(), "output", tolerance)
    dy = np.random.default_rng(2).standard_normal(y_torch.shape).astype(np.float32)
    y_torch.backward(torch.tensor(dy, dtype=torch.float64))
    dx, gradients = model.gradients(x, dy)
    assert x_torch.grad is not None
    assert_close(dx, x_torch.grad.numpy(), "input gradient", tolerance)
    assert_all_close(gradients, named_gradients(module), tolerance)


def torch_loss(name: str, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss of that name, of logits."""
    losses = {
        "cross_entropy": functional.cross_entropy,
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
        "mse": functional.mse_loss,
    }
    return losses[name](output, target)  # type: ignore[operator, no-any-return]


def targets(loss: str, output_shape: tuple[int, ...], n: int, seed: int = 3) -> NDArray[np.generic]:
    """Random targets of the kind that the loss takes."""
    random = np.random.default_rng(seed)
    if loss == "cross_entropy":
        return random.integers(output_shape[0], size=n)
    if loss == "binary_cross_entropy":
        return random.integers(2, size=(n, *output_shape)).astype(np.float32)
    return random.standard_normal((n, *output_shape)).astype(np.float32)
