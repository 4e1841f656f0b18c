"""Convolution: forward pass and input gradient, and the operation that the plan sees.

The parameter gradient is in `conv_gradient`, the loop nest itself in `correlation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.kernels.activation import Activation
from scanwise.kernels.columns import ColumnWeights, columns_together
from scanwise.kernels.conv_gradient import BiasGradient, ParameterGradient, TransposeWeights
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.correlation import Axis, Correlation, Sweep, View, skip_border
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, lanes_for
from scanwise.kernels.operation import Border, Call, Derived, Extent, Maps, Operation, Parameter
from scanwise.layers import Conv1d, Conv2d, Shape

__all__ = [
    "BiasGradient",
    "ConvOperation",
    "Convolution",
    "ParameterGradient",
    "TransposeWeights",
    "convolution_parameters",
    "forward",
    "input_gradient",
    "input_gradient_border",
]


@dataclass(frozen=True)
class ConvOperation(Operation):
    """A convolution in a network.

    Attributes:
        convolution: its sizes.
        padding: zeros on (top, bottom, left, right).
    """

    convolution: Convolution
    padding: Border

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

    def gradient_border(self) -> Border:
        return input_gradient_border(self.convolution)

    def parameters(self) -> Sequence[Parameter]:
        return convolution_parameters(self.convolution)

    def resized(self, rows: int, columns: int) -> "ConvOperation":
        c = self.convolution
        positions = []
        for axis, extent in enumerate((rows, columns)):
            before, after = self.padding[2 * axis], self.padding[2 * axis + 1]
            reach = c.dilation[axis] * (c.kernel[axis] - 1) + 1
            positions.append((extent + before + after - reach) // c.stride[axis] + 1)
        sizes = replace(c, extent=(rows, columns), positions=(positions[0], positions[1]))
        return replace(self, extent=(self.extent[0], rows, columns), convolution=sizes)

    def _forward_columns(self) -> int:
        """Columns that share a vector in the forward pass."""
        c = self.convolution
        zeros_stay = self.activation is None or self.activation.keeps_zero
        if c.group_count > 1 or c.depthwise or c.dilation[1] > 1 or not zeros_stay:
            return 1
        return columns_together(c.outputs, c.positions[1], c.kernel[1], c.stride[1])

    def _backward_columns(self, maps: Maps) -> int:
        """Columns that share a vector in the input gradient."""
        c = self.convolution
        plain = c.stride == c.dilation == (1, 1) and c.groups == 1
        if not plain or maps.gradients[1].pitch != lanes_for(c.channels):
            return 1
        return columns_together(c.channels, c.extent[1], c.kernel[1], 1)

    def transformed(self) -> Derived | None:
        together = self._forward_columns()
        if together == 1:
            return None
        kernel = ColumnWeights(self.convolution, together, backward=False)
        return Derived(kernel.size, [(kernel, 0, 0)], kernel.scratch)

    def forward(self, maps: Maps) -> Sequence[Call]:
        together = self._forward_columns()
        kernel = forward(self.convolution, maps.x, maps.y, self.activation, together)
        weights, bias = (
            "weight" if together == 1 else "transformed",
            "bias" if self.convolution.bias else "none",
        )
        return (Call(kernel, ("x", weights, bias, "y", "none")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        saved = maps.x if activation is not None else None
        together = self._backward_columns(maps)
        kernel = input_gradient(self.convolution, dy, dx, activation, saved, together)
        weights = "weight" if self.convolution.depthwise else "derived"
        return (Call(kernel, ("dy", weights, "none", "dx", "x" if saved is not None else "none")),)

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        dy = maps.dy
        assert dy is not None
        calls = [Call(ParameterGradient(self.convolution, maps.x, dy), ("x", "dy", "d weight"))]
        if self.convolution.bias:
            calls.append(Call(BiasGradient(self.convolution, dy), ("dy", "d bias")))
        return calls

    def derived(self, maps: Maps) -> Derived | None:
        if self.convolution.depthwise:
            return None
        together = self._backward_columns(maps)
        if together > 1:
            columns = ColumnWeights(self.convolution, together, backward=True)
            return Derived(columns.size, [(columns, 0, 0)], columns.scratch)
        kernel = TransposeWeights(self.convolution)
        return Derived(kernel.size, kernel.parts())

    def fuses_derivative(self, maps: Maps) -> bool:
        return True


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
) -> Correlation:
    """z = b + w * x, then the activation (lecture 3.1, 5.4). Arguments: x, w, b, y, -; x needs a border of the padding.

    With `together` columns in a vector the weights are `ColumnWeights`.
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
        settles_zero=activation is None or activation.name != "relu",  # a ReLU makes +0 of both zeros
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


# --- input gradient ---------------------------------------------------------------------------------------------------
#
# dx[h, w, c] = sum over (r, s, k) with h = p sh + r dh - top, w = q sw + s dw - left of  dz[p, q, k] w[k, r, s, c]
#
# (lecture 8.3 to 8.6.) For stride 1 this is the convolution of the zero-padded dz with the flipped kernel, summed over
# output channels. For a stride, only every sh-th r meets a given h: the positions h = a (mod sh) form a phase, and each
# phase is a stride-1 convolution with a part of the taps.


def _phase(kernel: int, stride: int, dilation: int, padding: int, phase: int) -> tuple[int, int, int, int]:
    """Taps that meet the inputs h = phase + stride i: (first, step, number, dz position of the first at i = 0)."""
    taps = [r for r in range(kernel) if (phase + padding - r * dilation) % stride == 0]
    if not taps:
        return 0, 1, 0, 0
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    return taps[0], step, len(taps), (phase + padding - taps[0] * dilation) // stride


def _phases(c: Convolution, axis: int) -> list[tuple[int, int, int, int, int, int]]:
    """For each phase: (phase, inputs in it, first tap, tap step, taps, first dz position)."""
    found = []
    for phase in range(min(c.stride[axis], c.extent[axis])):
        count = -(-(c.extent[axis] - phase) // c.stride[axis])
        found.append(
            (phase, count, *_phase(c.kernel[axis], c.stride[axis], c.dilation[axis], c.padding[axis], phase))
        )
    return found


def input_gradient_border(c: Convolution) -> tuple[int, int, int, int]:
    """The zeros that the map of dz needs around it (lecture 8.7: K - 1 on all sides, less the forward padding)."""
    sides: list[int] = []
    for axis in (0, 1):
        low = high = 0
        for _, count, _, step, taps, first in _phases(c, axis):
            if taps:
                back = (taps - 1) * step * c.dilation[axis] // c.stride[axis]
                low = max(low, back - first)
                high = max(high, first + count - 1 - (c.positions[axis] - 1))
        sides += [low, high]
    return sides[0], sides[1], sides[2], sides[3]


def input_gradient(
    convolution: Convolution,
    dz: FeatureMap,
    dx: FeatureMap,
    activation: Activation | None = None,
    saved: FeatureMap | None = None,
    together: int = 1,
) -> Correlation:
    """dx, times f'(x) of the activation that made x if one is given. Arguments: dz, transposed weights, -, dx, saved.

    With `together` columns in a vector (stride 1 only) the weights are `ColumnWeights`.
    """
    c = convolution
    if together > 1:
        return _input_gradient_of_columns(c, dz, dx, activation, saved, together)
    lanes = c.lanes if c.depthwise else lanes_for(c.group_channels)
    inner = 1 if c.depthwise else c.group_outputs
    tap = inner * lanes
    sweeps = []
    for a, rows, r0, r_step, r_count, p0 in _phases(c, 0):
        for b, columns, s0, s_step, s_count, q0 in _phases(c, 1):
            axes: tuple[Axis, ...] = (
                Axis(r_count, -(r_step * c.dilation[0] // c.stride[0]) * dz.row, r_step * c.kernel[1] * tap),
                Axis(s_count, -(s_step * c.dilation[1] // c.stride[1]) * dz.pitch, s_step * tap),
                Axis(inner, 1, lanes),
            )
            if r_count == 0 or s_count == 0:  # no tap reaches these inputs: an empty sum
                axes = (Axis(0, 0, 0),)
            sweeps.append(
                Sweep(
                    rows,
                    columns,
                    x=View(dz.size, dz.row, dz.pitch, dz.origin + p0 * dz.row + q0 * dz.pitch),
                    y=_phase_view(dx, c.stride, a, b),
                    axes=axes,
                    weight_origin=(r0 * c.kernel[1] + s0) * tap,
                    other=_phase_view(saved, c.stride, a, b) if saved is not None else None,
                )
            )
    blocks = -(-c.group_channels // lanes)
    return Correlation(
        tuple(sweeps),
        lanes,
        c.group_channels,
        c.taps * tap,
        dx.pitch,
        groups=c.group_count,
        x_group=c.group_outputs,
        y_group=c.group_channels,
        w_group=blocks * c.taps * tap,
        depthwise=c.depthwise,
        activation=activation,
        backward=activation is not None,
        settles_zero=True,
    )


def _input_gradient_of_columns(
    c: Convolution,
    dz: FeatureMap,
    dx: FeatureMap,
    activation: Activation | None,
    saved: FeatureMap | None,
    together: int,
) -> Correlation:
    """Columns q m to q m + m - 1 of dx read dz from column q m + left + m - 1 backwards."""
    lanes = lanes_for(c.channels) * together
    width = c.kernel[1] + together - 1
    tap = c.outputs * lanes
    top, left = c.padding
    start = dz.origin + top * dz.row + (left + together - 1) * dz.pitch

    def columns(extent: FeatureMap) -> View:
        return View(extent.size, extent.row, extent.pitch * together, extent.origin)

    sweep = Sweep(
        c.extent[0],
        c.extent[1] // together,
        x=View(dz.size, dz.row, dz.pitch * together, start),
        y=columns(dx),
        axes=(
            Axis(c.kernel[0], -dz.row, width * tap),
            Axis(width, -dz.pitch, tap),
            Axis(c.outputs, 1, lanes),
        ),
        other=columns(saved) if saved is not None else None,
        inside=skip_border(top, c.positions[0], c.extent[0], c.kernel[0]),
    )
    return Correlation(
        (sweep,),
        lanes,
        lanes,
        c.kernel[0] * width * tap,
        dx.pitch * together,
        activation=activation,
        backward=activation is not None,
        settles_zero=True,
        together=together,
    )


def _phase_view(extent: FeatureMap, stride: tuple[int, int], a: int, b: int) -> View:
    return View(
        extent.size,
        stride[0] * extent.row,
        stride[1] * extent.pitch,
        extent.origin + a * extent.row + b * extent.pitch,
    )


@lower.register
def _(layer: Conv1d | Conv2d, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    convolution = Convolution(
        extent[0],
        layer.out_channels,
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        (geometry.padding[0], geometry.padding[2]),
        extent[1:],
        geometry.output,
        groups=layer.groups,
        flip=layer.flip,
        bias=layer.bias,
    )
    return (ConvOperation(extent, convolution, geometry.padding),)
