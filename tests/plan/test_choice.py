"""Whether calls run together: what was measured decides, and is measured again."""

from __future__ import annotations

import pytest

from scanwise.plan.choice import ALONE, SETTLED, TOGETHER, UNCOUNTED, Choice


def try_out(choice: Choice, together: float, alone: float) -> None:
    for i in range(UNCOUNTED + TOGETHER + ALONE):
        assert choice.trying
        assert choice.together == (i < UNCOUNTED + TOGETHER)
        choice.took(together if choice.together else alone)
    assert not choice.trying


@pytest.mark.parametrize(("together", "chosen"), [(5e-6, True), (9.9e-6, False), (20e-6, False)])
def test_the_faster_way_is_taken_and_tried_again(together: float, chosen: bool) -> None:
    choice = Choice()
    for _ in range(2):
        try_out(choice, together, 10e-6)
        for _ in range(SETTLED):
            assert choice.together == chosen
            choice.settled()


def test_calls_before_the_others_have_come_do_not_count() -> None:
    choice = Choice()
    for _ in range(UNCOUNTED):
        choice.took(1.0)
    for _ in range(TOGETHER):
        choice.took(5e-6)
    for _ in range(ALONE):
        choice.took(10e-6)
    assert choice.together
