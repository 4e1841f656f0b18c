"""Words found and located by a network that was only told which clips contain them.

Clips of ten seconds are made of spoken digits over noise at 5 dB. Training sees which digits occur in each clip and
nothing else; on clips of other recordings it is measured which digits are said to occur, and where. The test recordings
take no part in training or in the choice of anything.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

import scanwise as sw
from scanwise.evaluation import Located, Tolerance, measure_clips, measure_events

__all__ = ["AT_LEAST", "Clip", "clips", "figures", "network", "words"]

RATE = 8000
SECONDS = 10
LABELS = tuple(str(digit) for digit in range(10))
DECIBELS = 5.0
"""Power of the words over that of the noise."""

TRAINED, TESTED = 1000, 200
TOLERANCE = 0.2
THRESHOLD = 0.5

_PRECISION = "weak labels: average precision of clips, mean over digits"
_F1 = f"weak labels: F1 of located words, within {TOLERANCE} s"
_TRAINING = "weak labels: training (s)"
AT_LEAST = {_PRECISION: 0.95, _F1: 0.85}

LEVEL = 0.1  # root mean square of a word
APART = RATE // 10  # silence between words, at least
_MOST_WORDS = 5
_WINDOW = 4800  # samples of the windows in which words are located


@dataclass(frozen=True)
class Clip:
    """A clip, and what was put into it.

    Attributes:
        samples: `(1, SECONDS * RATE)`.
        events: the words, as (label, start, stop) in seconds.
    """

    samples: NDArray[np.float32]
    events: tuple[tuple[str, float, float], ...]

    @property
    def target(self) -> NDArray[np.float32]:
        """`(10,)`: which digits occur."""
        return np.isin(LABELS, [label for label, _, _ in self.events]).astype(np.float32)


def words(folder: Path) -> dict[str, list[NDArray[np.float32]]]:
    """The recordings of each digit, in folders of their names, in order."""
    return {
        label: [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / label).glob("*.wav"))]
        for label in LABELS
    }


def clips(said: dict[str, list[NDArray[np.float32]]], count: int, seed: int) -> list[Clip]:
    """Clips of one to five words each, which do not overlap; the same for the same seed."""
    random = np.random.default_rng(seed)
    return [_clip(said, random) for _ in range(count)]


def _clip(said: dict[str, list[NDArray[np.float32]]], random: np.random.Generator) -> Clip:
    samples = np.zeros(SECONDS * RATE, np.float32)
    events: list[tuple[str, float, float]] = []
    taken: list[tuple[int, int]] = []
    for _ in range(random.integers(1, _MOST_WORDS + 1)):
        label = LABELS[random.integers(len(LABELS))]
        word = said[label][random.integers(len(said[label]))]
        word = word * np.float32(LEVEL / np.sqrt(np.mean(word**2)))
        starts = random.integers(0, len(samples) - len(word), 50)
        free = (int(s) for s in starts if all(s + len(word) + APART < a or s > b + APART for a, b in taken))
        start = next(free, None)
        if start is not None:
            stop = start + len(word)
            samples[start:stop] += word
            taken.append((start, stop))
            events.append((label, start / RATE, stop / RATE))
    noise = random.normal(0, LEVEL * 10 ** (-DECIBELS / 20), len(samples))
    return Clip((samples + noise.astype(np.float32))[None], tuple(events))


def network() -> sw.Sequential:
    """Mel energies at mean 0 and deviation 1, convolutions over time, and the largest score of each digit."""
    return sw.Sequential(
        sw.LogMel(RATE, 200, 80, 40), sw.Conv1d(40, 1, groups=40),
        sw.Conv1d(64, 5), sw.ReLU(), sw.MaxPool1d(2),
        sw.Conv1d(64, 5), sw.ReLU(), sw.MaxPool1d(2),
        sw.Conv1d(64, 5), sw.ReLU(), sw.Conv1d(64, 3), sw.ReLU(),
        sw.Conv1d(len(LABELS), 1), sw.Aggregate("max"),
    )  # fmt: skip


def figures(threads: int, folder: Path, *, trained: int = TRAINED, tested: int = TESTED) -> dict[str, float]:
    """Name to value, from recordings under `folder`'s `train` and `test`."""
    sw.set_threads(threads)
    started = time.perf_counter()
    model = _trained(clips(words(folder / "train"), trained, 0))
    seconds = time.perf_counter() - started
    test = clips(words(folder / "test"), tested, 1)
    scores = model.presence([clip.samples for clip in test]).scores.astype(np.float64)
    targets = np.stack([clip.target for clip in test])
    heard = measure_clips(1 / (1 + np.exp(-scores)), targets, LABELS, repeats=1)
    return {
        _TRAINING: seconds,
        _PRECISION: heard.average_precision.value,
        _F1: _located(model, test),
    }


def _trained(training: list[Clip]) -> sw.Model:
    model = sw.Model(network(), (1, _WINDOW), seed=0, sample_rate=RATE, labels=LABELS)
    front = sw.Model(sw.Sequential(network().layers[0]), training[0].samples.shape)
    energies = np.concatenate([front(clip.samples[None])[0] for clip in training[:50]], axis=1)
    mean, deviation = energies.mean(axis=1), energies.std(axis=1)
    model.parameters["1.weight"], model.parameters["1.bias"] = 1 / deviation[:, None, None], -mean / deviation
    model.parameters["12.bias"] = np.full(len(LABELS), -2.0)  # most digits are not in most clips
    sw.fit(
        model,
        [clip.samples for clip in training],
        np.stack([clip.target for clip in training]),
        epochs=6,
        batch_size=8,
        optimizer=sw.AdamW(sw.OneCycle(3e-3)),
        loss="binary_cross_entropy",
        progress=False,
    )
    return model


def _located(model: sw.Model, test: list[Clip]) -> float:
    """F1 of what a scan locates: the part of the signal that decided, against where the word is."""
    found, there = [], []
    for number, clip in enumerate(test):
        for detection in sw.scan(model, clip.samples).detections(THRESHOLD):
            assert detection.support_seconds is not None
            start, stop = detection.support_seconds
            found.append(Located(str(number), detection.label, start, stop, detection.score))
        there += [Located(str(number), label, start, stop) for label, start, stop in clip.events]
    hours = dict.fromkeys((str(number) for number in range(len(test))), SECONDS / 3600)
    *_, together = measure_events(
        found, there, hours, LABELS, rule=Tolerance(TOLERANCE), thresholds=THRESHOLD, repeats=1
    )
    return together.f1.value
