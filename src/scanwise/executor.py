"""What runs a network: the protocol, and the executor that is the oracle.

`Model` checks every input and then talks to an `Executor` alone. There are two: `ReferenceExecutor` here, and
`scanwise.plan.executor.NativeExecutor`. An executor may trust shapes and dtypes, and that values are finite where it
is not asked to find out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scanwise.layers import Sequential, Shape

Samples = NDArray[np.float32] | NDArray[np.uint8]
Inputs = list[NDArray[Any]]  # float32 or uint8, each C-contiguous and aligned
Target = NDArray[np.int64] | NDArray[np.float32]
Gradients = dict[str, NDArray[np.float32]]


class Executor(Protocol):
    """Runs one network at one input shape.

    `x` is `(N, *input_shape)`, C-contiguous, float32 or uint8 (taken as 0..1, that is divided by 255), N at least 1.
    """

    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take new parameters. Called before the first run, and again whenever one has changed."""
        ...

    def forward(self, x: Samples, *, fast: bool = False) -> NDArray[np.float32]:
        """Outputs `(N, *output_shape)`, a new array. With `fast`, algorithms that round otherwise are allowed."""
        ...

    def forward_if_finite(self, x: Samples, *, fast: bool = False) -> NDArray[np.float32] | None:
        """The same for samples that have not been looked at: None if a value is not finite. With N = 1, `x` may have
        any memory order.
        """
        ...

    def gradients(self, x: Samples, dy: NDArray[np.float32]) -> tuple[NDArray[np.float32], Gradients]:
        """Gradients of `sum(y * dy)` by the input and by every parameter."""
        ...

    def parameter_gradients(self, x: Samples, dy: NDArray[np.float32]) -> Gradients:
        """The same without that by the input."""
        ...

    def loss_and_gradients(self, x: Samples, target: Target, loss: str) -> tuple[float, Gradients]:
        """The mean loss over the N samples, and its gradient by every parameter. Dropout is the identity."""
        ...

    def forward_at(
        self, x: Inputs, step: Sequence[int] | None = None, *, until: str | None = None
    ) -> NDArray[np.float32]:
        """The network applied to larger inputs `(C, *larger)` of one shape and dtype, wherever they lie.

        Gives `(N, K, *positions)`, one output for every window that fits and starts at a multiple of `step` (one entry
        a spatial axis; None: the network's own stride), with the bits that `forward` gives for that window.

        Neighbouring windows share the work of all layers; with `until` of the layers before the one at that place in
        the network, the first that `scanning.sharing.obstacle` finds, and they go through the others one by one.
        """
        ...

    def forward_at_if_finite(
        self, x: Inputs, step: Sequence[int] | None = None, *, until: str | None = None
    ) -> NDArray[np.float32] | None:
        """The same for inputs that have not been looked at: None if a value is not finite."""
        ...


class ReferenceExecutor:
    """Runs the reference: plain loops in float64, rounded to float32 at the end. Slow, and right by reading."""

    def __init__(self, network: Sequential, input_shape: tuple[int, ...]) -> None:
        self.network = network
        self.input_shape = input_shape
        self._parameters: dict[str, NDArray[np.float32]] = {}

    def load_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take new parameters."""
        self._parameters = dict(parameters)

    def forward(self, x: Samples, *, fast: bool = False) -> NDArray[np.float32]:
        """Outputs `(N, *output_shape)`; there is no other algorithm than the definition."""
        from scanwise import reference

        return _narrow(reference.forward(self.network, unit_range(x), self._parameters))

    def forward_if_finite(self, x: Samples, *, fast: bool = False) -> NDArray[np.float32] | None:
        """The same, or None if a value is not finite."""
        return self.forward(x, fast=fast) if np.isfinite(x).all() else None

    def gradients(self, x: Samples, dy: NDArray[np.float32]) -> tuple[NDArray[np.float32], Gradients]:
        """Gradients by the input and by every parameter."""
        from scanwise import reference

        wide = dy.astype(np.float64)
        dx, gradients = reference.gradients(self.network, unit_range(x), wide, self._parameters)
        return _narrow(dx), {name: _narrow(g) for name, g in gradients.items()}

    def parameter_gradients(self, x: Samples, dy: NDArray[np.float32]) -> Gradients:
        """Gradients by every parameter alone."""
        return self.gradients(x, dy)[1]

    def loss_and_gradients(self, x: Samples, target: Target, loss: str) -> tuple[float, Gradients]:
        """Mean loss and its gradient by every parameter."""
        from scanwise import reference

        value, gradients = reference.loss_and_gradients(
            self.network, unit_range(x), target, self._parameters, loss
        )
        return float(value), {name: _narrow(g) for name, g in gradients.items()}

    def forward_at(
        self, x: Inputs, step: Sequence[int] | None = None, *, until: str | None = None
    ) -> NDArray[np.float32]:
        """Every window cut out and run by itself: what shared evaluation must equal."""
        from scanwise import shapes

        del until  # nothing is shared
        window = self.input_shape[1:]
        steps = shapes.receptive_field(self.network, self.input_shape)[1] if step is None else step
        axes = tuple(range(2, 2 + len(window)))
        windows = np.lib.stride_tricks.sliding_window_view(np.stack(x), window, axis=axes)
        windows = windows[(slice(None), slice(None), *(slice(None, None, s) for s in steps))]
        # (N, C, *positions, *window) -> (N, *positions, C, *window)
        windows = np.moveaxis(windows, 1, 1 + len(window))
        leading = windows.shape[: 1 + len(window)]
        y = self.forward(np.ascontiguousarray(windows.reshape(-1, *self.input_shape)))
        return np.ascontiguousarray(np.moveaxis(y.reshape(*leading, -1), -1, 1))

    def forward_at_if_finite(
        self, x: Inputs, step: Sequence[int] | None = None, *, until: str | None = None
    ) -> NDArray[np.float32] | None:
        """The same, or None if a value is not finite."""
        return self.forward_at(x, step, until=until) if all(np.isfinite(each).all() for each in x) else None


def unit_range(x: Samples) -> NDArray[np.float64]:
    """Samples in float64: uint8 becomes 0..1, rounded to float32 first as every engine does."""
    if x.dtype == np.uint8:
        x = x.astype(np.float32) * np.float32(1.0 / 255.0)
    return x.astype(np.float64)


def _narrow(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def make_executor(network: Sequential, input_shape: Shape, backend: str) -> Executor:
    """What runs a network on a backend."""
    if backend == "reference":
        return ReferenceExecutor(network, input_shape)
    from scanwise.plan.executor import NativeExecutor

    return NativeExecutor(network, input_shape)
