"""Convolution: the forward pass, and the operation that the plan sees.

The gradients are in `conv_input_gradient` and `conv_gradient`, the loop nest itself in `correlation`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels.activation import Activation
from scanwise.kernels.columns import ColumnWeights, columns_together
from scanwise.kernels.connections import ConnectedGradient, connected_parameters
from scanwise.kernels.conv_gradient import BiasGradient, ParameterGradient
from scanwise.kernels.conv_input_gradient import input_gradient, input_gradient_border
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.correlation_cuts import correlation_cuts, input_gradient_cuts
from scanwise.kernels.cut import Cut
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, lanes_for, plain_map
from scanwise.kernels.operation import Border, Call, Derived, Extent, Maps, Operation, Parameter
from scanwise.kernels.routes import Routed
from scanwise.kernels.sweep import Axis, Inside, Sweep, View
from scanwise.kernels.transpose import TransposeWeights
from scanwise.kernels.window import Pooling
from scanwise.layers import Conv1d, Conv2d, Shape
from scanwise.layers.arguments import Table

__all__ = [
    "BiasGradient",
    "ConvOperation",
    "Convolution",
    "FixedConvOperation",
    "ParameterGradient",
    "TransposeWeights",
    "backward_columns",
    "backward_weights",
    "convolution_parameters",
    "forward",
    "forward_columns",
    "forward_weights",
    "input_gradient",
    "input_gradient_border",
]


@dataclass(frozen=True)
class ConvOperation(Operation):
    """A convolution in a network.

    Attributes:
        convolution: its sizes.
        padding: zeros on (top, bottom, left, right).
        connections: which input channels each output channel sees; None for all.
        scaled: whether a normalisation is the last step before the activation.
    """

    convolution: Convolution
    padding: Border
    connections: Table | None = field(default=None, kw_only=True)
    scaled: bool = field(default=False, kw_only=True)

    fuses_activation = True

    @property
    def reads_values(self) -> bool:  # type: ignore[override]
        return not self.convolution.depthwise

    @property
    def output(self) -> Extent:
        return (self.convolution.outputs, *self.convolution.positions)

    @property
    def border(self) -> Border:
        return self.padding

    @property
    def step(self) -> tuple[int, int]:
        return self.convolution.stride

    def gradient_border(self) -> Border:
        return input_gradient_border(self.convolution)

    def parameters(self) -> Sequence[Parameter]:
        weight, *bias = convolution_parameters(self.convolution)
        if self.connections is None:
            return weight, *bias
        return *connected_parameters(self.convolution, self.connections, weight), *bias

    def resized(self, rows: int, columns: int) -> "ConvOperation":
        c = self.convolution
        positions = []
        for axis, extent in enumerate((rows, columns)):
            before, after = self.padding[2 * axis], self.padding[2 * axis + 1]
            reach = c.dilation[axis] * (c.kernel[axis] - 1) + 1
            positions.append((extent + before + after - reach) // c.stride[axis] + 1)
        sizes = replace(c, extent=(rows, columns), positions=(positions[0], positions[1]))
        return replace(self, extent=(self.extent[0], rows, columns), convolution=sizes)

    def _backward_columns(self, maps: Maps) -> int:
        """Columns that share a vector in the input gradient."""
        c = self.convolution
        return backward_columns(c) if maps.gradients[1].pitch == lanes_for(c.channels) else 1

    def transformed(self) -> Derived | None:
        return forward_weights(self.convolution, forward_columns(self.convolution, self.activation))

    def forward(self, maps: Maps) -> Sequence[Call]:
        together = forward_columns(self.convolution, self.activation)
        kernel = forward(self.convolution, maps.x, maps.y, self.activation, together, scaled=self.scaled)
        weights, bias = (
            "weight" if together == 1 else "transformed",
            "bias" if self.convolution.bias else "none",
        )
        return (Call(kernel, ("x", weights, bias, "y", "folded" if self.scaled else "none")),)

    @property
    def work(self) -> int:
        return self.convolution.work

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return correlation_cuts(whole, self.convolution)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        saved = maps.x if activation is not None else None
        together = self._backward_columns(maps)
        kernel = input_gradient(self.convolution, dy, dx, activation, saved, together)
        weights = "weight" if self.convolution.depthwise else "derived"
        return (Call(kernel, ("dy", weights, "none", "dx", "x" if saved is not None else "none")),)

    def backward_cuts(self, maps: Maps, activation: Activation | None) -> Sequence[Cut]:
        (whole,) = self.backward(maps, activation)
        return input_gradient_cuts(whole)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        dy = maps.dy
        assert dy is not None
        calls = [self.weight_gradient(maps)]
        if self.connections is not None:
            calls.append(Call(ConnectedGradient(self.convolution.weight_size), ("d weight", "connected")))
        if self.convolution.bias:
            calls.append(Call(BiasGradient(self.convolution, dy), ("dy", "d bias")))
        return calls

    def weight_gradient(self, maps: Maps) -> Call:
        """The call that adds to the weights' gradient, as for a convolution without a table of connections."""
        assert maps.dy is not None
        return Call(ParameterGradient(self.convolution, maps.x, maps.dy), ("x", "dy", "d weight"))

    def routed(self, maps: Maps, pooling: Pooling) -> Routed | None:
        if self.connections is not None:
            return None
        assert maps.dy is not None
        found = Routed(self.convolution, pooling, maps.x, maps.y, maps.dy, self.activation, maps.samples)
        return found if found.pays else None

    def derived(self, maps: Maps) -> Derived | None:
        return backward_weights(self.convolution, self._backward_columns(maps))

    def fuses_derivative(self, maps: Maps) -> bool:
        return True


@dataclass(frozen=True)
class FixedConvOperation(ConvOperation):
    """A convolution whose weights belong to the layer and are not trained.

    Attributes:
        weight: makes them, `(K, C per group, R, S)`.
    """

    weight: Callable[[], NDArray[np.float32]]

    def parameters(self) -> Sequence[Parameter]:
        c = self.convolution
        return (Parameter("weight", c.weight_size, c.pack, c.unpack, fixed=c.pack(self.weight())),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        return ()

    def routed(self, maps: Maps, pooling: Pooling) -> Routed | None:
        return None


def forward_columns(convolution: Convolution, activation: Activation | None = None) -> int:
    """Columns that share a vector in the forward pass."""
    c = convolution
    zeros_stay = activation is None or activation.keeps_zero
    if c.group_count > 1 or c.depthwise or c.dilation[1] > 1 or not zeros_stay:
        return 1
    return columns_together(c.outputs, c.positions[1], c.kernel[1], c.stride[1])


def backward_columns(convolution: Convolution, activation: Activation | None = None) -> int:
    """Columns that share a vector in the input gradient; `activation` is one that is applied to it."""
    c = convolution
    zeros_stay = activation is None or activation.keeps_zero
    if c.stride != (1, 1) or c.dilation != (1, 1) or c.groups > 1 or not zeros_stay:
        return 1
    return columns_together(c.channels, c.extent[1], c.kernel[1], 1)


def forward_weights(convolution: Convolution, together: int) -> Derived | None:
    """What `forward` reads in place of the weights, if not the weights themselves."""
    if together == 1:
        return None
    columns = ColumnWeights(convolution, together, backward=False)
    return Derived(columns.size, [(columns, 0, 0)], columns.scratch)


def backward_weights(convolution: Convolution, together: int) -> Derived | None:
    """What `input_gradient` reads in place of the weights, if not the weights themselves."""
    if convolution.depthwise:
        return None
    if together > 1:
        columns = ColumnWeights(convolution, together, backward=True)
        return Derived(columns.size, [(columns, 0, 0)], columns.scratch)
    kernel = TransposeWeights(convolution)
    return Derived(kernel.size, kernel.parts())


def convolution_parameters(convolution: Convolution) -> Sequence[Parameter]:
    c = convolution
    weight = Parameter("weight", c.weight_size, c.pack, c.unpack)
    return (weight, Parameter("bias", c.bias_size, c.pack_bias, c.unpack_bias)) if c.bias else (weight,)


def forward(
    convolution: Convolution,
    x: FeatureMap,
    y: FeatureMap,
    activation: Activation | None = None,
    together: int = 1,
    *,
    scaled: bool = False,
) -> Correlation:
    """z = b + w * x, then the activation (lecture 3.1, 5.4). Arguments: x, w, b, y, -; x needs a border of the padding.

    With `together` columns in a vector the weights are `ColumnWeights`. `scaled` puts a normalisation before the
    activation, whose block is the last argument.
    """
    c = convolution
    top, left = c.padding
    lanes = c.lanes * together
    rows, columns = c.positions
    step = c.stride[1] * together
    sweep = Sweep(
        rows,
        columns // together,
        x=View(x.size, c.stride[0] * x.row, step * x.pitch, x.origin - top * x.row - left * x.pitch),
        y=View(y.size, y.row, y.pitch * together, y.origin),
        axes=_forward_axes(c, x, together),
    ).skipping(
        Inside(-top, c.stride[0], c.dilation[0], c.extent[0]), Inside(-left, step, c.dilation[1], c.extent[1])
    )
    return Correlation(
        (sweep,),
        lanes,
        c.group_outputs if together == 1 else lanes,
        c.block,
        y.pitch * together,
        groups=c.group_count,
        x_group=c.group_channels,
        y_group=c.group_outputs,
        w_group=c.blocks * c.block,
        b_group=c.blocks * c.lanes,
        depthwise=c.depthwise,
        bias=c.bias,
        activation=activation,
        together=together,
        # A ReLU makes +0 of both zeros.
        settles_zero=scaled or activation is None or activation.name != "relu",
        scales=plain_map(c.outputs, 1, 1).pitch if scaled else 0,
    )


def _forward_axes(c: Convolution, x: FeatureMap, together: int) -> tuple[Axis, ...]:
    lanes = c.lanes * together
    width = c.kernel[1] + (together - 1) * c.stride[1]
    tap = c.steps * lanes
    channels = 1 if c.depthwise else (c.steps if c.pitch == x.pitch else c.group_channels)
    return (
        Axis(c.kernel[0], c.dilation[0] * x.row, width * tap),
        Axis(width, c.dilation[1] * x.pitch, tap),
        Axis(channels, 1, lanes),
    )


@lower.register
def _(layer: Conv1d | Conv2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    convolution = Convolution.of(
        geometry, extent, layer.out_channels, groups=layer.groups, flip=layer.flip, bias=layer.bias
    )
    return (ConvOperation(extent, convolution, geometry.padding, connections=layer.connections),)
