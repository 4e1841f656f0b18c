"""Whether calls run together: what was measured decides, and is measured again."""

from __future__ import annotations

import pytest

from scanwise.plan.choice import ALONE, FEWER, SETTLED, SOON, TOGETHER, UNCOUNTED, Choice


def try_out(choice: Choice, together: float, alone: float) -> None:
    for i in range(UNCOUNTED + TOGETHER + ALONE):
        assert choice.trying
        assert choice.together == (i < UNCOUNTED + TOGETHER)
        choice.took(together if choice.together else alone)
    assert not choice.trying


def settle(choice: Choice, calls: int, *, together: bool) -> None:
    """So many calls of the way that was chosen, and then it is tried again."""
    for _ in range(calls):
        assert not choice.trying
        assert choice.together == together
        choice.settled()
    assert choice.trying


def test_together_is_tried_again_now_and_then() -> None:
    choice = Choice()
    for _ in range(2):
        try_out(choice, 5e-6, 10e-6)
        settle(choice, SETTLED, together=True)


@pytest.mark.parametrize("together", [9.9e-6, 20e-6])
def test_alone_is_tried_again_soon_and_then_less_often(together: float) -> None:
    choice = Choice()
    for calls in (SOON, 2 * SOON, 4 * SOON):
        try_out(choice, together, 10e-6)
        settle(choice, calls, together=False)
    for _ in range(5):
        try_out(choice, together, 10e-6)
        settle(choice, min(SETTLED, choice._left), together=False)
    assert choice._next == SETTLED
    try_out(choice, 5e-6, 10e-6)  # what kept the threads away has gone
    settle(choice, SETTLED, together=True)
    try_out(choice, together, 10e-6)
    settle(choice, SOON, together=False)


def test_calls_before_the_others_have_come_do_not_count() -> None:
    choice = Choice()
    for _ in range(UNCOUNTED):
        choice.took(1.0)
    for _ in range(TOGETHER):
        choice.took(5e-6)
    for _ in range(ALONE):
        choice.took(10e-6)
    assert choice.together


def test_a_few_long_calls_are_enough() -> None:
    choice = Choice(long=True)
    for _ in range((UNCOUNTED + TOGETHER + ALONE) // FEWER):
        assert choice.trying
        choice.took(1e-3 if choice.together else 2e-3)
    settle(choice, SETTLED, together=True)
