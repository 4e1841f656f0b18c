"""Files that are read while they are scanned: the values of `read_signal`, in bounded memory."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tifffile
from numpy.typing import NDArray

import scanwise as sw
from scanwise.data import audio, open_signal, read_signal
from scanwise.data.tiff import opened_tiff
from scanwise.scanning.source import BlockSource, Origin
from tests.data.conftest import write_image, write_tone
from tests.data.test_damage import damaged

ORIGIN = Origin("image", sw.DataError, sw.DataError)


def listener(extent: int = 40) -> sw.Model:
    return sw.Model(sw.Sequential(sw.Conv1d(3, 5, stride=2), sw.ReLU(), sw.Aggregate("max")), (1, extent))


def viewer(channels: int) -> sw.Model:
    net = sw.Sequential(sw.Conv2d(3, 3), sw.ReLU(), sw.MaxPool2d(2), sw.Flatten(), sw.Linear(2))
    return sw.Model(net, (channels, 8, 8))


def assert_same_scan(model: sw.Model, path: Path, step: Any = None, **options: Any) -> None:
    """A scan of the file as it is read equals that of the file read at once."""
    signal = open_signal(path, input_shape=model.input_shape, **options)
    expected = sw.scan(model, read_signal(path, input_shape=model.input_shape, **options), step=step)
    for _ in range(2):  # it can be opened again
        result = sw.scan(model, signal, step=step)
        np.testing.assert_array_equal(result.scores, expected.scores)
        assert result.coverage == expected.coverage


class TestAudio:
    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
    @pytest.mark.parametrize(("rate", "own"), [(8000, 8000), (8000, 44100), (16000, 11025), (8000, 7919)])
    def test_in_blocks(self, name: str, rate: int, own: int, tmp_path: Path, monkeypatch: Any) -> None:
        path = write_tone(tmp_path / name, 0.3, 700, rate=own, channels=2)
        whole = read_signal(path, input_shape=(1, 40), sample_rate=rate)
        monkeypatch.setattr(audio, "_BLOCK", 77)
        np.testing.assert_array_equal(read_signal(path, input_shape=(1, 40), sample_rate=rate), whole)
        assert_same_scan(listener(), path, sample_rate=rate)
        signal = open_signal(path, input_shape=(1, 40), sample_rate=rate)
        assert (signal.sample_rate, signal.file_rate) == (rate, own)

    @pytest.mark.parametrize("own", [8000, 16000, 44100])
    def test_a_value_that_is_not_finite_stays_where_it_is(self, own: int, tmp_path: Path) -> None:
        samples = np.zeros(own, np.float32)
        samples[[own // 2, own - 1]] = np.nan
        soundfile.write(str(tmp_path / "a.wav"), samples, own, subtype="FLOAT")
        signal = open_signal(tmp_path / "a.wav", input_shape=(1, 40), sample_rate=8000)
        with pytest.raises(sw.DataError, match=r"a\.wav.* must be finite .* at index \(0, 4000\)"):
            sw.scan(listener(), signal)
        result = sw.scan(listener(), signal, nan="skip", step=1)
        assert result.coverage.not_finite[0] == ((4000, 4001),)
        assert sw.scan(listener(), signal, nan="zero").replaced in (1, 2)

    def test_a_file_that_is_cut_off_while_it_is_read(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr(audio, "_BLOCK", 1000)
        path = write_tone(tmp_path / "a.wav", 100.0)

        def cut_off(done: int, total: int | None) -> None:
            with path.open("r+b") as file:
                file.truncate(20_000)

        signal = open_signal(path, input_shape=(1, 40), sample_rate=8000)
        with pytest.raises(sw.DataError, match=r"a\.wav must hold 800,000 samples\. Got .*: it is cut off"):
            sw.scan(listener(), signal, step=40, progress=cut_off)

    def test_a_file_that_grows_ends_where_it_ended(self, tmp_path: Path) -> None:
        path = write_tone(tmp_path / "a.wav", 100.0)

        def grow(done: int, total: int | None) -> None:
            with path.open("ab") as file:
                file.write(bytes(1000))

        signal = open_signal(path, input_shape=(1, 40), sample_rate=8000)
        result = sw.scan(listener(), signal, step=40, progress=grow)
        assert result.coverage.extent == (800_000,)

    def test_too_short(self, tmp_path: Path) -> None:
        path = write_tone(tmp_path / "a.wav", 0.004)
        signal = open_signal(path, input_shape=(1, 40), sample_rate=8000)
        with pytest.raises(
            sw.DataError, match=r"a\.wav must be at least as large as the window \(40,\). Got \(32,\)"
        ):
            sw.scan(listener(), signal)
        assert sw.scan(listener(), signal, edge="pad").scores.shape == (3, 1)

    def test_a_model_of_more_channels(self, tmp_path: Path) -> None:
        path = write_tone(tmp_path / "a.wav")
        with pytest.raises(sw.DataError, match="must have 2 axes and 2 channels"):
            open_signal(path, input_shape=(2, 40), sample_rate=8000)


class TestArraysAndTables:
    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
    def test_npy(self, dtype: type, tmp_path: Path) -> None:
        values: NDArray[Any] = np.random.default_rng(0).integers(0, 100, (3, 500)).astype(dtype)
        np.save(tmp_path / "a.npy", values[0])
        assert_same_scan(listener(), tmp_path / "a.npy")
        np.save(tmp_path / "b.npy", values.T.reshape(20, 25, 3).repeat(2, axis=0))
        assert_same_scan(viewer(3), tmp_path / "b.npy")

    def test_csv(self, tmp_path: Path) -> None:
        np.savetxt(tmp_path / "a.csv", np.sin(np.arange(200.0)))
        assert_same_scan(listener(), tmp_path / "a.csv")

    def test_a_file_that_is_cut_off_while_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.zeros(200_000))

        def cut_off(done: int, total: int | None) -> None:
            with path.open("r+b") as file:
                file.truncate(20_000)

        signal = open_signal(path, input_shape=(1, 40))
        with pytest.raises(sw.DataError, match=r"a\.npy must stay as it is while it is read"):
            sw.scan(listener(), signal, step=2, progress=cut_off)

    def test_wrong_files(self, tmp_path: Path) -> None:
        with pytest.raises(sw.FileError, match="FILE must be an existing file"):
            open_signal(tmp_path / "none.npy", input_shape=(1, 40))
        np.save(tmp_path / "a.npy", np.zeros((2, 50)))
        with pytest.raises(sw.DataError, match=r"must have 2 axes and 1 channels.* Got shape \(2, 50\)"):
            sw.scan(listener(), open_signal(tmp_path / "a.npy", input_shape=(1, 40)))
        write_image(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
        with pytest.raises(sw.DataError, match=r"the model takes series\. Got \.png"):
            open_signal(tmp_path / "a.png", input_shape=(1, 40))


def picture(*shape: int, dtype: Any = np.uint8) -> NDArray[Any]:
    values = np.random.default_rng(0).random(shape)
    return (values * 255).astype(dtype) if dtype == np.uint8 else (values * 65535).astype(dtype)


LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips": {"rowsperstrip": 7, "compression": "zlib"},
    "tiles": {"tile": (16, 32), "compression": "zlib"},
    "plain tiles": {"tile": (32, 16)},
    "big": {"bigtiff": True, "tile": (16, 16), "compression": "zlib"},
    "other order": {"byteorder": ">", "rowsperstrip": 5},
    "predictor": {"tile": (16, 16), "compression": "zlib", "predictor": 2},
}


class TestTiff:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("samples", [1, 3, 4])
    def test_has_the_values_that_pillow_reads(
        self, layout: str, channels: int, samples: int, tmp_path: Path
    ) -> None:
        pixels = picture(61, 75, samples) if samples > 1 else picture(61, 75)
        more: dict[str, Any] = {"photometric": "rgb" if samples > 1 else "minisblack"}
        tifffile.imwrite(tmp_path / "a.tif", pixels, **more, **LAYOUTS[layout])
        assert_same_scan(viewer(channels), tmp_path / "a.tif")
        with opened_tiff(tmp_path / "a.tif", "L" if channels == 1 else "RGB", ORIGIN) as source:
            assert isinstance(source, BlockSource)
            whole = read_signal(tmp_path / "a.tif", input_shape=(channels, 8, 8))
            np.testing.assert_array_equal(source.read(((0, 61), (0, 75))), whole)

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("dtype", [np.uint16, np.float32])
    def test_of_more_than_8_bits(self, layout: str, dtype: Any, tmp_path: Path) -> None:
        more: dict[str, Any] = {**LAYOUTS[layout], "photometric": "minisblack"}
        if dtype == np.float32:
            more.pop("predictor", None)
        tifffile.imwrite(tmp_path / "a.tif", picture(61, 75, dtype=dtype), **more)
        assert_same_scan(viewer(1), tmp_path / "a.tif")

    @pytest.mark.parametrize("layout", ["one strip", "strips", "tiles"])
    def test_of_separate_planes_of_16_bits(self, layout: str, tmp_path: Path) -> None:
        pixels = picture(3, 61, 75, dtype=np.uint16)
        more: dict[str, Any] = {"photometric": "rgb", "planarconfig": "separate"}
        tifffile.imwrite(tmp_path / "a.tif", pixels, **more, **LAYOUTS[layout])
        model = viewer(3)
        expected = sw.scan(model, pixels.astype(np.float32) / np.float32(65535))
        result = sw.scan(model, open_signal(tmp_path / "a.tif", input_shape=model.input_shape))
        np.testing.assert_array_equal(result.scores, expected.scores)
        grey = viewer(1)
        shades = sw.scan(grey, open_signal(tmp_path / "a.tif", input_shape=grey.input_shape))
        assert shades.scores.shape[0] == 2

    def test_only_the_tiles_that_are_needed_are_read(self, tmp_path: Path, monkeypatch: Any) -> None:
        tifffile.imwrite(tmp_path / "a.tif", picture(320, 320), tile=(16, 16), photometric="minisblack")
        read = []
        real = tifffile.FileHandle.read

        def counted(handle: Any, size: int = -1) -> bytes:
            read.append(size)
            return bytes(real(handle, size))

        monkeypatch.setattr(tifffile.FileHandle, "read", counted)
        model = viewer(1)
        sw.scan(model, open_signal(tmp_path / "a.tif", input_shape=(1, 8, 8)), step=64)
        assert read.count(256) <= 5 * 5 + 1

    def test_smaller_copies_are_left_aside_and_other_pages_refused(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(picture(64, 64), tile=(16, 16), photometric="minisblack")
            writer.write(picture(32, 32), tile=(16, 16), photometric="minisblack", subfiletype=1)
        result = sw.scan(viewer(1), open_signal(tmp_path / "a.tif", input_shape=(1, 8, 8)))
        assert result.coverage.extent == (64, 64)
        tifffile.imwrite(tmp_path / "b.tif", picture(2, 64, 64), photometric="minisblack")
        with pytest.raises(sw.DataError, match=r"b\.tif must hold one picture. Got 2"):
            sw.scan(viewer(1), open_signal(tmp_path / "b.tif", input_shape=(1, 8, 8)))

    def test_what_is_not_read_by_parts_is_read_by_pillow(self, tmp_path: Path) -> None:
        from PIL import Image

        image = Image.fromarray(picture(40, 50, 3))
        image.save(tmp_path / "jpeg.tif", compression="jpeg")
        image.convert("P").save(tmp_path / "palette.tif")
        image.convert("1").save(tmp_path / "bits.tif")
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(tmp_path / "side.tif", exif=exif)
        for name in ("jpeg", "palette", "bits", "side"):
            assert_same_scan(viewer(3), tmp_path / f"{name}.tif")

    def test_nan_is_named(self, tmp_path: Path) -> None:
        pixels = picture(61, 75).astype(np.float32)
        pixels[50, 60] = np.nan
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", tile=(16, 16))
        signal = open_signal(tmp_path / "a.tif", input_shape=(1, 8, 8))
        with pytest.raises(sw.DataError, match=r"a\.tif must be finite .* at index \(0, 50, 60\)"):
            sw.scan(viewer(1), signal)
        assert sw.scan(viewer(1), signal, nan="skip").coverage.not_finite == (((50, 51), (60, 61)),)

    @pytest.mark.parametrize("layout", ["one strip", "tiles"])
    def test_damage(self, layout: str, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, picture(61, 75), photometric="minisblack", **LAYOUTS[layout])
        content = path.read_bytes()
        chance = random.Random(layout)
        model, messages = viewer(1), []
        for _ in range(60):
            path.write_bytes(damaged(content, chance))
            try:
                sw.scan(model, open_signal(path, input_shape=(1, 8, 8)))
            except sw.ScanwiseError as error:
                messages.append(str(error))
        assert len(messages) > 5
        assert not [message for message in messages if "\n" in message or "a.tif" not in message]

    def test_cut_off(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, picture(600, 700), photometric="minisblack", tile=(64, 64))
        with path.open("r+b") as file:
            file.truncate(100_000)
        with pytest.raises(
            sw.DataError, match=r"a\.tif must be an intact TIFF file\. Got one that is cut off"
        ):
            sw.scan(viewer(1), open_signal(path, input_shape=(1, 8, 8)))

    def test_without_tifffile(self, tmp_path: Path, monkeypatch: Any) -> None:
        from scanwise.data import signal_file

        tifffile.imwrite(tmp_path / "a.tif", picture(40, 50), photometric="minisblack")
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert_same_scan(viewer(1), tmp_path / "a.tif")
        monkeypatch.setattr(signal_file, "_WHOLE_PIXELS", 1000)
        with pytest.raises(sw.DataError, match=r"pip install 'scanwise\[tiff\]'"):
            sw.scan(viewer(1), open_signal(tmp_path / "a.tif", input_shape=(1, 8, 8)))
