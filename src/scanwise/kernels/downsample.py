"""Downsampling, forward and backward (lecture 5.9)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import Activation, address, each_vector
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.layers import Downsample1d, Downsample2d, Shape

__all__ = ["DownsampleBackward", "DownsampleForward", "spread"]


# y(p, q) = x(p sh, q sw)


@dataclass(frozen=True)
class DownsampleForward:
    """Keep every sh-th row and sw-th column. Arguments: x, y."""

    stride: tuple[int, int]
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        sh, sw = self.stride

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = e.load(x, address(e, self.x, n, e.mul(p, sh), e.mul(q, sw), c), lanes)
            e.store(value, y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


def spread(e: Emitter, x: FeatureMap, y: FeatureMap, stride: tuple[int, int]) -> None:
    """Write every sh-th row and sw-th column of y. Arguments of the kernel: x, y."""
    source, goal = e.arguments
    sh, sw = stride

    def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
        value = e.load(source, address(e, x, n, p, q, c), lanes)
        e.store(value, goal, address(e, y, n, e.mul(p, sh), e.mul(q, sw), c))

    each_vector(e, x, vector)


# dL/dx(p sh, q sw) = dL/dy(p, q),    zero elsewhere: skipped positions influenced nothing


@dataclass(frozen=True)
class DownsampleBackward:
    """dx from dy. Arguments: dy, dx."""

    stride: tuple[int, int]
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        _, dx = e.arguments

        def zero(n: Index, h: Index, w: Index, c: Index, lanes: int, _: int) -> None:
            e.store(e.constant(0.0, lanes), dx, address(e, self.dx, n, h, w, c))

        if self.stride != (1, 1):
            each_vector(e, self.dx, zero)
        spread(e, self.dy, self.dx, self.stride)


@dataclass(frozen=True)
class DownsampleOperation(Operation):
    """`Downsample1d` or `Downsample2d` in a network.

    Attributes:
        stride: (sh, sw).
    """

    stride: tuple[int, int]

    @property
    def output(self) -> Extent:
        rows, columns = (
            (extent - 1) // step + 1 for extent, step in zip(self.extent[1:], self.stride, strict=True)
        )
        return self.extent[0], rows, columns

    @property
    def step(self) -> tuple[int, int]:
        return self.stride

    def resized(self, rows: int, columns: int) -> "DownsampleOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(DownsampleForward(self.stride, maps.x, maps.y), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(DownsampleBackward(self.stride, dy, dx), ("dy", "dx")),)


@lower.register
def _(layer: Downsample1d | Downsample2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (DownsampleOperation(extent, layer.geometry(shape).stride),)
