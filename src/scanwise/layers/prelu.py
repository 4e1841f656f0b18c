"""A leaky ReLU whose slope is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scanwise.errors import ShapeError

from . import arguments
from .base import Shape, _Pointwise


@dataclass(frozen=True, repr=False)
class PReLU(_Pointwise):
    """y = z where z > 0, else a z with a slope a that is trained: one for all values, or one for each channel.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015), equation 1.

    Args:
        num_parameters: 1, or the number of channels.
        init: the first value of every slope, without unit.

    Parameters: `weight` `(num_parameters,)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.
        ShapeError: of `output_shape`, where there are neither 1 nor as many slopes as channels.

    >>> PReLU(6).parameter_shapes((6, 28, 28))
    {'weight': (6,)}
    """

    num_parameters: int = 1
    init: float = 0.25

    def __post_init__(self) -> None:
        self._settle("num_parameters", arguments.integer("PReLU", "num_parameters", self.num_parameters))
        self._settle("init", arguments.float32("PReLU", "init", self.init))

    @property
    def first_values(self) -> Mapping[str, float]:
        return {"weight": self.init}

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.num_parameters not in (1, input_shape[0]):
            raise ShapeError(
                f"{self.label()}: input shape must have {self.num_parameters} channels. Got {input_shape}."
            )
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        self.output_shape(input_shape)
        return {"weight": (self.num_parameters,)}
