"""Whatever a signal is kept in, a scan gives the bits of the scan of the plain array."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.scanning import evaluators
from scanwise.scanning.source import ArraySource, BlockSource
from tests.backends import BACKENDS, PADDED_NETWORK, image_model, random_values, signal_model

EDGES = ("valid", "pad", "extend")


def assert_same(result: sw.ScanResult, expected: sw.ScanResult) -> None:
    np.testing.assert_array_equal(result.scores, expected.scores)
    np.testing.assert_array_equal(result.positions, expected.positions)
    assert result.coverage == expected.coverage
    assert result.method == expected.method


def cut(signal: NDArray[Any], sizes: list[int]) -> Iterator[NDArray[Any]]:
    """A signal in chunks along its first axis, of these sizes in turn."""
    start, turn = 0, 0
    while start < signal.shape[1]:
        size = sizes[turn % len(sizes)]
        yield signal[:, start : start + size]
        start, turn = start + size, turn + 1


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of a few windows, so that short signals have many."""
    monkeypatch.setattr(evaluators, "TILE_POSITIONS", {1: 8, 2: 4})


@pytest.mark.usefixtures("small_tiles")
class TestChunks:
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("edge", EDGES)
    @pytest.mark.parametrize("sizes", [[1], [7], [1, 0, 30, 2], [500]])
    def test_of_a_signal(self, backend: str, edge: str, sizes: list[int]) -> None:
        model = signal_model(backend)
        for extent in (12, 13, 27, 150):
            signal = random_values(2, extent)
            for step in (None, 1, 5, 14):
                expected = sw.scan(model, signal, step=step, edge=edge)
                assert_same(sw.scan(model, cut(signal, sizes), step=step, edge=edge), expected)

    @pytest.mark.parametrize("edge", EDGES)
    @pytest.mark.parametrize("sizes", [[1], [3, 11], [500]])
    def test_rows_of_an_image(self, edge: str, sizes: list[int]) -> None:
        model = image_model("native")
        for extent in ((8, 7), (31, 40), (50, 13)):
            image = random_values(2, *extent)
            for step in (None, 1, (3, 2), (9, 11)):
                expected = sw.scan(model, image, step=step, edge=edge)
                assert_same(sw.scan(model, cut(image, sizes), step=step, edge=edge), expected)

    @given(
        extent=st.integers(1, 100),
        step=st.integers(1, 20),
        edge=st.sampled_from(EDGES),
        sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    )
    def test_of_any_size(self, extent: int, step: int, edge: str, sizes: list[int]) -> None:
        model, signal = signal_model("native"), random_values(2, extent)
        if extent < 12 and edge != "pad":
            with pytest.raises(sw.ShapeError, match=rf"at least as large as the window .* Got \({extent},\)"):
                sw.scan(model, cut(signal, sizes), step=step, edge=edge)
            return
        expected = sw.scan(model, signal, step=step, edge=edge)
        assert_same(sw.scan(model, cut(signal, sizes), step=step, edge=edge), expected)

    @pytest.mark.parametrize("nan", ["zero", "skip"])
    def test_with_values_that_are_not_finite(self, nan: str) -> None:
        model, signal = signal_model("native"), random_values(2, 150)
        signal[0, [3, 60, 61, 149]] = np.nan
        expected = sw.scan(model, signal, nan=nan, step=1)
        result = sw.scan(model, cut(signal, [13]), nan=nan, step=1)
        assert_same(result, expected)
        assert result.replaced == expected.replaced
        with pytest.raises(sw.ArgumentError, match=r"signal must be finite.*index \(0, 3\)"):
            sw.scan(model, cut(signal, [13]))

    def test_of_a_network_that_pads_and_of_bytes(self) -> None:
        model = sw.Model(PADDED_NETWORK, (2, 8, 7))
        image = np.random.default_rng(0).integers(0, 256, (2, 30, 25), np.uint8)
        assert_same(sw.scan(model, cut(image, [4])), sw.scan(model, image))

    def test_progress_knows_the_total_once_the_end_is_reached(self) -> None:
        seen: list[tuple[int, int | None]] = []
        result = sw.scan(
            signal_model("native"), cut(random_values(2, 9000), [100]), progress=lambda *n: seen.append(n)
        )
        total = result.scores.shape[1]
        assert seen[0][1] is None
        assert seen[-1] == (total, total)

    @pytest.mark.parametrize(
        ("chunks", "error", "text"),
        [
            ([], sw.ShapeError, "signal must give at least one chunk. Got none"),
            (
                [np.zeros(5)],
                sw.ShapeError,
                r"signal must give chunks \(C, n\) or \(C, n, W\). Got shape \(5,\)",
            ),
            ([np.zeros((3, 50))], sw.ShapeError, r"2 channels, first. Got 3, shape \(3, n\)"),
            (
                [np.zeros((2, 50, 9))],
                sw.ShapeError,
                r"must have shape \(C, T\) for this model. Got \(2, n, 9\)",
            ),
            ([np.zeros((2, 11))], sw.ShapeError, r"at least as large as the window \(12,\). Got \(11,\)"),
            ([np.zeros((2, 0))], sw.ShapeError, r"at least as large as the window \(12,\). Got \(0,\)"),
            (
                [np.zeros((2, 9)), np.zeros((1, 9))],
                sw.ShapeError,
                r"chunk 2 of signal must have shape \(2, n\), as the first. Got \(1, 9\)",
            ),
            (
                [np.zeros((2, 9)), np.zeros((2, 9), np.uint8)],
                sw.ArgumentTypeError,
                "chunk 2 of signal must have dtype float64, as the first. Got uint8",
            ),
            ([["a"]], sw.ArgumentTypeError, "chunk 1 of signal must be an array of real numbers"),
        ],
    )
    def test_that_do_not_fit(self, chunks: list[Any], error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            sw.scan(signal_model("reference"), iter(chunks))

    def test_an_error_of_the_iterator_is_the_callers(self, tmp_path: Path) -> None:
        def broken() -> Iterator[NDArray[Any]]:
            yield np.zeros((2, 100))
            raise FileNotFoundError(2, "gone", "theirs")

        for out in (None, tmp_path / "a.npy"):
            with pytest.raises(FileNotFoundError, match="gone") as caught:
                sw.scan(signal_model("native"), broken(), out=out)
            assert not isinstance(caught.value, sw.ScanwiseError)


@pytest.mark.usefixtures("small_tiles")
class TestStored:
    @pytest.mark.parametrize("chunks", [(1, 10), (2, 64), (2, 1000)])
    def test_zarr_signals(self, chunks: tuple[int, int]) -> None:
        zarr = pytest.importorskip("zarr")
        signal = random_values(2, 300)
        stored = zarr.create_array(zarr.storage.MemoryStore(), data=signal, chunks=chunks)
        model = signal_model("native")
        for edge in EDGES:
            assert_same(sw.scan(model, stored, step=5, edge=edge), sw.scan(model, signal, step=5, edge=edge))

    def test_zarr_images(self) -> None:
        zarr = pytest.importorskip("zarr")
        image = random_values(2, 61, 45)
        stored = zarr.create_array(zarr.storage.MemoryStore(), data=image, chunks=(1, 16, 20))
        model = image_model("native")
        assert_same(sw.scan(model, stored, edge="extend"), sw.scan(model, image, edge="extend"))

    def test_a_damaged_chunk_is_named(self, tmp_path: Path) -> None:
        zarr = pytest.importorskip("zarr")
        stored = zarr.create_array(tmp_path / "a.zarr", data=random_values(2, 300), chunks=(2, 100))
        (tmp_path / "a.zarr" / "c" / "0" / "1").write_bytes(b"damaged")
        with pytest.raises(sw.DataError, match=r"signal must be readable\. Got at 100\.\.200: "):
            sw.scan(signal_model("native"), stored)

    def test_anything_that_is_indexed_like_an_array(self) -> None:
        class Stored:
            """Never converted as a whole."""

            def __init__(self, array: NDArray[Any], **more: Any) -> None:
                self.array, self.shape, self.dtype = array, array.shape, array.dtype
                self.largest = 0
                vars(self).update(more)

            def __getitem__(self, key: Any) -> NDArray[Any]:
                part: NDArray[Any] = self.array[key]
                self.largest = max(self.largest, part.size)
                return part

        signal, model = random_values(2, 5000), signal_model("native")
        for more in ({}, {"chunks": None}, {"chunks": (2, 300)}):
            stored = Stored(signal, **more)
            assert_same(sw.scan(model, stored), sw.scan(model, signal))
            assert stored.largest <= 600
        with pytest.raises(sw.ArgumentTypeError, match="real numbers"):
            sw.scan(model, Stored(signal.astype(np.complex64)))

    def test_blocks_are_decoded_once(self) -> None:
        image, loaded = random_values(2, 90, 70), []

        def load(region: Any) -> NDArray[Any]:
            loaded.append(region)
            return ArraySource(image).read(region)

        source = BlockSource(image.shape, (20, 30), load)
        for start in range(60):
            for left in range(0, 60, 10):
                region = ((start, start + 30), (left, left + 10))
                np.testing.assert_array_equal(source.read(region), ArraySource(image).read(region))
        assert len(loaded) == len(set(loaded)) == 5 * 2

    def test_memory_maps_of_every_mode(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scanwise.scanning.source._HELD_BYTES", 100)
        signal, model = random_values(2, 300), signal_model("native")
        np.save(tmp_path / "a.npy", signal)
        for mode in ("r", "r+", "c"):
            mapped = np.load(tmp_path / "a.npy", mmap_mode=mode)
            if mode == "c":
                mapped[:] = signal  # in memory alone: must not be forgotten
                with (tmp_path / "a.npy").open("r+b") as file:
                    file.write(bytes((tmp_path / "a.npy").stat().st_size))
            assert_same(sw.scan(model, mapped), sw.scan(model, signal))


@pytest.mark.usefixtures("small_tiles")
class TestDetect:
    @pytest.mark.parametrize("edge", EDGES)
    @pytest.mark.parametrize("nan", ["zero", "skip"])
    def test_finds_what_a_scan_finds(self, edge: str, nan: str) -> None:
        model, signal = signal_model("native", labels=("a", "b", "none")), random_values(2, 500)
        signal[1, [100, 101, 490]] = np.nan
        for step in (1, 4, 13):
            result = sw.scan(model, signal, step=step, edge=edge, nan=nan)
            for held in (signal, cut(signal, [17])):
                found = sw.detect(model, held, threshold=0.4, overlap=0.1, step=step, edge=edge, nan=nan)
                assert found.detections == result.detections(0.4, overlap=0.1)
                np.testing.assert_array_equal(found.presence, result.presence)
                assert (found.coverage, found.replaced) == (result.coverage, result.replaced)
                assert (found.method, found.reason) == (result.method, result.reason)
                assert (found.window, found.step) == (result.window, result.step)

    def test_in_images(self) -> None:
        model, image = image_model("native"), random_values(2, 60, 70)
        result = sw.scan(model, image, edge="extend")
        found = sw.detect(model, image, edge="extend", threshold=0.4)
        assert len(found.detections) > 5
        assert found.detections == result.detections(0.4)
        np.testing.assert_array_equal(found.presence, result.presence)

    def test_many_labels_have_the_same_bits_one_window_at_a_time(self) -> None:
        """NumPy adds up a row of one in another order than many rows."""
        net = sw.Sequential(sw.Conv1d(40, 4), sw.Aggregate("max"))
        model, signal = sw.Model(net, (1, 8)), random_values(1, 61)
        result = sw.scan(model, signal, step=53)
        found = sw.detect(model, signal, step=53, threshold=0.0)
        assert found.detections == result.detections(0.0)

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"threshold": 2}, sw.ArgumentError, "threshold must be between 0 and 1. Got 2"),
            ({"overlap": -1}, sw.ArgumentError, "overlap must be between 0 and 1. Got -1"),
            ({"threshold": "x"}, sw.ArgumentTypeError, "threshold must be a number"),
            ({"step": 0}, sw.ArgumentError, "step must be at least 1"),
            ({"progress": 3}, sw.ArgumentTypeError, "progress must be a function"),
        ],
    )
    def test_wrong_options(self, options: dict[str, Any], error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            sw.detect(signal_model("reference"), random_values(2, 20), **options)


@pytest.mark.usefixtures("small_tiles")
class TestOut:
    @pytest.mark.parametrize("name", ["a.npy", "a.zarr", "A.NPY"])
    @pytest.mark.parametrize("edge", EDGES)
    def test_holds_what_memory_would(self, name: str, edge: str, tmp_path: Path) -> None:
        for model, signal in (
            (signal_model("native"), random_values(2, 333)),
            (image_model("native"), random_values(2, 50, 61)),
        ):
            expected = sw.scan(model, signal, edge=edge)
            for held in (signal, cut(signal, [7])):
                result = sw.scan(model, held, edge=edge, out=tmp_path / name)
                np.testing.assert_array_equal(np.asarray(result.scores[...]), expected.scores)
                assert result.detections(0.4) == expected.detections(0.4)
                np.testing.assert_array_equal(result.presence, expected.presence)
                assert [path.name for path in tmp_path.iterdir()] == [name]
        if name == "a.npy":
            assert isinstance(result.scores, np.memmap)
            np.testing.assert_array_equal(np.load(tmp_path / name), expected.scores)

    @pytest.mark.parametrize("name", ["a.npy", "a.zarr"])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_nothing_is_left_of_a_scan_that_was_interrupted(
        self, name: str, chunked: bool, tmp_path: Path
    ) -> None:
        signal = random_values(2, 3000)

        def stop(done: int, total: int | None) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sw.scan(
                signal_model("native"),
                cut(signal, [70]) if chunked else signal,
                out=tmp_path / name,
                progress=stop,
            )
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_there_stays_until_the_new_one_is_complete(self, tmp_path: Path) -> None:
        (tmp_path / "a.npy").write_text("before")
        signal = random_values(2, 300)
        signal[0, 290] = np.nan
        with pytest.raises(sw.ArgumentError, match="finite"):
            sw.scan(signal_model("native"), signal, out=tmp_path / "a.npy")
        assert (tmp_path / "a.npy").read_text() == "before"
        sw.scan(signal_model("native"), signal, out=tmp_path / "a.npy", nan="zero")
        assert np.load(tmp_path / "a.npy").shape[0] == 3

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_full_disk(self, chunked: bool, tmp_path: Path) -> None:
        import resource

        signal = random_values(2, 3000)
        given = cut(signal, [70]) if chunked else signal
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            with pytest.raises(sw.FileError, match=r"a\.npy: the file must be writable"):
                sw.scan(signal_model("native"), given, out=tmp_path / "a.npy", step=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("out", "error", "text"),
        [
            ("a.csv", sw.ArgumentError, r"out must end in \.npy or \.zarr. Got .*a\.csv"),
            ("none/a.npy", sw.FileError, "must be in a folder that can be written to"),
            ("d.npy", sw.FileError, "must be writable"),
            ("d.zarr", sw.FileError, "A folder that is no zarr array has its place"),
        ],
    )
    def test_that_cannot_be_written(
        self, out: str, error: type[Exception], text: str, tmp_path: Path
    ) -> None:
        for folder in ("d.npy", "d.zarr"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "mine.txt").write_text("kept")
        with pytest.raises(error, match=text):
            sw.scan(signal_model("native"), random_values(2, 30), out=tmp_path / out)
        assert (tmp_path / "d.zarr" / "mine.txt").read_text() == "kept"

    def test_that_is_no_path(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match="out must be a path"):
            sw.scan(signal_model("native"), random_values(2, 30), out=3)

    def test_without_zarr_the_extra_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "zarr", None)
        with pytest.raises(sw.ArgumentError, match=r"pip install 'scanwise\[zarr\]'"):
            sw.scan(signal_model("native"), random_values(2, 30), out=tmp_path / "a.zarr")


def test_scores_that_memory_does_not_hold_are_refused(tmp_path: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Conv1d(2, 1), sw.Flatten()), (1, 1))
    endless = np.broadcast_to(np.float32(0), (1, 1 << 44))
    with pytest.raises(sw.EngineError, match="memory must hold the scores of all windows"):
        sw.scan(model, endless)
