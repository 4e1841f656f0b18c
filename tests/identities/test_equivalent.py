"""A scanning layer as one giant matrix: the same outputs, tied weights, and one MLP for a network (lecture 1.3)."""

from __future__ import annotations

import importlib.util
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.identities import sparse
from scanwise.layers import Layer, Shape
from tests.layers import drawn

AFFINE = st.one_of(
    drawn.linears(),
    drawn.convs(1),
    drawn.convs(2),
    drawn.pools(sw.AvgPool1d),
    drawn.pools(sw.AvgPool2d),
    drawn.conv_transposes(1),
    drawn.conv_transposes(2),
    drawn.downsamplings(),
    drawn.subsamplings(),
    drawn.unit_biases(),
    drawn.paddings(),
    drawn.unfoldings(),
    drawn.flattenings(),
    drawn.dropouts(),
    drawn.aggregations().filter(lambda case: getattr(case[0], "mode", "") == "mean"),
)


def values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def drawn_parameters(layer: Layer, shape: Shape) -> dict[str, NDArray[np.float32]]:
    """Distinct values, whatever the seed."""
    return {
        name: values(*each, seed=number + 1)
        for number, (name, each) in enumerate(layer.parameter_shapes(shape).items())
    }


def model_of(layer: Layer, shape: Shape, parameters: dict[str, NDArray[np.float32]]) -> sw.Model:
    model = sw.Model(sw.Sequential(layer), shape, backend="reference")
    model.parameters = {f"0.{name}": value for name, value in parameters.items()}
    return model


def connections(layer: Layer, shape: Shape, parameters: dict[str, NDArray[np.float32]]) -> NDArray[np.bool_]:
    """Found by asking: an input that is NaN reaches the outputs that read it, whatever the weight."""
    size = int(np.prod(shape))
    network = sw.Sequential(layer)
    from scanwise import reference

    named = {f"0.{name}": value.astype(np.float64) for name, value in parameters.items()}
    found = []
    for number in range(size):
        x = np.zeros(size)
        x[number] = np.nan
        found.append(np.isnan(reference.forward(network, x.reshape(1, *shape), named)).ravel())
    return np.array(found).T


@given(AFFINE)
def test_the_matrix_gives_the_layers_output(case: tuple[Layer, Shape]) -> None:
    layer, shape = case
    parameters = drawn_parameters(layer, shape)
    x = values(*shape)
    matrix, bias = sw.equivalent_matrix(layer, shape, parameters)
    expected = model_of(layer, shape, parameters)(x[None])[0]
    assert matrix.dtype == bias.dtype == np.float32
    assert matrix.shape == (expected.size, x.size)
    np.testing.assert_allclose(matrix @ x.ravel() + bias, expected.ravel(), rtol=1e-5, atol=2e-6)


@given(AFFINE)
@settings(max_examples=30)
def test_an_entry_is_a_connection(case: tuple[Layer, Shape]) -> None:
    """Also where every weight is zero."""
    layer, shape = case
    zeros = {name: np.zeros(each, np.float32) for name, each in layer.parameter_shapes(shape).items()}
    matrix, _ = sw.equivalent_matrix(layer, shape, zeros)
    stored = np.zeros(matrix.shape, bool)
    coordinates = matrix.tocoo()
    stored[coordinates.row, coordinates.col] = True
    np.testing.assert_array_equal(stored, connections(layer, shape, zeros))


@given(st.one_of(drawn.convs(1), drawn.convs(2)))
def test_the_distinct_values_of_a_convolution_are_its_weights(case: tuple[Layer, Shape]) -> None:
    layer, shape = case
    assert isinstance(layer, sw.Conv1d | sw.Conv2d)
    weight = layer.parameter_shapes(shape)["weight"]
    count = int(np.prod(weight))
    numbered = np.arange(1, count + 1, dtype=np.float32).reshape(weight)
    parameters = drawn_parameters(layer, shape) | {"weight": numbered}
    matrix, _ = sw.equivalent_matrix(layer, shape, parameters)
    found = np.unique(matrix.data)
    assert set(found) <= set(numbered.ravel())
    if not any(
        before + after for before, after in layer.sliding_window()[3]
    ):  # else some may meet nothing but padding
        np.testing.assert_array_equal(found, numbered.ravel())


def test_a_scan_by_hand() -> None:
    """The lecture's picture: identical blocks, one step further in each row."""
    layer = sw.Conv1d(2, 2, stride=2, bias=False)
    weight = [[[1.0, 2.0]], [[3.0, 4.0]]]
    matrix, bias = sw.equivalent_matrix(layer, (1, 6), {"weight": weight})
    one, two = np.kron(np.eye(3), [[1, 2]]), np.kron(np.eye(3), [[3, 4]])
    np.testing.assert_array_equal(matrix.toarray(), np.vstack([one, two]))
    assert matrix.nnz == 12
    assert not bias.any()


def test_without_parameters_it_is_a_fresh_model() -> None:
    layer, shape = sw.Conv2d(3, 3, padding=1), (2, 5, 4)
    model = sw.Model(sw.Sequential(layer), shape)
    matrix, bias = sw.equivalent_matrix(layer, shape)
    of_model, bias_of_model = sw.equivalent_matrix(model)
    np.testing.assert_array_equal(matrix.toarray(), of_model.toarray())
    np.testing.assert_array_equal(bias, bias_of_model)
    x = values(2, 5, 4)
    np.testing.assert_allclose(matrix @ x.ravel(), model(x[None]).ravel(), rtol=1e-5, atol=1e-6)


class TestContainers:
    NETWORK = sw.Sequential(
        sw.Conv1d(3, 3, padding="same"),
        sw.Residual(sw.Conv1d(2, 2, padding=(1, 0)), sw.Conv1d(3, 3, padding=1)),
        sw.Sequential(sw.AvgPool1d(2), sw.Dropout()),
        sw.Flatten(),
        sw.Linear(4),
    )
    SHAPE = (2, 9)

    def test_a_network_of_affine_layers_is_one_matrix(self) -> None:
        model = sw.Model(self.NETWORK, self.SHAPE)
        model.parameters = {
            name: values(*p.shape, seed=i) for i, (name, p) in enumerate(model.parameters.items())
        }
        matrix, bias = sw.equivalent_matrix(model)
        same, _ = sw.equivalent_matrix(self.NETWORK, self.SHAPE, model.parameters)
        np.testing.assert_array_equal(matrix.toarray(), same.toarray())
        x = values(5, *self.SHAPE)
        np.testing.assert_allclose((matrix @ x.reshape(5, -1).T).T + bias, model(x), rtol=1e-4, atol=1e-4)

    def test_paths_that_add_up_to_zero_are_entries(self) -> None:
        ones, opposite = [[[1.0]], [[1.0]]], [[[1.0], [-1.0]]]
        network = sw.Sequential(sw.Conv1d(2, 1, bias=False), sw.Conv1d(1, 1, bias=False))
        matrix, _ = sw.equivalent_matrix(network, (1, 3), {"0.weight": ones, "1.weight": opposite})
        assert matrix.nnz == 3
        assert not matrix.data.any()

    def test_both_ways_of_a_residual_add(self) -> None:
        matrix, _ = sw.equivalent_matrix(sw.Residual(sw.Dropout()), (2, 3))
        np.testing.assert_array_equal(matrix.toarray(), 2 * np.eye(6))
        assert matrix.nnz == 6


def test_a_scanning_mlp_without_activations() -> None:
    """The matrix of its convolutions."""
    scan = sw.Scan2d(
        sw.Sequential(sw.Linear(4), sw.Residual(sw.Dropout(), sw.Linear(4)), sw.Linear(3)), (2, 3), 2
    )
    whole = sw.Scan1d(sw.Sequential(sw.Residual(sw.Linear(6)), sw.Flatten(), sw.Linear(2)), 3)
    cases: list[tuple[Layer, Shape]] = [(scan, (2, 5, 8)), (whole, (2, 7))]
    for layer, shape in cases:
        parameters = drawn_parameters(layer, shape)
        matrix, bias = sw.equivalent_matrix(layer, shape, parameters)
        x = values(*shape)
        expected = model_of(layer, shape, parameters)(x[None]).ravel()
        np.testing.assert_allclose(matrix @ x.ravel() + bias, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(sw.ArgumentError, match=r"layer 1 Tanh\(\) must be affine"):
        sw.equivalent_matrix(sw.Scan1d(sw.Sequential(sw.Linear(2), sw.Tanh()), 3), (1, 9))


class TestOneGiantMLP:
    """Lecture 1.3: "this entire structure is equivalent to one giant MLP with weight tying"."""

    NETWORK = sw.Sequential(
        sw.Conv2d(3, 3, padding=1), sw.ReLU(), sw.Conv2d(4, 2, stride=2, groups=1), sw.Tanh(),
        sw.AvgPool2d(2), sw.Flatten(), sw.Linear(3),
    )  # fmt: skip
    SHAPE = (2, 8, 7)

    def models(self) -> tuple[sw.Model, sw.Model]:
        """The network, and an MLP whose dense weights are the matrices."""
        network = sw.Model(self.NETWORK, self.SHAPE)
        biases = {
            name: values(*p.shape, seed=7) for name, p in network.parameters.items() if name.endswith("bias")
        }
        network.parameters.update(biases)
        layers: list[Layer] = [sw.Flatten()]
        parameters: dict[str, NDArray[Any]] = {}
        for place, layer, shape in self.NETWORK.chain(self.SHAPE):
            if isinstance(layer, sw.ReLU | sw.Tanh):
                layers.append(layer)
                continue
            own = {n: network.parameters[f"{place}.{n}"] for n in layer.parameter_shapes(shape)}
            matrix, bias = sw.equivalent_matrix(layer, shape, own)
            parameters |= {f"{len(layers)}.weight": matrix.toarray(), f"{len(layers)}.bias": bias}
            layers.append(sw.Linear(len(bias)))
        giant = sw.Model(sw.Sequential(*layers), self.SHAPE)
        giant.parameters = parameters
        return network, giant

    def test_it_gives_the_same_outputs(self) -> None:
        network, giant = self.models()
        x = values(6, *self.SHAPE)
        assert sum(p.size for p in giant.parameters.values()) > 20 * sum(
            p.size for p in network.parameters.values()
        )
        np.testing.assert_allclose(giant(x), network(x), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(("place", "number"), [(0, 1), (2, 3), (6, 7)])
    def test_its_gradients_summed_over_tied_weights_are_the_shared_gradient(
        self, place: int, number: int
    ) -> None:
        """Lecture 1.4, 6.3: the gradient of a shared weight is the sum over all its places."""
        network, giant = self.models()
        x, dy = values(6, *self.SHAPE), values(6, 3, seed=1)
        shared, dense = network.gradients(x, dy)[1], giant.gradients(x, dy)[1]
        shape = [reached for _, _, reached in self.NETWORK.chain(self.SHAPE)][place]
        layer = self.NETWORK[place]
        weight = shared[f"{place}.weight"]
        # Weights that are their own numbers say which weight an entry is.
        numbered = np.arange(weight.size, dtype=np.float32).reshape(weight.shape)
        matrix, _ = sw.equivalent_matrix(
            layer, shape, {"weight": numbered, "bias": shared[f"{place}.bias"] * 0}
        )
        entries = matrix.tocoo()
        summed = np.bincount(
            entries.data.astype(int),
            dense[f"{number}.weight"][entries.row, entries.col],
            minlength=weight.size,
        )
        np.testing.assert_allclose(summed.reshape(weight.shape), weight, rtol=1e-4, atol=1e-4)
        by_position = dense[f"{number}.bias"].reshape(len(weight), -1).sum(axis=1)
        np.testing.assert_allclose(by_position, shared[f"{place}.bias"], rtol=1e-4, atol=1e-4)


class TestErrors:
    @pytest.mark.parametrize(
        ("layer", "named"),
        [
            (sw.ReLU(), r"layer ReLU\(\)"),
            (sw.Aggregate("max"), r"layer Aggregate\('max'\)"),
            (sw.Sequential(sw.Conv1d(2, 1), sw.Sequential(sw.MaxPool1d(2))), r"layer 1.0 MaxPool1d\(2\)"),
            (sw.Residual(sw.Conv1d(2, 1), sw.Tanh()), r"layer 1 Tanh\(\)"),
        ],
    )
    def test_layers_that_are_not_affine(self, layer: Layer, named: str) -> None:
        with pytest.raises(sw.ArgumentError, match=f"{named} must be affine.*one by one, equivalent_matrix"):
            sw.equivalent_matrix(layer, (2, 6))

    def test_what_does_not_fit_into_memory_is_refused_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sparse, "available_bytes", lambda: 2**36)
        with pytest.raises(
            sw.ArgumentError, match=r"246,016,000 x 250,000,000 with 6,150,400,000,000 entries"
        ):
            sw.equivalent_matrix(sw.Conv2d(1000, 5), (1000, 500, 500))
        with pytest.raises(sw.ArgumentError, match="small enough for memory"):
            sw.equivalent_matrix(sw.Linear(10**6), (10**6,))
        monkeypatch.setattr(sparse, "available_bytes", lambda: 700)
        with pytest.raises(sw.ArgumentError, match=r"Got \(3, 4\) for Flatten\(\): 12 x 12 with 12 entries"):
            sw.equivalent_matrix(sw.Flatten(), (3, 4))
        monkeypatch.setattr(sparse, "available_bytes", lambda: 6000)
        narrow = sw.Sequential(sw.Flatten(), sw.Linear(1), sw.Linear(12))
        with pytest.raises(sw.ArgumentError, match="12 x 12 with 144 entries"):
            sw.equivalent_matrix(narrow, (12,))

    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            (sw.Pad1d(10**10), (1, 4)),
            (sw.Pad1d(10**9), (1, 4)),
            (sw.Conv1d(1, 3, padding=10**10), (1, 4)),
            (sw.Conv1d(1, 1), (1, 10**11)),
            (sw.ConvTranspose1d(1, 1, stride=10**10), (1, 10)),
            (sw.AvgPool2d(1), (1, 10**6, 10**6)),
            (sw.AvgPool1d(10**12, padding=5 * 10**11), (1, 10)),
            (sw.AvgPool1d(1), (10**10, 2)),
            (sw.Subsample2d(10**4, stride=1), (1, 2 * 10**4, 2 * 10**4)),
            (sw.Downsample1d(10**9), (1, 10**12)),
            (sw.Unfold1d(10**6), (1, 2 * 10**6)),
            (sw.Scan1d(sw.Sequential(sw.Linear(1)), 10**5), (1, 2 * 10**5)),
            (sw.UnitBias(), (1, 10**6, 10**6)),
        ],
        ids=str,
    )
    def test_nothing_is_allocated_before(
        self, layer: Layer, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sparse, "available_bytes", lambda: 2**30)
        tracemalloc.start()
        with pytest.raises(
            sw.ArgumentError, match=r"small enough for memory \(1.0 GiB available\). Got .* need"
        ):
            sw.equivalent_matrix(layer, shape)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**25

    def test_parameters_of_another_shape_are_not_made_room_for(self) -> None:
        with pytest.raises(sw.ArgumentError, match="its parameters, inputs and outputs, which alone need"):
            sw.equivalent_matrix(sw.Linear(10**9), (10**6,), {"weight": [[1.0]], "bias": [1.0]})

    def test_parameters(self) -> None:
        layer = sw.Conv1d(2, 3)
        with pytest.raises(
            sw.ArgumentError, match=r"parameters must hold weight, bias. Got weight: no 'bias'"
        ):
            sw.equivalent_matrix(layer, (1, 5), {"weight": np.zeros((2, 1, 3))})
        with pytest.raises(sw.ArgumentError, match=r"must be one of weight, bias. Got 'gain'"):
            sw.equivalent_matrix(layer, (1, 5), {"weight": np.zeros((2, 1, 3)), "bias": [0, 0], "gain": [1]})
        with pytest.raises(sw.ShapeError, match=r"'weight' must have shape \(2, 1, 3\)"):
            sw.equivalent_matrix(layer, (1, 5), {"weight": np.zeros((2, 3)), "bias": [0, 0]})
        with pytest.raises(sw.ArgumentTypeError, match="must be a mapping"):
            sw.equivalent_matrix(layer, (1, 5), [1, 2])  # type: ignore[arg-type]
        model = sw.Model(sw.Sequential(layer), (1, 5))
        with pytest.raises(sw.ArgumentError, match="must be left out for a Model"):
            sw.equivalent_matrix(model, parameters=model.parameters)

    def test_other_arguments(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"layer must be a layer or a Model. Got 'Conv1d'"):
            sw.equivalent_matrix("Conv1d", (1, 5))  # type: ignore[arg-type]
        with pytest.raises(sw.ArgumentTypeError, match="input_shape must be given"):
            sw.equivalent_matrix(sw.Flatten())
        with pytest.raises(sw.ShapeError, match="must be at least the window's 7"):
            sw.equivalent_matrix(sw.Conv1d(2, 7), (1, 5))

    def test_scipy_is_an_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(sw.ArgumentError, match=r"needs scipy.*pip install 'scanwise\[lecture\]'"):
            sw.equivalent_matrix(sw.Flatten(), (1, 5))


@given(drawn.convs(2))
@settings(max_examples=20)
def test_images_of_another_size_share_the_weights(case: tuple[Layer, Shape]) -> None:
    layer, (channels, height, width) = case
    parameters = drawn_parameters(layer, (channels, height, width))
    assume(parameters["weight"].size > 1)
    shape = (channels, height + 1, width + 2)
    matrix, bias = sw.equivalent_matrix(layer, shape, parameters)
    x = values(*shape)
    expected = model_of(layer, shape, parameters)(x[None]).ravel()
    np.testing.assert_allclose(matrix @ x.ravel() + bias, expected, rtol=1e-5, atol=2e-6)
