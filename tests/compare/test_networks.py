"""Whole networks against PyTorch: outputs, losses and all gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from benchmarks.networks import CASES
from scanwise.layers import Layer
from tests.compare.comparison import (
    assert_all_close,
    compare_outputs_and_gradients,
    double_twin,
    named_gradients,
    randomised,
    samples,
    targets,
    torch_loss,
)

# The float32 error of a whole network's gradient is larger than a layer's: each layer passes it on.
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", list(CASES))
def test_named_network_agrees_with_pytorch(name: str) -> None:
    case = CASES[name]
    model = randomised(case.model())
    compare_outputs_and_gradients(model, samples(case.input_shape, 3), TOLERANCE)


def test_lenet5_reference_agrees_with_pytorch() -> None:
    case = CASES["lenet5"]
    model = randomised(sw.Model(case.network(), case.input_shape, backend="reference"))
    compare_outputs_and_gradients(model, samples(case.input_shape, 1))


def test_mlp_agrees_with_pytorch() -> None:
    from scanwise import models

    model = randomised(sw.Model(models.get("mlp", (1, 8, 8), 10), (1, 8, 8)))
    compare_outputs_and_gradients(model, samples((1, 8, 8), 37), TOLERANCE)


@st.composite
def networks(draw: st.DrawFn) -> tuple[sw.Sequential, tuple[int, ...]]:
    """Small networks of layers that fit each other, 1-D and 2-D, with channels around the vector width."""
    axes = draw(st.sampled_from((1, 2)))
    channels = draw(st.sampled_from((1, 2, 3, 15, 16, 17)))
    extent = tuple(draw(st.integers(6, 14)) for _ in range(axes))
    input_shape = shape = (channels, *extent)
    layers: list[Layer] = []
    for _ in range(draw(st.integers(1, 4))):
        layer = draw(fitting_layers(shape))
        layers.append(layer)
        shape = layer.output_shape(shape)
    ending = draw(st.sampled_from(("linear", "aggregate", "aggregate then linear")))
    if ending == "linear":
        layers += [sw.Flatten(), sw.Linear(draw(st.sampled_from((1, 5, 16))))]
    else:
        layers.append(sw.Aggregate(draw(st.sampled_from(("max", "mean", "logsumexp")))))
        if ending == "aggregate then linear":
            layers += [sw.Tanh(), sw.Linear(4)]
    return sw.Sequential(*layers), input_shape


@st.composite
def fitting_layers(draw: st.DrawFn, shape: tuple[int, ...]) -> Layer:
    """One layer that takes this shape and leaves at least one position."""
    flat = len(shape) == 2
    smallest = min(shape[1:])
    kinds = ["activation", "residual"] + (["convolution", "depthwise", "pool"] if smallest >= 3 else [])
    kind = draw(st.sampled_from(kinds))
    convolution = sw.Conv1d if flat else sw.Conv2d
    if kind == "activation":
        return draw(st.sampled_from((sw.LeakyReLU(0.1), sw.Tanh(), sw.Sigmoid(), sw.ScaledTanh())))
    if kind == "residual":
        return sw.Residual(convolution(shape[0], 3, padding="same"), sw.Tanh())
    if kind == "depthwise":
        return convolution(shape[0], 3, padding="same", groups=shape[0])
    if kind == "pool":
        pools = (sw.MaxPool1d, sw.AvgPool1d) if flat else (sw.MaxPool2d, sw.AvgPool2d)
        return draw(st.sampled_from(pools))(2, ceil_mode=draw(st.booleans()))
    return convolution(
        draw(st.sampled_from((1, 6, 16, 17))),
        draw(st.integers(1, 3)),
        stride=draw(st.integers(1, 2)),
        padding=draw(st.integers(0, 1)),
        bias=draw(st.booleans()),
        flip=draw(st.booleans()),
    )


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_drawn_networks_agree_with_pytorch(backend: str) -> None:
    @settings(max_examples=25 if backend == "native" else 10)
    @given(networks(), st.integers(1, 3))
    def check(drawn: tuple[sw.Sequential, tuple[int, ...]], n: int) -> None:
        network, shape = drawn
        model = randomised(sw.Model(network, shape, backend=backend))
        compare_outputs_and_gradients(model, samples(shape, n), TOLERANCE)

    check()


LOSS_ENDINGS: list[tuple[str, list[Layer]]] = [
    ("cross_entropy", []),
    ("cross_entropy", [sw.Softmax()]),
    ("binary_cross_entropy", []),
    ("binary_cross_entropy", [sw.Sigmoid()]),
    ("mse", []),
    ("mse", [sw.Sigmoid()]),
]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("loss", "ending"), LOSS_ENDINGS, ids=str)
def test_loss_agrees_with_pytorch(loss: str, ending: list[Layer], backend: str) -> None:
    body = [sw.Conv2d(4, 3), sw.Tanh(), sw.Flatten(), sw.Linear(6)]
    model = randomised(sw.Model(sw.Sequential(*body, *ending), (2, 6, 5), backend=backend))
    # The loss takes logits: a network that ends in the matching function is not given it twice.
    twin = double_twin(model)
    if ending and loss != "mse":
        assert isinstance(twin, torch.nn.Sequential)
        twin = twin[: len(body)]
    x, y = samples((2, 6, 5), 7), targets(loss, model.output_shape, 7)
    dtype = torch.int64 if loss == "cross_entropy" else torch.float64
    expected = torch_loss(loss, twin(torch.tensor(x, dtype=torch.float64)), torch.tensor(y, dtype=dtype))
    expected.backward()
    value, gradients = model.loss_and_gradients(x, y, loss)
    assert math.isclose(value, float(expected.detach()), rel_tol=1e-5)
    assert_all_close(gradients, named_gradients(twin))


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_loss_of_softmax_aggregation_agrees_with_pytorch(backend: str) -> None:
    network = sw.Sequential(sw.Conv1d(4, 3), sw.Aggregate("softmax"))
    model = randomised(sw.Model(network, (2, 12), backend=backend))
    x, y = samples((2, 12), 5), np.array([0, 3, 1, 2, 0])
    twin = double_twin(model)
    probabilities = twin(torch.tensor(x, dtype=torch.float64))
    expected = torch.nn.functional.nll_loss(torch.log(probabilities), torch.tensor(y))
    expected.backward()
    value, gradients = model.loss_and_gradients(x, y)
    assert math.isclose(value, float(expected.detach()), rel_tol=1e-5)
    assert_all_close(gradients, named_gradients(twin))
