"""Optimizers: their formulas, worked by hand, and their arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

import scanwise as sw
from scanwise.training.optimizers import Moments, Optimizer, reference_step


def run(optimizer: Optimizer, gradients: list[float], w: float = 1.0, lr: float = 0.1) -> list[float]:
    """The parameter after each step."""
    value = np.array([w], np.float32)
    moments: Moments = tuple(np.zeros(1, np.float32) for _ in range(optimizer.moments))
    seen = []
    for t, g in enumerate(gradients, 1):
        value, moments = reference_step(optimizer, value, np.array([g]), moments, lr, t)
        seen.append(float(value[0]))
    return seen


def test_plain_sgd() -> None:
    assert run(sw.SGD(0.1), [1.0, 2.0]) == pytest.approx([0.9, 0.7])


def test_momentum_keeps_the_velocity() -> None:
    # v: 1, 0.9 + 2 = 2.9
    assert run(sw.SGD(0.1, momentum=0.9), [1.0, 2.0]) == pytest.approx([0.9, 0.61])


def test_nesterov_looks_ahead() -> None:
    # g + 0.9 v: 1.9, 2 + 0.9 * 2.9 = 4.61
    assert run(sw.SGD(0.1, momentum=0.9, nesterov=True), [1.0, 2.0]) == pytest.approx([0.81, 0.349])


def test_weight_decay_of_sgd_is_in_the_gradient() -> None:
    # g: 1 + 0.5 * 1 = 1.5; then 0.5 * 0.85 = 0.425 with v = 0.9 * 1.5 + 0.425 = 1.775
    assert run(sw.SGD(0.1, momentum=0.9, weight_decay=0.5), [1.0, 0.0]) == pytest.approx([0.85, 0.6725])


def test_adamw_begins_with_steps_of_the_learning_rate() -> None:
    # With a constant gradient both corrected moments are constant: every step is lr * sign(g).
    assert run(sw.AdamW(0.1, weight_decay=0.0), [5.0, 5.0, 5.0]) == pytest.approx([0.9, 0.8, 0.7], abs=1e-6)


def test_adamw_by_hand() -> None:
    # g = 1, 2 with betas (0.5, 0.75): m = 0.5, 1.25, v = 0.25, 1.1875; corrected m 1, 5/3, v 1, 19/7.
    optimizer = sw.AdamW(0.1, betas=(0.5, 0.75), eps=0.25, weight_decay=0.5)
    first = 1.0 * (1 - 0.05) - 0.1 * 1 / 1.25
    second = first * (1 - 0.05) - 0.1 * (5 / 3) / (math.sqrt(19 / 7) + 0.25)
    assert run(optimizer, [1.0, 2.0]) == pytest.approx([first, second], rel=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: sw.SGD(0.0), sw.ArgumentError, "lr must be above 0. Got 0.0"),
        (lambda: sw.SGD(math.nan), sw.ArgumentError, "lr must be above 0. Got nan"),
        (lambda: sw.SGD(math.inf), sw.ArgumentError, "lr must be above 0. Got inf"),
        (lambda: sw.SGD("fast"), sw.ArgumentTypeError, "lr must be a number or a schedule. Got 'fast'"),  # type: ignore[arg-type]
        (
            lambda: sw.SGD(0.1, momentum=1.0),
            sw.ArgumentError,
            "momentum must be at least 0 and below 1. Got 1.0",
        ),
        (lambda: sw.SGD(0.1, nesterov=True), sw.ArgumentError, "momentum must be above 0 with nesterov=True"),
        (lambda: sw.SGD(0.1, weight_decay=-1), sw.ArgumentError, "weight_decay must be at least 0. Got -1"),
        (lambda: sw.AdamW(0.1, betas=(0.9, 1.0)), sw.ArgumentError, "betas must be at least 0 and below 1"),
        (lambda: sw.AdamW(0.1, betas=(0.9,)), sw.ArgumentError, "betas must be a pair"),  # type: ignore[arg-type]
        (lambda: sw.AdamW(0.1, eps=0), sw.ArgumentError, "eps must be above 0. Got 0"),
    ],
)
def test_bad_arguments(make: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()  # type: ignore[operator]


def test_are_plain_data() -> None:
    assert sw.SGD(0.1) == sw.SGD(0.1)
    assert hash(sw.AdamW(sw.Cosine(0.1))) == hash(sw.AdamW(sw.Cosine(0.1)))
    assert eval(repr(sw.SGD(sw.Step(0.1, 3))), {"SGD": sw.SGD, "Step": sw.Step}) == sw.SGD(sw.Step(0.1, 3))
