"""`Augment`: augmentations one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.augment.base import Augmentation, from_json
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.initialization import check_seed
from scanwise.inputs import as_samples
from scanwise.layers import Shape, arguments

__all__ = ["Augment"]


@dataclass(frozen=True, init=False, repr=False)
class Augment:
    """Augmentations one after another: equal, hashable, printed as the call that makes it, JSON both ways.

    Args:
        steps: the augmentations, at least one.

    Raises:
        ArgumentError, ArgumentTypeError: there is none, or one is none.

    >>> import numpy as np
    >>> from scanwise import augment
    >>> steps = augment.Augment(augment.Flip(p=1.0), augment.Brightness((1, 1)))
    >>> steps(np.array([[[[0.0, 5.0]]]])).tolist()
    [[[[6.0, 1.0]]]]
    """

    steps: tuple[Augmentation, ...]

    def __init__(self, *steps: Augmentation) -> None:
        if not steps:
            raise ArgumentError("Augment: steps must be at least one augmentation. Got none.")
        for number, step in enumerate(steps):
            if not isinstance(step, Augmentation):
                raise ArgumentTypeError(
                    f"Augment: step {number} must be an augmentation, such as Flip(). Got {step!r}."
                )
        object.__setattr__(self, "steps", steps)

    def __call__(
        self, x: ArrayLike, *, seed: int = 0, epoch: int = 0, samples: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Samples as training would see them, by the plain loops that define every augmentation.

        Args:
            x: samples `(N, C, T)` or `(N, C, H, W)` of any real dtype; uint8 is taken as 0..1.
            seed: of the training.
            epoch: counted from 0.
            samples: the samples' numbers in the data set, `(N,)`; None for 0, 1, ...

        Returns:
            float32, of the same shape.

        Raises:
            ArgumentError, ArgumentTypeError, ShapeError: an argument is not as stated, or an augmentation does not fit
                the samples.
        """
        from scanwise.augment.reference import augmented

        shape = np.shape(x)
        self.check(shape[1:])
        values = as_samples(x, shape[1:])
        numbers = np.arange(len(values)) if samples is None else np.asarray(samples)
        if numbers.shape != (len(values),) or numbers.dtype.kind not in "iu" or (numbers < 0).any():
            raise ArgumentError(
                f"samples must be one number of at least 0 for each of {len(values)}. Got {samples!r}."
            )
        epoch = arguments.integer("Augment", "epoch", epoch, minimum=0)
        wide = values.astype(np.float64) / (255.0 if values.dtype == np.uint8 else 1.0)
        return augmented(self, wide, seed=check_seed(seed), epoch=epoch, samples=numbers).astype(np.float32)

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless every augmentation takes samples of `input_shape`."""
        if not isinstance(input_shape, tuple | list):
            raise ArgumentTypeError(f"Augment: input_shape must be a tuple of integers. Got {input_shape!r}.")
        if len(input_shape) not in (2, 3):
            raise ShapeError(
                f"Augment: samples must have shape (C, T) or (C, H, W). Got {tuple(input_shape)}."
            )
        shape = tuple(arguments.integer("Augment", "input_shape", extent) for extent in input_shape)
        for step in self.steps:
            step.check(shape)

    def numbered(self) -> list[tuple[int, Augmentation]]:
        """The augmentations, each with the number that its draws are counted under: its place among those that draw."""
        found: list[tuple[int, Augmentation]] = []
        number = 0
        for step in self.steps:
            found.append((number, step))
            number += step.draws
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """The augmentations as plain JSON data.

        >>> from scanwise import augment
        >>> augment.Augment(augment.Flip()).to_json()
        [{'kind': 'Flip', 'p': 0.5, 'axis': 'horizontal'}]
        """
        return [step.to_json() for step in self.steps]

    @classmethod
    def from_json(cls, data: object) -> Augment:
        """What `to_json` described.

        Raises:
            ArgumentError, ArgumentTypeError: it is no list of augmentations.
        """
        if not isinstance(data, Sequence) or isinstance(data, str | bytes | Mapping):
            raise ArgumentTypeError(f"augment must be a list of augmentations. Got {data!r}.")
        return cls(*map(from_json, data))

    def __repr__(self) -> str:
        return f"Augment({', '.join(map(repr, self.steps))})"
