"""`Linear`: a convolution whose kernel covers the whole map (DESIGN, section 4).

On the window itself the map is one run of memory, so the convolution is one of 1 x 1 with all of the map's values as
channels, and the samples are its positions. On a larger map it slides, which gives every window the same chain of
multiply-adds and therefore the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels import conv
from scanwise.kernels.activation import Activation
from scanwise.kernels.conv_gradient import BiasGradient, ParameterGradient
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.correlation_cuts import correlation_cuts
from scanwise.kernels.cut import Cut
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, lanes_for, round_up
from scanwise.kernels.operation import Call, Derived, Extent, Maps, Operation, Parameter
from scanwise.kernels.transpose import TransposeWeights
from scanwise.layers import Linear, Shape

__all__ = ["LinearOperation"]

# Weights whose gradients are not set to zero first: that would be a pass of its own through memory, for every shard.
LARGE = 1 << 17


@dataclass(frozen=True)
class LinearOperation(Operation):
    """`Linear` after an (implied) `Flatten` of a map.

    Attributes:
        outputs: K.
        bias: whether there is a bias.
        window: (R, S), the rows and columns of the map that one output reads: all of them, but when scanning.
        pitch: floats from one position of the input map to the next, 0 for channels padded to the vector width.
        scaled: whether a normalisation is the last step before the activation.
    """

    outputs: int
    bias: bool
    window: tuple[int, int]
    pitch: int = 0
    scaled: bool = False

    fuses_activation = True
    reads_values = True

    @property
    def output(self) -> Extent:
        rows, columns = self.extent[1] - self.window[0] + 1, self.extent[2] - self.window[1] + 1
        return (self.outputs, rows, columns)

    @property
    def input_pitch(self) -> int:
        return self.pitch or round_up(self.extent[0], lanes_for(self.extent[0]))

    @property
    def convolution(self) -> Convolution:
        """The convolution that slides over a map."""
        channels, rows, columns = self.extent
        return Convolution(
            channels,
            self.outputs,
            self.window,
            (1, 1),
            (1, 1),
            (0, 0),
            (rows, columns),
            self.output[1:],
            pitch=self.input_pitch,
            bias=self.bias,
        )

    @property
    def flat(self) -> Convolution:
        """The convolution of one position, all values of the map as its channels."""
        values = self.window[0] * self.window[1] * self.input_pitch
        one = (1, 1)
        return Convolution(values, self.outputs, one, one, one, (0, 0), one, one, bias=self.bias)

    def parameters(self) -> Sequence[Parameter]:
        sliding = self.convolution
        shape = (self.outputs, self.extent[0], *self.window)

        def pack(weight: NDArray[np.float32]) -> NDArray[np.float32]:
            return sliding.pack(weight.reshape(shape))

        def unpack(packed: NDArray[np.float32]) -> NDArray[np.float32]:
            return sliding.unpack(packed).reshape(self.outputs, -1)

        weight = Parameter("weight", sliding.weight_size, pack, unpack)
        if not self.bias:
            return (weight,)
        return weight, Parameter("bias", sliding.bias_size, sliding.pack_bias, sliding.unpack_bias)

    def resized(self, rows: int, columns: int) -> "LinearOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def _is_flat(self, x: FeatureMap) -> bool:
        return self.extent[1:] == self.window and not x.bordered

    def _shape(self, maps: Maps) -> tuple[Convolution, FeatureMap]:
        """The convolution and the input map as it sees it."""
        if self._is_flat(maps.x):
            return self.flat, _run(maps.x)
        return self.convolution, maps.x

    def forward(self, maps: Maps) -> Sequence[Call]:
        convolution, x = self._shape(maps)
        kernel = conv.forward(convolution, x, maps.y, self.activation, scaled=self.scaled)
        bias, last = "bias" if self.bias else "none", "folded" if self.scaled else "none"
        return (Call(kernel, ("x", "weight", bias, "y", last)),)

    @property
    def work(self) -> int:
        return self.convolution.work

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return correlation_cuts(whole, self._shape(maps)[0])

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        assert self.extent[1:] == self.window
        saved = _run(maps.x) if activation is not None else None
        kernel = conv.input_gradient(self.flat, dy, _run(dx), activation, saved)
        return (Call(kernel, ("dy", "derived", "none", "dx", "x" if saved is not None else "none")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        convolution, x = self._shape(maps)
        dy = maps.dy
        assert dy is not None
        if convolution.weight_size >= LARGE:
            kernel = ParameterGradient(convolution, x, dy, assigns=True)
            calls = [Call(kernel, ("x", "dy", "d weight", "turn"))]
        else:
            calls = [Call(ParameterGradient(convolution, x, dy), ("x", "dy", "d weight"))]
        if self.bias:
            calls.append(Call(BiasGradient(convolution, dy), ("dy", "d bias")))
        return calls

    def derived(self, maps: Maps) -> Derived | None:
        kernel = TransposeWeights(self.flat)
        return Derived(kernel.size, kernel.parts())

    def writes_to(self, dx: FeatureMap) -> bool:
        """dx is written as one run."""
        return not dx.bordered

    def fuses_derivative(self, maps: Maps) -> bool:
        """The saved activation is read as one run."""
        return not maps.x.bordered


def _run(extent: FeatureMap) -> FeatureMap:
    """A map without border as one position with all of its values as channels."""
    assert not extent.bordered
    return FeatureMap(extent.size, 1, 1, extent.size)


@lower.register
def _(layer: Linear, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (LinearOperation(extent, layer.out_features, layer.bias, extent[1:]),)
