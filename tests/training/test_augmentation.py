"""Training on augmented samples: what a step sees, by which backend, with which threads, from where it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.augment import (
    AddNoise,
    Augment,
    Brightness,
    Crop,
    Cutout,
    Flip,
    FrequencyMask,
    Gain,
    MixBackground,
    Recordings,
    Rotate,
    Scale,
    Shift,
    TimeMask,
    TimeShift,
    native,
)
from scanwise.training.native_program import NativeProgram
from scanwise.training.reference_program import ReferenceProgram
from tests.backends import BACKENDS, IMAGE_NETWORK, IMAGE_SHAPE, SIGNAL_NETWORK, SIGNAL_SHAPE, random_values

OF_IMAGES = Augment(
    Shift(2), Flip(), Rotate(20), Scale((0.8, 1.25), p=0.5), Crop((0.7, 1)), AddNoise((5, 20)), Cutout(3)
)
OF_SIGNALS = Augment(
    TimeShift(4), MixBackground(random_values(2, 30), (0, 10)), TimeMask(3), FrequencyMask(1, p=0.5), Gain(6)
)


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


# Of W x with W = 0 and the K-th unit vector as the target of sample k, the squared error's gradient by row k of W is
# -2 x_k / K, and nothing else reaches that row: after one step over all N = K samples at the rate K N / 2 it is x_k.
def seen(x: NDArray[Any], augment: Augment | None, *, backend: str, seed: int = 3) -> NDArray[np.float32]:
    """The samples as the second epoch of a training sees them."""
    count = len(x)
    assert count.bit_count() == 1  # or the rate rounds
    network = sw.Sequential(sw.Flatten(), sw.Linear(count, bias=False))
    model = sw.Model(network, x.shape[1:], backend=backend)
    zeros = np.zeros_like(model.parameters["1.weight"])
    model.parameters["1.weight"] = zeros

    def second(model: sw.Model, history: sw.History) -> None:
        if len(history) == 1:
            model.parameters["1.weight"] = zeros

    optimizer = sw.SGD(count * count / 2)
    sw.fit(
        model, x, np.eye(count), epochs=2, batch_size=count, optimizer=optimizer, loss="mse", augment=augment,
        callbacks=[second], seed=seed,
    )  # fmt: skip
    return np.array(model.parameters["1.weight"]).reshape(x.shape)


class TestWhatAStepSees:
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize(
        ("augment", "shape"), [(OF_IMAGES, (2, 6, 7)), (OF_SIGNALS, (2, 9))], ids=["images", "signals"]
    )
    def test_is_what_the_augmentation_shows(
        self, backend: str, augment: Augment, shape: tuple[int, ...]
    ) -> None:
        x = random_values(4, *shape)
        expected = augment(x, seed=3, epoch=1)
        assert not np.allclose(expected, augment(x, seed=3, epoch=0))
        np.testing.assert_allclose(seen(x, augment, backend=backend), expected, rtol=0, atol=2e-5)

    @pytest.mark.parametrize("kind", ["uint8", "int16", "float32", "float64", "float16"])
    def test_of_every_type_of_sample(self, kind: str) -> None:
        x = np.random.default_rng(0).uniform(0, 100, (4, 1, 5, 6)).astype(kind)
        expected = OF_IMAGES(x, seed=3, epoch=1)
        found = seen(x, OF_IMAGES, backend="native")
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())

    def test_of_a_memory_map(self, tmp_path: Path) -> None:
        x = random_values(4, 1, 5, 6)
        np.save(tmp_path / "x.npy", x)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        assert (
            seen(mapped, OF_IMAGES, backend="native").tobytes()
            == seen(x, OF_IMAGES, backend="native").tobytes()
        )

    def test_does_not_depend_on_batch_and_threads(self) -> None:
        x = random_values(32, 2, 6, 7)
        expected = native.augmented(OF_IMAGES, x, seed=3, epoch=1, samples=np.arange(32))
        for threads, samples in ((1, 32), (2, 32), (2, 16), (1, 1)):
            sw.set_threads(threads)
            found = seen(x[:samples], OF_IMAGES, backend="native")
            assert found.tobytes() == expected[:samples].tobytes(), (threads, samples)


def trained(network: sw.Sequential, x: Any, **options: Any) -> tuple[sw.Model, sw.History]:
    shape = options.pop("shape", None) or x.shape[1:]
    model = sw.Model(network, shape, seed=1, backend=options.pop("backend", "native"))
    y = np.arange(len(x)) % 3
    settings: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 8,
        "optimizer": sw.SGD(0.05, momentum=0.9),
        "seed": 5,
    }
    return model, sw.fit(model, x, y, **(settings | options))


def parameters(model: sw.Model) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in model.parameters.items()}


RESIDUAL = sw.Sequential(
    sw.Residual(sw.Conv2d(2, 3, padding="same"), sw.ReLU()), sw.Flatten(), sw.Dropout(0.2), sw.Linear(3)
)
NORMALISED = sw.Sequential(
    sw.Conv2d(3, 3), sw.BatchNorm(), sw.ReLU(), sw.MaxPool2d(2), sw.BatchNorm(), sw.Flatten(), sw.Linear(3)
)
SPECTRAL = sw.Sequential(
    sw.LogMel(8000, 32, 8, 10), sw.Conv1d(4, 3), sw.Tanh(), sw.Aggregate("max"), sw.Linear(3)
)
CASES = {
    "images": (IMAGE_NETWORK, IMAGE_SHAPE, OF_IMAGES),
    "residual and dropout": (RESIDUAL, IMAGE_SHAPE, OF_IMAGES),
    "in phases": (NORMALISED, IMAGE_SHAPE, OF_IMAGES),
    "signals": (SIGNAL_NETWORK, SIGNAL_SHAPE, OF_SIGNALS),
    "spectra": (SPECTRAL, (1, 96), Augment(TimeShift(20), AddNoise((5, 20)))),
}


@pytest.mark.parametrize(("network", "shape", "augment"), CASES.values(), ids=CASES.keys())
def test_trainings_agree_with_the_reference(network: Any, shape: tuple[int, ...], augment: Augment) -> None:
    x = random_values(20, *shape)
    native_, reference = (trained(network, x, augment=augment, backend=b) for b in ("native", "reference"))
    for name, value in reference[0].parameters.items():
        scale = max(1e-3, float(np.abs(value).max()))  # before a `BatchNorm` a bias has no gradient
        np.testing.assert_allclose(
            native_[0].parameters[name], value, rtol=0, atol=1e-4 * scale, err_msg=name
        )
    plain = trained(network, x)
    assert abs(plain[1][0]["loss"] - native_[1][0]["loss"]) > 1e-4
    sw.set_threads(2)
    again = trained(network, x, augment=augment)
    assert parameters(again[0]) == parameters(native_[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_never_happens_changes_no_bit(backend: str) -> None:
    x = random_values(20, *IMAGE_SHAPE)
    never = Augment(Rotate(20, p=0.0), AddNoise(5, p=0.0))
    with_, without = (trained(IMAGE_NETWORK, x, augment=a, backend=backend) for a in (never, None))
    assert parameters(with_[0]) == parameters(without[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_validation_data_stay_as_they_are(backend: str) -> None:
    x = random_values(20, *IMAGE_SHAPE)
    model, history = trained(
        IMAGE_NETWORK, x, augment=Brightness((50, 60)), validation_data=(x, np.arange(20) % 3),
        optimizer=sw.SGD(1e-12), backend=backend,
    )  # fmt: skip
    loss, _ = model.loss_and_gradients(x, np.arange(20) % 3)
    assert history[0]["validation_loss"] == pytest.approx(loss, rel=1e-4)
    assert abs(history[0]["loss"] - loss) > 0.01


@pytest.mark.parametrize("kind", [NativeProgram, ReferenceProgram])
@pytest.mark.parametrize("network", [RESIDUAL, NORMALISED], ids=["depth first", "in phases"])
def test_it_goes_on_within_an_epoch(kind: Any, network: sw.Sequential) -> None:
    x, y = random_values(24, *IMAGE_SHAPE), np.arange(24) % 3
    rates, order = np.full(3, 0.05, np.float32), np.random.default_rng(0).permutation(24)

    def program() -> Any:
        return kind(
            network, IMAGE_SHAPE, loss="cross_entropy", optimizer=sw.AdamW(0.05), batch_size=8, seed=4,
            augment=OF_IMAGES,
        )  # fmt: skip

    whole, first, second = program(), program(), program()
    for each in (whole, first):
        each.write_parameters(sw.Model(network, IMAGE_SHAPE, seed=1, backend="reference").parameters)
        for steps in (3, 3 if each is whole else 1):
            each.begin_epoch(x, y, order, rates)
            while each.advance(0.0) < steps:
                pass
    second.write_parameters(first.read_parameters())
    second.restore(first.state())
    second.begin_epoch(x, y, order, rates)
    while second.advance(0.0) < 3:
        pass
    for name, value in whole.read_parameters().items():
        assert second.read_parameters()[name].tobytes() == value.tobytes(), name


def test_a_check_point_belongs_to_one_augmentation(tmp_path: Path) -> None:
    x, place = random_values(12, *SIGNAL_SHAPE), tmp_path / "c"

    def run(background: NDArray[Any]) -> sw.Model:
        augment = MixBackground(background, 5.0)
        return trained(SIGNAL_NETWORK, x, augment=augment, checkpoint=place, backend="reference")[0]

    noise = random_values(2, 30)
    model = run(noise)
    assert parameters(run(noise)) == parameters(model)
    with pytest.raises(sw.CheckpointError, match="augment"):
        run(noise + 1)
    with pytest.raises(sw.CheckpointError, match="augment"):
        trained(SIGNAL_NETWORK, x, checkpoint=place, backend="reference")


def test_a_model_keeps_it_of_its_training() -> None:
    x = random_values(8, *IMAGE_SHAPE)
    model, _ = trained(IMAGE_NETWORK, x, augment=[Shift(1), Flip()], backend="reference", epochs=1)
    assert model.training is not None
    assert model.training["augment"] == "Augment(Shift(p=1.0, most=1), Flip(p=0.5, axis='horizontal'))"
    model, _ = trained(IMAGE_NETWORK, x, backend="reference", epochs=1)
    assert model.training is not None
    assert model.training["augment"] is None


class TestSignalsOfUnequalSize:
    @staticmethod
    def signals() -> list[NDArray[Any]]:
        lengths = (40, 73, 250, 40, 61, 90)
        return [random_values(2, n, seed=n) for n in lengths[:-1]] + [np.full((2, lengths[-1]), 90, np.uint8)]

    def test_agree_with_the_reference(self) -> None:
        found = {
            backend: trained(
                SIGNAL_NETWORK,
                self.signals(),
                shape=(2, 40),
                augment=OF_SIGNALS,
                batch_size=3,
                backend=backend,
            )
            for backend in BACKENDS
        }
        for name, value in found["reference"][0].parameters.items():
            np.testing.assert_allclose(found["native"][0].parameters[name], value, rtol=0, atol=1e-4)
        plain = trained(SIGNAL_NETWORK, self.signals(), shape=(2, 40), batch_size=3)
        assert abs(plain[1][0]["loss"] - found["native"][1][0]["loss"]) > 1e-4

    def test_it_must_fit_each_of_them(self) -> None:
        with pytest.raises(
            sw.ShapeError, match=r"TimeShift: samples must be longer than most=50. Got \(2, 40\)"
        ):
            trained(SIGNAL_NETWORK, self.signals(), shape=(2, 40), augment=TimeShift(50))


def test_the_layer_is_found_that_an_augmented_sample_diverges_in() -> None:
    x = random_values(8, *SIGNAL_SHAPE)
    with pytest.raises(
        sw.DivergedError, match=r"The first value that is not finite is .* of layer 0, Conv1d"
    ):
        trained(SIGNAL_NETWORK, x, augment=[Gain((191.25, 191.25))] * 4)


def test_learning_rates_are_found_on_augmented_samples() -> None:
    x, y = random_values(16, *SIGNAL_SHAPE), np.arange(16) % 3

    def found(augment: object) -> float:
        model = sw.Model(SIGNAL_NETWORK, SIGNAL_SHAPE, seed=1)
        return float(sw.find_learning_rate(model, x, y, batch_size=8, steps=20, augment=augment).losses[0])

    assert found(Gain(20)) == found([Gain(20)])
    assert found(Gain(20)) != found(None)


def test_recordings_stay_where_they_are(tmp_path: Path) -> None:
    np.save(tmp_path / "noise.npy", random_values(2, 5000))
    mapped = np.load(tmp_path / "noise.npy", mmap_mode="r")
    augment = Augment(MixBackground(mapped, 5.0))
    (step,) = native.sample_steps(augment, SIGNAL_SHAPE)
    assert step.keeps[0].ctypes.data == mapped.ctypes.data
    x = random_values(8, *SIGNAL_SHAPE)
    from_memory = Augment(MixBackground(np.array(mapped), 5.0))
    results = [parameters(trained(SIGNAL_NETWORK, x, augment=each)[0]) for each in (augment, from_memory)]
    assert results[0] == results[1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("augment", "error", "text"),
    [
        ("Flip()", sw.ArgumentTypeError, "augment must be an Augment, .* Got 'Flip\\(\\)'"),
        (Flip, sw.ArgumentTypeError, "augment must be an Augment"),
        ([], sw.ArgumentError, "steps must be at least one augmentation. Got none"),
        ([Flip(), 3], sw.ArgumentTypeError, "step 1 must be an augmentation, such as Flip\\(\\). Got 3"),
        (Shift(9), sw.ShapeError, r"Shift: samples must be larger than most=9. Got \(2, 8, 7\)"),
        (TimeShift(2), sw.ShapeError, r"TimeShift: samples must have shape \(C, T\). Got \(2, 8, 7\)"),
        (
            MixBackground("rain.wav"),
            sw.ArgumentError,
            "background must have been read .* Got names of files: 'rain",
        ),
    ],
)
def test_what_cannot_be_done_is_named(backend: str, augment: Any, error: type[Exception], text: str) -> None:
    model = sw.Model(IMAGE_NETWORK, IMAGE_SHAPE, backend=backend)
    before = parameters(model)
    x, y = random_values(6, *IMAGE_SHAPE), np.arange(6) % 3
    for call in (
        lambda: sw.fit(model, x, y, epochs=1, augment=augment),
        lambda: sw.find_learning_rate(model, x, y, augment=augment),
    ):
        with pytest.raises(error, match=text):
            call()
    assert parameters(model) == before


def test_tables_are_refused() -> None:
    model = sw.Model(sw.Sequential(sw.Linear(2)), (4,), backend="reference")
    with pytest.raises(sw.ShapeError, match=r"samples must have shape \(C, T\) or \(C, H, W\). Got \(4,\)"):
        sw.fit(model, random_values(4, 4), [0, 1, 0, 1], epochs=1, augment=Gain(6))


def test_recordings_are_told_apart_by_their_content() -> None:
    one, other = (Recordings(random_values(2, 30, seed=seed)) for seed in (0, 1))
    assert repr(one) != repr(other)
    assert repr(one) == repr(Recordings(random_values(2, 30)))
