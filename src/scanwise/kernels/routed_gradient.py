"""The weight gradient of a convolution through a max pooling: see `routes`."""

from dataclasses import dataclass

from scanwise.codegen.emitter import I32, Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import FeatureMap, lanes_for

__all__ = ["RoutedGradient"]

# Sums side by side: enough to hide the latency of two multiply-adds a cycle, and with what they need beside them no
# more than the 16 registers of AVX2.
ACCUMULATORS = 12


@dataclass(frozen=True)
class RoutedGradient:
    """dw += the sum over windows of gradient times patch. Arguments: x, routes, dw, scratch.

    Attributes:
        convolution: the sizes.
        x: map with a border of the padding.
        routes: map of one sample's gradients.
        samples: most samples in a call.
    """

    convolution: Convolution
    x: FeatureMap
    routes: FeatureMap
    samples: int
    pointers: int = 4

    @property
    def run(self) -> int:
        """Floats of a kernel row of a patch, padding lanes between columns included."""
        return self.convolution.kernel[1] * self.x.pitch

    @property
    def lanes(self) -> int:
        return lanes_for(self.run)

    @property
    def vectors(self) -> int:
        """Vectors of a kernel row."""
        return -(-self.run // self.lanes)

    @property
    def patch(self) -> int:
        """Floats of one output channel's sums."""
        return self.convolution.kernel[0] * self.vectors * self.lanes

    @property
    def apart(self) -> int:
        """Windows that are summed apart and joined at the end, so that none waits for the one before. It decides the
        order of the sum, so it is the same on every processor.
        """
        return max(1, ACCUMULATORS // (self.convolution.kernel[0] * self.vectors))

    @property
    def scratch(self) -> int:
        """Floats of all output channels' sums."""
        return self.convolution.outputs * self.patch

    def emit(self, e: Emitter) -> None:
        x, gradients, dw, sums = e.arguments
        c = self.convolution
        places = e.at(gradients, self.samples * self.routes.size)
        x = e.at(x, self.x.origin - c.padding[0] * self.x.row - c.padding[1] * self.x.pitch)
        vectors = [(r, v) for r in range(c.kernel[0]) for v in range(self.vectors)]
        # Accumulators beside the gradient and the input on its way.
        most = max(1, (e.target.registers - 2) // e.target.registers_for(self.lanes) - 2)
        for first in range(0, len(vectors), most):
            part = vectors[first : first + most]
            e.loop(c.outputs, lambda k, p=part: self._channel(e, x, gradients, places, sums, k, p))
        self._spread(e, sums, dw)

    def _channel(
        self,
        e: Emitter,
        x: Value,
        gradients: Value,
        places: Value,
        sums: Value,
        k: Index,
        vectors: list[tuple[int, int]],
    ) -> None:
        """Some vectors of one output channel's sums."""
        lanes, windows = self.lanes, self.routes.height * self.routes.width
        apart = min(self.apart, windows)

        def window(n: Index, t: Index, totals: list[Value]) -> list[Value]:
            at = e.affine((n, self.routes.size), (t, self.routes.pitch), (k, 1))
            gradient = e.load_broadcast(gradients, at, lanes)
            place = e.builder.sext(e.load_integer(places, at), e.integer(0).type)
            patch = e.at(x, e.add(e.mul(n, self.x.size), place))
            return [
                e.fma(
                    gradient,
                    e.load(patch, r * self.convolution.dilation[0] * self.x.row + v * lanes, lanes),
                    total,
                )
                for (r, v), total in zip(vectors, totals, strict=True)
            ]

        def together(n: Index, first: Index, count: int, totals: list[Value]) -> list[Value]:
            result = list(totals)
            for u in range(count):
                own = slice(u * len(vectors), (u + 1) * len(vectors))
                result[own] = window(n, e.add(first, u), totals[own])
            return result

        def sample(n: Index, *totals: Value) -> list[Value]:
            full, rest = divmod(windows, apart)
            values = e.loop(full, lambda i, *t: together(n, e.mul(i, apart), apart, list(t)), totals)
            return together(n, full * apart, rest, values) if rest else values

        totals = e.loop(e.n, sample, [e.constant(0.0, lanes)] * (apart * len(vectors)))
        for i, (r, v) in enumerate(vectors):
            total = totals[i]
            for other in totals[i + len(vectors) :: len(vectors)]:
                total = e.builder.fadd(total, other)
            e.store(total, sums, e.affine((k, self.patch), (1, (r * self.vectors + v) * lanes)))

    def _spread(self, e: Emitter, sums: Value, dw: Value) -> None:
        """Sums by output channel -> dw, whose lanes are output channels."""
        c = self.convolution

        def place(block: Index, r: Index, s: Index, channel: Index, valid: int) -> None:
            source = e.affine((r, self.vectors * self.lanes), (s, self.x.pitch), (channel, 1))
            goal = e.affine((block, c.block), (r, c.kernel[1] * c.steps * c.lanes), (s, c.steps * c.lanes))
            goal = e.add(goal, e.mul(channel, c.lanes))
            vector = e.constant(0.0, c.lanes)
            for lane in range(valid):
                k = e.add(e.mul(block, c.lanes), lane)
                value = e.load(sums, e.add(e.mul(k, self.patch), source), 1)
                vector = e.builder.insert_element(vector, value, e.builder.trunc(e.integer(lane), I32))
            e.store(e.builder.fadd(e.load(dw, goal, c.lanes), vector), dw, goal)

        def block(b: Index, valid: int) -> None:
            e.loop(
                c.kernel[0],
                lambda r: e.loop(
                    c.kernel[1], lambda s: e.loop(c.group_channels, lambda i: place(b, r, s, i, valid))
                ),
            )

        full, rest = divmod(c.outputs, c.lanes)
        e.loop(full, lambda b: block(b, c.lanes))
        if rest:
            block(full, rest)
