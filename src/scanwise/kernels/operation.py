"""What the plan knows of a layer: an operation on maps, with its native calls.

A layer's kernel module builds one `Operation` (or a few) for a layer at a shape. The plan gives every map its place in
memory and every parameter its place in the parameter buffer, and asks the operation for its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.jit import Kernel
from scanwise.kernels.maps import FeatureMap, lanes_for, round_up

if TYPE_CHECKING:
    from scanwise.kernels.activation import Activation
    from scanwise.kernels.cut import Cut
    from scanwise.kernels.routes import Routed
    from scanwise.kernels.window import Pooling

__all__ = [
    "Border",
    "Call",
    "Derived",
    "Extent",
    "Maps",
    "NO_BORDER",
    "Operation",
    "Parameter",
    "per_channel",
]

Border = tuple[int, int, int, int]
NO_BORDER: Border = (0, 0, 0, 0)
# Channels, rows, columns of a map.
Extent = tuple[int, int, int]


@dataclass(frozen=True)
class Call:
    """One native call. Its arguments are names:

    a map ("x", "other", "y", "dy", "dx"), a parameter ("weight"), its gradient ("d weight"), something computed from
    the weights ("derived" for the backward pass, "transformed" for the forward pass; "folded" is what a normalisation
    that was folded into the operation has transformed), "scratch", "keys" (of dropout), "routes" (what max poolings
    hand on), "sums" and "gradient sums" (of a shard, for merges), "turn" or "none". "turn" is a number, not an
    address: 0 in the first calls that write a shard's gradients. A call that asks for it assigns its gradient then,
    which nobody sets to zero before.

    Attributes:
        kernel: what is called.
        arguments: the names.
        offsets: floats to add to each argument's place; none are zeros.
    """

    kernel: Kernel
    arguments: tuple[str, ...]
    offsets: tuple[int, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A trained (or fixed) array: its size in the engine's order, and the way there and back.

    Attributes:
        name: "weight" or "bias".
        size: floats, padding included.
        pack: PyTorch's layout -> flat array of `size`.
        unpack: the inverse.
        fixed: the values of a parameter that is not trained (as in `LogMel`), already packed.
        state: whether it is a statistic that training keeps, without a gradient.
    """

    name: str
    size: int
    pack: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    unpack: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    fixed: NDArray[np.float32] | None = None
    state: bool = False

    @property
    def trained(self) -> bool:
        """Whether it has a gradient."""
        return self.fixed is None and not self.state


def per_channel(name: str, channels: int) -> Parameter:
    """A value for each channel: it lies as one position of a map, with zeros in the padding lanes."""
    size = round_up(channels, lanes_for(channels))

    def pack(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.pad(values, (0, size - channels))

    def unpack(packed: NDArray[np.float32]) -> NDArray[np.float32]:
        return packed[:channels].copy()

    return Parameter(name, size, pack, unpack)


@dataclass(frozen=True)
class Merge:
    """One native call for all shards of a step, when each has run its own calls up to there; n is their number.

    Attributes:
        kernel: makes the kernel, given the floats from what one shard calls "sums" to what the next does.
        arguments: names as of a `Call`. "sums" are those of the first shard.
    """

    kernel: Callable[[int], Kernel]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Derived:
    """Something that is computed from the weights once per step, such as their transpose.

    Attributes:
        size: its floats.
        parts: calls of (weights, result) or (weights, result, scratch), each as (kernel, offset into the weights,
            offset into the result): threads share them.
        scratch: floats of scratch that a call needs.
        merges: calls that read several parameters, in order; one thread runs them. There are no shards.
    """

    size: int
    parts: Sequence[tuple[Kernel, int, int]]
    scratch: int = 0
    merges: Sequence[Merge] = ()


@dataclass(frozen=True)
class Maps:
    """Where an operation's values lie, for `samples` samples. `dy` and `dx` are None where they play no part."""

    x: FeatureMap
    y: FeatureMap
    other: FeatureMap | None = None
    dy: FeatureMap | None = None
    dx: FeatureMap | None = None
    samples: int = 1

    @property
    def gradients(self) -> tuple[FeatureMap, FeatureMap]:
        """(dy, dx) of a backward pass."""
        assert self.dy is not None
        assert self.dx is not None
        return self.dy, self.dx


@dataclass(frozen=True)
class Operation:
    """One step of a network on maps. Subclasses say what is different from doing nothing.

    Attributes:
        extent: (C, H, W) of the input.
        activation: what is applied in the last step of `forward`.
        reads: which values of its layer it reads: 0 is what reaches the layer, i what the layer's i-th operation gives,
            -1 what the operation before it gives. A second one is `other`.
    """

    extent: Extent
    activation: Activation | None = field(default=None, kw_only=True)
    reads: tuple[int, ...] = field(default=(-1,), kw_only=True)

    # Whether a following activation may be computed in the last step of `forward`.
    fuses_activation = False
    # Whether x is only read value by value, so that its pitch need not be padded to the vector width.
    reads_values = False

    @property
    def output(self) -> Extent:
        """(K, P, Q) of the output."""
        return self.extent

    @property
    def border(self) -> Border:
        """Zeros that `forward` needs around x."""
        return NO_BORDER

    @property
    def step(self) -> tuple[int, int]:
        """Rows and columns of x from one position of y to the next."""
        return 1, 1

    def gradient_border(self) -> Border:
        """Zeros that `backward` needs around dy."""
        return NO_BORDER

    def parameters(self) -> Sequence[Parameter]:
        """The parameters, in PyTorch's order."""
        return ()

    def resized(self, rows: int, columns: int) -> Operation:
        """The same operation on a larger input: its windows stay what they are (scanning)."""
        raise NotImplementedError

    def forward(self, maps: Maps) -> Sequence[Call]:
        """Calls that compute y from x."""
        raise NotImplementedError

    @property
    def work(self) -> int:
        """About how many multiply-adds `forward` takes on one sample; 0 where that is not worth cutting."""
        return 0

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        """Ways to cut `forward` on one sample into pieces for several threads; the first is the best of equal ones."""
        return ()

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        """Calls that compute dx from dy. With `activation`, dx is multiplied by its derivative at x."""
        raise NotImplementedError

    def backward_cuts(self, maps: Maps, activation: Activation | None) -> Sequence[Cut]:
        """Ways to cut `backward` on one sample, as `cuts`. What their pieces read is not asked."""
        return ()

    def backward_other(self, maps: Maps) -> Sequence[Call]:
        """Calls that compute the gradient of `other`, as "dx", for an operation that reads two values."""
        raise NotImplementedError

    def parameter_gradients(self, maps: Maps) -> Sequence[Call]:
        """Calls that add to the parameters' gradients."""
        return ()

    @property
    def maxima(self) -> Pooling | None:
        """The windows whose maximum it hands on, if that is what it does."""
        return None

    def routed(self, maps: Maps, pooling: Pooling) -> Routed | None:
        """Another way to `parameter_gradients` where only `pooling`'s maxima read y, if it is worth it. In `maps` dy is
        the gradient by the maxima.
        """
        return None

    def derived(self, maps: Maps) -> Derived | None:
        """What `backward` needs that is computed from the parameters."""
        return None

    def transformed(self) -> Derived | None:
        """What `forward` needs that is computed from the weights."""
        return None

    @property
    def folds_into(self) -> bool:
        """Whether it can be the last step of a convolution before it: y = x scale + shift, for each channel."""
        return False

    def merges(self) -> Sequence[Merge]:
        """What all shards of a step must come together for between `before_merges` and `forward`."""
        return ()

    def before_merges(self, maps: Maps) -> Sequence[Call]:
        """Calls of each shard that leave what `merges` read."""
        return ()

    def commits(self) -> Sequence[Merge]:
        """What becomes of parameters that are not trained, at the end of a step whose loss is finite."""
        return ()

    def backward_merges(self) -> Sequence[Merge]:
        """What all shards of a step must come together for between `parameter_gradients` and `backward`."""
        return ()

    @property
    def sums(self) -> int:
        """Floats of a shard's "sums", and of its "gradient sums"."""
        return 0

    def scratch(self, maps: Maps) -> int:
        """Floats of scratch that `forward` needs; with dy in `maps` `parameter_gradients`, with dx too `backward`."""
        return 0

    def writes_to(self, dx: FeatureMap) -> bool:
        """Whether `backward` can write a map of this geometry."""
        return True

    def fuses_derivative(self, maps: Maps) -> bool:
        """Whether `backward` takes an activation."""
        return False
