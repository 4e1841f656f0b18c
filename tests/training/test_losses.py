"""Validation losses mean what the reference says."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from scanwise import reference
from scanwise.training.losses import correct, gives_probabilities, losses

Z = np.random.default_rng(0).normal(0, 3, (6, 4)).astype(np.float32)
LABELS = np.array([0, 3, 1, 2, 2, 0])
VALUES = np.random.default_rng(1).uniform(0, 1, (6, 4)).astype(np.float32)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_of_scores(loss: str, scale: float) -> None:
    target = LABELS if loss == "cross_entropy" else VALUES
    scores = Z * np.float32(scale)
    value = losses(scores, target, loss, probabilities=False).mean()
    assert value == pytest.approx(reference.loss(loss, scores.astype(np.float64), target)[0], rel=1e-9)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_of_probabilities(loss: str) -> None:
    z = Z.astype(np.float64)
    if loss == "cross_entropy":
        p, target = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), LABELS
    else:
        p, target = 1 / (1 + np.exp(-z)), VALUES
    value = losses(p.astype(np.float32), target, loss, probabilities=True).mean()
    assert value == pytest.approx(reference.loss(loss, z, target)[0], rel=1e-4)


def test_sure_and_wrong_is_finite() -> None:
    wrong = losses(np.array([[1, 0]], np.float32), np.array([1]), "cross_entropy", probabilities=True)
    assert np.isfinite(wrong).all()


@pytest.mark.parametrize(
    ("last", "loss", "expected"),
    [
        (sw.Softmax(), "cross_entropy", True),
        (sw.Softmax(), "binary_cross_entropy", False),
        (sw.Sigmoid(), "binary_cross_entropy", True),
        (sw.Sigmoid(), "cross_entropy", False),
        (sw.Sequential(sw.Tanh(), sw.Softmax()), "cross_entropy", True),
        (sw.Aggregate("softmax"), "cross_entropy", True),
        (sw.Aggregate("softmax", grid=1), "binary_cross_entropy", True),
        (sw.Aggregate("max"), "cross_entropy", False),
        (sw.Softmax(), "mse", False),
    ],
)
def test_which_networks_give_probabilities(last: sw.Sequential, loss: str, expected: bool) -> None:
    assert gives_probabilities(sw.Sequential(sw.ReLU(), last), loss) is expected


def test_correct() -> None:
    hits = correct(np.eye(3, dtype=np.float32), np.array([0, 1, 0]), "cross_entropy")
    assert hits is not None
    assert hits.tolist() == [True, True, False]
    assert correct(VALUES, VALUES, "mse") is None
