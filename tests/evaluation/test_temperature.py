from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.evaluation import fit_temperature


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_it_is_found_that_labels_were_drawn_with(activation: str, temperature: float) -> None:
    random = np.random.default_rng(0)
    z = 2 * random.standard_normal((20_000, 3))
    if activation == "sigmoid":
        y = random.random(z.shape) < 1 / (1 + np.exp(-z))
    else:
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        drawn = (random.random((len(z), 1)) > p.cumsum(axis=1)).sum(axis=1)
        y = np.eye(3)[drawn.clip(0, 2)] > 0
    assert fit_temperature(temperature * z, y, activation) == pytest.approx(temperature, rel=0.05)


def test_windows_with_no_label_or_several_do_not_count_for_softmax() -> None:
    z = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [5.0, -5.0], [5.0, -5.0]])
    y = np.array([[1, 0], [0, 1], [0, 1], [0, 0], [1, 1]])
    assert fit_temperature(z, y, "softmax") == pytest.approx(fit_temperature(z[:3], y[:3], "softmax"))


@pytest.mark.parametrize(
    ("scores", "targets", "activation", "error", "text"),
    [
        ([[9.0], [-9.0]], [[1], [0]], "sigmoid", sw.DataError, "every answer is right"),
        ([[9.0], [-9.0]], [[0], [1]], "sigmoid", sw.DataError, "the scores say nothing about the labels"),
        ([[1.0, 0.0]], [[0, 0]], "softmax", sw.DataError, "windows with one label"),
        ([[0.5]], [[1]], "probability", sw.ArgumentError, "temperature must be left out"),
        ([[0.5]], [[1, 0]], "sigmoid", sw.ShapeError, "must have shape"),
    ],
)
def test_wrong_use(scores: Any, targets: Any, activation: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        fit_temperature(scores, targets, activation)
