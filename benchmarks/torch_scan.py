"""A window network over a larger signal in PyTorch: the ways that somebody would write, of which the quickest counts.

- dilated: each layer runs once over the whole signal. At the network's own stride that is the fully convolutional
  network (Long et al. 2015, section 3.1); at finer steps strides become dilations (section 3.2; Li et al. 2014).
- shifted: the fully convolutional network once for each shift of the signal within the stride; results interlaced.
- windows: cut out by `unfold`, in batches, where a layer pads inside the window: nothing else is exact there, and
  elsewhere it takes tens of times as long. A `LogMel` in front runs once over the signal if the step allows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

import scanwise as sw
from benchmarks.torch_twin import LogMel, copy_parameters, twin_of
from scanwise import layers, shapes

__all__ = ["Way", "ways"]

Way = Callable[[torch.Tensor], torch.Tensor]
"""Scores `(K, *windows)` of a signal `(C, *extent)`."""

Axes = tuple[int, ...]

BATCH = 64
"""Windows in a batch: larger ones leave the cache."""


def _counts(x: torch.Tensor, window: Axes, step: Axes) -> Axes:
    """Windows along each axis. Layers would find more where a window's last samples reach no output."""
    return tuple((e - w) // s + 1 for e, w, s in zip(x.shape[1:], window, step, strict=True))


def _first(scores: torch.Tensor, counts: Axes) -> torch.Tensor:
    return scores[(slice(None), *map(slice, counts))]


def ways(model: sw.Model, step: Axes) -> dict[str, Way]:
    """By name. `step` must be the network's stride, or divide it."""
    if shapes.has_padding(model.network, model.input_shape) is not None:
        return {"windows": _windows(model, step)}
    stride = shapes.receptive_field(model.network, model.input_shape)[1]
    found: dict[str, Way] = {"dilated": Dilated(model, step)}
    if step != stride:
        found["shifted"] = _shifted(Dilated(model, stride), step, stride, model.input_shape[1:])
    return found


# --- each layer once over the whole signal --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Where the values of a map lie in the signal.

    Attributes:
        stride: samples between values that are neighbours for a window.
        spacing: samples between values that are computed: less where windows lie between.
        step: samples between windows.
        extent: values that a window has.
    """

    stride: Axes
    spacing: Axes
    step: Axes
    extent: Axes

    @property
    def dilation(self) -> Axes:
        """Computed values between neighbours of a window."""
        return tuple(s // g for s, g in zip(self.stride, self.spacing, strict=True))

    def after(self, stride: Axes, extent: Axes) -> _Grid:
        """Behind a layer of this stride, whose output in a window is `extent`."""
        wide = tuple(s * t for s, t in zip(self.stride, stride, strict=True))
        spacing = tuple(math.gcd(s, t) for s, t in zip(wide, self.step, strict=True))
        return replace(self, stride=wide, spacing=spacing, extent=extent)

    def hop(self, after: _Grid) -> Axes:
        """The stride with which this map is read to give that one."""
        return tuple(b // a for a, b in zip(self.spacing, after.spacing, strict=True))


class Dilated(nn.Module):
    """The network, each layer once over the whole signal. A call is a `Way`."""

    def __init__(self, model: sw.Model, step: Axes) -> None:
        super().__init__()
        self.axes, self.window, self.step = len(model.input_shape) - 1, model.input_shape[1:], step
        ones = (1,) * self.axes
        grid = _Grid(ones, ones, step, model.input_shape[1:])
        rows = shapes.walk(model.network, model.input_shape)
        parts: list[nn.Module] = []
        for row in rows:
            values = {
                name: torch.tensor(model.parameters[f"{row.name}.{name}"])
                for name in row.layer.parameter_shapes(row.input_shape)
            }
            part, grid = self._layer(row, values, grid)
            parts.append(part)
        self.parts = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _first(self.parts(x[None])[0], _counts(x, self.window, self.step))

    def _layer(
        self, row: shapes.Row, values: dict[str, torch.Tensor], grid: _Grid
    ) -> tuple[nn.Module, _Grid]:
        """A layer, and where its values lie."""
        layer, flat = row.layer, len(row.output_shape) == 1
        if isinstance(layer, layers.Flatten):
            return nn.Identity(), grid
        if isinstance(layer, layers.LogMel):
            after = grid.after((layer.hop,), row.output_shape[1:])
            return LogMel(layer, grid.hop(after)[0]), after
        if isinstance(layer, layers.Linear):  # a convolution whose kernel is a window's whole map
            after = self._one_value(grid)
            weight = values["weight"].reshape(layer.out_features, -1, *grid.extent)
            return _Convolution(weight, values.get("bias"), grid.hop(after), grid.dilation, 1), after
        if isinstance(layer, layers.Aggregate):
            after = self._one_value(grid)
            return _Pool(layer.mode, row.input_shape[0], grid.extent, grid.hop(after), grid.dilation), after
        if isinstance(layer, layers.ReLU):
            return nn.ReLU(), grid
        if flat or not isinstance(layer, layers.Conv1d | layers.Conv2d | layers.MaxPool1d | layers.MaxPool2d):
            raise NotImplementedError(f"torch_scan has no translation of {layer!r}")
        geometry = layer.geometry(row.input_shape)
        kernel, stride, own = map(self._last, (geometry.kernel, geometry.stride, geometry.dilation))
        after = grid.after(stride, row.output_shape[1:])
        dilation = tuple(d * g for d, g in zip(own, grid.dilation, strict=True))
        if isinstance(layer, layers.MaxPool1d | layers.MaxPool2d):
            return _Pool("max", row.input_shape[0], kernel, grid.hop(after), dilation), after
        hop = grid.hop(after)
        return _Convolution(values["weight"], values.get("bias"), hop, dilation, layer.groups), after

    def _last(self, pair: Axes) -> Axes:
        """Of (rows, columns) the axes that there are."""
        return pair[2 - self.axes :]

    def _one_value(self, grid: _Grid) -> _Grid:
        """Behind what sees a window's whole map: one value a window."""
        return replace(grid, stride=grid.step, spacing=grid.step, extent=(1,) * self.axes)


class _Convolution(nn.Module):
    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor | None, stride: Axes, dilation: Axes, groups: int
    ) -> None:
        super().__init__()
        kinds: tuple[Callable[..., Any], ...] = (nn.Conv1d, nn.Conv2d)
        outputs, inputs, *kernel = weight.shape
        self.convolution = kinds[len(kernel) - 1](
            inputs * groups, outputs, tuple(kernel), stride, 0, dilation, groups, bias is not None
        )
        copy_parameters(
            {"weight": weight.numpy()} | ({} if bias is None else {"bias": bias.numpy()}), self.convolution
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.convolution(x)
        return y


class _Pool(nn.Module):
    """Maximum or mean of windows. PyTorch's mean has no dilation: there it is a convolution of equal weights."""

    def __init__(self, mode: str, channels: int, kernel: Axes, stride: Axes, dilation: Axes) -> None:
        super().__init__()
        one = len(kernel) == 1
        if mode == "max":
            self.pool: nn.Module = (nn.MaxPool1d if one else nn.MaxPool2d)(kernel, stride, 0, dilation)
        elif mode == "mean" and all(d == 1 for d in dilation):
            self.pool = (nn.AvgPool1d if one else nn.AvgPool2d)(kernel, stride)  # type: ignore[arg-type]
        elif mode == "mean":
            equal = torch.full((channels, 1, *kernel), 1.0 / math.prod(kernel))
            self.pool = _Convolution(equal, None, stride, dilation, channels)
        else:
            raise NotImplementedError(f"torch_scan has no Aggregate({mode!r})")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.pool(x)
        return y


# --- once for each shift --------------------------------------------------------------------------------------------


def _shifted(coarse: Way, step: Axes, stride: Axes, window: Axes) -> Way:
    def scan(x: torch.Tensor) -> torch.Tensor:
        counts = _counts(x, window, step)
        scores: torch.Tensor | None = None
        for shift in _shifts(step, stride, counts):
            part = coarse(x[(slice(None), *(slice(i * s, None) for i, s in zip(shift, step, strict=True)))])
            if scores is None:
                scores = part.new_empty((len(part), *counts))
            groups = (s // t for s, t in zip(stride, step, strict=True))
            scores[(slice(None), *(slice(i, None, g) for i, g in zip(shift, groups, strict=True)))] = part
        assert scores is not None
        return scores

    return scan


def _shifts(step: Axes, stride: Axes, counts: Axes) -> Iterator[Axes]:
    return itertools.product(*(range(min(s // t, n)) for s, t, n in zip(stride, step, counts, strict=True)))


# --- windows --------------------------------------------------------------------------------------------------------


def _windows(model: sw.Model, step: Axes) -> Way:
    """The twin on all windows; behind a `LogMel` at whole frames."""
    module = twin_of(model).eval()
    window, hop = model.input_shape[1:], step
    front: nn.Module | None = None
    first = model.network.layers[0]
    if isinstance(first, layers.LogMel) and step[0] % first.hop == 0:
        front, module = module[0], module[1:]  # type: ignore[index]
        window, hop = first.output_shape(model.input_shape)[1:], (step[0] // first.hop,)

    def scan(x: torch.Tensor) -> torch.Tensor:
        views = x if front is None else front(x[None])[0]
        for axis, (size, s) in enumerate(zip(window, hop, strict=True), 1):
            views = views.unfold(axis, size, s)
        counts = _counts(x, model.input_shape[1:], step)
        views = _first(views, counts)
        # (C, *counts, *window) -> (*counts, C, *window)
        cut = views.movedim(0, len(window)).flatten(0, len(window) - 1)
        scores = torch.cat([module(part) for part in cut.split(BATCH)])
        return scores.T.reshape(-1, *counts)

    return scan
