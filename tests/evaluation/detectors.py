"""Recordings with events at known places, and a detector that finds them, now and then where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

import scanwise as sw
from tests.data.labelled import write_track

RATE, WINDOW = 200, 40


def detector(labels: Sequence[str] = ("click",), loss: str | None = None) -> sw.Model:
    """Finds three loud samples in a row, anywhere in a window of a fifth of a second: probability one half at 0.5."""
    net = sw.Sequential(sw.Conv1d(len(labels), 3), sw.Aggregate("max"))
    model = sw.Model(net, (1, WINDOW), labels=labels, sample_rate=RATE)
    signs = np.where(np.arange(len(labels)) % 2, -1.0, 1.0)  # the second finds what goes down
    model.parameters["0.weight"] = signs[:, None, None] * np.full((1, 1, 3), 20 / 3)
    model.parameters["0.bias"] = np.full(len(labels), -10.0)
    model.loss = loss or "binary_cross_entropy"
    return model


def write_field(folder: Path, files: int = 12, seconds: float = 20.0, events: int = 1, seed: int = 0) -> Path:
    """Recordings of noise, each with clicks at known places, in Audacity's label tracks."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for number in range(files):
        signal = 0.22 * random.standard_normal(round(seconds * RATE))
        labels = []
        for start in np.sort(random.choice(np.arange(1, int(seconds) - 1), events, replace=False)):
            at = int(start) * RATE
            signal[at : at + 3] = random.normal(0.75, 0.2)
            labels.append((start, start + 3 / RATE, "click"))
        path = folder / f"{number:02}.wav"
        soundfile.write(str(path), signal, RATE, subtype="FLOAT")
        write_track(path.with_suffix(".txt"), labels)
    return folder
