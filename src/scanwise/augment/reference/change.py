"""The question that every augmentation answers; each file of this folder answers it for its augmentations."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from scanwise.augment.base import Augmentation
from scanwise.augment.draws import Draws, step_keys
from scanwise.augment.steps import Augment
from scanwise.reference.dropout import sample_keys

Array = NDArray[np.float64]


@singledispatch
def change(augmentation: Augmentation, x: Array, draws: Draws) -> Array:
    """The sample x `(C, T)` or `(C, H, W)`, augmented; x itself stays as it is.

    Draw 0 has decided that it is. The others say how.
    """
    raise NotImplementedError(f"{augmentation!r} has no reference.")


def augmented(augment: Augment, x: Array, *, seed: int, epoch: int, samples: NDArray[np.integer]) -> Array:
    """Samples `(N, C, ...)` as training sees them in an epoch; `samples` are their numbers in the data set."""
    out = np.array(x)
    keys = sample_keys(seed, epoch, samples)
    for step, augmentation in augment.numbered():
        for n, key in enumerate(step_keys(keys, step)):
            draws = Draws(key)
            if draws.happens(augmentation.p):
                out[n] = change(augmentation, out[n], draws)
    return out
