"""The same network as a ``torch.nn.Module``: the one place where layers are translated for PyTorch.

Parameters have the same names and layouts on both sides, so weights are copied by name. The comparison tests
(``tests/compare``) and the benchmarks both build their PyTorch side here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

import scanwise as sw
from scanwise import layers

Shape = tuple[int, ...]
_Convolution = layers.Conv1d | layers.Conv2d | layers.ConvTranspose1d | layers.ConvTranspose2d


class PaddedConv(nn.Module):
    """A convolution whose padding differs before and after, or whose kernel is flipped: padded by hand first."""

    def __init__(self, layer: layers.Conv1d | layers.Conv2d, input_shape: Shape) -> None:
        super().__init__()
        geometry = layer.geometry(input_shape)
        self.two_dimensional = len(input_shape) == 3
        top, bottom, left, right = geometry.padding
        self.pads = (left, right, top, bottom) if self.two_dimensional else (left, right)
        self.stride = geometry.stride if self.two_dimensional else geometry.stride[1:]
        self.dilation = geometry.dilation if self.two_dimensional else geometry.dilation[1:]
        self.groups = layer.groups
        self.flip = layer.flip
        shapes = layer.parameter_shapes(input_shape)
        self.weight = nn.Parameter(torch.zeros(shapes["weight"]))
        self.bias = nn.Parameter(torch.zeros(shapes["bias"])) if "bias" in shapes else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convolve = functional.conv2d if self.two_dimensional else functional.conv1d
        spatial = (2, 3) if self.two_dimensional else (2,)
        weight = self.weight.flip(spatial) if self.flip else self.weight
        padded = functional.pad(x, self.pads)
        return convolve(padded, weight, self.bias, self.stride, 0, self.dilation, self.groups)


class TransposedConv(nn.Module):
    """A transposed convolution of the whole map, from which `padding` is cut off: it may differ before and after."""

    def __init__(self, layer: layers.ConvTranspose1d | layers.ConvTranspose2d, input_shape: Shape) -> None:
        super().__init__()
        geometry = layer.geometry(input_shape)
        self.two_dimensional = len(input_shape) == 3
        axes = slice(None) if self.two_dimensional else slice(1, None)
        top, bottom, left, right = geometry.padding
        self.crops = (-left, -right, -top, -bottom) if self.two_dimensional else (-left, -right)
        self.stride, self.dilation = geometry.stride[axes], geometry.dilation[axes]
        self.more, self.groups, self.flip = layer.output_padding, layer.groups, layer.flip
        shapes = layer.parameter_shapes(input_shape)
        self.weight = nn.Parameter(torch.zeros(shapes["weight"]))
        self.bias = nn.Parameter(torch.zeros(shapes["bias"])) if "bias" in shapes else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        transposed = functional.conv_transpose2d if self.two_dimensional else functional.conv_transpose1d
        spatial = (2, 3) if self.two_dimensional else (2,)
        weight = self.weight.flip(spatial) if self.flip else self.weight
        whole = transposed(x, weight, self.bias, self.stride, 0, self.more, self.groups, self.dilation)
        return functional.pad(whole, self.crops)


def _convolution(layer: _Convolution, input_shape: Shape) -> nn.Module:
    """PyTorch's own layer where it has the same padding, so that timings compare its fast path."""
    geometry = layer.geometry(input_shape)
    top, bottom, left, right = geometry.padding
    if layer.flip or top != bottom or left != right:
        if isinstance(layer, layers.Conv1d | layers.Conv2d):
            return PaddedConv(layer, input_shape)
        return TransposedConv(layer, input_shape)
    axes = slice(1, None) if len(input_shape) == 2 else slice(None)
    options: dict[str, Any] = {
        "stride": geometry.stride[axes],
        "padding": (top, left)[axes],
        "dilation": geometry.dilation[axes],
        "groups": layer.groups,
        "bias": layer.bias,
    }
    kinds: tuple[Callable[..., nn.Module], ...] = (nn.Conv1d, nn.Conv2d)
    if isinstance(layer, layers.ConvTranspose1d | layers.ConvTranspose2d):
        kinds = (nn.ConvTranspose1d, nn.ConvTranspose2d)
        options["output_padding"] = layer.output_padding
    return kinds[len(input_shape) - 2](input_shape[0], layer.out_channels, geometry.kernel[axes], **options)


class Function(nn.Module):
    """A layer without parameters."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Residual(nn.Sequential):
    """``x + layers(x)``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for layer in self:
            y = layer(y)
        return x + y


def _aggregate(mode: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Over positions, per label; ``softmax`` runs over all labels and positions together."""

    def all_positions(x: torch.Tensor) -> torch.Tensor:
        return functional.softmax(x.flatten(1), dim=1).view(x.shape).flatten(2).sum(2)

    modes: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "max": lambda x: x.flatten(2).amax(2),
        "mean": lambda x: x.flatten(2).mean(2),
        "logsumexp": lambda x: x.flatten(2).logsumexp(2),
        "softmax": all_positions,
    }
    return modes[mode]


class LogMel(nn.Module):
    """`(N, 1, T)` to `(N, n_mels, frames)`, by PyTorch's own short-time Fourier transform.

    Args:
        layer: what it is the twin of.
        hop: samples between frames, if not the layer's.
    """

    def __init__(self, layer: layers.LogMel, hop: int | None = None) -> None:
        super().__init__()
        self.window, self.mel = (torch.tensor(each) for each in (layer.window(), layer.filters()))
        self.size, self.hop = layer.n_fft, hop or layer.hop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        window, mel = self.window.to(x.dtype), self.mel.to(x.dtype)
        spectrum = torch.stft(x[:, 0], self.size, self.hop, window=window, center=False, return_complex=True)
        return torch.log(mel @ (spectrum.real**2 + spectrum.imag**2) + 1e-6)


def _pool(layer: layers.Layer, input_shape: Shape) -> nn.Module:
    assert isinstance(layer, layers.MaxPool1d | layers.MaxPool2d | layers.AvgPool1d | layers.AvgPool2d)
    geometry = layer.geometry(input_shape)
    axes = slice(1, None) if len(input_shape) == 2 else slice(None)
    top, _, left, _ = geometry.padding
    kinds: dict[type, type[nn.Module]] = {
        layers.MaxPool1d: nn.MaxPool1d,
        layers.MaxPool2d: nn.MaxPool2d,
        layers.AvgPool1d: nn.AvgPool1d,
        layers.AvgPool2d: nn.AvgPool2d,
    }
    return kinds[type(layer)](
        geometry.kernel[axes], geometry.stride[axes], (top, left)[axes], ceil_mode=layer.ceil_mode
    )


def _downsample(stride: tuple[int, int], flat: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    rows, columns = stride
    return (lambda x: x[..., ::columns]) if flat else (lambda x: x[..., ::rows, ::columns])


def _module(layer: layers.Layer, input_shape: Shape) -> nn.Module:
    """One layer's twin."""
    flat = len(input_shape) == 2
    match layer:
        case layers.Sequential() | layers.Residual():
            children = []
            shape = input_shape
            for child in layer.layers:
                children.append(_module(child, shape))
                shape = child.output_shape(shape)
            return Residual(*children) if isinstance(layer, layers.Residual) else nn.Sequential(*children)
        case layers.Conv1d() | layers.Conv2d() | layers.ConvTranspose1d() | layers.ConvTranspose2d():
            return _convolution(layer, input_shape)
        case layers.Linear():
            return nn.Linear(input_shape[0], layer.out_features, bias=layer.bias)
        case layers.MaxPool1d() | layers.MaxPool2d() | layers.AvgPool1d() | layers.AvgPool2d():
            return _pool(layer, input_shape)
        case layers.Downsample1d() | layers.Downsample2d():
            return Function(_downsample(layer.geometry(input_shape).stride, flat))
        case layers.Pad1d() | layers.Pad2d():
            top, bottom, left, right = layer.pads
            if flat:
                return nn.ConstantPad1d((left, right), layer.value)
            return nn.ConstantPad2d((left, right, top, bottom), layer.value)
        case layers.Aggregate():
            return Function(_aggregate(layer.mode))
        case layers.LogMel():
            return LogMel(layer)
        case layers.LeakyReLU():
            return nn.LeakyReLU(layer.negative_slope)
        case layers.PReLU():
            return nn.PReLU(layer.num_parameters, layer.init)
        case layers.GELU():
            return nn.GELU(layer.approximate)
        case layers.BatchNorm():
            kind = nn.BatchNorm2d if len(input_shape) == 3 else nn.BatchNorm1d
            return kind(input_shape[0], layer.eps, layer.momentum, layer.affine)
        case layers.Dropout():
            return nn.Dropout(layer.p)
        case layers.ScaledTanh():
            return Function(lambda x: 1.7159 * torch.tanh(2.0 / 3.0 * x))
        case layers.Softmax():
            return nn.Softmax(dim=1)
    plain: dict[type, type[nn.Module]] = {
        layers.ReLU: nn.ReLU,
        layers.SiLU: nn.SiLU,
        layers.Sigmoid: nn.Sigmoid,
        layers.Tanh: nn.Tanh,
        layers.Flatten: nn.Flatten,
    }
    if type(layer) not in plain:
        raise NotImplementedError(f"torch_twin has no translation of {layer!r}")
    return plain[type(layer)]()


def to_torch(network: layers.Sequential, input_shape: Shape) -> nn.Module:
    """The network as a ``torch.nn.Module`` with the same parameter names and layouts.

    Args:
        network: the layers.
        input_shape: channels first, without the batch: ``(C, T)``, ``(C, H, W)`` or ``(D,)``.

    Returns:
        A module that takes ``(N, *input_shape)``.

    Raises:
        NotImplementedError: a layer that has no translation here.
    """
    return _module(network, tuple(input_shape))


def copy_parameters(parameters: Mapping[str, NDArray[np.floating]], module: nn.Module) -> None:
    """Copies parameters by name; every name and shape must match. PyTorch's counts of batches stay as they are."""
    tensors = {name: torch.tensor(np.asarray(value)) for name, value in parameters.items()}
    counts = {name: value for name, value in module.state_dict().items() if "num_batches_tracked" in name}
    module.load_state_dict(counts | tensors)


def twin_of(model: sw.Model) -> nn.Module:
    """A PyTorch module with this model's network and a copy of its parameters."""
    module = to_torch(model.network, model.input_shape)
    copy_parameters(model.parameters, module)
    return module
