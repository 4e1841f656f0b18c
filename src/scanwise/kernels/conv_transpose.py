"""Transposed convolution: the kernels of a convolution, with forward pass and input gradient exchanged.

Let A be the convolution that leads from this layer's output back to its input, with the same weights. Then

    z = b + A' x,      dx = A dz,      dw: the weight gradient of A for the input dz and the gradient x

(lecture 8.8: the backward pass of a convolution is its adjoint; 9.5 for dw), so all kernels are those of A.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.kernels import conv
from scanwise.kernels.activation import Activation
from scanwise.kernels.conv_gradient import BiasGradient, ParameterGradient
from scanwise.kernels.conv_input_gradient import input_gradient, input_gradient_border
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.lowering import lower
from scanwise.kernels.operation import Border, Call, Derived, Extent, Maps, Operation, Parameter
from scanwise.layers import ConvTranspose1d, ConvTranspose2d, Shape

__all__ = ["ConvTransposeOperation", "from_output_to_input"]


@dataclass(frozen=True)
class ConvTransposeOperation(Operation):
    """`ConvTranspose1d` or `ConvTranspose2d` in a network.

    It has no `resized`: scans evaluate every window by itself (`scanning/sharing.py`).

    Attributes:
        adjoint: the convolution A, from this layer's output to its input.
        bias: whether there is a bias.
    """

    adjoint: Convolution
    bias: bool

    fuses_activation = True

    @property
    def output(self) -> Extent:
        return (self.adjoint.channels, *self.adjoint.extent)

    @property
    def border(self) -> Border:
        return input_gradient_border(self.adjoint)

    def gradient_border(self) -> Border:
        """The zeros that A pads its input with: as many as it takes for every window to lie inside."""
        c = self.adjoint
        sides: list[int] = []
        for axis, before in enumerate(c.padding):
            reached = (c.positions[axis] - 1) * c.stride[axis] + c.dilation[axis] * (c.kernel[axis] - 1) + 1
            sides += [before, max(0, reached - before - c.extent[axis])]
        return sides[0], sides[1], sides[2], sides[3]

    @property
    def _biased(self) -> Convolution:
        """Sizes whose output channels and positions are this layer's, as the bias has them."""
        c = self.adjoint
        return replace(c, channels=c.outputs, outputs=c.channels, positions=c.extent, bias=True)

    def parameters(self) -> Sequence[Parameter]:
        weights = conv.convolution_parameters(self.adjoint)
        c = self._biased
        bias = Parameter("bias", c.bias_size, c.pack_bias, c.unpack_bias)
        return (*weights, bias) if self.bias else weights

    def transformed(self) -> Derived | None:
        return conv.backward_weights(self.adjoint, conv.backward_columns(self.adjoint, self.activation))

    def forward(self, maps: Maps) -> Sequence[Call]:
        together = conv.backward_columns(self.adjoint, self.activation)
        kernel = input_gradient(
            self.adjoint, maps.x, maps.y, self.activation, together=together, bias=self.bias
        )
        weights = "weight" if self.adjoint.depthwise else "transformed"
        return (Call(kernel, ("x", weights, "bias" if self.bias else "none", "y", "none")),)

    def derived(self, maps: Maps) -> Derived | None:
        return conv.forward_weights(self.adjoint, conv.forward_columns(self.adjoint))

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        together = conv.forward_columns(self.adjoint)
        kernel = conv.forward(self.adjoint, dy, dx, together=together)
        return (Call(kernel, ("dy", "weight" if together == 1 else "derived", "none", "dx", "none")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        dy = maps.dy
        assert dy is not None
        calls = [Call(ParameterGradient(self.adjoint, dy, maps.x), ("dy", "x", "d weight"))]
        if self.bias:
            calls.append(Call(BiasGradient(self._biased, dy), ("dy", "d bias")))
        return calls


def from_output_to_input(
    layer: ConvTranspose1d | ConvTranspose2d, shape: Shape, channels: int
) -> Convolution:
    """The convolution whose adjoint the layer is, for an input of `shape` whose map has so many channels."""
    rows, columns = (1, *layer.output_shape(shape)[1:])[-2:]
    extent = (layer.out_channels, rows, columns)
    geometry = layer.geometry(shape)
    return Convolution.of(geometry, extent, channels, groups=layer.groups, flip=layer.flip, bias=False)


@lower.register
def _(layer: ConvTranspose1d | ConvTranspose2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (ConvTransposeOperation(extent, from_output_to_input(layer, shape, extent[0]), layer.bias),)
