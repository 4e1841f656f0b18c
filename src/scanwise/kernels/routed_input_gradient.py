"""The input gradient of a convolution through a max pooling: see `routes`."""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import FeatureMap

__all__ = ["PatchWeights", "RoutedInputGradient"]


@dataclass(frozen=True)
class PatchWeights:
    """Weights as patches of dx: `[K][R][S][pitch]`. Arguments: w, patches.

    Attributes:
        convolution: the sizes.
        pitch: floats of dx from one column to the next.
    """

    convolution: Convolution
    pitch: int
    pointers: int = 2

    @property
    def size(self) -> int:
        return self.convolution.outputs * self.convolution.taps * self.pitch

    def emit(self, e: Emitter) -> None:
        w, patches = e.arguments
        c = self.convolution

        def output(k: Index) -> None:
            # Output channels lie in the lanes of w: channel k of it is every lanes-th float of its block.
            block = e.builder.sdiv(e.integer(k), e.integer(c.lanes))
            lane = e.builder.srem(e.integer(k), e.integer(c.lanes))
            source = e.at(w, e.affine((block, c.block), (lane, 1)))
            goal = e.at(patches, e.mul(k, c.taps * self.pitch))

            def tap(t: Index) -> None:
                def copy(i: Index) -> None:
                    value = e.load(source, e.affine((t, c.steps * c.lanes), (i, c.lanes)), 1)
                    e.store(value, goal, e.affine((t, self.pitch), (i, 1)))

                e.loop(c.channels, copy)
                zero = e.constant(0.0, 1)
                e.loop(
                    self.pitch,
                    lambda i: e.store(zero, goal, e.affine((t, self.pitch), (i, 1))),
                    start=c.channels,
                )

            e.loop(c.taps, tap)

        e.loop(c.outputs, output)


@dataclass(frozen=True)
class RoutedInputGradient:
    """dx: the sum of the patches that windows hand on. Arguments: routes, patches of weights, dx.

    Attributes:
        convolution: the sizes, without padding.
        dx: map without a border.
        routes: map of one sample's gradients.
        samples: most samples in a call.
    """

    convolution: Convolution
    dx: FeatureMap
    routes: FeatureMap
    samples: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        gradients, patches, dx = e.arguments
        c = self.convolution
        places = e.at(gradients, self.samples * self.routes.size)
        # Vectors begin at columns, so that what one patch stored the next can load: they overlap in whole vectors.
        lanes = self.dx.lanes
        run = c.kernel[1] * self.dx.pitch

        def patch(goal: Value, at: Index, k: Index) -> None:
            gradient = e.load_broadcast(gradients, at, lanes)
            place = e.builder.sext(e.load_integer(places, at), e.integer(0).type)
            source, goal = e.at(patches, e.mul(k, c.kernel[0] * run)), e.at(goal, place)

            def row(r: Index) -> None:
                for v in range(0, run, lanes):
                    here = e.affine((r, c.dilation[0] * self.dx.row), (1, v))
                    weights = e.load(source, e.affine((r, run), (1, v)), lanes)
                    e.store(e.fma(gradient, weights, e.load(goal, here, lanes)), goal, here)

            e.loop(c.kernel[0], row)

        def sample(n: Index) -> None:
            goal = e.at(dx, e.mul(n, self.dx.size))
            zero = e.constant(0.0, lanes)
            e.loop(self.dx.size // lanes, lambda i: e.store(zero, goal, e.mul(i, lanes)))
            first = e.mul(n, self.routes.size)
            e.loop(
                self.routes.height * self.routes.width,
                lambda t: e.loop(
                    c.outputs,
                    lambda k: patch(goal, e.add(first, e.affine((t, self.routes.pitch), (k, 1))), k),
                ),
            )

        e.loop(e.n, sample)
