"""The sizes of a convolution, and the order of its weights in memory.

Weights lie as `[group][K / lanes][R S][C per group][lanes]`, in the order in which the nest reads them; `pack` and
`unpack` lead from PyTorch's `[K][C per group][R][S]` and back. For `Linear` C is counted with the padding lanes of
its input map, so that the map can be read as one run of memory.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels.maps import lanes_for
from scanwise.layers import Geometry

__all__ = ["Convolution"]


@dataclass(frozen=True)
class Convolution:
    """A convolution at given sizes: what all of its kernels are built from.

    Attributes:
        channels: C, input channels.
        outputs: K, output channels.
        kernel: (R, S).
        stride: (sh, sw).
        dilation: (dh, dw).
        padding: zero rows above and zero columns left.
        extent: (H, W) of the input.
        positions: (P, Q) of the output.
        groups: number of groups of channels.
        pitch: input channels as counted in the weights (C per group, or with padding lanes for `Linear`).
        flip: true convolution: the kernel is turned by 180 degrees (lecture 9.5).
        bias: whether there is a bias.
    """

    channels: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    extent: tuple[int, int]
    positions: tuple[int, int]
    groups: int = 1
    pitch: int = 0
    flip: bool = False
    bias: bool = True

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        extent: tuple[int, int, int],
        outputs: int,
        *,
        groups: int = 1,
        flip: bool = False,
        bias: bool = True,
    ) -> "Convolution":
        """The convolution whose windows lie as `geometry` says, on a map of (C, H, W)."""
        return cls(
            extent[0],
            outputs,
            geometry.kernel,
            geometry.stride,
            geometry.dilation,
            (geometry.padding[0], geometry.padding[2]),
            extent[1:],
            geometry.output,
            groups=groups,
            flip=flip,
            bias=bias,
        )

    @property
    def depthwise(self) -> bool:
        """One input and one output channel in each group: lanes are the groups."""
        return self.groups > 1 and self.groups == self.channels == self.outputs

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def group_count(self) -> int:
        """Groups that loops run over (a depthwise convolution is one group of vectors)."""
        return 1 if self.depthwise else self.groups

    @property
    def group_outputs(self) -> int:
        return self.outputs // self.group_count

    @property
    def group_channels(self) -> int:
        return self.channels // self.group_count

    @property
    def steps(self) -> int:
        """Input channels that one output channel sums over."""
        return 1 if self.depthwise else (self.pitch or self.group_channels)

    @property
    def lanes(self) -> int:
        return lanes_for(self.group_outputs)

    @property
    def blocks(self) -> int:
        return -(-self.group_outputs // self.lanes)

    @property
    def block(self) -> int:
        """Floats of weights for one vector of output channels."""
        return self.taps * self.steps * self.lanes

    @property
    def weight_size(self) -> int:
        return self.group_count * self.blocks * self.block

    @property
    def work(self) -> int:
        """Multiply-adds of the forward pass on one sample."""
        return self.positions[0] * self.positions[1] * self.outputs * self.taps * self.steps

    @property
    def bias_size(self) -> int:
        return self.group_count * self.blocks * self.lanes if self.bias else 0

    def at(self, positions: tuple[int, int]) -> "Convolution":
        """The same channels at another number of positions (the bias gradient of what pooling leaves)."""
        return replace(self, positions=positions)

    def pack(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K, C per group, R, S] -> the order that the nest reads."""
        rows, columns = self.kernel
        groups, outputs = self.group_count, self.group_outputs
        source = weight.reshape(groups, outputs, -1, rows, columns)
        if self.flip:
            source = source[..., ::-1, ::-1]
        packed = np.zeros((groups, self.blocks * self.lanes, self.taps, self.steps), np.float32)
        inner = source.shape[2]
        packed[:, :outputs, :, :inner] = source.reshape(groups, outputs, inner, self.taps).transpose(
            0, 1, 3, 2
        )
        shape = (groups, self.blocks, self.lanes, self.taps, self.steps)
        return packed.reshape(shape).transpose(0, 1, 3, 4, 2).reshape(-1)

    def unpack(self, packed: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse of `pack`, as [K, C per group, R, S]."""
        rows, columns = self.kernel
        groups, outputs = self.group_count, self.group_outputs
        inner = 1 if self.depthwise else self.group_channels
        shape = (groups, self.blocks, self.taps, self.steps, self.lanes)
        spread = packed.reshape(shape).transpose(0, 1, 4, 3, 2).reshape(groups, -1, self.steps, self.taps)
        weight = spread[:, :outputs, :inner].reshape(groups * outputs, inner, rows, columns)
        return np.ascontiguousarray(weight[..., ::-1, ::-1] if self.flip else weight)

    def pack_bias(self, bias: NDArray[np.float32]) -> NDArray[np.float32]:
        packed = np.zeros((self.group_count, self.blocks * self.lanes), np.float32)
        # + 0 turns -0 into +0, so that a chain never starts from -0 and adding zeros never changes a bit.
        packed[:, : self.group_outputs] = bias.reshape(self.group_count, -1) + np.float32(0)
        return packed.reshape(-1)

    def unpack_bias(self, packed: NDArray[np.float32]) -> NDArray[np.float32]:
        spread = packed.reshape(self.group_count, -1)[:, : self.group_outputs]
        return spread.flatten()  # always a copy: it shall not keep the whole buffer alive
