"""What augmentation adds to a training step, for images and for sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import scanwise as sw
from benchmarks.contenders import ScanwiseTraining
from benchmarks.networks import CASES, Case
from benchmarks.protocol import POOL
from benchmarks.report import Section, time_text
from benchmarks.timing import interleaved
from scanwise import models
from scanwise.augment import (
    AddNoise,
    Augment,
    Augmentation,
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Flip,
    Gain,
    MixBackground,
    Rotate,
    Scale,
    Shift,
    TimeMask,
    TimeShift,
)

__all__ = ["Cost", "costs", "section"]

RATE = 8000


@dataclass(frozen=True)
class _Sound(Case):
    """A second of sound, through `LogMel`."""

    def network(self) -> sw.Sequential:
        return models.get(self.name, self.input_shape, self.classes, sample_rate=RATE)


@dataclass(frozen=True)
class Cost:
    """Seconds of a training step without and with an augmentation, and of how many samples."""

    network: str
    augmentation: str
    batch: int
    without: float
    with_: float


def _background() -> MixBackground:
    noise = np.random.default_rng(1).standard_normal((1, 60 * RATE)).astype(np.float32)
    return MixBackground(noise, (0, 15), p=1.0)


_IMAGES: tuple[tuple[Augmentation, ...], ...] = (
    (Shift(2), Rotate(10), Scale((0.9, 1.1))),
    *((each,) for each in (Shift(2), Flip(), Rotate(10), Scale((0.9, 1.1)), Crop((0.8, 1.0)), Cutout(8))),
    *((each,) for each in (Brightness(0.2), Contrast((0.8, 1.25)), AddNoise((5, 20)), Gain(6))),
    (Rotate(10, p=0.0), Scale((0.9, 1.1), p=0.0)),
)


def _sounds() -> tuple[tuple[Augmentation, ...], ...]:
    noise, background = AddNoise((5, 20)), _background()
    return ((TimeShift(800), Gain(6), noise), (noise,), (background,), (TimeShift(800),), (TimeMask(800, 2),))


def costs(threads: int, *, rounds: int, seconds: float) -> list[Cost]:
    """Of rows of augmentations on each network, each timed in turns with the network's step without."""
    sw.set_threads(threads)
    cases = [
        (CASES["mnist-cnn"], _IMAGES),
        (CASES["lenet5"], _IMAGES[:1]),
        (CASES["cifar-vgg"], _IMAGES[:1]),
        (_Sound("tdnn", (1, RATE), 12, 64), _sounds()),
        (_Sound("ds-cnn", (1, RATE), 12, 64), _sounds()[:1]),
    ]
    found = []
    for case, several in cases:
        x, y = case.samples(POOL * case.batch)
        for steps in several:
            trainings = {
                name: ScanwiseTraining(case, x, y, augment=augment).run
                for name, augment in (("without", None), ("with", Augment(*steps)))
            }
            taken = interleaved(trainings, rounds=rounds, seconds=seconds)
            told = ", ".join(f"{step.kind}{'' if step.p else ' (p=0)'}" for step in steps)
            found.append(Cost(case.name, told, case.batch, taken["without"], taken["with"]))
    return found


def section(found: list[Cost]) -> Section:
    """The table of the report."""
    rows = [
        [
            cost.network,
            cost.augmentation,
            time_text(cost.without),
            time_text(cost.with_),
            f"{cost.with_ / cost.without - 1:+.1%}",
            time_text(max(0.0, cost.with_ - cost.without) / cost.batch),
        ]
        for cost in found
    ]
    note = "A training step without and with augmentation of every sample, in turns; what it adds, also by sample."
    head = ["network", "augmentation", "step without", "with", "more", "a sample"]
    return Section("What augmentation costs", note, head, rows)
