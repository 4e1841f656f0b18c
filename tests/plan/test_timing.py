"""Which schedule wins a measurement, and by how much: with times that are made up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scanwise.plan.timing import LEAST_GAIN, ROUNDS, fastest

Measure = Callable[[int], float]


def times(*seconds: float, noise: float = 0.0, seed: int = 0) -> Measure:
    generator = np.random.default_rng(seed)
    return lambda i: seconds[i] * (1 + noise * float(generator.random()))


def test_the_fastest_is_taken() -> None:
    number, before, after = fastest(times(1.0, 0.9, 0.5, 2.0), 4)
    assert number == 2
    assert before == 1.0
    assert after == pytest.approx(0.5)


def test_a_gain_within_the_noise_is_none() -> None:
    assert fastest(times(1.0, 1 - LEAST_GAIN / 2), 2) == (0, 1.0, 1.0)
    assert fastest(times(1.0, 1.2), 2) == (0, 1.0, 1.0)
    assert fastest(times(1.0), 1) == (0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_equal_schedules_do_not_win_by_chance(seed: int) -> None:
    assert fastest(times(*[1.0] * 6, noise=0.1, seed=seed), 6)[0] == 0


def test_a_machine_that_slows_down_for_a_while_does_not_decide() -> None:
    """All of a round is slow, and every other round goes backwards."""
    turns = iter(range(1000))
    assert fastest(lambda i: (1.0, 0.8)[i] * (1 + (next(turns) // 5) % 4), 2)[0] == 1


def test_turns_that_something_else_has_hit_do_not_decide() -> None:
    """Most turns of candidate 0 are slow, its shortest is as short as those of candidate 1."""
    turns = {0: iter([1.0, *[5.0] * 99]), 1: iter([1.0] * 99)}
    assert fastest(lambda i: next(turns[i]), 2)[0] == 0


def test_the_best_has_to_win_twice() -> None:
    luck = {0: iter([1.0] * 99), 1: iter([0.5] * ROUNDS + [1.0] * 99)}
    assert fastest(lambda i: next(luck[i]), 2)[0] == 0
