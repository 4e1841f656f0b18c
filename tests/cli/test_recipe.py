from __future__ import annotations

import pytest

import scanwise as sw
from scanwise.cli.recipe import choose_batch_size, choose_epochs, make_optimizer


@pytest.mark.parametrize("samples", [2, 50, 1000, 2430, 60_000, 10**7])
def test_batches_and_epochs_stay_in_their_bounds(samples: int) -> None:
    batch = choose_batch_size(samples)
    assert 8 <= batch <= 64
    assert 10 <= choose_epochs(samples, batch) <= 100


def test_optimizers_follow_one_cycle() -> None:
    assert make_optimizer("adamw", None).lr == sw.OneCycle(0.002)
    assert make_optimizer("sgd", 0.3).lr == sw.OneCycle(0.3)
