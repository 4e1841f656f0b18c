"""Training stops at the first loss that is not finite, and says which layer the first such value comes from."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw
from scanwise.training.divergence import where_it_diverged
from scanwise.training.native_program import NativeProgram
from scanwise.training.program import make_program
from scanwise.training.settings import checked_settings
from tests.backends import BACKENDS

DEEP = sw.Sequential(
    sw.Linear(2, bias=False), sw.Sequential(sw.ReLU(), sw.Residual(sw.Linear(2, bias=False))), sw.Linear(2)
)


def test_a_rate_that_is_too_large() -> None:
    x, y = np.random.default_rng(0).standard_normal((64, 4)), np.arange(64) % 3
    network = sw.Sequential(sw.Linear(8), sw.ReLU(), sw.Linear(8), sw.ReLU(), sw.Linear(3))
    model = sw.Model(network, (4,))
    with pytest.raises(sw.DivergedError, match=r"epoch 1, step 2 of 8, at learning rate 1e\+30") as caught:
        sw.fit(model, x, y, epochs=10, batch_size=8, optimizer=sw.SGD(1e30))
    assert "of layer 2, Linear(8), for sample 1 of the batch; the values that reach it are" in str(
        caught.value
    )
    assert "a smaller one usually helps" in str(caught.value)
    assert "find_learning_rate" in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("0.weight", "layer 0, Linear"),
        ("1.1.0.weight", "layer 1.1, Residual"),
        ("2.weight", "layer 2, Linear"),
    ],
)
def test_the_first_layer_is_found(backend: str, name: str, layer: str) -> None:
    model = sw.Model(DEEP, (2,), backend=backend)
    parameters = {name: np.full(value.shape, 1.0, np.float32) for name, value in model.parameters.items()}
    x = np.zeros((5, 2), np.float32)
    x[3] = 1e5
    parameters[name] = parameters[name] * np.float32(3e38)
    told = where_it_diverged(model, parameters, x)
    assert told.startswith(f"The first value that is not finite is inf, of {layer}"), told
    assert "for sample 4 of the batch" in told


def test_a_parameter_that_is_not_finite() -> None:
    model = sw.Model(DEEP, (2,), backend="reference")
    told = where_it_diverged(model, {"2.bias": np.array([0, np.nan], np.float32)}, np.zeros((1, 2)))
    assert told == "The parameter '2.bias' was the first that is not finite."


def test_the_loss_alone() -> None:
    model = sw.Model(sw.Sequential(sw.Linear(1, bias=False)), (1,))
    model.parameters["0.weight"] = [[3e38]]
    with pytest.raises(sw.DivergedError, match=r"in epoch 1, step 1 of 2") as caught:
        sw.fit(model, np.ones((4, 1)), np.zeros((4, 1)), epochs=9, batch_size=2, loss="mse")
    assert "The outputs of all layers are finite, up to 3e+38: it is the loss of them" in str(caught.value)


def test_running_statistics_stay_those_before_it() -> None:
    """The parameters of the last finished step are all finite: nothing has to be thrown away."""
    x = np.random.default_rng(0).standard_normal((24, 4)).astype(np.float32)
    y = np.arange(24) % 3
    network = sw.Sequential(sw.Linear(5), sw.BatchNorm(), sw.Tanh(), sw.BatchNorm(affine=False), sw.Linear(3))
    found = []
    for bad in (False, True):
        model = sw.Model(network, (4,))
        program = make_program(
            model, checked_settings(model, 1, 8, sw.SGD(0.1), "cross_entropy", 0, (), None), 8, unequal=False
        )
        program.write_parameters(model.parameters)
        values = x.copy()
        if bad:
            values[8:16] = np.nan
        order = np.arange(24) if bad else np.arange(8)
        program.begin_epoch(values, y, order, np.full(len(order) // 8, 0.1, np.float32))
        assert program.advance(9.0) == 1
        assert program.diverged == bad
        found.append(program.read_parameters())
    assert np.isfinite(found[1]["1.running_mean"]).all()
    assert not np.array_equal(found[1]["1.running_mean"], model.parameters["1.running_mean"])
    for name, value in found[0].items():
        np.testing.assert_array_equal(found[1][name], value)


@pytest.mark.parametrize("threads", [1, 3])
def test_steps_before_it_are_done_and_none_after(threads: int) -> None:
    """The parameters are those of a training that ends before the samples that make the loss infinite."""
    network = sw.Sequential(sw.Linear(3))
    x = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
    bad, order = x.copy(), np.arange(40)
    bad[16:24] = 3e38
    found = []
    before = sw.get_threads()
    sw.set_threads(threads)
    for values, count in ((x, 16), (bad, 40)):
        program = NativeProgram(
            network, (4,), loss="cross_entropy", optimizer=sw.AdamW(0.1), batch_size=8, seed=0
        )
        program.write_parameters(
            {"0.weight": np.full((3, 4), 2.0, np.float32), "0.bias": np.zeros(3, np.float32)}
        )
        program.begin_epoch(values, np.arange(40) % 3, order[:count], np.full(count // 8, 0.1, np.float32))
        assert program.advance(9.0) == 2
        found.append(program)
    sw.set_threads(before)
    good, diverged = found
    assert (good.diverged, diverged.diverged) == (False, True)
    assert not np.isfinite(diverged.losses[2])
    np.testing.assert_array_equal(diverged.losses[:2], good.losses)
    for name, value in good.read_parameters().items():
        np.testing.assert_array_equal(diverged.read_parameters()[name], value)
    assert diverged.advance(9.0) == 2
    assert int(diverged.state()["done"]) == 2
