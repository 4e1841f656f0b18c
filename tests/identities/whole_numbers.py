"""Single layers on small whole numbers.

Sums of whole numbers below 2^24 are exact in float32 in every order, so identities are checked with ==, without a
tolerance that a small mistake could hide in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.layers import Conv1d, Conv2d, Layer, Shape

Array = NDArray[np.float32]

# Around the vector widths 4, 8 and 16.
CHANNELS = st.sampled_from([1, 2, 3, 4, 5, 8, 9, 16, 17])


def whole_numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def model(layer: Layer, shape: Shape, parameters: Mapping[str, Array], backend: str = "native") -> sw.Model:
    """The layer alone, with these parameters."""
    made = sw.Model(sw.Sequential(layer), shape, backend=backend)
    assert set(made.parameters) == {f"0.{name}" for name in parameters}
    for name, value in parameters.items():
        made.parameters[f"0.{name}"] = value
    return made


def output(layer: Layer, x: Array, parameters: Mapping[str, Array], backend: str = "native") -> Array:
    return model(layer, x.shape[1:], parameters, backend)(x)


def gradients(
    layer: Layer, x: Array, dy: Array, parameters: Mapping[str, Array], backend: str = "native"
) -> tuple[Array, dict[str, Array]]:
    """(dx, gradients of the parameters by name)."""
    dx, found = model(layer, x.shape[1:], parameters, backend).gradients(x, dy)
    return dx, {name.removeprefix("0."): value for name, value in found.items()}


def spread(values: NDArray[Any], steps: tuple[int, int]) -> NDArray[Any]:
    """The last two axes with steps - 1 zeros between neighbours: what a stride or a dilation means."""
    rows, columns = (step * (extent - 1) + 1 for step, extent in zip(steps, values.shape[-2:], strict=True))
    result = np.zeros((*values.shape[:-2], rows, columns), values.dtype)
    result[..., :: steps[0], :: steps[1]] = values
    return result


@dataclass(frozen=True)
class Case:
    """A convolution and the shape of its input."""

    layer: Conv1d | Conv2d
    shape: Shape
    samples: int
    seed: int

    @property
    def x(self) -> Array:
        return whole_numbers(self.seed, self.samples, *self.shape)

    @property
    def dz(self) -> Array:
        return whole_numbers(self.seed + 1, self.samples, *self.layer.output_shape(self.shape))

    @property
    def parameters(self) -> dict[str, Array]:
        shapes = self.layer.parameter_shapes(self.shape)
        return {
            name: whole_numbers(self.seed + 2 + i, *each) for i, (name, each) in enumerate(shapes.items())
        }

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis would print every class attribute of the layer."""
        printer.text(repr(self))


@st.composite
def cases(
    draw: st.DrawFn, axes: int = 2, *, plain: bool = False, flips: bool = True, bias: bool = True
) -> Case:
    """Stride, padding, dilation, groups up to depthwise; one-element axes included.

    Args:
        axes: of the map.
        plain: stride 1 without padding, dilation and groups.
        flips: whether the layer may be a true convolution.
        bias: whether it may have a bias.
    """
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    ones = (1,) * axes
    stride = ones if plain else tuple(draw(st.integers(1, 3)) for _ in range(axes))
    dilation = ones if plain else tuple(draw(st.sampled_from([1, 1, 2, 3])) for _ in range(axes))
    padding = 0 if plain else draw(st.integers(0, 2) | st.tuples(*[st.integers(0, 3)] * 2))
    groups = 1 if plain else draw(st.sampled_from([1, 1, 2, 3, 5, 17]))
    # The group numbers 5 and 17 stand for depthwise convolutions.
    inner, outer = (1, 1) if groups > 3 else (draw(CHANNELS), draw(CHANNELS))
    layer = (Conv1d if axes == 1 else Conv2d)(
        groups * outer,
        kernel,
        stride,
        padding,
        dilation,
        groups,
        bias and draw(st.booleans()),
        flips and draw(st.booleans()),
    )
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padded = [sum(ends) for ends in layer.sliding_window()[3]]
    extents = [max(1, r - p) + draw(st.integers(0, 5)) for r, p in zip(reach, padded, strict=True)]
    shape = (groups * inner, *extents)
    return Case(layer, shape, draw(st.integers(1, 3)), draw(st.integers(0, 1000)))
