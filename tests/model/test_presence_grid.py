"""`Model.presence` of networks whose `Aggregate` has a grid: cells of each signal's own extent, then a perceptron."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.presence import body, tiles
from scanwise.presence.parts import smallest_extent, takes_any_extent
from tests.backends import BACKENDS, random_values
from tests.model.test_presence import PADDED_BODY, SIGNAL_BODY, assert_at_their_size

each_mode = pytest.mark.parametrize("mode", sw.Aggregate.modes)

PERCEPTRON = (sw.Flatten(), sw.Linear(5), sw.Tanh(), sw.Linear(3))


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells end within tiles and bands, and reach over several."""
    monkeypatch.setattr(tiles, "TILE_POSITIONS", {1: 8, 2: 4})
    monkeypatch.setattr(tiles, "BAND_VALUES", 400)
    monkeypatch.setattr(body, "_BATCH_TILES", 3)


def of_lengths(*lengths: int) -> list[NDArray[np.float32]]:
    return [random_values(2, length, seed=length) for length in lengths]


def signal_model(mode: str, backend: str = "native") -> sw.Model:
    network = sw.Sequential(*SIGNAL_BODY, sw.Aggregate(mode, grid=3), *PERCEPTRON)
    return sw.Model(network, (2, 12), backend=backend, seed=1)


class TestBits:
    @each_mode
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.usefixtures("small_tiles")
    def test_signals(self, mode: str, backend: str) -> None:
        model, signals = signal_model(mode, backend), of_lengths(12, 41)
        assert_at_their_size(model, signals)
        np.testing.assert_array_equal(model.presence(signals).scores[0], model(signals[0][None])[0])

    @each_mode
    @pytest.mark.usefixtures("small_tiles")
    def test_images(self, mode: str) -> None:
        layers = (sw.Conv2d(5, (3, 2)), sw.MaxPool2d(2), sw.Aggregate(mode, grid=(3, 2)), *PERCEPTRON)
        model = sw.Model(sw.Sequential(*layers), (2, 9, 8), seed=1)
        assert_at_their_size(model, [random_values(2, *extent) for extent in ((9, 8), (31, 28))])

    def test_layers_that_pad(self) -> None:
        network = sw.Sequential(*PADDED_BODY, sw.Aggregate("mean", grid=2), *PERCEPTRON)
        assert_at_their_size(sw.Model(network, (2, 12)), of_lengths(12, 3))

    def test_a_tail_that_is_no_perceptron(self) -> None:
        layers = (
            sw.Conv1d(4, 3),
            sw.Aggregate("max", grid=5),
            sw.Conv1d(3, 2, padding=1),
            sw.Aggregate("mean"),
        )
        assert_at_their_size(sw.Model(sw.Sequential(*layers), (2, 12)), of_lengths(12, 7))

    def test_cells_as_they_are(self) -> None:
        network = sw.Sequential(sw.Aggregate("max", grid=2), sw.Flatten())
        found = sw.Model(network, (1, 4)).presence([[[1, 3, 2, 7, 6]], [[9, 8]]])
        assert found.scores.tolist() == [[3, 7], [9, 8]]
        assert found.positions.tolist() == [[1, 3], [0, 1]]


class TestPlaces:
    def test_the_cell_that_speaks_most(self) -> None:
        """Of what two halves of a signal say, weighed by hand."""
        network = sw.Sequential(sw.Aggregate("max", grid=2), sw.Flatten(), sw.Linear(3, bias=False))
        model = sw.Model(network, (1, 4))
        model.parameters["2.weight"] = [[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]
        signal = np.zeros((1, 20))
        signal[0, 4], signal[0, 17] = 5.0, 3.0
        found = model.presence([signal, signal[:, ::-1]])
        assert found.scores.tolist() == [[5, 3, 11], [3, 5, 13]]
        assert found.positions.tolist() == [[4, 17, 17], [2, 15, 15]]

    @pytest.mark.usefixtures("small_tiles")
    def test_in_images(self) -> None:
        network = sw.Sequential(
            sw.Conv2d(1, 1, bias=False), sw.Aggregate("logsumexp", grid=(2, 3)), sw.Flatten()
        )
        model = sw.Model(network, (1, 4, 4))
        model.parameters["0.weight"] = [[[[1.0]]]]
        image = np.zeros((1, 25, 31))
        wanted = [(3, 9), (11, 10), (0, 30), (12, 0), (24, 19), (13, 20)]
        for row, column in wanted:
            image[0, row, column] = 1.0
        assert model.presence([image]).positions[0].tolist() == [list(each) for each in wanted]


def test_saved_and_loaded(tmp_path: Path) -> None:
    model, signals = signal_model("softmax"), of_lengths(12, 41)
    model.save(tmp_path / "m")
    again = sw.load(tmp_path / "m")
    assert again.network == model.network
    np.testing.assert_array_equal(again.presence(signals).scores, model.presence(signals).scores)


@pytest.mark.parametrize(
    ("layers", "smallest"),
    [
        ((sw.Conv1d(4, 5), sw.MaxPool1d(2), sw.Aggregate("max", grid=3), sw.Flatten()), 10),
        ((sw.Conv1d(4, 5, stride=2, padding=2), sw.Aggregate("max", grid=3), sw.Flatten()), 5),
        ((sw.Aggregate("max", grid=3), sw.Flatten()), 3),
    ],
    ids=repr,
)
def test_the_smallest_signal_has_a_position_for_each_cell(
    layers: tuple[sw.Layer, ...], smallest: int
) -> None:
    model = sw.Model(sw.Sequential(*layers), (1, 20), backend="reference")
    assert smallest_extent(model.network, model.input_shape) == (smallest,)
    model.presence([np.ones((1, smallest))])
    with pytest.raises(
        sw.ShapeError, match=r"^signals\[0\] must fit the network.*many positions as the grid has"
    ):
        model.presence([np.ones((1, smallest - 1))])


def test_a_window_with_fewer_positions_than_cells() -> None:
    network = sw.Sequential(sw.Conv1d(4, 3), sw.Aggregate("max", grid=4), sw.Flatten())
    with pytest.raises(sw.ShapeError, match=r"(?s)^layer 1: Aggregate\('max', grid=4\): .*does not fit"):
        takes_any_extent(network, (2, 5))


def test_cells_must_become_scores() -> None:
    network = sw.Sequential(sw.Conv1d(4, 3), sw.Aggregate("max", grid=2))
    assert not takes_any_extent(network, (2, 12))
    with pytest.raises(
        sw.ArgumentError,
        match=r"one score for each label .* after Aggregate\('max', grid=2\)\. Got output shape \(4, 2\)\.$",
    ):
        sw.Model(network, (2, 12)).presence([np.ones((2, 12))])
