"""The two pointwise steps of `LogMel`; its two linear ones are convolutions with fixed weights.

The first convolution gives real and imaginary parts as 2 F' channels, with F' = F rounded up to the vector width: the
real part of frequency f is channel f, the imaginary part channel F' + f.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import Activation, address, each_vector
from scanwise.kernels.conv import FixedConvOperation
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, round_up
from scanwise.kernels.operation import NO_BORDER, Call, Extent, Maps, Operation
from scanwise.layers import LogMel, Shape

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


@dataclass(frozen=True)
class PowerOperation(Operation):
    """The squared magnitude of each frequency.

    Attributes:
        bins: number of frequencies.
    """

    bins: int

    @property
    def output(self) -> Extent:
        return self.bins, *self.extent[1:]

    def resized(self, rows: int, columns: int) -> "PowerOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(PowerForward(maps.x, maps.y), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(PowerBackward(maps.x, dy, dx), ("x", "dy", "dx")),)


@dataclass(frozen=True)
class LogOperation(Operation):
    """The logarithm of the mel energies."""

    def resized(self, rows: int, columns: int) -> "LogOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(LogForward(maps.x, maps.y), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(LogBackward(maps.x, dy, dx), ("x", "dy", "dx")),)


@lower.register
def _(layer: LogMel, shape: Shape, extent: Extent) -> Sequence[Operation]:
    bins = layer.n_fft // 2 + 1
    frames = layer.output_shape(shape)[1]
    channels = 2 * round_up(bins, 16)
    one = (1, 1)
    fourier = Convolution(
        1, channels, (1, layer.n_fft), (1, layer.hop), one, (0, 0), extent[1:], (1, frames), bias=False
    )
    mel = Convolution(bins, layer.n_mels, one, one, one, (0, 0), (1, frames), (1, frames), bias=False)
    return (
        FixedConvOperation(extent, fourier, NO_BORDER, partial(_fourier_weight, layer, channels)),
        PowerOperation((channels, 1, frames), bins),
        FixedConvOperation((bins, 1, frames), mel, NO_BORDER, partial(_mel_weight, layer)),
        LogOperation((layer.n_mels, 1, frames)),
    )


def _fourier_weight(layer: LogMel, channels: int) -> NDArray[np.float32]:
    dft, _ = layer.constants()
    bins = len(dft) // 2
    weight = np.zeros((channels, 1, 1, layer.n_fft), np.float32)
    weight[:bins, 0, 0] = dft[:bins]
    weight[channels // 2 :][:bins, 0, 0] = dft[bins:]
    return weight


def _mel_weight(layer: LogMel) -> NDArray[np.float32]:
    _, mel = layer.constants()
    return mel.astype(np.float32)[:, :, None, None]
