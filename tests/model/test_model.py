"""Predictions, parameters, gradients and facts of a model."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise import reference
from tests.backends import BACKENDS, IMAGE_NETWORK, IMAGE_SHAPE, image_model, random_values

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


class TestCall:
    def test_agrees_with_the_reference(self, backend: str) -> None:
        model = image_model(backend)
        x = random_values(4, *IMAGE_SHAPE)
        y = model(x)
        assert y.dtype == np.float32
        assert y.shape == (4, 3)
        np.testing.assert_allclose(
            y, reference.forward(IMAGE_NETWORK, x, model.parameters), rtol=1e-5, atol=1e-5
        )

    @pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int8, np.int16, np.int64, np.uint16, bool])
    def test_converts_every_real_dtype(self, backend: str, dtype: type) -> None:
        model = image_model(backend)
        x: NDArray[Any] = (3 * random_values(2, *IMAGE_SHAPE)).astype(dtype)
        np.testing.assert_array_equal(model(x), model(x.astype(np.float32)))

    def test_takes_uint8_as_0_to_1(self, backend: str) -> None:
        model = image_model(backend)
        x = np.random.default_rng(0).integers(0, 256, (2, *IMAGE_SHAPE), dtype=np.uint8)
        np.testing.assert_allclose(model(x), model(x.astype(np.float64) / 255), rtol=1e-5, atol=1e-6)

    def test_takes_lists_big_endian_and_strided_arrays(self, backend: str) -> None:
        model = image_model(backend)
        x = random_values(2, *IMAGE_SHAPE)
        expected = model(x)
        last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        for same in (x.tolist(), x.astype(">f4"), np.moveaxis(last, -1, 1), np.repeat(x, 2, axis=0)[::2]):
            np.testing.assert_array_equal(model(same), expected)

    def test_same_bits_for_every_batch_size(self, backend: str) -> None:
        model = image_model(backend)
        x = random_values(7, *IMAGE_SHAPE)
        y = model(x)
        for n in range(7):
            np.testing.assert_array_equal(model(x[n : n + 1])[0], y[n])

    def test_empty_batch(self, backend: str) -> None:
        model = image_model(backend)
        assert model(np.zeros((0, *IMAGE_SHAPE))).shape == (0, 3)
        dx, gradients = model.gradients(np.zeros((0, *IMAGE_SHAPE)), np.zeros((0, 3)))
        assert dx.shape == (0, *IMAGE_SHAPE)
        assert all(not gradient.any() for gradient in gradients.values())

    def test_large_finite_values_pass(self, backend: str) -> None:
        # Their squares overflow float32, which the check must not mistake for infinity.
        model = sw.Model(sw.Sequential(sw.ReLU()), (3,), backend=backend)
        x = np.array([[1e30, -1e30, 2.0]], np.float32)
        np.testing.assert_array_equal(model(x), [[np.float32(1e30), 0, 2]])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
    def test_names_the_first_value_that_is_not_finite(self, backend: str, bad: float) -> None:
        x = np.zeros((4, *IMAGE_SHAPE))
        x[2, 1, 3, 4] = x[3, 0, 0, 0] = bad
        with pytest.raises(sw.ArgumentError, match=r"x must be finite.* at index \(2, 1, 3, 4\)"):
            image_model(backend)(x)

    @pytest.mark.parametrize(
        ("shape", "hint"),
        [
            (IMAGE_SHAPE, r"a single sample is x\[None\]"),
            ((1, 3, 8, 7), "3 channels where the network takes 2"),
            ((1, 8, 7, 2), "channels come first"),
            ((1, 2, 8, 8), r"must have shape \(N, 2, 8, 7\)"),
            ((), "must have shape"),
            ((5,), "must have shape"),
        ],
    )
    def test_wrong_shape(self, backend: str, shape: tuple[int, ...], hint: str) -> None:
        with pytest.raises(sw.ShapeError, match=hint):
            image_model(backend)(np.zeros(shape))

    @pytest.mark.parametrize(
        "x", [np.zeros((1, *IMAGE_SHAPE), complex), np.array(["a"]), [[1], [1, 2]], None]
    )
    def test_not_real_numbers(self, backend: str, x: object) -> None:
        with pytest.raises(sw.ArgumentTypeError, match="x must be an array of real numbers"):
            image_model(backend)(x)  # type: ignore[arg-type]

    def test_precision(self, backend: str) -> None:
        model = image_model(backend)
        x = random_values(2, *IMAGE_SHAPE)
        np.testing.assert_allclose(model(x, precision="fast"), model(x), rtol=1e-3, atol=1e-4)
        with pytest.raises(sw.ArgumentError, match=r"precision must be one of 'exact', 'fast'. Got 'half'"):
            model(x, precision="half")


class TestParameters:
    def test_names_shapes_and_order_are_pytorchs(self, backend: str) -> None:
        assert image_model(backend).parameters.shapes == {
            "0.weight": (3, 2, 3, 3),
            "0.bias": (3,),
            "4.weight": (5, 18),
            "4.bias": (5,),
            "6.weight": (3, 5),
            "6.bias": (3,),
        }

    def test_assignment_copies_in_and_is_seen_by_the_next_call(self, backend: str) -> None:
        model = image_model(backend)
        x = random_values(2, *IMAGE_SHAPE)
        before, old = model(x), model.parameters["6.bias"]
        bias = np.array([1.0, 2.0, 3.0])
        model.parameters["6.bias"] = bias
        bias[:] = 7
        np.testing.assert_allclose(model(x), before + np.array([1, 2, 3]), rtol=1e-5, atol=1e-5)
        assert not old.any()

    def test_arrays_are_read_only(self, backend: str) -> None:
        array = image_model(backend).parameters["0.weight"]
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True

    def test_update_takes_all_or_none(self, backend: str) -> None:
        model = image_model(backend)
        before = dict(model.parameters)
        with pytest.raises(sw.ShapeError, match=r"parameter '6.bias' must have shape \(3,\). Got \(4,\)"):
            model.parameters.update({"0.bias": np.ones(3), "6.bias": np.ones(4)})
        assert all(np.array_equal(model.parameters[name], value) for name, value in before.items())
        model.parameters = {name: value + 1 for name, value in before.items()}
        np.testing.assert_array_equal(model.parameters["0.bias"], np.ones(3))

    @pytest.mark.parametrize(
        ("name", "value", "error", "text"),
        [
            (
                "9.weight",
                np.zeros(3),
                sw.ArgumentError,
                "parameter name must be one of 0.weight, .*Got '9.weight'",
            ),
            ("0.bias", np.zeros(4), sw.ShapeError, r"must have shape \(3,\). Got \(4,\)"),
            ("0.bias", 0.0, sw.ShapeError, r"must have shape \(3,\). Got \(\)"),
            ("0.bias", np.array([0, np.nan, 0]), sw.ArgumentError, r"finite.*nan at index \(1,\)"),
            ("0.bias", np.zeros(3, complex), sw.ArgumentTypeError, "Got dtype complex128"),
            ("0.bias", ["a", "b", "c"], sw.ArgumentTypeError, "real numbers"),
        ],
    )
    def test_bad_values(
        self, backend: str, name: str, value: object, error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            image_model(backend).parameters[name] = value  # type: ignore[assignment]


class TestGradients:
    def test_agree_with_the_reference(self, backend: str) -> None:
        model = image_model(backend)
        x, dy = random_values(4, *IMAGE_SHAPE), random_values(4, 3, seed=1)
        dx, gradients = model.gradients(x, dy)
        expected_dx, expected = reference.gradients(IMAGE_NETWORK, x, dy, model.parameters)
        assert list(gradients) == list(model.parameters)
        np.testing.assert_allclose(dx, expected_dx, rtol=1e-4, atol=1e-5)
        for name, gradient in gradients.items():
            assert gradient.dtype == np.float32
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)

    @pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
    def test_of_the_loss(self, backend: str, loss: str) -> None:
        model = image_model(backend)
        x = random_values(4, *IMAGE_SHAPE)
        y = np.array([0, 2, 1, 1]) if loss == "cross_entropy" else np.eye(3)[[0, 2, 1, 1]]
        value, gradients = model.loss_and_gradients(x, y, loss=loss)
        expected_value, expected = reference.loss_and_gradients(IMAGE_NETWORK, x, y, model.parameters, loss)
        assert value == pytest.approx(expected_value, rel=1e-5)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)

    def test_dy_must_have_the_outputs_shape(self, backend: str) -> None:
        with pytest.raises(
            sw.ShapeError, match=r"dy must have the shape of the output, \(4, 3\). Got \(4, 2\)"
        ):
            image_model(backend).gradients(random_values(4, *IMAGE_SHAPE), np.zeros((4, 2)))

    @pytest.mark.parametrize(
        ("y", "loss", "error", "text"),
        [
            ([0, 3], "cross_entropy", sw.ArgumentError, "label numbers from 0 to 2. Got 3 at index 1"),
            ([0, -1], "cross_entropy", sw.ArgumentError, "label numbers from 0 to 2. Got -1 at index 1"),
            ([0, 1, 2], "cross_entropy", sw.ShapeError, "one entry for each of the 2 samples of x. Got 3"),
            ([0.0, 1.0], "cross_entropy", sw.ArgumentTypeError, "whole label numbers"),
            (np.eye(3)[:2].astype(int), "cross_entropy", sw.ShapeError, r"of shape \(N,\)"),
            (["a", "b"], "cross_entropy", sw.ArgumentTypeError, "must be an array of real numbers"),
            (0, "mse", sw.ShapeError, "Got a single number"),
            ([0, 1], "mse", sw.ShapeError, r"shape of the output, \(2, 3\)"),
            (np.full((2, 3), np.nan), "mse", sw.ArgumentError, "y must be finite"),
            (np.full((2, 3), 1.5), "binary_cross_entropy", sw.ArgumentError, "between 0 and 1"),
            ([0, 1], "hinge", sw.ArgumentError, "loss must be one of 'cross_entropy'.*Got 'hinge'"),
        ],
    )
    def test_bad_targets(self, backend: str, y: object, loss: str, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            image_model(backend).loss_and_gradients(random_values(2, *IMAGE_SHAPE), y, loss)  # type: ignore[arg-type]

    def test_no_samples(self, backend: str) -> None:
        with pytest.raises(sw.ArgumentError, match="x must hold at least one sample"):
            image_model(backend).loss_and_gradients(np.zeros((0, *IMAGE_SHAPE)), np.zeros(0, int))

    def test_cross_entropy_needs_one_score_per_label(self, backend: str) -> None:
        model = sw.Model(sw.Sequential(sw.Conv1d(3, 2)), (1, 5), backend=backend)
        with pytest.raises(sw.ShapeError, match="one score for each of at least two labels"):
            model.loss_and_gradients(np.zeros((1, 1, 5)), [0])


class TestConstruction:
    def test_misfit_shows_the_layer_table(self, backend: str) -> None:
        network = sw.Sequential(sw.Conv2d(3, 3), sw.MaxPool2d(9))
        with pytest.raises(sw.ShapeError, match=r"(?s)MaxPool2d\(9\).*Conv2d\(3, 3\)"):
            sw.Model(network, (1, 8, 8), backend=backend)

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"seed": -1}, sw.ArgumentError, "seed must be from 0"),
            ({"seed": 1.5}, sw.ArgumentTypeError, "seed must be a whole number"),
            ({"labels": ("a", "b")}, sw.ArgumentError, "one name for each of the 3 outputs. Got 2"),
            ({"labels": ("a", "b", "a")}, sw.ArgumentError, "differ from each other"),
            ({"labels": "abc"}, sw.ArgumentTypeError, "sequence of strings"),
            ({"labels": (1, 2, 3)}, sw.ArgumentTypeError, "sequence of strings"),
            ({"sample_rate": 0}, sw.ArgumentError, "sample_rate must be a positive number"),
            ({"background": "x"}, sw.ArgumentError, "background must be one of the labels"),
            ({"input_shape": (2, 0, 7)}, sw.ScanwiseError, "input_shape"),
            ({"input_shape": 5}, sw.ScanwiseError, "input_shape"),
            ({"network": sw.ReLU()}, sw.ArgumentTypeError, "network must be a Sequential"),
        ],
    )
    def test_bad_arguments(
        self, backend: str, options: dict[str, object], error: type[Exception], text: str
    ) -> None:
        arguments = {"network": IMAGE_NETWORK, "input_shape": IMAGE_SHAPE, "backend": backend, **options}
        with pytest.raises(error, match=text):
            sw.Model(**arguments)  # type: ignore[arg-type]

    def test_unknown_backend(self, backend: str) -> None:
        with pytest.raises(
            sw.ArgumentError, match=f"backend must be one of 'native', 'reference'. Got '{backend}s'"
        ):
            sw.Model(IMAGE_NETWORK, IMAGE_SHAPE, backend=f"{backend}s")

    def test_a_window_larger_than_memory_is_refused_at_once(self, backend: str) -> None:
        with pytest.raises(sw.ArgumentError, match=r"small enough for memory.*Got \(1, 10000000000000\)"):
            sw.Model(sw.Sequential(sw.ReLU()), (1, 10**13), backend=backend)

    def test_background_is_found_by_name(self, backend: str) -> None:
        assert image_model(backend, labels=("a", "None", "b")).background == "None"
        assert image_model(backend, labels=("a", "c", "b")).background is None
        assert image_model(backend, labels=("a", "c", "none"), background="c").background == "c"

    def test_summary_and_repr(self, backend: str) -> None:
        model = image_model(backend, labels=("a", "b", "c"))
        assert "Conv2d(3, 3)" in model.summary()
        assert "labels=('a', 'b', 'c')" in repr(model)


class TestCopies:
    @pytest.mark.parametrize(
        "how", [sw.Model.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
    )
    def test_are_independent(self, backend: str, how: object) -> None:
        model = image_model(backend, labels=("a", "b", "c"))
        x = random_values(2, *IMAGE_SHAPE)
        expected = model(x)
        twin = how(model)  # type: ignore[operator]
        np.testing.assert_array_equal(twin(x), expected)
        twin.parameters["6.bias"] = np.ones(3)
        np.testing.assert_array_equal(model(x), expected)
        assert twin.labels == model.labels
        with pytest.raises(ValueError, match="read-only"):
            twin.parameters["0.weight"][0] = 1
