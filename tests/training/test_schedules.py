"""Schedules: their formulas at the places that matter, and their arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.training.schedules import Schedule, learning_rates


def whole(schedule: Schedule, epochs: int, steps: int) -> NDArray[np.float32]:
    return np.concatenate([learning_rates(schedule, epoch, epochs, steps) for epoch in range(epochs)])


def test_a_number_stays() -> None:
    np.testing.assert_array_equal(learning_rates(0.25, 3, 5, 4), np.full(4, 0.25, np.float32))


def test_step_is_constant_within_an_epoch() -> None:
    rates = whole(sw.Step(0.8, every_epochs=2, factor=0.5), 5, 3)
    np.testing.assert_allclose(rates, np.repeat([0.8, 0.8, 0.4, 0.4, 0.2], 3), rtol=1e-6)


def test_cosine_falls_from_step_to_step() -> None:
    rates = whole(sw.Cosine(1.0, final=0.2), 4, 5)
    t = np.arange(20)
    np.testing.assert_allclose(rates, 0.2 + 0.8 * (1 + np.cos(np.pi * t / 20)) / 2, rtol=1e-6)


def test_cosine_warms_up_in_equal_steps() -> None:
    rates = whole(sw.Cosine(1.0, warmup=1.5), 4, 4)
    np.testing.assert_allclose(rates[:7], [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1], rtol=1e-6)
    assert (np.diff(rates[6:]) < 0).all()


def test_one_cycle_is_pytorchs() -> None:
    # torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10): the turn is at step 0.3 * 10 - 1 = 2.
    rates = whole(sw.OneCycle(1.0), 5, 2)
    first, last = 1 / 25, 1 / 25 / 1e4
    assert rates[0] == pytest.approx(first)
    assert rates[1] == pytest.approx((first + 1) / 2)
    assert rates[2] == pytest.approx(1)
    assert rates[9] == pytest.approx(last)
    assert rates[4] == pytest.approx(last + (1 - last) * (1 + math.cos(math.pi * 2 / 7)) / 2)


@pytest.mark.parametrize("schedule", [sw.Step(0.1, 1), sw.Cosine(0.1, warmup=3), sw.OneCycle(0.1)], ids=repr)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (2, 1), (3, 7)])
def test_every_rate_is_usable(schedule: Schedule, epochs: int, steps: int) -> None:
    rates = whole(schedule, epochs, steps)
    assert rates.dtype == np.float32
    assert ((rates > 0) & (rates <= np.float32(0.1))).all()


def test_a_schedule_of_ones_own() -> None:
    class Halves:
        def learning_rates(self, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
            return np.full(steps, 0.5**epoch, np.float32)

    assert learning_rates(sw.SGD(Halves()).lr, 2, 3, 1).tolist() == [0.25]


@pytest.mark.parametrize("rates", [[0.1], [0.1, np.nan], [0.1, -0.1]])
def test_bad_rates_of_ones_own(rates: list[float]) -> None:
    class Bad:
        def learning_rates(self, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
            return np.array(rates, np.float32)

    with pytest.raises(sw.ArgumentError, match="must give 2 finite rates of at least 0 for epoch 0"):
        learning_rates(Bad(), 0, 1, 2)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: sw.Step(0, 1), "lr must be above 0. Got 0"),
        (lambda: sw.Step(0.1, 0), "every_epochs must be a whole number of at least 1. Got 0"),
        (lambda: sw.Step(0.1, 1, factor=-1), "factor must be finite and at least 0. Got -1"),
        (lambda: sw.Cosine(0.1, final=-0.1), "final must be finite and at least 0"),
        (lambda: sw.Cosine(math.inf), "lr must be finite and at least 0. Got inf"),
        (lambda: sw.OneCycle(0.1, rise=1.5), "rise must be between 0 and 1. Got 1.5"),
    ],
)
def test_bad_arguments(make: object, text: str) -> None:
    with pytest.raises(sw.ArgumentError, match=text):
        make()  # type: ignore[operator]
