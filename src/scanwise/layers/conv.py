"""Convolution: a filter is one neuron, reused at every position (lecture 3, 5.3 to 5.7)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ArgumentError, ShapeError

from . import arguments
from .base import Layer, Shape
from .window import _Windowed


def check_groups(kind: str, out_channels: int, groups: int) -> None:
    """Raises where groups would not have the same number of output channels."""
    if out_channels % groups:
        raise ArgumentError(
            f"{kind}: out_channels must be a multiple of groups {groups}. Got {out_channels}."
        )


def check_input_groups(layer: Layer, input_shape: Shape, groups: int) -> None:
    """Raises where groups would not have the same number of input channels."""
    if input_shape[0] % groups:
        raise ShapeError(
            f"{layer.label()}: input channels must be a multiple of groups {groups}. "
            f"Got {input_shape[0]} (input shape {input_shape})."
        )


def both_ends(padding: arguments.Sizes, axis: int, axes: int) -> tuple[int, int]:
    """(before, after) along `axis`: a pair is (before, after) on one axis, (rows, columns) on two."""
    if isinstance(padding, int):
        return padding, padding
    return (padding[0], padding[1]) if axes == 1 else (padding[axis], padding[axis])


@dataclass(frozen=True, repr=False)
class _Conv(_Windowed):
    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] | str = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    bias: bool = True
    flip: bool = False
    connections: arguments.Table | None = None

    padding_words: ClassVar[tuple[str, ...]] = ("valid", "same")
    padding_counts: ClassVar[tuple[int, ...]]

    def __post_init__(self) -> None:
        kind = type(self).__name__
        self._settle("out_channels", arguments.integer(kind, "out_channels", self.out_channels))
        for name in ("kernel_size", "stride", "dilation"):
            self._settle(name, arguments.sizes(kind, name, getattr(self, name), (self.axes,)))
        if isinstance(self.padding, str):
            arguments.choice(kind, "padding", self.padding, self.padding_words)
        else:
            padding = arguments.sizes(kind, "padding", self.padding, self.padding_counts, minimum=0)
            self._settle("padding", padding)
        self._settle("groups", arguments.integer(kind, "groups", self.groups))
        self._settle("bias", arguments.boolean(kind, "bias", self.bias))
        self._settle("flip", arguments.boolean(kind, "flip", self.flip))
        check_groups(kind, self.out_channels, self.groups)
        if self.padding == "same" and self.stride != 1:
            raise ArgumentError(f"{kind}: stride must be 1 where padding is 'same'. Got {self.stride}.")
        if self.connections is not None:
            self._settle("connections", self._table(self.connections))

    def _table(self, given: object) -> tuple[tuple[int, ...], ...]:
        kind = type(self).__name__
        if self.groups != 1:
            raise ArgumentError(f"{kind}: groups must be 1 where connections are given. Got {self.groups}.")
        table = arguments.bits(kind, "connections", given)
        if len(table) != self.out_channels:
            raise ArgumentError(
                f"{kind}: connections must have out_channels {self.out_channels} rows. Got {len(table)}."
            )
        for k, row in enumerate(table):
            if not any(row):
                raise ArgumentError(
                    f"{kind}: output channel {k} must see at least one input channel. Got row {row}."
                )
        return table

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        kernel = arguments.per_axis(self.kernel_size, self.axes)
        dilation = arguments.per_axis(self.dilation, self.axes)
        padding = tuple(
            self._padding(axis, dilation[axis] * (kernel[axis] - 1) + 1) for axis in range(self.axes)
        )
        return kernel, arguments.per_axis(self.stride, self.axes), dilation, padding

    def _padding(self, axis: int, reach: int) -> tuple[int, int]:
        """(before, after) along `axis` for a kernel that reaches over `reach` positions."""
        if self.padding == "valid":
            return 0, 0
        if self.padding == "same":  # lecture 5.6. Odd K: (K-1)/2 on both sides; even K: K/2, then K/2 - 1
            return reach // 2, (reach - 1) // 2
        if self.padding == "causal":  # no output sees a later input
            return reach - 1, 0
        assert not isinstance(self.padding, str)
        return both_ends(self.padding, axis, self.axes)

    def output_shape(self, input_shape: Shape) -> Shape:
        geometry = self.geometry(input_shape)
        check_input_groups(self, input_shape, self.groups)
        if self.connections is not None and input_shape[0] != len(self.connections[0]):
            raise ShapeError(
                f"{self.label()}: input channels must be the {len(self.connections[0])} columns of connections. "
                f"Got {input_shape[0]} (input shape {input_shape})."
            )
        return (self.out_channels, *geometry.output[2 - self.axes :])

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        self.output_shape(input_shape)
        kernel = arguments.per_axis(self.kernel_size, self.axes)
        if self.connections is None:
            kernels: Shape = (self.out_channels, input_shape[0] // self.groups)
        else:
            kernels = (sum(map(sum, self.connections)),)
        shapes: dict[str, Shape] = {"weight": (*kernels, *kernel)}
        if self.bias:
            shapes["bias"] = (self.out_channels,)
        return shapes

    def operations(self, input_shape: Shape) -> int:
        positions = math.prod(self.output_shape(input_shape)[1:])
        products = math.prod(self.parameter_shapes(input_shape)["weight"])
        return positions * (2 * products + (self.out_channels if self.bias else 0))

    def connection_count(self, input_shape: Shape) -> int:
        positions = math.prod(self.output_shape(input_shape)[1:])
        return positions * sum(math.prod(shape) for shape in self.parameter_shapes(input_shape).values())


@dataclass(frozen=True, repr=False)
class Conv1d(_Conv):
    """Convolution over time: `(C, T)` to `(out_channels, Q)` (lecture 2; a time-delay layer, 6.1).

    Args:
        out_channels: number of filters K.
        kernel_size: filter extent S, in time steps.
        stride: time steps between neighbouring outputs.
        padding: zeros on both ends; or (before, after); or `"valid"` (none), `"same"` (as many outputs as
            inputs; even kernels: S/2 before, S/2 - 1 after, lecture 5.6), `"causal"` (all before: no output
            sees the future).
        dilation: distance between the inputs of one filter.
        groups: input and output channels fall into this many groups that do not see each other.
        bias: whether a bias is added.
        flip: True for convolution in the mathematical sense; False for cross-correlation, as in PyTorch.
        connections: table `(K, C)` of 0 and 1: the input channels that each output channel sees (LeCun et al. 1998,
            table I); None for all. Not together with `groups`.

    Parameters: `weight (K, C/groups, S)`, `bias (K,)`. With `connections` the weights are one kernel for each 1 of
    the table, row by row: `weight (E, S)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Conv1d(64, 5).output_shape((40, 100))
    (64, 96)
    """

    axes: ClassVar[int] = 1
    padding_words: ClassVar[tuple[str, ...]] = ("valid", "same", "causal")
    padding_counts: ClassVar[tuple[int, ...]] = (1, 2)


@dataclass(frozen=True, repr=False)
class Conv2d(_Conv):
    """Convolution over an image: `(C, H, W)` to `(out_channels, P, Q)` (lecture 3.2, 5.4).

    Args:
        out_channels: number of filters K.
        kernel_size: filter extent, R = S or (R, S), in pixels.
        stride: pixels between neighbouring outputs, or (rows, columns).
        padding: zeros on every side, or (rows, columns); or `"valid"` (none), `"same"` (as many outputs as
            inputs; even kernels: K/2 before, K/2 - 1 after, lecture 5.6).
        dilation: distance between the inputs of one filter, or (rows, columns).
        groups: input and output channels fall into this many groups that do not see each other.
        bias: whether a bias is added.
        flip: True for convolution in the mathematical sense; False for cross-correlation, as in PyTorch.
        connections: table `(K, C)` of 0 and 1: the input channels that each output channel sees (LeCun et al. 1998,
            table I); None for all. Not together with `groups`.

    Parameters: `weight (K, C/groups, R, S)`, `bias (K,)`. With `connections` the weights are one kernel for each 1 of
    the table, row by row: `weight (E, R, S)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Conv2d(6, 5, padding="same").output_shape((1, 28, 28))
    (6, 28, 28)
    """

    axes: ClassVar[int] = 2
    padding_counts: ClassVar[tuple[int, ...]] = (2,)
