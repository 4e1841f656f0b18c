"""The two pointwise steps of `LogMel`; its two linear ones are convolutions with fixed weights.

The first convolution gives real and imaginary parts as 2 F' channels, with F' = F rounded up to the vector width: the
real part of frequency f is channel f, the imaginary part channel F' + f.
"""

from dataclasses import dataclass

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import address, each_vector
from scanwise.kernels.maps import FeatureMap

__all__ = ["LogBackward", "LogForward", "PowerBackward", "PowerForward"]


@dataclass(frozen=True)
class PowerForward:
    """y = re^2 + im^2. Arguments: x, y."""

    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        imaginary = self.x.channels // 2

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            source = e.at(x, address(e, self.x, n, p, q, c))
            re, im = e.load(source, 0, lanes), e.load(source, imaginary, lanes)
            power = e.fma(re, re, e.builder.fmul(im, im))
            e.store(e.keep(power, lanes, valid), y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


# dre = 2 re dy,    dim = 2 im dy


@dataclass(frozen=True)
class PowerBackward:
    """dx from dy. Arguments: x, dy, dx."""

    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, dy, dx = e.arguments
        b = e.builder
        imaginary = self.x.channels // 2

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            source = e.at(x, address(e, self.x, n, p, q, c))
            goal = e.at(dx, address(e, self.dx, n, p, q, c))
            error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
            for part in (0, imaginary):
                value = e.load(source, part, lanes)
                e.store(b.fmul(b.fadd(value, value), error), goal, part)

        each_vector(e, self.dy, vector)


@dataclass(frozen=True)
class LogForward:
    """y = log(x + floor). Arguments: x, y."""

    x: FeatureMap
    y: FeatureMap
    floor: float = 1e-6
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, valid: int) -> None:
            value = e.load(x, address(e, self.x, n, p, q, c), lanes)
            value = functions.log(e, e.builder.fadd(value, e.constant(self.floor, lanes)), lanes)
            e.store(e.keep(value, lanes, valid), y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


# dL/dx = dL/dy / (x + floor)


@dataclass(frozen=True)
class LogBackward:
    """dx from dy. Arguments: x, dy, dx."""

    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    floor: float = 1e-6
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, dy, dx = e.arguments
        b = e.builder

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            value = b.fadd(e.load(x, address(e, self.x, n, p, q, c), lanes), e.constant(self.floor, lanes))
            error = e.load(dy, address(e, self.dy, n, p, q, c), lanes)
            e.store(b.fdiv(error, value), dx, address(e, self.dx, n, p, q, c))

        each_vector(e, self.dx, vector)
