"""The convolution loop nest: for every position and output channel, one chain of multiply-adds.

    z[n, p, q, k] = b[k];  for r, s, c:  z[n, p, q, k] += w[k, r, s, c] * x[n, p sh + r dh, q sw + s dw, c]

in exactly this order of r, s, c for every schedule and every processor (lecture 3.1 and 5.4, with the channel loop
innermost because channels lie innermost in memory). The vector lane is k. `Linear` is the same nest with the kernel
covering the map, the input gradient is the same nest over other strides, a depthwise convolution is the same nest with
a vector of inputs in place of a broadcast.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.schedule import Tile, likely_tiles
from scanwise.codegen.target import Target
from scanwise.kernels.activation import Activation
from scanwise.kernels.nest import Nest
from scanwise.kernels.sweep import Sweep

__all__ = ["Correlation"]


@dataclass(frozen=True)
class Correlation:
    """Arguments: x, w, b, y and, where a sweep has `other`, the map it names. b is not read unless `bias`.

    Attributes:
        sweeps: grids of output positions.
        lanes: floats per vector.
        channels: output channels of one group.
        block: floats of weights for one vector of output channels.
        groups: number of groups; the strides `x_group`, `y_group` and `w_group` lead from one to the next.
        depthwise: inputs are vectors too: lane k reads input channel k.
        bias: whether the chain starts from b (otherwise from zero).
        activation: applied to the sum (forward), or whose derivative multiplies it (backward).
        backward: whether `activation` is used by its derivative, from the saved map.
        together: neighbouring columns that share a vector, each with lanes / together of its lanes.
        settles_zero: whether +0 is added to every sum. A sum that has underflowed to -0 becomes +0 by it, as it also
            would by one more product of zeros; so the products of zeros that some schedules leave out or put in change
            no bit.
        scales: floats from a channel's scale to its shift where the map in `other` is a normalisation's block: sums
            are multiplied and shifted by them before the activation. 0 for none.
        schedule: the register tile; None for the model's choice, sweep by sweep.
    """

    sweeps: tuple[Sweep, ...]
    lanes: int
    channels: int
    block: int
    y_pitch: int
    groups: int = 1
    x_group: int = 0
    y_group: int = 0
    w_group: int = 0
    b_group: int = 0
    depthwise: bool = False
    bias: bool = False
    activation: Activation | None = None
    backward: bool = False
    together: int = 1
    settles_zero: bool = False
    scales: int = 0
    schedule: Tile | None = None
    pointers: int = 5

    @property
    def blocks(self) -> int:
        return -(-self.channels // self.lanes)

    def candidates(self, target: Target) -> list["Correlation"]:
        """The schedules that are worth timing: itself with the model's choice, then others."""
        grids = [sweep.grid for sweep in self.sweeps if sweep.rows and sweep.columns]
        tiles = likely_tiles(target, self.lanes, self.blocks, grids) if grids else []
        return [replace(self, schedule=tile) for tile in (None, *tiles)]

    def emit(self, e: Emitter) -> None:
        self.emit_on(e, e.arguments, e.n)

    def emit_on(self, e: Emitter, arguments: Sequence[Value], n: Index) -> None:
        """The nest as a part of a larger kernel, with arguments and number of samples of its own."""
        for sweep in self.sweeps:
            if sweep.rows and sweep.columns:
                e.loop(self.groups, lambda g, s=sweep: self._grids(e, s, g, arguments, n))

    def _grids(self, e: Emitter, sweep: Sweep, group: Index, arguments: Sequence[Value], n: Index) -> None:
        x, w, b, y, other = arguments
        x = e.at(x, e.mul(group, self.x_group))
        w = e.at(w, e.add(e.mul(group, self.w_group), sweep.weight_origin))
        b = e.at(b, e.mul(group, self.b_group))
        y, other = (e.at(pointer, e.mul(group, self.y_group)) for pointer in (y, other))

        def grid(w_step: Index, y_step: Index, other_step: Index) -> None:
            places = (x, e.at(w, w_step), b, e.at(y, y_step), e.at(other, other_step))
            Nest(e, self, sweep, places, n).emit()

        sweep.each(e, grid)
