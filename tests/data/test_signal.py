from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanwise.data import read_signal
from scanwise.errors import DataError, FileError
from tests.data.conftest import write_image, write_tone


def test_audio_comes_at_the_models_rate(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.ogg", 0.5, rate=16000, channels=2)
    signal = read_signal(path, input_shape=(1, 100), sample_rate=8000)
    assert signal.shape == (1, 4000)
    assert signal.dtype == np.float32


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav", 0.5, hertz=440, rate=44100)
    signal = read_signal(path, input_shape=(1, 100), sample_rate=8000)[0]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)
    np.testing.assert_allclose(signal[200:-200], expected[200:-200], atol=2e-3)


def test_images_come_in_the_models_mode(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", np.full((20, 30, 3), 77, np.uint8))
    assert read_signal(path, input_shape=(1, 8, 8)).shape == (1, 20, 30)
    assert read_signal(path, input_shape=(3, 8, 8), image_mode="RGB").shape == (3, 20, 30)


def test_an_image_lying_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.fromarray(np.zeros((10, 20), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_signal(tmp_path / "a.jpg", input_shape=(1, 8, 8)).shape == (1, 20, 10)


@pytest.mark.parametrize(
    ("array", "input_shape", "shape"),
    [
        (np.zeros(50), (1, 10), (1, 50)),
        (np.zeros((3, 50)), (3, 10), (3, 50)),
        (np.zeros((40, 50)), (1, 8, 8), (1, 40, 50)),
        (np.zeros((40, 50, 3), np.uint8), (3, 8, 8), (3, 40, 50)),
        (np.zeros((3, 50), np.int64), (3, 10), (3, 50)),
    ],
)
def test_npy_signals(tmp_path: Path, array: Any, input_shape: Any, shape: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    assert read_signal(tmp_path / "a.npy", input_shape=input_shape).shape == shape


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4\n5,6\n", "1,3,5\n2,4,6\n"])
def test_a_trace_has_a_column_or_a_row_for_each_channel(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    np.testing.assert_array_equal(read_signal(tmp_path / "a.csv", input_shape=(2, 2)), [[1, 3, 5], [2, 4, 6]])


def test_signals_that_do_not_fit_the_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="FILE must be an existing file"):
        read_signal(tmp_path / "none.wav", input_shape=(1, 10), sample_rate=8000)
    tone = write_tone(tmp_path / "a.wav")
    with pytest.raises(DataError, match=r"must be \.png, .*: the model takes images\. Got \.wav"):
        read_signal(tone, input_shape=(1, 8, 8))
    np.save(tmp_path / "a.npy", np.zeros((2, 50)))
    with pytest.raises(
        DataError, match=r"must have 2 axes and 3 channels, as the model takes\. Got shape \(2, 50\)"
    ):
        read_signal(tmp_path / "a.npy", input_shape=(3, 10))
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    with pytest.raises(
        DataError, match=r"must have 3 columns, or 3 rows of equal length.*Got 2 rows of 2 columns"
    ):
        read_signal(tmp_path / "a.csv", input_shape=(3, 10))
    np.save(tmp_path / "b.npy", np.array([0, np.nan]))
    with pytest.raises(DataError, match=r"Got nan at position \(0, 1\)"):
        read_signal(tmp_path / "b.npy", input_shape=(1, 10))
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"must be a \.npy file\. Got one that cannot be read"):
        read_signal(tmp_path / "c.npy", input_shape=(1, 10))
