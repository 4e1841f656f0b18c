"""The Neocognitron's cell planes (lecture 5.1): S-cells extract features, C-cells tolerate shifts.

Sources: Fukushima, "Neocognitron: a self-organizing neural network model for a mechanism of pattern recognition
unaffected by shift in position", Biological Cybernetics 36 (1980); Fukushima, "Neocognitron for handwritten digit
recognition", Neurocomputing 51 (2003).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.memory import require

from . import arguments
from .base import Shape
from .window import _Windowed

Array = NDArray[np.float64]
Sizes = int | tuple[int, ...]

_BYTES_PER_TAP = 6 * 8  # distances, two Gaussians, and what they are made of


@dataclass(frozen=True, repr=False)
class _Plane(_Windowed):
    """Cells with a square or oblong receptive field, a stride and zero padding."""

    axes: ClassVar[int] = 2

    @property
    def field(self) -> tuple[Sizes, Sizes, Sizes]:
        """(kernel_size, stride, padding), as given."""
        raise NotImplementedError

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        kernel, stride, padding = (arguments.per_axis(each, 2) for each in self.field)
        return kernel, stride, (1, 1), tuple((p, p) for p in padding)

    def _settle_field(self) -> None:
        kind = type(self).__name__
        for name, value, minimum in zip(
            ("kernel_size", "stride", "padding"), self.field, (1, 1, 0), strict=True
        ):
            self._settle(name, arguments.sizes(kind, name, value, (2,), minimum=minimum))
        kernel, _, padding = (arguments.per_axis(each, 2) for each in self.field)
        if any(p >= k for p, k in zip(padding, kernel, strict=True)):  # a cell could see padding alone
            raise ArgumentError(
                f"{kind}: padding must be smaller than kernel_size {self.field[0]}. Got {self.field[2]}."
            )

    def _settle_positive(self, *names: str) -> None:
        for name in names:
            self._settle(name, arguments.positive(type(self).__name__, name, getattr(self, name)))

    def _distances(self) -> Array:
        """Distance of every tap from the field's centre, `(R, S)`, in positions.

        Raises:
            EngineError: they do not fit into memory.
        """
        R, S = arguments.per_axis(self.field[0], 2)
        require(_BYTES_PER_TAP * R * S, f"the weights of {self!r}")
        distances: Array = np.hypot(np.arange(R)[:, None] - (R - 1) / 2, np.arange(S)[None, :] - (S - 1) / 2)
        return distances

    def _taps(self) -> int:
        return math.prod(arguments.per_axis(self.field[0], 2))


@dataclass(frozen=True, repr=False)
class SPlane(_Plane):
    """Planes of S-cells: `(C, H, W)` to `(planes, P, Q)`. All cells of a plane share their weights.

    With u_c(r, s) what a cell's receptive field holds, a = weight and b = inhibition:

        v   = sqrt(sum_{c,r,s} w(r, s) u_c(r, s)^2)                                the V-cell, one a position
        u_k = r phi((1 + sum_{c,r,s} a_k(c, r, s) u_c(r, s)) / (1 + 2r/(1+r) b_k v) - 1),   phi(x) = max(x, 0)

    w falls off from the field's centre as gamma^distance and sums to 1 over c, r and s. Once a and b have grown by
    learning (delta a = q w u, delta b = q/2 v), u_k is close to (1 + r) s - r with s the cosine between the input and
    what was learnt: a cell answers where s is above r / (1 + r).

    Args:
        planes: number of planes K.
        kernel_size: extent of a cell's receptive field, R = S or (R, S), in positions.
        r: selectivity, more than 0: the larger, the closer the input must be to what was learnt.
        stride: positions between neighbouring cells, or (rows, columns).
        padding: zeros on every side, or (rows, columns); smaller than the kernel.
        gamma: the factor by which w falls off with each position of distance, more than 0; 1 for not at all.

    Parameters: `weight (K, C, R, S)`, `inhibition (K,)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    Source: Fukushima 1980, equations 1 to 3.

    >>> SPlane(24, 5, r=4.0).output_shape((1, 16, 16))
    (24, 12, 12)
    """

    planes: int
    kernel_size: int | tuple[int, ...]
    r: float
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] = 0
    gamma: float = 0.9

    @property
    def first_values(self) -> Mapping[str, float]:
        return {"inhibition": 1.0}

    def __post_init__(self) -> None:
        self._settle("planes", arguments.integer("SPlane", "planes", self.planes))
        self._settle_field()
        self._settle_positive("r", "gamma")
        if self.gamma > 1:
            raise ArgumentError(f"SPlane: gamma must be more than 0 and at most 1. Got {self.gamma}.")

    @property
    def field(self) -> tuple[Sizes, Sizes, Sizes]:
        """(kernel_size, stride, padding), as given."""
        return self.kernel_size, self.stride, self.padding

    def output_shape(self, input_shape: Shape) -> Shape:
        return (self.planes, *self.geometry(input_shape).output)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        self.output_shape(input_shape)
        kernel = arguments.per_axis(self.kernel_size, 2)
        return {"weight": (self.planes, input_shape[0], *kernel), "inhibition": (self.planes,)}

    def operations(self, input_shape: Shape) -> int:
        inputs = input_shape[0] * self._taps()
        cells = math.prod(self.output_shape(input_shape))
        return cells * (2 * inputs + 6) + cells // self.planes * (3 * inputs + 1)

    def connection_count(self, input_shape: Shape) -> int:
        inputs = input_shape[0] * self._taps()
        cells = math.prod(self.output_shape(input_shape))
        return (
            cells * (inputs + 1) + cells // self.planes * inputs
        )  # S-cells, each with a V-cell's, and the V-cells

    def falloff(self, channels: int) -> Array:
        """The V-cell's fixed weights w, `(R, S)`: the same for each of `channels` input planes, 1 in all."""
        distances = self._distances()
        w = self.gamma ** (distances - distances.min())  # the largest is 1, so that their sum is never 0
        falloff: Array = w / (channels * w.sum())
        return falloff


@dataclass(frozen=True, repr=False)
class CPlane(_Plane):
    """Planes of C-cells: `(C, H, W)` to `(C, P, Q)`. Each answers if its S-plane has a feature somewhere near.

        u = psi(sum_{r,s} d(r, s) u_S(r, s)),    psi(x) = phi(x) / (alpha + phi(x)),    phi(x) = max(x, 0)

    d is a Gaussian of width sigma, less `surround` times a Gaussian twice as wide, both with sum 1 over the field: the
    centre excites and what is around it inhibits.

    Args:
        kernel_size: extent of a cell's receptive field, R = S or (R, S), in positions.
        stride: positions between neighbouring cells, or (rows, columns).
        padding: zeros on every side, or (rows, columns); smaller than the kernel.
        alpha: the sum at which a cell is half saturated, more than 0.
        sigma: width of the centre, in positions, more than 0.
        surround: strength of the inhibition from around, 0 to less than 1.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    Source: psi is Fukushima's of 1980. There C-cells are inhibited by the mean of all planes, a V-cell of their own;
    here, as in Fukushima 2003, by what lies around in the same plane.

    >>> CPlane(5, stride=2, padding=2).output_shape((24, 12, 12))
    (24, 6, 6)
    """

    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] = 0
    alpha: float = 1.0
    sigma: float = 1.0
    surround: float = 0.0

    def __post_init__(self) -> None:
        self._settle_field()
        self._settle_positive("alpha", "sigma")
        self._settle("surround", arguments.number("CPlane", "surround", self.surround))
        if not 0 <= self.surround < 1:
            raise ArgumentError(f"CPlane: surround must be from 0 to less than 1. Got {self.surround}.")

    @property
    def field(self) -> tuple[Sizes, Sizes, Sizes]:
        """(kernel_size, stride, padding), as given."""
        return self.kernel_size, self.stride, self.padding

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.geometry(input_shape).output)

    def operations(self, input_shape: Shape) -> int:
        return math.prod(self.output_shape(input_shape)) * (2 * self._taps() + 2)

    def connection_count(self, input_shape: Shape) -> int:
        return math.prod(self.output_shape(input_shape)) * self._taps()

    def weights(self) -> Array:
        """The fixed weights d, `(R, S)`."""
        squares = self._distances() ** 2
        squares -= squares.min()  # a factor of both, and with it the largest is 1 and no sum is 0
        centre, around = (np.exp(-squares / (2 * width**2)) for width in (self.sigma, 2 * self.sigma))
        d: Array = centre / centre.sum() - self.surround * around / around.sum()
        return d
