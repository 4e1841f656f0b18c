"""The input gradient of a convolution, as the same loop nest as its forward pass.

A transposed convolution is this map by itself, and then has a bias and an activation of its own.

dx[h, w, c] = sum over (r, s, k) with h = p sh + r dh - top, w = q sw + s dw - left of  dz[p, q, k] w[k, r, s, c]

(lecture 8.3 to 8.6.) For stride 1 this is the convolution of the zero-padded dz with the flipped kernel, summed over
output channels. For a stride, only every sh-th r meets a given h: the positions h = a (mod sh) form a phase, and each
phase is a stride-1 convolution with a part of the taps.
"""

from dataclasses import dataclass, replace

from scanwise.codegen.schedule import Skip
from scanwise.kernels.activation import Activation
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.maps import FeatureMap, lanes_for
from scanwise.kernels.sweep import Axis, Repeat, Sweep, View

__all__ = ["input_gradient", "input_gradient_border"]


@dataclass(frozen=True)
class _Phase:
    """On one axis: the inputs h = start + stride i for i below `inputs`, and the taps that meet them.

    Attributes:
        start: the first input.
        inputs: how many there are.
        tap: the first tap, `tap_step` before the next of `taps`.
        position: where in dz the first tap meets the first input.
        repeats: phases like this one, each one input and `next_tap` taps further.
    """

    start: int
    inputs: int
    tap: int
    tap_step: int
    taps: int
    position: int
    repeats: int = 1
    next_tap: int = 0


def _phase(c: Convolution, axis: int, start: int) -> _Phase:
    kernel, stride, dilation, padding = c.kernel[axis], c.stride[axis], c.dilation[axis], c.padding[axis]
    inputs = -(-(c.extent[axis] - start) // stride)
    taps = [r for r in range(kernel) if (start + padding - r * dilation) % stride == 0]
    if not taps:
        return _Phase(start, inputs, 0, 1, 0, 0)
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    return _Phase(start, inputs, taps[0], step, len(taps), (start + padding - taps[0] * dilation) // stride)


def _phases(c: Convolution, axis: int) -> list[_Phase]:
    """All phases. Neighbours that differ by constant steps are one with repeats: strides may be long."""
    found: list[_Phase] = []
    for start in range(min(c.stride[axis], c.extent[axis])):
        phase = _phase(c, axis, start)
        last = found[-1] if found else phase
        step = phase.tap - (last.tap + (last.repeats - 1) * last.next_tap)
        like = replace(phase, start=last.start, tap=last.tap, repeats=last.repeats, next_tap=last.next_tap)
        if found and like == last and step == (last.next_tap if last.repeats > 1 else step):
            found[-1] = replace(last, repeats=last.repeats + 1, next_tap=step)
        else:
            found.append(phase)
    return found


def input_gradient_border(c: Convolution) -> tuple[int, int, int, int]:
    """The zeros that the map of dz needs around it (lecture 8.7: K - 1 on all sides, less the forward padding)."""
    sides: list[int] = []
    for axis in (0, 1):
        low = high = 0
        for phase in _phases(c, axis):
            if phase.taps:
                low = max(low, -_step(c, axis, phase) * (phase.taps - 1) - phase.position)
                high = max(high, phase.position + phase.inputs - c.positions[axis])
        sides += [low, high]
    return sides[0], sides[1], sides[2], sides[3]


def _step(c: Convolution, axis: int, phase: _Phase) -> int:
    """Positions of dz from one tap to the next: backwards."""
    return -(phase.tap_step * c.dilation[axis] // c.stride[axis])


def input_gradient(
    convolution: Convolution,
    dz: FeatureMap,
    dx: FeatureMap,
    activation: Activation | None = None,
    saved: FeatureMap | None = None,
    together: int = 1,
    *,
    bias: bool = False,
    samples: int = 0,
) -> Correlation:
    """dx, from its bias if there is one. Arguments: dz, transposed weights, b, dx, saved.

    With `saved`, the output of the activation that made x, dx is multiplied by f'(x); without it the activation, if
    one is given, is applied to dx. With `together` columns in a vector (stride 1 only) the weights are `ColumnWeights`.
    """
    c = convolution
    if together > 1:
        sums = _input_gradient_of_columns(c, dz, dx, saved, together)
    else:
        sums = _input_gradient_by_phases(c, dz, dx, saved)
    return replace(
        sums, bias=bias, activation=activation, backward=saved is not None, settles_zero=True, samples=samples
    )


def _input_gradient_by_phases(
    c: Convolution, dz: FeatureMap, dx: FeatureMap, saved: FeatureMap | None
) -> Correlation:
    lanes = c.lanes if c.depthwise else lanes_for(c.group_channels)
    inner = 1 if c.depthwise else c.group_outputs
    tap = inner * lanes
    sweeps = [
        _phase_sweep(c, dz, dx, saved, tap, rows, columns)
        for rows in _phases(c, 0)
        for columns in _phases(c, 1)
    ]
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
        b_group=blocks * lanes,
        depthwise=c.depthwise,
    )


def _phase_skip(c: Convolution, axis: int, phase: _Phase) -> Skip | None:
    if c.depthwise:  # its taps are too short for loops of their own
        return None
    step = min(-1, _step(c, axis, phase))  # of a single tap it means nothing
    return Skip(phase.position, c.positions[axis], phase.taps, step).where_it_pays(phase.inputs)


def _phase_sweep(
    c: Convolution,
    dz: FeatureMap,
    dx: FeatureMap,
    saved: FeatureMap | None,
    tap: int,
    rows: _Phase,
    columns: _Phase,
) -> Sweep:
    lanes = c.lanes if c.depthwise else lanes_for(c.group_channels)
    kernel_row = c.kernel[1] * tap
    axes: tuple[Axis, ...] = (
        Axis(rows.taps, _step(c, 0, rows) * dz.row, rows.tap_step * kernel_row),
        Axis(columns.taps, _step(c, 1, columns) * dz.pitch, columns.tap_step * tap),
        Axis(tap // lanes, 1, lanes),
    )
    if rows.taps == 0 or columns.taps == 0:  # no tap reaches these inputs: an empty sum
        axes = (Axis(0, 0, 0),)

    def view(extent: FeatureMap) -> View:
        origin = extent.origin + rows.start * extent.row + columns.start * extent.pitch
        return View(extent.size, c.stride[0] * extent.row, c.stride[1] * extent.pitch, origin)

    other = saved or dx  # where nothing is saved the steps are not used
    return Sweep(
        rows.inputs,
        columns.inputs,
        x=View(dz.size, dz.row, dz.pitch, dz.origin + rows.position * dz.row + columns.position * dz.pitch),
        y=view(dx),
        axes=axes,
        weight_origin=rows.tap * kernel_row + columns.tap * tap,
        other=view(saved) if saved is not None else None,
        skips=(_phase_skip(c, 0, rows), _phase_skip(c, 1, columns))
        if rows.taps * columns.taps
        else (None, None),
        repeats=(
            Repeat(rows.repeats, rows.next_tap * kernel_row, dx.row, other.row),
            Repeat(columns.repeats, columns.next_tap * tap, dx.pitch, other.pitch),
        ),
    )


def _input_gradient_of_columns(
    c: Convolution, dz: FeatureMap, dx: FeatureMap, saved: FeatureMap | None, together: int
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
        skips=(Skip(top, c.positions[0], c.kernel[0], -1).where_it_pays(c.extent[0]), None),
    )
    return Correlation(
        (sweep,),
        lanes,
        lanes,
        c.kernel[0] * width * tap,
        dx.pitch * together,
        together=together,
    )
