from pathlib import Path

import numpy as np
import pytest

from scanwise.data import load_folder, open_dataset
from scanwise.errors import ArgumentError, DataError, FileError
from tests.data.conftest import write_image, write_tone


def test_audio_clips_become_windows_of_the_rule(tones: Path) -> None:
    data = load_folder(tones)
    assert data.kind == "audio"
    assert data.sample_rate == 8000
    assert data.labels == ("high", "low")
    assert data.x.shape == (6, 1, 1200)  # 0.14 s rounded up to 1/20 s
    assert data.x.dtype == np.float32
    assert data.counts() == {"high": 3, "low": 3}
    assert [Path(file).name for file in data.files] == ["0.wav", "1.wav", "2.wav"] * 2
    assert not data.x[0, 0, :200].any()  # 800 samples in the centre of 1200
    assert data.x[0, 0, 201] != 0


def test_a_window_is_given_in_seconds_and_a_rate_is_resampled_to(tones: Path) -> None:
    data = load_folder(tones, window=0.05, sample_rate=16000)
    assert data.input_shape == (1, 800)
    assert data.sample_rate == 16000


def test_the_rate_of_most_files_is_taken_and_channels_are_mixed_down(tones: Path) -> None:
    write_tone(tones / "low" / "stereo.flac", 0.1, 300, 16000, channels=2)
    data = load_folder(tones)
    assert data.sample_rate == 8000
    assert len(data) == 7
    assert abs(data.x[-1]).max() == pytest.approx(0.5, abs=0.05)


def test_grey_images_stay_bytes(shapes: Path) -> None:
    data = load_folder(shapes)
    assert (data.kind, data.image_mode) == ("image", "L")
    assert data.x.dtype == np.uint8
    assert data.x.shape == (4, 1, 8, 6)
    assert data.x[3, 0, 0, 0] == 201


def test_one_colour_image_makes_the_set_rgb_unless_grey_is_asked_for(shapes: Path) -> None:
    write_image(shapes / "dark" / "red.png", np.full((8, 6, 3), (255, 0, 0), np.uint8))
    assert load_folder(shapes).x.shape == (5, 3, 8, 6)
    assert load_folder(shapes, image_mode="L").x.shape == (5, 1, 8, 6)


def test_one_sixteen_bit_image_makes_the_set_float(shapes: Path) -> None:
    write_image(shapes / "dark" / "deep.tiff", np.full((8, 6), 65535, np.uint16))
    data = load_folder(shapes)
    assert data.x.dtype == np.float32
    assert data.x[0].max() == 0
    assert data.x[2].min() == 1.0
    assert data.x[4].max() == pytest.approx(201 / 255)


def test_a_file_of_several_pictures_is_refused(shapes: Path) -> None:
    from PIL import Image

    pages = [Image.fromarray(np.full((8, 6), i, np.uint8)) for i in range(3)]
    pages[0].save(shapes / "dark" / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match=r"pages\.tif must hold one picture\. Got 3\."):
        load_folder(shapes)


def test_images_of_unequal_size_follow_the_rule(shapes: Path) -> None:
    write_image(shapes / "dark" / "wide.png", np.full((8, 10), 9, np.uint8))
    assert load_folder(shapes).input_shape == (1, 8, 16)
    assert load_folder(shapes, window=(4, 5)).input_shape == (1, 4, 5)


def test_npy_files_are_series_or_images_by_their_axes(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        np.save(tmp_path / label / "0.npy", np.zeros((2, 9)))
    data = load_folder(tmp_path)
    assert (data.kind, data.input_shape) == ("series", (2, 9))
    assert data.x.dtype == np.float32
    as_image = load_folder(tmp_path, image_mode="L")
    assert (as_image.kind, as_image.input_shape) == ("image", (1, 2, 9))
    np.save(tmp_path / "b" / "1.npy", np.zeros((3, 9)))
    with pytest.raises(DataError, match=r"1\.npy must have 2 axes.* and 2 channels.* Got shape \(3, 9\)"):
        load_folder(tmp_path)


def test_hidden_files_and_folders_are_left_out(tones: Path) -> None:
    (tones / ".cache").mkdir()
    (tones / "low" / ".DS_Store").write_bytes(b"x")
    (tones / "low" / "Thumbs.db").write_bytes(b"x")
    (tones / "README.txt").write_text("where these come from")
    assert len(load_folder(tones)) == 6


@pytest.mark.parametrize("content", [b"", b"not audio at all"])
def test_a_file_that_cannot_be_read_is_named_or_skipped(tones: Path, content: bytes) -> None:
    bad = tones / "low" / "bad.wav"
    bad.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.wav must be a WAV, FLAC or OGG file\. Got"):
        load_folder(tones)
    data = load_folder(tones, on_error="skip")
    assert len(data) == 6
    assert [Path(skipped.source).name for skipped in data.skipped] == ["bad.wav"]


@pytest.mark.parametrize(("name", "kept"), [("cut.png", 60), ("cut.jpg", 330), ("cut.tif", 20)])
def test_a_file_cut_off_after_its_header_is_found(shapes: Path, name: str, kept: int) -> None:
    rng = np.random.default_rng(0)
    whole = write_image(shapes / "dark" / name, rng.integers(0, 255, (8, 6), np.uint8)).read_bytes()
    assert len(whole) > kept
    (shapes / "dark" / name).write_bytes(whole[:kept])
    with pytest.raises(DataError, match=rf"{name} must be a PNG"):
        load_folder(shapes)
    data = load_folder(shapes, on_error="skip")
    assert data.x.shape == (4, 1, 8, 6)
    assert data.x[3, 0, 0, 0] == 201


def test_all_files_unreadable_is_an_error_even_when_skipping(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"at least one file that can be read\. Got 2 that cannot"):
        load_folder(tmp_path, on_error="skip")


def test_nan_in_audio_is_named_with_its_place(tones: Path) -> None:
    import soundfile

    samples = np.zeros(800, np.float32)
    samples[17] = np.nan
    soundfile.write(str(tones / "low" / "nan.wav"), samples, 8000, subtype="FLOAT")
    with pytest.raises(
        DataError, match=r"nan\.wav must hold values that are finite.* Got nan at position 17"
    ):
        load_folder(tones)


def test_a_recording_without_samples_is_named(tones: Path) -> None:
    write_tone(tones / "low" / "none.wav", 0.0)
    with pytest.raises(DataError, match=r"none\.wav must hold at least one audio sample"):
        load_folder(tones)


def test_mixed_kinds_are_refused_naming_one_of_each(tones: Path) -> None:
    write_image(tones / "low" / "picture.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(
        DataError, match=r"files of one kind. Got audio \(.*0\.wav\) and image \(.*picture\.png\)"
    ):
        load_folder(tones)


def test_folders_without_labels_or_files_are_refused(tmp_path: Path, tones: Path) -> None:
    with pytest.raises(FileError, match="which is none"):
        load_folder(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"must hold one sub-folder per label\. Got none"):
        load_folder(tmp_path / "empty")
    (tones / "third").mkdir()
    with pytest.raises(DataError, match=r"third must hold at least one file\. Got none"):
        load_folder(tones)
    (tmp_path / "text" / "a").mkdir(parents=True)
    (tmp_path / "text" / "a" / "0.txt").write_text("0")
    with pytest.raises(DataError, match=r"Got .*0\.txt and no such file"):
        load_folder(tmp_path / "text")


def test_a_data_file_beside_the_labels_is_refused(tones: Path) -> None:
    stray = write_tone(tones / "stray.wav")
    with pytest.raises(DataError, match=r"stray\.wav must lie in the sub-folder of its label"):
        load_folder(tones)
    stray.unlink()


def test_one_label_is_refused_unless_a_model_has_more(tmp_path: Path) -> None:
    write_tone(tmp_path / "only" / "0.wav")
    with pytest.raises(DataError, match=r"must hold at least 2 labels\. Got 1: 'only'"):
        load_folder(tmp_path)
    assert load_folder(tmp_path, labels=("only", "other")).counts() == {"only": 1, "other": 0}


def test_a_model_settles_kind_channels_and_window(tones: Path, shapes: Path) -> None:
    assert open_dataset(tones, input_shape=(1, 999), sample_rate=16000).input_shape == (1, 999)
    assert open_dataset(shapes, input_shape=(3, 4, 4)).input_shape == (3, 4, 4)
    with pytest.raises(DataError, match=r"must hold images, as the model takes\. Got audio"):
        open_dataset(tones, input_shape=(1, 8, 8))
    with pytest.raises(DataError, match=r"must hold series, as the model takes\. Got audio"):
        open_dataset(tones, input_shape=(1, 80), labels=("high", "low"))


@pytest.mark.parametrize("window", [(3, 4), 0, -1.0])
def test_a_window_that_does_not_fit_audio_is_refused(tones: Path, window: float) -> None:
    with pytest.raises(ArgumentError, match="window must be a number of seconds"):
        open_dataset(tones, window=window)


def test_options_of_another_kind_are_refused(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="sample_rate must be left out for images"):
        open_dataset(shapes, sample_rate=8000)
    with pytest.raises(FileError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ArgumentError, match=r"must be a folder, a \.npz or a \.csv file"):
        open_dataset(tmp_path / "file.txt")
