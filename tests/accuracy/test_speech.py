"""The Free Spoken Digit Dataset (CC BY-SA 4.0): a time-delay network on raw audio learns spoken digits.

The test recordings are numbers 0 to 4 of each speaker and digit; speakers are the same on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from scanwise import data, models
from scanwise.data import Dataset


@dataclass(frozen=True)
class Trained:
    model: sw.Model
    unseen: Dataset


@pytest.fixture(scope="module")
def trained(data_folder: Path) -> Trained:
    clips = data.open_dataset(data_folder / "fsdd" / "train")
    shape, rate = clips.input_shape, clips.sample_rate
    network = models.get("tdnn", shape, len(clips.labels), sample_rate=rate)
    model = sw.Model(network, shape, labels=clips.labels, sample_rate=rate)
    sw.fit(model, clips, epochs=20, batch_size=64, optimizer=sw.AdamW(sw.OneCycle(3e-3)), progress=False)
    unseen = data.open_dataset(
        data_folder / "fsdd" / "test", input_shape=shape, sample_rate=rate, labels=clips.labels
    )
    return Trained(model, unseen)


def test_tdnn_learns_spoken_digits_from_raw_audio(trained: Trained) -> None:
    accuracy = float(np.mean(trained.model(trained.unseen.x).argmax(axis=1) == trained.unseen.y))
    assert accuracy >= 0.96


def test_digits_are_found_in_a_longer_recording(trained: Trained) -> None:
    """Test clips one after another: each window that is a clip has the clip's score, and most are detected in place."""
    model, unseen = trained.model, trained.unseen
    window = model.input_shape[1]
    chosen = np.random.default_rng(0).choice(len(unseen), 12, replace=False)
    recording = np.concatenate([unseen.x[i] for i in chosen], axis=1)
    apart = sw.scan(model, recording, step=window)
    np.testing.assert_array_equal(apart.scores.T, model(unseen.x[chosen]))

    result = sw.scan(model, recording)
    assert result.method == "shared"
    found = [(d.label, d.box[0]) for d in result.detections(0.5)]
    labels = [unseen.labels[i] for i in unseen.y[chosen]]
    hits = [
        any(label == wanted and abs(start - place * window) < window // 2 for label, start in found)
        for place, wanted in enumerate(labels)
    ]
    assert sum(hits) >= 9
