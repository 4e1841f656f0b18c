"""Gradients of windows on their way back to the inputs of pooling (lecture 7.2, 7.3)."""

from collections.abc import Callable, Sequence

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation, derivative
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.window import Pooling, Window, each_window, over_channels, over_window, pointer_at

__all__ = ["Scatter"]

Share = Callable[[Value, Value], tuple[Value, Value]]


class Scatter:
    """Gradients of windows on their way to inputs: written where windows lie apart, added where they overlap."""

    def __init__(
        self, e: Emitter, pooling: Pooling, x: FeatureMap, dx: FeatureMap, activation: Activation | None
    ) -> None:
        self.e, self.pooling, self.activation = e, pooling, activation
        self.x, self.dx = x, dx
        self.x_pointer, self.dx_pointer = e.arguments[0], e.arguments[2]

    def run(self, window: Callable[[Index, Window], None]) -> None:
        """Give every input its gradient: those of no window zero, the others what `window` shares out."""
        pooling = self.pooling
        H, W = pooling.extent
        if pooling.overlapping or any(s > k for s, k in zip(pooling.stride, pooling.kernel, strict=True)):
            self._zero(0, H, 0, W)
        else:
            self._zero(pooling.end(0), H, 0, W)
            self._zero(0, pooling.end(0), pooling.end(1), W)
        each_window(self.e, pooling, window)
        if pooling.overlapping and self.activation is not None:
            self._differentiate(self.activation)

    def window(self, n: Index, w: Window, c: Index, share: Share, gradient: Value) -> None:
        """Go through one vector of a window; `share(x, left)` says what an input gets and what is left after it."""
        e, lanes = self.e, self.x.lanes
        source = pointer_at(e, self.x_pointer, self.x, n, w.row, w.column, c)
        goal = pointer_at(e, self.dx_pointer, self.dx, n, w.row, w.column, c)

        def element(r: Index, s: Index, left: Value) -> Sequence[Value]:
            value = e.load(source, e.affine((r, self.x.row), (s, self.x.pitch)), lanes)
            at = e.affine((r, self.dx.row), (s, self.dx.pitch))
            part, left = share(value, left)
            if self.pooling.overlapping:
                part = e.builder.fadd(e.load(goal, at, lanes), part)
            elif self.activation is not None:
                part = derivative(e, self.activation, value, part, lanes)
            e.store(part, goal, at)
            return [left]

        over_window(e, w, element, [gradient])

    def _each_vector(
        self, rows: tuple[int, int], columns: tuple[int, int], body: Callable[[Value, Value], None]
    ) -> None:
        """Run `body(x, dx)` with pointers to every vector of a part of the map."""
        e = self.e

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, self.x_pointer, self.x, n, p, q)
            goal = pointer_at(e, self.dx_pointer, self.dx, n, p, q)
            over_channels(e, self.dx, lambda c, *_: body(e.at(source, c), e.at(goal, c)))

        def row(n: Index, p: Index) -> None:
            e.loop(columns[1], lambda q: position(n, p, q), start=columns[0])

        if rows[0] < rows[1] and columns[0] < columns[1]:
            e.loop(e.n, lambda n: e.loop(rows[1], lambda p: row(n, p), start=rows[0]))

    def _zero(self, top: int, bottom: int, left: int, right: int) -> None:
        zero = self.e.constant(0.0, self.dx.lanes)
        self._each_vector((top, bottom), (left, right), lambda _, dx: self.e.store(zero, dx, 0))

    def _differentiate(self, activation: Activation) -> None:
        e, lanes = self.e, self.dx.lanes

        def vector(x: Value, dx: Value) -> None:
            e.store(derivative(e, activation, e.load(x, 0, lanes), e.load(dx, 0, lanes), lanes), dx, 0)

        self._each_vector((0, self.pooling.extent[0]), (0, self.pooling.extent[1]), vector)
