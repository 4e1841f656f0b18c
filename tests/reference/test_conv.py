"""Convolution worked by hand."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Conv1d, Conv2d, Sequential
from scanwise.reference import forward, gradients

X = np.array([[[1.0, 2, 3, 4]]])  # one sample, one channel, four time steps


def outputs(layer: Conv1d, *weights: list[float], bias: float = 0.0) -> list[float]:
    parameters = {"0.weight": np.array([weights], dtype=float), "0.bias": np.array([bias])}
    return forward(Sequential(layer), X, parameters)[0, 0].tolist()  # type: ignore[no-any-return]


def test_one_filter_over_time() -> None:
    assert outputs(Conv1d(1, 2), [10, 1]) == [12, 23, 34]
    assert outputs(Conv1d(1, 2), [10, 1], bias=0.5) == [12.5, 23.5, 34.5]


def test_flip_turns_the_filter_round() -> None:
    assert outputs(Conv1d(1, 2, flip=True), [10, 1]) == [21, 32, 43]
    assert outputs(Conv1d(1, 2, flip=True), [10, 1]) == np.convolve(X[0, 0], [10, 1], "valid").tolist()


def test_stride_skips_outputs() -> None:
    assert outputs(Conv1d(1, 2, stride=2), [10, 1]) == [12, 34]


def test_dilation_spreads_the_filter() -> None:
    assert outputs(Conv1d(1, 2, dilation=2), [10, 1]) == [13, 24]


def test_padding() -> None:
    assert outputs(Conv1d(1, 2, padding=1), [10, 1]) == [1, 12, 23, 34, 40]
    assert outputs(Conv1d(1, 2, padding=(0, 1)), [10, 1]) == [12, 23, 34, 40]
    # Even kernel, lecture 5.6: K/2 = 1 zero before, K/2 - 1 = 0 after
    assert outputs(Conv1d(1, 2, padding="same"), [10, 1]) == [1, 12, 23, 34]
    assert outputs(Conv1d(1, 3, padding="same"), [100, 10, 1]) == [12, 123, 234, 340]
    assert outputs(Conv1d(1, 3, padding="causal"), [100, 10, 1]) == [1, 12, 123, 234]


def test_groups_do_not_see_each_other() -> None:
    x = np.array([[[1.0, 2], [3, 4]]])
    parameters = {"0.weight": np.array([[[10.0]], [[100.0]]])}
    y = forward(Sequential(Conv1d(2, 1, groups=2, bias=False)), x, parameters)
    assert y.tolist() == [[[10, 20], [300, 400]]]


def test_connections_choose_the_input_channels() -> None:
    """The first output sees both channels, the second only the second one; weights row by row of the table."""
    layer = Conv1d(2, 1, bias=False, connections=((1, 1), (0, 1)))
    x, parameters = np.array([[[1.0, 2], [3, 4]]]), {"0.weight": np.array([[10.0], [100], [1000]])}
    assert forward(Sequential(layer), x, parameters).tolist() == [[[310, 420], [3000, 4000]]]
    dx, found = gradients(Sequential(layer), x, np.array([[[1.0, 0], [0, 1]]]), parameters)
    assert dx.tolist() == [[[10, 0], [100, 1000]]]
    assert found["0.weight"].tolist() == [[1], [3], [4]]


def test_an_image() -> None:
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    parameters = {"0.weight": np.array([[[[1000.0, 100], [10, 1]]]]), "0.bias": np.array([0.5])}
    y = forward(Sequential(Conv2d(1, 2)), x, parameters)
    assert y.tolist() == [[[[134.5, 1245.5], [3467.5, 4578.5]]]]


def test_gradients() -> None:
    """z = (w0 x0 + w1 x1, w0 x1 + w1 x2, w0 x2 + w1 x3) + b with dz = (1, 0, 2)."""
    parameters = {"0.weight": np.array([[[10.0, 1]]]), "0.bias": np.array([0.0])}
    dx, found = gradients(Sequential(Conv1d(1, 2)), X, np.array([[[1.0, 0, 2]]]), parameters)
    assert dx.tolist() == [[[10, 1, 20, 2]]]
    assert found["0.weight"].tolist() == [[[1 * 1 + 2 * 3, 1 * 2 + 2 * 4]]]
    assert found["0.bias"].tolist() == [3]


def test_input_gradient_is_the_convolution_with_the_flipped_filter() -> None:
    """Lecture 8.6, 8.7: the gradient map padded by K - 1, met by the filter turned round."""
    random = np.random.default_rng(0)
    w, dz = random.normal(size=(1, 1, 3)), random.normal(size=(1, 1, 5))
    dx, _ = gradients(Sequential(Conv1d(1, 3, bias=False)), np.zeros((1, 1, 7)), dz, {"0.weight": w})
    again = forward(Sequential(Conv1d(1, 3, padding=2, bias=False, flip=True)), dz, {"0.weight": w})
    np.testing.assert_allclose(dx, again, atol=1e-15)


def test_a_batch_adds_its_parameter_gradients() -> None:
    """Lecture 9.6."""
    random = np.random.default_rng(0)
    network = Sequential(Conv2d(3, 2))
    parameters = {"0.weight": random.normal(size=(3, 2, 2, 2)), "0.bias": random.normal(size=3)}
    x, dy = random.normal(size=(2, 2, 4, 4)), random.normal(size=(2, 3, 3, 3))
    _, both = gradients(network, x, dy, parameters)
    singles = [gradients(network, x[n : n + 1], dy[n : n + 1], parameters)[1] for n in range(2)]
    for name, gradient in both.items():
        np.testing.assert_allclose(gradient, singles[0][name] + singles[1][name], atol=1e-13)
