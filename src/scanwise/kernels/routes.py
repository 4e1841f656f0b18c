"""Gradients of a convolution whose output only a max pooling reads: sums over windows rather than positions.

Only the maximum of a window hands its gradient on (lecture 7.2), so of the positions that

    dw[k, r, s, c]                     = sum over (n, p, q) of dz[n, p, q, k] x[n, p sh + r dh, q sw + s, c]    (9.4)
    dx[n, p sh + r dh, q sw + s, c]   += dz[n, p, q, k] w[k, r, s, c]        for all p, q, k, r, s              (8.3)

go over, all but one in each window are zero, a different one for each k. What remains is, for every output channel, one
patch of x, or of dx, a window, and one number. A patch's kernel rows are runs of memory, so they are what vectors hold.

`MaxRoutes` finds where each window's maximum was and what it is handed; `RoutedGradient` and `RoutedInputGradient` sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise.codegen.emitter import I32, Emitter, Index, Value
from scanwise.kernels.activation import Activation, derivative
from scanwise.kernels.conv_gradient import BiasGradient
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import FeatureMap, plain_map
from scanwise.kernels.operation import Call, Derived
from scanwise.kernels.routed_gradient import RoutedGradient
from scanwise.kernels.routed_input_gradient import PatchWeights, RoutedInputGradient
from scanwise.kernels.window import Pooling, Window, each_window, over_channels, over_window, pointer_at

__all__ = ["MaxRoutes", "Routed"]

# How many times as long a patch's multiply-add takes as one of the direct sum: its input comes from memory, and every
# second one from two cache lines (measured: 1.2 to 1.6). In the input gradient its result goes there too.
PATCH_COST = 1.5
INPUT_PATCH_COST = 2.5


@dataclass(frozen=True)
class Routed:
    """The gradients of a convolution through the max pooling that alone reads its output.

    Attributes:
        convolution: the sizes.
        pooling: the windows.
        x: the convolution's input map.
        y: its output map, with its activation applied.
        dy: the map of the gradient by the maxima.
        activation: what was applied.
        samples: most samples in a call.
    """

    convolution: Convolution
    pooling: Pooling
    x: FeatureMap
    y: FeatureMap
    dy: FeatureMap
    activation: Activation | None
    samples: int

    @property
    def pays(self) -> bool:
        """Whether this is for it, and less work than the direct sum."""
        c = self.convolution
        if c.groups > 1 or c.dilation[1] > 1:
            return False
        direct = c.positions[0] * c.positions[1] * c.taps * c.channels * c.outputs
        return PATCH_COST * self._patches * self._sum.vectors * self._sum.lanes < direct

    def input_gradient_pays(self, dx: FeatureMap) -> bool:
        """The same of the input gradient."""
        c = self.convolution
        # A patch that begins in the border would be written there, and columns must be whole vectors.
        if not self.pays or any(c.padding) or dx.bordered or dx.pitch % dx.lanes:
            return False
        direct = c.extent[0] * c.extent[1] * c.taps * c.outputs * dx.pitch
        return INPUT_PATCH_COST * self._patches * c.kernel[1] * dx.pitch < direct

    @property
    def _patches(self) -> int:
        """Kernel rows of all patches."""
        return (
            self.convolution.outputs
            * self.pooling.positions[0]
            * self.pooling.positions[1]
            * self.convolution.kernel[0]
        )

    @property
    def _routes(self) -> FeatureMap:
        return plain_map(self.convolution.outputs, *self.pooling.positions)

    @property
    def _sum(self) -> "RoutedGradient":
        return RoutedGradient(self.convolution, self.x, self._routes, self.samples)

    @property
    def size(self) -> int:
        """Floats of the routes, which "routes" stands for in the calls."""
        return 2 * self.samples * self._routes.size

    @property
    def scratch(self) -> int:
        return self._sum.scratch

    def _find(self, patches: FeatureMap) -> Call:
        steps = self.convolution.stride[0] * patches.row, self.convolution.stride[1] * patches.pitch
        kernel = MaxRoutes(self.pooling, self.y, self.dy, self._routes, steps, self.activation, self.samples)
        return Call(kernel, ("y", "dy", "routes"))

    def calls(self) -> Sequence[Call]:
        """For the parameters, with "y" for the convolution's output and "dy" for the gradient by the maxima."""
        c = self.convolution
        calls = [self._find(self.x), Call(self._sum, ("x", "routes", "d weight", "scratch"))]
        if c.bias:
            bias = BiasGradient(c.at(self.pooling.positions), self._routes)
            calls.append(Call(bias, ("routes", "d bias")))
        return calls

    def input_calls(self, dx: FeatureMap) -> Sequence[Call]:
        """For the input, after `calls`."""
        kernel = RoutedInputGradient(self.convolution, dx, self._routes, self.samples)
        calls = [Call(kernel, ("routes", "derived", "dx"))]
        return calls if (dx.row, dx.pitch) == (self.x.row, self.x.pitch) else [self._find(dx), *calls]

    def derived(self, dx: FeatureMap) -> Derived:
        """The weights as `input_calls` reads them."""
        kernel = PatchWeights(self.convolution, dx.pitch)
        return Derived(kernel.size, [(kernel, 0, 0)])


@dataclass(frozen=True)
class MaxRoutes:
    """What each window hands on, and where the patch of x lies that it is multiplied with. Arguments: y, dy, routes.

    `[2][samples][windows][pitch]`: first the gradients, then how many floats into x (int32) the patch begins.

    Attributes:
        pooling: the windows.
        y: map of what was pooled.
        dy: map of the gradient by the maxima.
        routes: map of one sample's gradients.
        steps: floats of x from one row, and from one column, of y to the next.
        activation: that made y.
        samples: most samples in a call.
    """

    pooling: Pooling
    y: FeatureMap
    dy: FeatureMap
    routes: FeatureMap
    steps: tuple[int, int]
    activation: Activation | None
    samples: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        y, dy, gradients = e.arguments
        places = e.at(gradients, self.samples * self.routes.size)
        lanes = self.y.lanes

        def window(n: Index, w: Window) -> None:
            start = self._integer(e, e.affine((w.row, self.steps[0]), (w.column, self.steps[1])), lanes)

            def vector(c: Index, _count: int, _valid: int) -> None:
                first = pointer_at(e, y, self.y, n, w.row, w.column, c)

                def element(r: Index, s: Index, best: Value, place: Value) -> list[Value]:
                    value = e.load(first, e.affine((r, self.y.row), (s, self.y.pitch)), lanes)
                    here = self._integer(e, e.affine((r, self.steps[0]), (s, self.steps[1])), lanes)
                    larger = e.builder.fcmp_ordered(">", value, best)  # of equal maxima the first
                    return [e.builder.select(larger, value, best), e.builder.select(larger, here, place)]

                best, place = over_window(
                    e, w, element, [e.load(first, 0, lanes), self._integer(e, 0, lanes)]
                )
                gradient = e.load(pointer_at(e, dy, self.dy, n, w.p, w.q, c), 0, lanes)
                if self.activation is not None:
                    gradient = derivative(e, self.activation, best, gradient, lanes)
                e.store(gradient, pointer_at(e, gradients, self.routes, n, w.p, w.q, c), 0)
                e.store(e.builder.add(start, place), pointer_at(e, places, self.routes, n, w.p, w.q, c), 0)

            over_channels(e, self.y, vector)

        each_window(e, self.pooling, window)

    def _integer(self, e: Emitter, value: Index, lanes: int) -> Value:
        return e.broadcast(e.builder.trunc(e.integer(value), I32), lanes)
