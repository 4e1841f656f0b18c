"""The `augment` argument of `fit`, and samples as a training step sees them, outside the native loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentTypeError
from scanwise.inputs import real_array

if TYPE_CHECKING:
    from scanwise.augment import Augment

__all__ = ["checked_augment", "require_fitting", "seen_in_training"]


def checked_augment(augment: object) -> Augment | None:
    """An `Augment`, of one augmentation or several if that is what came; None for None.

    Raises:
        ArgumentTypeError: it is none of these.
        ArgumentError: there is no augmentation, or a background is names of files that nobody has read.
    """
    if augment is None:
        return None
    from scanwise.augment import Augment, Augmentation, MixBackground

    if isinstance(augment, Augmentation):
        augment = Augment(augment)
    elif isinstance(augment, list | tuple):
        augment = Augment(*augment)
    if not isinstance(augment, Augment):
        raise ArgumentTypeError(
            "augment must be an Augment, an augmentation such as Gain(6), a list of them, or None. "
            f"Got {augment!r}."
        )
    for step in augment.steps:
        if isinstance(step, MixBackground):
            _ = step.recordings  # raises where they are names
    return augment


def require_fitting(augment: Augment | None, x: NDArray[Any] | Sequence[NDArray[Any]]) -> None:
    """Raise ShapeError unless every augmentation takes these samples."""
    if augment is not None:
        for shape in [x.shape[1:]] if isinstance(x, np.ndarray) else {x[i].shape for i in range(len(x))}:
            augment.check(shape)


def seen_in_training(
    augment: Augment,
    x: Sequence[NDArray[Any]] | NDArray[Any],
    *,
    seed: int,
    epoch: int,
    samples: NDArray[np.int64],
    backend: str,
) -> list[NDArray[np.float32]]:
    """Samples as a training of this backend sees them.

    Args:
        augment: it takes the samples.
        x: the samples, of any shapes and real dtypes.
        seed: of the training.
        epoch: counted from 0.
        samples: their numbers in the data set.
        backend: `"native"` or `"reference"`.
    """
    augmented: Any
    if backend == "native":
        from scanwise.augment.native import augmented
    else:
        from scanwise.augment.reference import augmented
    found = []
    for sample, number in zip(x, samples, strict=True):
        values = real_array(sample, "x")[np.newaxis]
        wide = values.astype(np.float64) / (255.0 if values.dtype == np.uint8 else 1.0)
        changed = augmented(augment, wide, seed=seed, epoch=epoch, samples=np.array([number]))
        found.append(np.asarray(changed[0], np.float32))
    return found
