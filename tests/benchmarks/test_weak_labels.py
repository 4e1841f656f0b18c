"""The clips that are labelled by what occurs in them: what they hold, and that they are the same every time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import weak_labels
from benchmarks.weak_labels import APART, LEVEL, RATE, clips


@pytest.fixture
def said() -> dict[str, list[NDArray[np.float32]]]:
    random = np.random.default_rng(0)
    return {
        label: [random.normal(size=n).astype(np.float32) for n in (2000, 5000)]
        for label in weak_labels.LABELS
    }


def test_words_lie_where_it_is_said(said: dict[str, list[NDArray[np.float32]]]) -> None:
    for clip in clips(said, 20, seed=3):
        assert clip.samples.shape == (1, 80_000)
        assert 1 <= len(clip.events) <= 5
        spans = sorted((round(start * RATE), round(stop * RATE)) for _, start, stop in clip.events)
        assert all(stop + APART < start for (_, stop), (start, _) in itertools.pairwise(spans))
        inside = np.zeros(80_000, bool)
        for start, stop in spans:
            inside[start:stop] = True
        word, noise = clip.samples[0, inside].std(), clip.samples[0, ~inside].std()
        assert noise == pytest.approx(LEVEL * 10 ** (-5 / 20), rel=0.05)
        assert word**2 - noise**2 == pytest.approx(LEVEL**2, rel=0.15)
        assert clip.target.sum() == len({label for label, _, _ in clip.events})


def test_the_same_seed_gives_the_same_clips(said: dict[str, list[NDArray[np.float32]]]) -> None:
    first, again, other = (clips(said, 3, seed) for seed in (1, 1, 2))
    assert all(a.samples.tobytes() == b.samples.tobytes() for a, b in zip(first, again, strict=True))
    assert first[0].samples.tobytes() != other[0].samples.tobytes()
