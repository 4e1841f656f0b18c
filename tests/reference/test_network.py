"""Whole networks: the lecture's two algorithms, gradients along a random direction, shift invariance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scanwise.layers import Aggregate, Conv1d, Conv2d, Dropout, Linear, Sequential, Shape, Tanh
from scanwise.models import get
from scanwise.reference import dropout_masks, forward, loss_and_gradients, sample_keys
from tests.reference.finite_differences import random_parameters

Array = NDArray[np.float64]


def joint_softmax(y: Array) -> Array:
    """One softmax over labels and positions, summed over the positions of each label (lecture 2.2)."""
    e = np.exp(y)
    return (e / e.sum()).reshape(len(y), -1).sum(axis=1)  # type: ignore[no-any-return]


def test_a_network_over_time_is_the_lectures_scanning_mlp() -> None:
    """Lecture 2.1, loop by loop: an MLP of two layers at every position, then the softmax over all of them."""
    random = np.random.default_rng(0)
    D, T, K = (3, 5, 4), 11, 4  # neurons of each layer, input length, window
    x = random.normal(size=(D[0], T))
    w1, b1 = random.normal(size=(D[1], D[0], K)), random.normal(size=D[1])
    w2, b2 = random.normal(size=(D[2], D[1], 1)), random.normal(size=D[2])

    y1, y2 = np.zeros((D[1], T - K + 1)), np.zeros((D[2], T - K + 1))
    for t in range(T - K + 1):
        window = x[:, t : t + K].reshape(-1)
        for j in range(D[1]):
            z = b1[j]
            for i in range(D[0] * K):
                z += w1[j].reshape(-1)[i] * window[i]
            y1[j, t] = np.tanh(z)
        for j in range(D[2]):
            z = b2[j]
            for i in range(D[1]):
                z += w2[j, i, 0] * y1[i, t]
            y2[j, t] = z

    network = Sequential(Conv1d(D[1], K), Tanh(), Conv1d(D[2], 1), Aggregate("softmax"))
    parameters = {"0.weight": w1, "0.bias": b1, "2.weight": w2, "2.bias": b2}
    np.testing.assert_allclose(forward(network, x[None], parameters)[0], joint_softmax(y2), rtol=1e-12)


def test_a_network_over_an_image_is_the_lectures_cnn() -> None:
    """Lecture 3.1, loop by loop."""
    random = np.random.default_rng(1)
    C, H, W, D, R = 2, 6, 7, 3, 3
    image, w = random.normal(size=(C, H, W)), random.normal(size=(D, C, R, R))
    y = np.zeros((D, H - R + 1, W - R + 1))
    for p in range(H - R + 1):
        for q in range(W - R + 1):
            for j in range(D):
                z = 0.0
                for i in range(C):
                    for r in range(R):
                        for s in range(R):
                            z += w[j, i, r, s] * image[i, p + r, q + s]
                y[j, p, q] = np.tanh(z)
    network = Sequential(Conv2d(D, R, bias=False), Tanh(), Aggregate("softmax"))
    found = forward(network, image[None], {"0.weight": w})[0]
    np.testing.assert_allclose(found, joint_softmax(y), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "shape", "sample_rate"),
    [
        ("mlp", (1, 6, 6), None),
        ("lenet5", (1, 28, 28), None),
        ("mnist-cnn", (1, 12, 12), None),
        ("cifar-vgg", (3, 8, 8), None),
        ("vgg-bn", (1, 8, 8), None),
        ("tdnn", (1, 3000), 8000),
        ("tdnn-bn", (1, 3000), 8000),
        ("ds-cnn", (1, 21, 10), None),
        ("tdnn-1989", (1, 1200), 8000),
        ("lecun-1989", (1, 16, 16), None),
    ],
)
def test_gradients_along_a_random_direction(name: str, shape: Shape, sample_rate: int | None) -> None:
    """d/dh L(w + h v) at h = 0 is the gradient times v. One random v sees an error in any element of it: the error
    would have to be orthogonal to v, which has probability zero."""
    network = get(name, shape, 4, sample_rate=sample_rate)
    random = np.random.default_rng(0)
    x, target = random.normal(size=(2, *shape)), np.array([1, 3])
    parameters = {name: 0.2 * value for name, value in random_parameters(network, shape).items()}
    trained = parameters.keys() - network.state_names()
    direction = {name: random.normal(size=parameters[name].shape) for name in sorted(trained)}

    def loss(h: float) -> float:
        moved = parameters | {name: parameters[name] + h * v for name, v in direction.items()}
        return loss_and_gradients(network, x, target, moved, "cross_entropy")[0]

    _, gradients = loss_and_gradients(network, x, target, parameters, "cross_entropy")
    slope = sum(float((gradients[name] * v).sum()) for name, v in direction.items())
    step = 1e-7  # small, so that hardly a ReLU changes sides
    assert (loss(step) - loss(-step)) / (2 * step) == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_presence_does_not_depend_on_the_place() -> None:
    """Lecture 4.3: weight sharing, local windows, and the maximum over all positions."""
    network, shape = Sequential(Conv1d(4, 5), Tanh(), Conv1d(2, 3), Aggregate("max")), (1, 40)
    parameters = random_parameters(network, shape)
    pattern = np.random.default_rng(0).normal(size=6)
    answers = []
    for place in (8, 15, 25):
        x = np.zeros((1, 1, 40))
        x[0, 0, place : place + 6] = pattern
        answers.append(forward(network, x, parameters)[0])
    np.testing.assert_allclose(answers[1:], [answers[0]] * 2, rtol=1e-12)


def test_a_mask_reaches_the_dropout_layer_that_it_is_named_after() -> None:
    network = Sequential(Dropout(0.5), Sequential(Linear(3), Dropout(0.5)))
    parameters = random_parameters(network, (6,))
    x = np.ones((2, 6))
    masks = dropout_masks(network, (6,), sample_keys(0, 0, [0, 1]))
    linear = Sequential(Linear(3))
    inner = {name.removeprefix("1."): value for name, value in parameters.items()}
    expected = forward(linear, x * masks["0.mask"], inner) * masks["1.1.mask"]
    np.testing.assert_array_equal(forward(network, x, {**parameters, **masks}), expected)
