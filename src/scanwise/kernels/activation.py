"""Pointwise activations: y = f(x) and dx = dy f'(x), alone or in the last step of a convolution.

Where f' is a function of y, a network keeps only y; where it is not, the backward pass reads x. Each activation is one
entry of `ACTIVATIONS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels import gated
from scanwise.kernels.cut import Cut, pointwise_cuts
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.layers import GELU, LeakyReLU, ReLU, ScaledTanh, Shape, Sigmoid, SiLU, Tanh

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationBackward",
    "ActivationForward",
    "apply",
    "derivative",
    "finished",
]

# Multiply-adds that take as long as one value of an exponential or a hyperbolic tangent, about.
_WORK = 10
_TANH_SCALE, _TANH_SLOPE = 1.7159, 2.0 / 3.0
# Functions that rise and fall: one y may come from two x with different slopes.
_FROM_X = ("gelu", "gelu_tanh", "silu")


@dataclass(frozen=True)
class Activation:
    """Which function, with its parameter (a leaky ReLU's slope, a saturation's alpha; unused elsewhere)."""

    name: str
    parameter: float = 0.0

    @property
    def keeps_zero(self) -> bool:
        """Whether f(0) = 0, so that padding lanes stay zero by themselves."""
        return self.name != "sigmoid"

    @property
    def fusable(self) -> bool:
        """Whether f' can be told from y alone."""
        return self.name not in _FROM_X and (self.name != "leaky_relu" or self.parameter >= 0)


@dataclass(frozen=True)
class _Rules:
    forward: Callable[[Emitter, Value, int, float], Value]
    slope: Callable[[Emitter, Value, int, float], Value]  # f' as a function of y, or of x (`_FROM_X`)


def _leaky(e: Emitter, x: Value, lanes: int, slope: float) -> Value:
    positive = e.builder.fcmp_ordered(">", x, e.constant(0.0, lanes))
    return e.builder.select(positive, x, e.builder.fmul(x, e.constant(slope, lanes)))


def _leaky_slope(e: Emitter, y: Value, lanes: int, slope: float) -> Value:
    positive = e.builder.fcmp_ordered(">", y, e.constant(0.0, lanes))
    return e.builder.select(positive, e.constant(1.0, lanes), e.constant(slope, lanes))


def _scaled_tanh(e: Emitter, x: Value, lanes: int, _: float) -> Value:
    inner = functions.tanh(e, e.builder.fmul(x, e.constant(_TANH_SLOPE, lanes)), lanes)
    return e.builder.fmul(inner, e.constant(_TANH_SCALE, lanes))


def _scaled_tanh_slope(e: Emitter, y: Value, lanes: int, _: float) -> Value:
    # d/dx A tanh(sx) = s (A - y^2 / A)
    factor = e.builder.fmul(y, e.constant(-_TANH_SLOPE / _TANH_SCALE, lanes))
    return e.fma(factor, y, e.constant(_TANH_SLOPE * _TANH_SCALE, lanes))


# psi(x) = phi(x) / (alpha + phi(x)), phi(x) = max(x, 0): the Neocognitron's C-cells (Fukushima 1980).
# psi'(x) = alpha / (alpha + x)^2 for x > 0, and 1 - psi = alpha / (alpha + x), so it is (1 - y)^2 / alpha where y > 0.


def _saturation(e: Emitter, x: Value, lanes: int, alpha: float) -> Value:
    positive = e.fmax(e.constant(0.0, lanes), x)
    return e.builder.fdiv(positive, e.builder.fadd(positive, e.constant(alpha, lanes)))


def _saturation_slope(e: Emitter, y: Value, lanes: int, alpha: float) -> Value:
    left = e.builder.fsub(e.constant(1.0, lanes), y)
    slope = e.builder.fdiv(e.builder.fmul(left, left), e.constant(alpha, lanes))
    zero = e.constant(0.0, lanes)
    return e.builder.select(e.builder.fcmp_ordered(">", y, zero), slope, zero)


ACTIVATIONS: dict[str, _Rules] = {
    "relu": _Rules(
        lambda e, x, lanes, _: e.builder.select(
            e.builder.fcmp_ordered(">", x, e.constant(0.0, lanes)), x, e.constant(0.0, lanes)
        ),
        lambda e, y, lanes, _: _leaky_slope(e, y, lanes, 0.0),
    ),
    "leaky_relu": _Rules(_leaky, _leaky_slope),
    "sigmoid": _Rules(
        lambda e, x, lanes, _: functions.logistic(e, x, lanes),
        lambda e, y, lanes, _: e.builder.fmul(y, e.builder.fsub(e.constant(1.0, lanes), y)),
    ),
    "tanh": _Rules(
        lambda e, x, lanes, _: functions.tanh(e, x, lanes),
        lambda e, y, lanes, _: e.fma(e.builder.fneg(y), y, e.constant(1.0, lanes)),
    ),
    "scaled_tanh": _Rules(_scaled_tanh, _scaled_tanh_slope),
    "gelu": _Rules(gated.gelu, gated.gelu_slope),
    "gelu_tanh": _Rules(gated.gelu_tanh, gated.gelu_tanh_slope),
    "silu": _Rules(gated.silu, gated.silu_slope),
    "saturation": _Rules(_saturation, _saturation_slope),
}


def apply(e: Emitter, activation: Activation, x: Value, lanes: int) -> Value:
    return ACTIVATIONS[activation.name].forward(e, x, lanes, activation.parameter)


def finished(e: Emitter, activation: Activation | None, value: Value, lanes: int, valid: int) -> Value:
    """f(value), if there is an activation, with padding lanes that are zero as they were before."""
    if activation is None:
        return value
    value = apply(e, activation, value, lanes)
    return value if activation.keeps_zero else e.keep(value, lanes, valid)


def derivative(e: Emitter, activation: Activation, y: Value, dy: Value, lanes: int) -> Value:
    """dy f'(x), from the saved y, or from x: those of `_FROM_X` need that; the piecewise linear ones, whose f' looks at
    a sign, take either.
    """
    if activation.name == "relu":
        positive = e.builder.fcmp_ordered(">", y, e.constant(0.0, lanes))
        return e.builder.select(positive, dy, e.constant(0.0, lanes))
    return e.builder.fmul(dy, ACTIVATIONS[activation.name].slope(e, y, lanes, activation.parameter))


def each_vector(
    e: Emitter, extent: FeatureMap, body: Callable[[Index, Index, Index, Index, int, int], None]
) -> None:
    """Run `body(n, p, q, channel, lanes, valid)` for every vector of a map, in order.

    `valid` is the number of lanes that are channels: all of them but in the last vector of a position.
    """
    lanes = extent.lanes
    full, rest = divmod(extent.channels, lanes)

    def position(n: Index, p: Index, q: Index) -> None:
        e.loop(full, lambda block: body(n, p, q, e.mul(block, lanes), lanes, lanes))
        if rest:
            body(n, p, q, full * lanes, lanes, rest)

    e.loop(
        e.n,
        lambda n: e.loop(extent.height, lambda p: e.loop(extent.width, lambda q: position(n, p, q))),
    )


def address(e: Emitter, extent: FeatureMap, n: Index, p: Index, q: Index, channel: Index) -> Index:
    """Index of a float in a map."""
    return e.affine((n, extent.size), (p, extent.row), (q, extent.pitch), (1, extent.origin), (channel, 1))


@dataclass(frozen=True)
class ActivationForward:
    """y = f(x). Arguments: x, y."""

    activation: Activation
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            value = e.load(x, address(e, self.x, n, p, q, c), lanes)
            value = finished(e, self.activation, value, lanes, valid)
            e.store(value, y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


@dataclass(frozen=True)
class ActivationBackward:
    """dx = dy f'(x). Arguments: saved (y, or x where f' cannot be told from y), dy, dx."""

    activation: Activation
    saved: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        saved, dy, dx = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            gradient = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
            kept = e.load(saved, address(e, self.saved, n, p, q, c), lanes)
            e.store(
                derivative(e, self.activation, kept, gradient, lanes), dx, address(e, self.dx, n, p, q, c)
            )

        each_vector(e, self.dx, vector)


@dataclass(frozen=True)
class ActivationOperation(Operation):
    """An activation by itself: after a pooling, say, or where f' cannot be told from y."""

    function: Activation

    @property
    def saves_input(self) -> bool:
        """Whether the backward pass looks at x rather than at y."""
        return self.function.name in ("relu", "leaky_relu", *_FROM_X)

    def resized(self, rows: int, columns: int) -> "ActivationOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(ActivationForward(self.function, maps.x, maps.y), ("x", "y")),)

    @property
    def work(self) -> int:
        channels, rows, columns = self.extent
        return _WORK * channels * rows * columns

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return pointwise_cuts(maps, whole)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        saved, name = (maps.x, "x") if self.saves_input else (maps.y, "y")
        return (Call(ActivationBackward(self.function, saved, dy, dx), (name, "dy", "dx")),)


_LAYERS = {
    ReLU: "relu",
    LeakyReLU: "leaky_relu",
    GELU: "gelu",
    SiLU: "silu",
    Sigmoid: "sigmoid",
    Tanh: "tanh",
    ScaledTanh: "scaled_tanh",
}


@lower.register
def _(
    layer: ReLU | LeakyReLU | GELU | SiLU | Sigmoid | Tanh | ScaledTanh, shape: Shape, extent: Extent
) -> Sequence[Operation]:
    name = _LAYERS[type(layer)]
    if isinstance(layer, GELU) and layer.approximate == "tanh":
        name = "gelu_tanh"
    slope = layer.negative_slope if isinstance(layer, LeakyReLU) else 0.0
    return (ActivationOperation(extent, Activation(name, slope)),)
