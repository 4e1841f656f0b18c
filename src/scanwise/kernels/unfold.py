"""Unfold, forward and backward: every window of a map as a vector (lecture 1.2, step 2).

Only a scanning MLP that does not begin with a `Linear` needs it: any other is a convolution, which reads its windows
where they lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import Activation, address, each_vector
from scanwise.kernels.flatten import FlattenCopy
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.layers import Shape, Unfold1d, Unfold2d

__all__ = ["UnfoldBackward", "UnfoldOperation"]


# y_(c,r,s)(p, q) = x_c(p sh + r, q sw + s) is `FlattenCopy` with a stride. A value is copied into every window that it
# lies in, so the gradients of its copies add:
#
#   dx_c(i, j) = sum over the p, q, r, s with i = p sh + r, j = q sw + s of dy_(c,r,s)(p, q)


@dataclass(frozen=True)
class UnfoldBackward:
    """dx from dy. Arguments: dy, dx."""

    window: tuple[int, int]
    stride: tuple[int, int]
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        _, dx = e.arguments

        def zero(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            e.store(e.constant(0.0, lanes), dx, address(e, self.dx, n, p, q, c))

        each_vector(e, self.dx, zero)
        FlattenCopy(self.dx, self.dy, self.window, backward=True, stride=self.stride, adds=True).emit(e)


@dataclass(frozen=True)
class UnfoldOperation(Operation):
    """`Unfold1d` or `Unfold2d` in a network.

    Attributes:
        window: (R, S).
        stride: (sh, sw).
    """

    window: tuple[int, int]
    stride: tuple[int, int]

    @property
    def output(self) -> Extent:
        rows, columns = (
            (extent - window) // step + 1
            for extent, window, step in zip(self.extent[1:], self.window, self.stride, strict=True)
        )
        return self.extent[0] * self.window[0] * self.window[1], rows, columns

    @property
    def step(self) -> tuple[int, int]:
        return self.stride

    def resized(self, rows: int, columns: int) -> "UnfoldOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        kernel = FlattenCopy(maps.x, maps.y, self.window, backward=False, stride=self.stride)
        return (Call(kernel, ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(UnfoldBackward(self.window, self.stride, dy, dx), ("dy", "dx")),)


@lower.register
def _(layer: Unfold1d | Unfold2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    return (UnfoldOperation(extent, geometry.kernel, geometry.stride),)
