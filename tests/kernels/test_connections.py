"""Convolutions that see some of their channels: the weights in the engine's order, and what training leaves of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.kernels import lower
from scanwise.kernels.connections import ConnectedGradient
from scanwise.kernels.winograd_operation import WinogradOperation, faster
from scanwise.layers.base import Shape
from scanwise.training.native_program import NativeProgram
from tests.kernels import harness
from tests.plan.drawn_networks import random_table

TOLERANCE = 1e-5


@settings(max_examples=6)
@given(st.integers(1, 9), harness.SEEDS)
def test_the_gradient_is_cleared_where_there_is_no_connection(vectors: int, seed: int) -> None:
    size = 4 * vectors
    dw = harness.normal(seed, size)
    dw[:2] = np.inf, -np.inf  # what a product with zero would not clear
    connected = (harness.normal(seed + 1, size) > 0).astype(np.float32)
    expected = np.where(connected > 0, dw, 0)
    harness.call(ConnectedGradient(size), 3, dw, connected)
    assert dw.tobytes() == expected.tobytes()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (16, 16), (17, 33)], ids=str)
def test_packing_is_undone_by_unpacking(sizes: tuple[int, int], flip: bool) -> None:
    channels, outputs = sizes
    table = random_table(outputs, channels, seed=0)
    layer = sw.Conv2d(outputs, (2, 3), flip=flip, connections=table)
    (operation,) = lower(layer, (channels, 4, 5), (channels, 4, 5))
    weight, connected, _ = operation.parameters()
    assert (weight.name, connected.name) == ("weight", "connected")
    values = harness.normal(1, int(table.sum()), 2, 3)
    packed = weight.pack(values)
    assert connected.fixed is not None
    assert not packed[connected.fixed == 0].any()
    assert connected.fixed.sum() == values.size
    np.testing.assert_array_equal(weight.unpack(packed), values)


def trained(network: sw.Sequential, shape: Shape) -> tuple[sw.Model, sw.Model, NativeProgram]:
    """After some steps with weight decay: by the reference, natively, and the program that did it."""
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((16, *shape)).astype(np.float32), generator.integers(0, 3, 16)
    optimizer = sw.AdamW(0.01, eps=1e-3, weight_decay=0.1)
    models = [sw.Model(network, shape, backend=backend) for backend in ("reference", "native")]
    for model in models:
        sw.fit(model, x, y, epochs=2, batch_size=8, optimizer=optimizer, progress=False)
    program = NativeProgram(network, shape, loss="cross_entropy", optimizer=optimizer, batch_size=8, seed=0)
    program.write_parameters(models[1].parameters)
    program.begin_epoch(x, y, np.arange(16), np.full(2, 0.01, np.float32))
    program.advance(1e9)
    return models[0], models[1], program


def check_training(network: sw.Sequential, shape: Shape, table: NDArray[np.bool_]) -> None:
    oracle, native, program = trained(network, shape)
    for name, value in oracle.parameters.items():
        np.testing.assert_allclose(native.parameters[name], value, atol=1e-4, err_msg=name)
    buffer = program._parameters[: table.size * 9]  # the first layer's weights, which no padding lanes follow
    (operation,) = lower(network.layers[0], shape, (shape[0], shape[1], shape[2]))
    fixed = operation.parameters()[1].fixed
    assert fixed is not None
    assert not buffer[fixed == 0].any()
    assert buffer[fixed == 1].all()


def test_unconnected_weights_are_never_moved() -> None:
    table = random_table(16, 5, seed=2)
    layers = (sw.Conv2d(16, 3, connections=table), sw.Tanh(), sw.Flatten(), sw.Linear(3))
    check_training(sw.Sequential(*layers), (5, 5, 4), table)


def test_winograd_has_the_same_weights() -> None:
    table = random_table(32, 16, seed=3)
    layer = sw.Conv2d(32, 3, padding="same", connections=table)
    shape = (16, 6, 7)
    (direct,) = lower(layer, shape, shape)
    fast = faster(direct)
    assert isinstance(fast, WinogradOperation)
    assert fast.connections == layer.connections
    assert [p.size for p in fast.parameters()] == [p.size for p in direct.parameters()]

    network = sw.Sequential(layer, sw.Tanh(), sw.AvgPool2d(3), sw.Flatten(), sw.Linear(3))
    native, oracle = (sw.Model(network, shape, backend=backend) for backend in ("native", "reference"))
    x = harness.normal(5, 3, *shape)
    np.testing.assert_allclose(native(x, precision="fast"), oracle(x), atol=TOLERANCE)
    check_training(network, shape, table)  # by Winograd's algorithm: training may use it
