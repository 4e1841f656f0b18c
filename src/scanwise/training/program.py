"""What trains a network: the protocol, and the program that is the oracle.

A program owns the parameters, the optimizer's moments and the data of the running epoch; `fit` only tells it how long
to run. There are two: `ReferenceProgram` (in `reference_program.py`) and `NativeProgram` (in `native_program.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Target

if TYPE_CHECKING:
    from scanwise.model import Model
    from scanwise.training.settings import Settings

# The dtypes of `x` that a program gathers samples from as they are. Every other real dtype is converted beforehand.
SAMPLE_DTYPES = (np.uint8, np.int16, np.float32, np.float64)


class Program(Protocol):
    """Trains one network. Constructed as
    `Program(network, input_shape, loss=, optimizer=, batch_size=, seed=, augment=)`.

    The parameters of step t do not depend on the number of threads, nor on how `advance` is cut into calls.
    """

    def write_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from. The optimizer's moments stay as they are."""
        ...

    def read_parameters(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters after the last finished step."""
        ...

    def begin_epoch(
        self, x: Any, y: Target, order: NDArray[np.int64], learning_rates: NDArray[np.float32]
    ) -> None:
        """Prepare one epoch over the samples `x[order]`, in that order, `batch_size` a step (the last may be smaller).

        Args:
            x: `(M, *input_shape)` C-contiguous, one of `SAMPLE_DTYPES`, array or memory map. Only rows in `order` are
                read, when they are needed. uint8 is taken as 0..1. The program for signals of unequal size takes a
                sequence of them.
            y: int64 `(M,)` for cross_entropy, else float32 `(M, *output_shape)`, C-contiguous.
            order: `(n,)` rows of `x`.
            learning_rates: `(ceil(n / batch_size),)`, one for every step.
        """
        ...

    def advance(self, seconds: float) -> int:
        """Run for about `seconds`, at least one step if one is left. Gives the steps finished in this epoch so far.

        A step whose loss is not finite is not taken: the parameters stay those before it, and `diverged` says so.
        """
        ...

    @property
    def diverged(self) -> bool:
        """Whether the loss of the step after the last finished one, which is in `losses`, is not finite."""
        ...

    @property
    def losses(self) -> NDArray[np.float64]:
        """`(steps,)`: mean loss over each step's samples, as they were seen. Entries not yet reached are undefined."""
        ...

    @property
    def correct(self) -> NDArray[np.int64]:
        """`(steps,)`: how many of each step's samples had their largest output at the target (cross_entropy alone).

        A program may go without; training accuracy is then left out of the history.
        """
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """The optimizer's moments, counts of steps and epochs, and the running epoch's losses: with the parameters, all
        that is needed to go on elsewhere, also within an epoch.
        """
        ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave. If that was within an epoch, `begin_epoch` has to come with the same epoch, and
        `advance` goes on after its finished steps.
        """
        ...


def make_program(model: Model, settings: Settings, batch_size: int, *, unequal: bool) -> Program:
    """The program that trains a model on its backend, for signals of unequal size if that is so. It has no parameters
    yet.
    """
    make: Callable[..., Program]
    if unequal:
        from scanwise.training.presence_program import PresenceProgram

        def make(*arguments: Any, **options: Any) -> Program:
            return PresenceProgram(*arguments, **options, backend=model.backend)

    elif model.backend == "reference":
        from scanwise.training.reference_program import ReferenceProgram

        make = ReferenceProgram
    else:
        from scanwise.training.native_program import NativeProgram

        make = NativeProgram
    return make(
        model.network,
        model.input_shape,
        loss=settings.loss,
        optimizer=settings.optimizer,
        batch_size=batch_size,
        seed=settings.seed,
        augment=settings.augment,
    )
