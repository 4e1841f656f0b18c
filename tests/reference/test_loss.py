"""Losses worked by hand and against finite differences; the last layer that a loss absorbs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.layers import Aggregate, Conv1d, Flatten, Layer, Linear, Sequential, Sigmoid, Softmax, Tanh
from scanwise.reference import forward, loss, loss_and_gradients
from tests.reference.finite_differences import central_difference, random_parameters, spread

TARGETS = {
    "cross_entropy": np.array([2, 0, 1]),
    "binary_cross_entropy": np.array([[1, 0, 1], [0, 0, 1], [0.5, 1, 0]]),
    "mse": np.array([[1, 0, 1], [0, 2, 1], [0.5, 1, -3]]),
}


def test_by_hand() -> None:
    y = np.array([[0.0, math.log(3)]])
    assert loss("cross_entropy", y, np.array([0]))[0] == pytest.approx(-math.log(0.25))
    assert loss("binary_cross_entropy", y, np.array([[1.0, 0.0]]))[0] == pytest.approx(
        -(math.log(0.5) + math.log(0.25)) / 2
    )
    assert loss("mse", np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))[0] == 2.0


@pytest.mark.parametrize("name", TARGETS)
def test_gradient_is_the_central_difference(name: str) -> None:
    y = spread((3, 3))
    _, dy = loss(name, y, TARGETS[name])
    expected = central_difference(lambda each: loss(name, each, TARGETS[name])[0], y)
    np.testing.assert_allclose(dy, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
def test_large_logits_stay_finite(name: str) -> None:
    target = np.array([1]) if name == "cross_entropy" else np.array([[0.0, 1.0]])
    value, dy = loss(name, np.array([[1e4, -1e4]]), target)
    assert np.isfinite(value)
    assert np.isfinite(dy).all()


BODY: list[Layer] = [Conv1d(3, 2), Tanh()]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "head",
    [
        [Flatten(), Linear(3)],
        [Flatten(), Linear(3), Softmax()],
        [Flatten(), Linear(3), Sigmoid()],
        [Sequential(Aggregate("mean"), Sequential(Softmax()))],
        [Aggregate("softmax")],
        [Aggregate("logsumexp")],
    ],
)
def test_gradients_of_a_network_with_its_loss(name: str, head: list[Layer]) -> None:
    network, shape = Sequential(*BODY, *head), (2, 5)
    x, parameters = spread((3, *shape)), random_parameters(network, shape)
    _, found = loss_and_gradients(network, x, TARGETS[name], parameters, name)
    assert set(found) == set(parameters)
    for parameter, gradient in found.items():

        def value(each: NDArray[np.float64], parameter: str = parameter) -> float:
            return loss_and_gradients(network, x, TARGETS[name], {**parameters, parameter: each}, name)[0]

        np.testing.assert_allclose(
            gradient,
            central_difference(value, parameters[parameter]),
            rtol=1e-6,
            atol=1e-8,
            err_msg=parameter,
        )


def test_a_last_layer_that_the_loss_applies_itself_is_left_out() -> None:
    shape, linear = (4,), Linear(3)
    x, parameters = spread((3, *shape)), random_parameters(Sequential(linear), (4,))
    for name, last in (("cross_entropy", Softmax()), ("binary_cross_entropy", Sigmoid())):
        plain, with_last = Sequential(linear), Sequential(linear, last)
        expected = loss(name, forward(plain, x, parameters), TARGETS[name])[0]
        assert loss_and_gradients(plain, x, TARGETS[name], parameters, name)[0] == expected
        assert loss_and_gradients(with_last, x, TARGETS[name], parameters, name)[0] == expected


def test_joint_softmax_is_taken_as_probabilities() -> None:
    x = np.array([[[0.0, 0.0], [0.0, math.log(5)]]])  # probabilities 1/4 and 3/4
    network = Sequential(Aggregate("softmax"))
    assert loss_and_gradients(network, x, np.array([0]), {}, "cross_entropy")[0] == pytest.approx(math.log(4))
    value, _ = loss_and_gradients(network, x, np.array([[1.0, 0.0]]), {}, "binary_cross_entropy")
    assert value == pytest.approx((math.log(4) + math.log(4)) / 2)


def test_wrong_use() -> None:
    y = np.zeros((2, 3))
    with pytest.raises(ArgumentError, match=r"loss must be one of cross_entropy, .* Got 'hinge'"):
        loss("hinge", y, y)
    with pytest.raises(ShapeError, match=r"target must have shape \(2,\)"):
        loss("cross_entropy", y, np.zeros(3, dtype=int))
    with pytest.raises(ShapeError, match=r"output must be \(N, K\)"):
        loss("cross_entropy", np.zeros((2, 3, 4)), np.zeros(2, dtype=int))
    with pytest.raises(DataError, match=r"must be integer labels\. Got float64"):
        loss("cross_entropy", y, np.zeros(2))
    for label in (-1, 3):
        with pytest.raises(DataError, match=f"labels 0 to 2. Got {label}"):
            loss("cross_entropy", y, np.array([0, label]))
    with pytest.raises(ShapeError, match="must have the output's shape"):
        loss("mse", y, np.zeros((3, 2)))
