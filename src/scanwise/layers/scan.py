"""The scanning MLP: one MLP, applied to every window of a signal (lecture 1.2, part 2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from scanwise.errors import ArgumentError, ArgumentTypeError

from . import arguments
from .base import Layer, Shape, _Pointwise, layer_of
from .container import Residual, Sequential, flattened
from .conv import Conv1d, Conv2d
from .dropout import Dropout
from .flatten import Flatten
from .linear import Linear
from .pad import Pad1d, Pad2d
from .softmax import Softmax
from .unfold import Unfold1d, Unfold2d
from .window import _Windowed

_Kernel = tuple[int | tuple[int, ...], int | tuple[int, ...]]  # extent and stride
_ONE_POSITION: _Kernel = (1, 1)

_TAKEN = (Linear, Flatten, Softmax, Sequential, Residual, _Pointwise)


@dataclass(frozen=True, repr=False)
class _Scan(_Windowed):
    mlp: Sequential
    window: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1

    # What the same network is made of when it is written with convolutions.
    convolution: ClassVar[type[Conv1d | Conv2d]]
    unfold: ClassVar[type[Unfold1d | Unfold2d]]
    identity: ClassVar[Layer]

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.mlp, Sequential):
            raise ArgumentTypeError(f"{kind}: mlp must be a Sequential. Got {self.mlp!r}.")
        for layer in _leaves(self.mlp):
            if not isinstance(layer, _TAKEN):
                raise ArgumentError(
                    f"{kind}: mlp must be made of Linear, Flatten, Softmax and pointwise layers. Got {layer.label()}."
                )
        for name in ("window", "stride"):
            self._settle(name, arguments.sizes(kind, name, getattr(self, name), (self.axes,)))

    @property
    def depth(self) -> int:
        """Levels of nesting, as of a container."""
        return 1 + self.mlp.depth

    @property
    def windows(self) -> Unfold1d | Unfold2d:
        """The layer that cuts out the windows: the MLP sees its columns."""
        return self.unfold(self.window, self.stride)

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        return self.windows.sliding_window()

    def patch(self, input_shape: Shape) -> Shape:
        """Shape of what the MLP sees: one window, flat."""
        self.geometry(input_shape)
        return self.windows.patch(input_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        patch = self.patch(input_shape)
        return (*self.mlp.output_shape(patch), *self.geometry(input_shape).output[2 - self.axes :])

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """The MLP's: `"0.weight"`, ...; all positions share them."""
        return self.mlp.parameter_shapes(self.patch(input_shape))

    def operations(self, input_shape: Shape) -> int:
        return self._position_count(input_shape) * self.mlp.operations(self.patch(input_shape))

    def connection_count(self, input_shape: Shape) -> int:
        return self._position_count(input_shape) * self.mlp.connection_count(self.patch(input_shape))

    def _position_count(self, input_shape: Shape) -> int:
        return math.prod(self.geometry(input_shape).output)

    @property
    def needs_windows(self) -> str | None:
        """Why the windows must be cut out before the MLP sees them, or None if it begins with a convolution.

        It does if the first layer that looks at more than one value is a `Linear`.
        """
        for layer in _leaves(self.mlp):
            if isinstance(layer, Linear):
                return None
            if isinstance(layer, Residual | Softmax):
                return f"{layer.label()} looks at each window as a whole"
            if isinstance(layer, Dropout) and layer.p > 0:
                return f"{layer.label()} drops a value in one window and not in the next"
        return "no layer is a Linear"

    # z_j(t) = b_j + sum_{c,k} w_j(c, k) x_c(t + k) is the MLP's first layer at position t and the convolution with the
    # filters w_j, in one formula; a later layer looks at one position and is the convolution with a 1 x 1 kernel.
    # Pointwise functions are the same on maps as on vectors (lecture 3.5).
    @property
    def on_maps(self) -> tuple[tuple[str, Layer], ...]:
        """(name, layer) of the same network as layers of maps, in order.

        Names are those of the MLP's layers, and parameters differ by their shape alone: a `Linear`'s `(D, C K)` is the
        convolution's `(D, C, K)`. Where a scan `needs_windows` they are cut out first, by a layer called
        `"windows"`.
        """
        whole = self.needs_windows is None
        kernel = (self.window, self.stride) if whole else _ONE_POSITION
        found: list[tuple[str, Layer]] = [] if whole else [("windows", self.windows)]
        for index, layer in enumerate(self.mlp.layers):
            mapped, kernel = self._on_maps(layer, kernel)
            found.append((str(index), mapped))
        return tuple(found)

    def flat(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """(place, layer) of `on_maps`; a `Sequential` within appears as its layers."""
        return flattened(self.on_maps, prefix)

    def chain(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """(name, layer, shape that reaches it) of `on_maps`, in order."""
        shape = input_shape
        for name, layer in self.on_maps:
            yield name, layer, shape
            shape = layer.output_shape(shape)

    def _on_maps(self, layer: Layer, kernel: _Kernel) -> tuple[Layer, _Kernel]:
        """(the layer of maps that is `layer` at every position, the kernel for the next `Linear`)."""
        if isinstance(layer, Linear):
            return self.convolution(layer.out_features, *kernel, bias=layer.bias), _ONE_POSITION
        if isinstance(layer, Flatten):
            return self.identity, kernel
        if isinstance(layer, Sequential | Residual):
            mapped = []
            for inner in layer.layers:
                inner, kernel = self._on_maps(inner, kernel)
                mapped.append(inner)
            return type(layer)(*mapped), kernel
        return layer, kernel

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "mlp": self.mlp.to_json()}

    @classmethod
    def _from_fields(cls, data: Mapping[str, Any]) -> Layer:
        mlp = data.get("mlp")
        if not isinstance(mlp, Mapping):
            return super()._from_fields(data)  # which says what is wrong
        return super()._from_fields({**data, "mlp": layer_of(mlp)})


def _leaves(container: Sequential | Residual) -> Iterator[Layer]:
    """The layers in order; a nested `Sequential` as its layers, a `Residual` as it is and then as its layers."""
    for _, layer in container.flat():
        yield layer
        if isinstance(layer, Residual):
            yield from _leaves(layer)


@dataclass(frozen=True, repr=False)
class Scan1d(_Scan):
    """One MLP at every position of a signal: `(C, T)` to `(D, Q)` (lecture 1.2, part 2).

    At position t the MLP sees the window x(:, t .. t + window - 1) as one flat vector, and gives column t of the
    output. Its weights are shared by all positions, so their gradients are sums over positions (lecture 1.4). An
    `Aggregate`, or `Flatten` and `Linear` (a perceptron), then decides whether the pattern is anywhere.

    Args:
        mlp: a `Sequential` from vectors to vectors: `Linear`, pointwise layers, `Softmax`, `Flatten`, nested
            `Sequential` and `Residual`.
        window: extent of a window, in time steps.
        stride: time steps between neighbouring windows.

    Parameters: those of the MLP, by their names in it: `"0.weight"`, ...

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed, or a layer is not one of vectors.

    >>> from scanwise.layers import ReLU
    >>> scan = Scan1d(Sequential(Linear(8), ReLU(), Linear(3)), window=5)
    >>> scan.output_shape((2, 20)), scan.parameter_shapes((2, 20))["0.weight"]
    ((3, 16), (8, 10))
    """

    axes: ClassVar[int] = 1
    convolution = Conv1d
    unfold = Unfold1d
    identity = Pad1d(0)


@dataclass(frozen=True, repr=False)
class Scan2d(_Scan):
    """One MLP at every position of an image: `(C, H, W)` to `(D, P, Q)` (lecture 1.2, 3).

    Args:
        mlp: as for `Scan1d`; it sees the window flat, channels first and columns fastest.
        window: extent of a window, R = S or (R, S), in pixels.
        stride: pixels between neighbouring windows, or (rows, columns).

    Parameters: those of the MLP, by their names in it: `"0.weight"`, ...

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed, or a layer is not one of vectors.

    >>> Scan2d(Sequential(Linear(4)), window=5, stride=2).output_shape((1, 28, 28))
    (4, 12, 12)
    """

    axes: ClassVar[int] = 2
    convolution = Conv2d
    unfold = Unfold2d
    identity = Pad2d(0)
