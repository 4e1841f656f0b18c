"""Random numbers depend on where they are used alone, and are spread as they should be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanwise.augment.draws import Draws, step_keys
from scanwise.reference.dropout import sample_keys


def draws(seed: int = 0, epoch: int = 0, sample: int = 0, step: int = 0) -> Draws:
    return Draws(step_keys(sample_keys(seed, epoch, [sample]), step)[0])


def test_words_are_the_same_on_every_machine() -> None:
    """Native code must repeat these."""
    assert draws(1, 2, 3, 4).words(0, 3).tolist() == [2293184241, 736728081, 125949051]
    assert draws().words(7, 1).tolist() == [4089471263]


def test_each_place_has_its_own() -> None:
    places = [(s, e, n, k) for s in range(3) for e in range(3) for n in range(3) for k in range(3)]
    words = [tuple(draws(*place).words(0, 4)) for place in places]
    assert len({word for each in words for word in each}) == 4 * len(places)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.integers(0, 2**40))
def test_ranges(seed: int, epoch: int, sample: int) -> None:
    each = draws(seed, epoch, sample)
    assert -2.0 <= each.between(1, -2.0, 3.0) < 3.0
    assert each.between(1, 5.0, 5.0) == 5.0
    assert -3 <= each.whole(2, -3, 3) <= 3
    assert each.whole(2, 7, 7) == 7
    assert each.happens(1.0)
    assert not each.happens(0.0)


def test_distributions() -> None:
    every = [draws(sample=sample) for sample in range(4000)]
    wholes = np.bincount([each.whole(1, 0, 6) for each in every])
    assert len(wholes) == 7
    assert abs(wholes - 4000 / 7).max() < 100
    fractions = np.array([each.between(2, 0.0, 1.0) for each in every])
    assert abs(fractions.mean() - 0.5) < 0.02
    assert abs(sum(each.happens(0.3) for each in every) / 4000 - 0.3) < 0.03


def test_noise_is_nearly_normal() -> None:
    noise = draws().noise(200_000)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.var() - 1.0) < 0.01
    assert abs((noise**4).mean() - 2.7) < 0.05
    assert abs(noise).max() <= 3.47
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.01
