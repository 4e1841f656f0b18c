"""First values: the same numbers everywhere, of the right size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.initialization import initial_parameters, raw_words


def test_random_words_are_pinned() -> None:
    # Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): key (0, 0), counter 1.
    words = [0x2F4BA6408E4D89B, 0x3DD62B0B9CA8C5B2, 0x1C8667A55D902E79, 0x907D7A052FD5B4DC]
    assert raw_words(0, 0, 4).tolist() == words
    assert raw_words(1, 0, 4).tolist() != raw_words(0, 1, 4).tolist()


def test_values_are_pinned() -> None:
    weight = initial_parameters(sw.Sequential(sw.Linear(2)), (3,), seed=7)["0.weight"]
    assert [value.hex() for value in weight.ravel().tolist()] == [
        "0x1.a15e3c0000000p-1",
        "-0x1.cb178a0000000p-2",
        "-0x1.6684660000000p-3",
        "-0x1.a87fe80000000p-3",
        "-0x1.d3f0b60000000p-1",
        "0x1.b923ec0000000p-2",
    ]


def test_seed_decides() -> None:
    def values(seed: int) -> NDArray[np.float32]:
        return initial_parameters(sw.Sequential(sw.Linear(50)), (40,), seed)["0.weight"]

    np.testing.assert_array_equal(values(3), values(3))
    assert not np.array_equal(values(3), values(4))


RELU_BOUND = math.sqrt(6 / 50)
XAVIER_BOUND = math.sqrt(6 / (50 + 80))


@pytest.mark.parametrize(
    ("network", "bound"),
    [
        (sw.Sequential(sw.Linear(80), sw.ReLU()), RELU_BOUND),
        (sw.Sequential(sw.Linear(80), sw.Dropout(0.5), sw.ReLU()), RELU_BOUND),
        (sw.Sequential(sw.Sequential(sw.Linear(80)), sw.Sequential(sw.Dropout(0.5), sw.ReLU())), RELU_BOUND),
        (sw.Sequential(sw.Linear(80), sw.LeakyReLU(0.5)), RELU_BOUND / math.sqrt(1.25)),
        (sw.Sequential(sw.Linear(80)), XAVIER_BOUND),
        (sw.Sequential(sw.Linear(80), sw.Tanh(), sw.ReLU()), XAVIER_BOUND),
        (sw.Sequential(sw.Linear(80), sw.Linear(3), sw.ReLU()), XAVIER_BOUND),
        (sw.Sequential(sw.Linear(80), sw.Softmax()), XAVIER_BOUND),
    ],
    ids=repr,
)
def test_bound_follows_the_activation(network: sw.Sequential, bound: float) -> None:
    parameters = initial_parameters(network, (50,), seed=0)
    weight = next(value for name, value in parameters.items() if name.endswith("weight"))
    assert np.abs(weight).max() <= np.float32(bound)
    assert np.abs(weight).max() > 0.99 * bound
    assert abs(weight.mean()) < 0.05 * bound
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not any(value.any() for name, value in parameters.items() if name.endswith("bias"))


def test_convolution_counts_its_window() -> None:
    weight = initial_parameters(sw.Sequential(sw.Conv2d(64, 5, groups=2), sw.ReLU()), (8, 9, 9), 0)[
        "0.weight"
    ]
    assert np.abs(weight).max() == pytest.approx(math.sqrt(6 / (4 * 25)), rel=0.01)


def test_transposed_convolution_counts_what_an_output_sums() -> None:
    """Axis 0 of its weight is the input; a stride of 2 leaves a quarter of the 4 x 4 window for each output."""
    layer = sw.ConvTranspose2d(6, 4, stride=2, groups=2)
    weight = initial_parameters(sw.Sequential(layer, sw.ReLU()), (64, 5, 5), 0)["0.weight"]
    assert np.abs(weight).max() == pytest.approx(math.sqrt(6 / (32 * 4)), rel=0.01)
    weight = initial_parameters(sw.Sequential(layer, sw.Tanh()), (64, 5, 5), 0)["0.weight"]
    assert np.abs(weight).max() == pytest.approx(math.sqrt(6 / (32 * 4 + 3 * 16)), rel=0.01)


def test_transposed_convolution_keeps_the_variance() -> None:
    """Before ReLU the sums have twice the variance of the inputs (He et al., equation 10)."""
    network = sw.Sequential(sw.ConvTranspose2d(32, 4, stride=2), sw.ReLU())
    model = sw.Model(network, (48, 16, 16), backend="reference")
    x = np.random.default_rng(0).standard_normal((2, 48, 16, 16)).astype(np.float32)
    inside = model(x)[:, :, 4:-4, 4:-4]
    assert (inside**2).mean() == pytest.approx(1, rel=0.1)


def test_connections_are_what_meets_in_an_output() -> None:
    """Four inputs for the first half of the outputs, two for the others: three on the average."""
    table = [[1, 1, 1, 1]] * 32 + [[1, 0, 1, 0]] * 32
    weight = initial_parameters(sw.Sequential(sw.Conv2d(64, 5, connections=table), sw.ReLU()), (4, 9, 9), 0)[
        "0.weight"
    ]
    assert weight.shape == (32 * 6, 5, 5)
    assert np.abs(weight).max() == pytest.approx(math.sqrt(6 / (3 * 25)), rel=0.01)


def test_residual_hides_what_follows() -> None:
    network = sw.Sequential(sw.Residual(sw.Linear(50)), sw.ReLU())
    weight = initial_parameters(network, (50,), 0)["0.0.weight"]
    assert np.abs(weight).max() == pytest.approx(math.sqrt(6 / 100), rel=0.01)
