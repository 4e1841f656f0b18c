"""Downsampling, forward and backward (lecture 5.9)."""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import address, each_vector
from scanwise.kernels.maps import FeatureMap

__all__ = ["DownsampleBackward", "DownsampleForward"]


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


# dL/dx(p sh, q sw) = dL/dy(p, q),    zero elsewhere: skipped positions influenced nothing


@dataclass(frozen=True)
class DownsampleBackward:
    """dx from dy. Arguments: dy, dx."""

    stride: tuple[int, int]
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        dy, dx = e.arguments
        sh, sw = self.stride

        def zero(n: Index, h: Index, w: Index, c: Index, lanes: int, _: int) -> None:
            e.store(e.constant(0.0, lanes), dx, address(e, self.dx, n, h, w, c))

        def kept(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
            e.store(value, dx, address(e, self.dx, n, e.mul(p, sh), e.mul(q, sw), c))

        if (sh, sw) != (1, 1):
            each_vector(e, self.dx, zero)
        each_vector(e, self.dy, kept)
