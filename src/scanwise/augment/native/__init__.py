"""Augmentation in native code: the same draws as the reference, in float32."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scanwise.augment.native import background as background
from scanwise.augment.native import images as images
from scanwise.augment.native import signals as signals
from scanwise.augment.native import standardisation as standardisation
from scanwise.augment.native.change import change
from scanwise.augment.native.sample import LANES, settings_of
from scanwise.augment.steps import Augment
from scanwise.codegen.target import Target
from scanwise.layers import Shape
from scanwise.plan.sample_steps import SampleStep, change_samples
from scanwise.reference.dropout import sample_keys

__all__ = ["augmented", "sample_steps"]


def sample_steps(augment: Augment, shape: Shape) -> list[SampleStep]:
    """The augmentations as native calls on samples of `shape`, which they take."""
    steps = []
    for number, augmentation in augment.numbered():
        how = change(augmentation)
        channels, *extents = shape
        copied = channels * math.prod(extent + how.border for extent in extents) + LANES
        settings = settings_of(number, augmentation.p, shape, how.settings)
        steps.append(SampleStep(how.kernel, settings, copied, how.keeps))
    return steps


def augmented(
    augment: Augment,
    x: NDArray[np.float32],
    *,
    seed: int,
    epoch: int,
    samples: NDArray[np.integer],
    target: Target | None = None,
) -> NDArray[np.float32]:
    """Samples `(N, C, ...)` as training sees them in an epoch; `samples` are their numbers in the data set."""
    out = np.array(x, np.float32, order="C")
    change_samples(sample_steps(augment, out.shape[1:]), out, sample_keys(seed, epoch, samples), target)
    return out
