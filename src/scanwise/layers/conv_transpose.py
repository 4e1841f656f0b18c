"""Transposed convolution: the adjoint of convolution, every input spread over the outputs (lecture 8.6 to 8.8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ArgumentError, ShapeError

from . import arguments
from .base import Layer, Shape
from .conv import both_ends, check_groups, check_input_groups
from .window import Geometry


@dataclass(frozen=True, repr=False)
class _ConvTranspose(Layer):
    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] = 0
    output_padding: int | tuple[int, ...] = 0
    groups: int = 1
    bias: bool = True
    dilation: int | tuple[int, ...] = 1
    flip: bool = False

    axes: ClassVar[int]
    padding_counts: ClassVar[tuple[int, ...]]

    def __post_init__(self) -> None:
        kind = type(self).__name__
        self._settle("out_channels", arguments.integer(kind, "out_channels", self.out_channels))
        for name in ("kernel_size", "stride", "dilation"):
            self._settle(name, arguments.sizes(kind, name, getattr(self, name), (self.axes,)))
        padding = arguments.sizes(kind, "padding", self.padding, self.padding_counts, minimum=0)
        self._settle("padding", padding)
        more = arguments.sizes(kind, "output_padding", self.output_padding, (self.axes,), minimum=0)
        self._settle("output_padding", more)
        self._settle("groups", arguments.integer(kind, "groups", self.groups))
        self._settle("bias", arguments.boolean(kind, "bias", self.bias))
        self._settle("flip", arguments.boolean(kind, "flip", self.flip))
        check_groups(kind, self.out_channels, self.groups)
        if any(
            p >= max(s, d) for p, s, d in zip(*self._per_axis(more, self.stride, self.dilation), strict=True)
        ):
            raise ArgumentError(
                f"{kind}: output_padding must be smaller than stride {self.stride} or dilation {self.dilation}. "
                f"Got {self.output_padding}."
            )

    @property
    def unshared(self) -> str | None:
        return "adds neighbouring windows together at their edges"

    def _per_axis(self, *sizes: arguments.Sizes) -> list[tuple[int, ...]]:
        return [arguments.per_axis(each, self.axes) for each in sizes]

    def geometry(self, input_shape: Shape) -> Geometry:
        """The windows of the convolution whose adjoint this layer is.

        They lie in this layer's output, `padding` around it, and there is one for each position of its input:
        `Geometry.output` is the input's extent.

        Raises:
            ShapeError: the input has another number of axes.
        """
        self._expect_axes(input_shape, self.axes + 1)
        kernel, stride, dilation = self._per_axis(self.kernel_size, self.stride, self.dilation)
        (top, bottom), (left, right) = [(0, 0), *map(self._padding, range(self.axes))][-2:]
        extents = ((1,) * (2 - self.axes) + sizes for sizes in (kernel, stride, dilation, input_shape[1:]))
        (R, S), (sh, sw), (dh, dw), (H, W) = extents
        return Geometry((R, S), (sh, sw), (dh, dw), (top, bottom, left, right), (H, W))

    def _padding(self, axis: int) -> tuple[int, int]:
        return both_ends(self.padding, axis, self.axes)

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, self.axes + 1)
        check_input_groups(self, input_shape, self.groups)
        return (self.out_channels, *(self._extent(input_shape, axis) for axis in range(self.axes)))

    def _extent(self, input_shape: Shape, axis: int) -> int:
        """(N - 1) stride + K - padding, with K the extent after dilation, and `output_padding` more."""
        sizes = self._per_axis(self.kernel_size, self.stride, self.dilation, self.output_padding)
        kernel, stride, dilation, more = (each[axis] for each in sizes)
        reached = (input_shape[1 + axis] - 1) * stride + dilation * (kernel - 1) + 1
        extent = reached - sum(self._padding(axis)) + more
        if extent < 1:
            name = "T" if self.axes == 1 else "HW"[axis]
            raise ShapeError(
                f"{self.label()}: output extent {name} must be at least 1. Got {extent} (input shape {input_shape})."
            )
        return extent

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        self.output_shape(input_shape)
        (kernel,) = self._per_axis(self.kernel_size)
        shapes: dict[str, Shape] = {"weight": (input_shape[0], self.out_channels // self.groups, *kernel)}
        if self.bias:
            shapes["bias"] = (self.out_channels,)
        return shapes

    def operations(self, input_shape: Shape) -> int:
        biases = math.prod(self.output_shape(input_shape)) if self.bias else 0
        return 2 * self._products(input_shape) + biases

    def connection_count(self, input_shape: Shape) -> int:
        biases = math.prod(self.output_shape(input_shape)) if self.bias else 0
        return self._products(input_shape) + biases

    def _products(self, input_shape: Shape) -> int:
        """Every input meets every weight of its channel."""
        return math.prod(input_shape) * math.prod(self.parameter_shapes(input_shape)["weight"][1:])

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """An upper bound, since outputs see different numbers of inputs, and a step of 1.

        Output o sees inputs from (o - d (K - 1)) / s to o / s, counted from the first: they span at most
        floor(d (K - 1) / s) + 1 positions. Neighbouring outputs lie 1/s of an input position apart. The step, which
        is a whole number, says 1: so the receptive fields of layers that follow are upper bounds as well.
        """
        self._expect_axes(input_shape, self.axes + 1)
        sizes = zip(*self._per_axis(self.kernel_size, self.stride, self.dilation), strict=True)
        return tuple(d * (k - 1) // s + 1 for k, s, d in sizes), (1,) * self.axes


@dataclass(frozen=True, repr=False)
class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over time: `(C, T)` to `(out_channels, Q)`, the adjoint of `Conv1d`.

    With the weights of a `Conv1d` of the same arguments it is that layer's input gradient: <conv(x), y> =
    <x, transposed(y)>. It undoes the size of a convolution, not the convolution (lecture 8.8).
    Q = (T - 1) stride - before - after + dilation (S - 1) + output_padding + 1.

    Args:
        out_channels: number of output channels K.
        kernel_size: filter extent S, in time steps.
        stride: time steps of the output between the places of neighbouring inputs.
        padding: time steps cut off both ends of the output; or (before, after).
        output_padding: time steps more at the end of the output, fewer than `stride` or `dilation`: of the input
            sizes that a strided convolution maps to the same output size, it picks one.
        groups: input and output channels fall into this many groups that do not see each other.
        bias: whether a bias is added.
        dilation: distance between the outputs of one filter.
        flip: True for the adjoint of convolution in the mathematical sense; False for that of cross-correlation,
            as in PyTorch.

    Parameters: `weight (C, K/groups, S)`, `bias (K,)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> ConvTranspose1d(8, 4, stride=2, padding=1).output_shape((16, 50))
    (8, 100)
    """

    axes: ClassVar[int] = 1
    padding_counts: ClassVar[tuple[int, ...]] = (1, 2)


@dataclass(frozen=True, repr=False)
class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution over an image: `(C, H, W)` to `(out_channels, P, Q)`, the adjoint of `Conv2d`.

    With the weights of a `Conv2d` of the same arguments it is that layer's input gradient: <conv(x), y> =
    <x, transposed(y)>. It undoes the size of a convolution, not the convolution (lecture 8.8).
    P = (H - 1) stride - 2 padding + dilation (R - 1) + output_padding + 1, and Q likewise.

    Args:
        out_channels: number of output channels K.
        kernel_size: filter extent, R = S or (R, S), in pixels.
        stride: pixels of the output between the places of neighbouring inputs, or (rows, columns).
        padding: pixels cut off every side of the output, or (rows, columns).
        output_padding: pixels more at the bottom and the right of the output, or (rows, columns); fewer than
            `stride` or `dilation`.
        groups: input and output channels fall into this many groups that do not see each other.
        bias: whether a bias is added.
        dilation: distance between the outputs of one filter, or (rows, columns).
        flip: True for the adjoint of convolution in the mathematical sense; False for that of cross-correlation,
            as in PyTorch.

    Parameters: `weight (C, K/groups, R, S)`, `bias (K,)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> ConvTranspose2d(6, 3, stride=2, padding=1, output_padding=1).output_shape((16, 14, 14))
    (6, 28, 28)
    """

    axes: ClassVar[int] = 2
    padding_counts: ClassVar[tuple[int, ...]] = (2,)
