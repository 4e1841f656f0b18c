"""A 3 x 3 convolution by Winograd's algorithm in a network: which one, and its calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.kernels.activation import Activation
from scanwise.kernels.conv import ConvOperation
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.cut import ROWS, Cut, windows_read
from scanwise.kernels.operation import Border, Call, Derived, Maps, Operation
from scanwise.kernels.routes import Routed
from scanwise.kernels.window import Pooling
from scanwise.kernels.winograd import WinogradConvolution, overhang
from scanwise.kernels.winograd_gradient import WinogradGradient
from scanwise.kernels.winograd_transforms import LANES, REACH, TILE, WinogradWeights, tiles_of

__all__ = ["WinogradOperation", "faster", "is_suitable"]


def is_suitable(convolution: Convolution) -> bool:
    """Whether this convolution is one that the algorithm is for, and where it was measured to be faster."""
    c = convolution
    plain = c.kernel == (3, 3) and c.stride == c.dilation == (1, 1) and c.groups == 1
    whole = c.channels % LANES == c.outputs % LANES == 0
    return plain and whole and min(*c.positions, *c.extent) >= TILE and max(c.padding) <= 2


@dataclass(frozen=True)
class WinogradOperation(ConvOperation):
    """A convolution in a network by Winograd's algorithm, all three passes."""

    @property
    def reads_values(self) -> bool:  # type: ignore[override]
        return False

    @property
    def border(self) -> Border:
        below, right = overhang(self.convolution.positions)
        top, bottom, left, last = self.padding
        return top, bottom + below, left, last + right

    def _backward_padding(self) -> tuple[int, int]:
        top, left = self.convolution.padding
        return 2 - top, 2 - left

    def gradient_border(self) -> Border:
        c = self.convolution
        sides: list[int] = []
        for axis, before in enumerate(self._backward_padding()):
            reach = tiles_of(c.extent)[axis] * TILE + REACH - TILE
            # The weight gradient reads dz in the forward pass's tiles.
            sides += [before, max(overhang(c.positions)[axis], reach - before - c.positions[axis])]
        return sides[0], sides[1], sides[2], sides[3]

    def _forward_kernel(self, maps: Maps) -> WinogradConvolution:
        c = self.convolution
        return WinogradConvolution(maps.x, maps.y, c.padding, c.bias, self.activation, None, maps.samples)

    def forward(self, maps: Maps) -> Sequence[Call]:
        bias = "bias" if self.convolution.bias else "none"
        return (Call(self._forward_kernel(maps), ("x", "transformed", bias, "y", "scratch")),)

    @property
    def work(self) -> int:
        """A quarter of the direct sum's products, and about as much again for the transforms."""
        return self.convolution.work // 2

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        """Over rows of tiles."""
        (whole,) = self.forward(maps)
        c = self.convolution

        def calls(first: int, stop: int) -> Sequence[Call]:
            kernel = replace(self._forward_kernel(maps), y=replace(maps.y, height=stop - first))
            starts = {"x": first * maps.x.row, "y": first * maps.y.row}
            return (Call(kernel, whole.arguments, tuple(starts.get(name, 0) for name in whole.arguments)),)

        reads = windows_read(3, 1, 1, c.padding[0], c.extent[0])
        return (Cut(ROWS, c.positions[0], TILE, calls, reads),)

    def _backward_kernel(self, maps: Maps, activation: Activation | None) -> WinogradConvolution:
        dy, dx = maps.gradients
        saved = maps.x if activation is not None else None
        return WinogradConvolution(dy, dx, self._backward_padding(), False, activation, saved, maps.samples)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        saved = "x" if activation is not None else "none"
        kernel = self._backward_kernel(maps, activation)
        return (Call(kernel, ("dy", "derived", saved, "dx", "scratch")),)

    def backward_cuts(self, maps: Maps, activation: Activation | None) -> Sequence[Cut]:
        return ()  # gradients of single samples are exact

    def transformed(self) -> Derived | None:
        kernel = WinogradWeights(self.convolution, backward=False)
        return Derived(kernel.size, kernel.parts())

    def derived(self, maps: Maps) -> Derived | None:
        kernel = WinogradWeights(self.convolution, backward=True)
        return Derived(kernel.size, kernel.parts(), kernel.scratch)

    def _weight_kernel(self, maps: Maps) -> WinogradGradient:
        assert maps.dy is not None
        return WinogradGradient(self.convolution, maps.x, maps.dy, maps.samples)

    def weight_gradient(self, maps: Maps) -> Call:
        return Call(self._weight_kernel(maps), ("x", "dy", "d weight", "scratch"))

    def routed(self, maps: Maps, pooling: Pooling) -> Routed | None:
        return None  # a quarter of the products of the direct sum, as here

    def scratch(self, maps: Maps) -> int:
        if maps.dx is not None:
            return self._backward_kernel(maps, None).scratch
        return (self._forward_kernel(maps) if maps.dy is None else self._weight_kernel(maps)).scratch


def faster(operation: Operation) -> Operation:
    """The operation by Winograd's algorithm where that is for it."""
    if type(operation) is ConvOperation and not operation.scaled and is_suitable(operation.convolution):
        return WinogradOperation(
            operation.extent,
            operation.convolution,
            operation.padding,
            activation=operation.activation,
            connections=operation.connections,
        )
    return operation
