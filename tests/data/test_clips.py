"""Clips as long as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scanwise.data import Clips, load_folder, open_labels, split, windows_from
from scanwise.data import clips as module
from scanwise.data.clips import ClipMode, Surveyed
from scanwise.errors import ArgumentError, DataError
from tests.data.labelled import write_recording


def save(path: Path, length: int, first: float = 0.0, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, first + np.arange(float(length)) + np.zeros((channels, 1)))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two series with places, one of which it is only known that it contains a pulse, and one with nothing."""
    for name, length in (("a", 200), ("b", 300), ("c", 90), ("d", 50)):
        save(tmp_path / f"{name}.npy", length)
    rows = "a.npy,50,60,pulse\na.npy,100,120,step\nb.npy,,,pulse\nc.npy,0,10,pulse\nd.npy,,,none\n"
    (tmp_path / "labels.csv").write_text(f"file,start_time,end_time,label\n{rows}")
    return tmp_path


class TestFolder:
    def test_files_stay_as_long_as_they_are(self, tmp_path: Path) -> None:
        for label, length in (("high", 30), ("low", 50), ("low", 70)):
            save(tmp_path / label / f"{length}.npy", length, channels=2)
        data = load_folder(tmp_path, window=40, clips="whole")
        assert isinstance(data.x, Clips)
        assert [clip.shape for clip in data.x] == [(2, 30), (2, 50), (2, 70)]
        assert data.x[-1].dtype == np.float32
        assert (data.input_shape, data.y.tolist(), data.counts()) == (
            (2, 40),
            [0, 1, 1],
            {"high": 1, "low": 2},
        )
        np.testing.assert_array_equal(data.x[0][1], np.arange(30.0))
        assert [clip.shape[1] for clip in data.x[1:]] == [50, 70]

    def test_recordings_at_one_rate(self, tmp_path: Path) -> None:
        for label, seconds, rate in (("a", 0.1, 8000), ("b", 0.3, 8000), ("b", 0.2, 16000)):
            write_recording(tmp_path / label / f"{seconds}.wav", seconds, rate=rate)
        data = load_folder(tmp_path, clips="mixed")
        assert data.sample_rate == 8000
        assert [clip.shape for clip in data.x] == [(1, 800), (1, 1600), (1, 2400)]

    def test_bytes_stay_bytes(self, tmp_path: Path) -> None:
        for label, shape in (("a", (1, 4, 5)), ("b", (1, 6, 7))):
            (tmp_path / label).mkdir()
            np.save(tmp_path / label / "x.npy", np.full(shape, 200, np.uint8))
        data = load_folder(tmp_path, clips="whole")
        assert [(clip.shape, clip.dtype) for clip in data.x] == [((1, 4, 5), np.uint8), ((1, 6, 7), np.uint8)]

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        for label in "ab":
            save(tmp_path / label / "x.npy", 30)
        np.save(tmp_path / "b" / "nan.npy", np.array([1.0, np.nan]))
        with pytest.raises(DataError, match=r"nan.npy must hold values that are finite"):
            load_folder(tmp_path, clips="whole")
        data = load_folder(tmp_path, clips="whole", on_error="skip")
        assert (len(data.x), len(data), len(data.skipped)) == (2, 2, 1)

    def test_a_rule_decides_when_lengths_are_known(self, tmp_path: Path) -> None:
        for label, length in (("a", 30), ("b", 50)):
            save(tmp_path / label / "x.npy", length)
        seen: list[Surveyed] = []

        def rule(surveyed: Surveyed) -> ClipMode:
            seen.append(surveyed)
            return "windows"

        assert isinstance(load_folder(tmp_path, window=40, clips=rule).x, np.ndarray)
        assert seen == [Surveyed((1, 40), None, ((30,), (50,)))]
        with pytest.raises(
            ArgumentError, match=r"clips must be one of 'windows', 'whole', 'mixed'. Got 'all'"
        ):
            load_folder(tmp_path, clips="all")  # type: ignore[arg-type]


class TestCollection:
    def test_windows_where_places_are_known_and_other_files_whole(self, mixed: Path) -> None:
        data = windows_from(open_labels(mixed), 20, background=0, clips="mixed")
        assert isinstance(data.x, Clips)
        assert [clip.shape[1] for clip in data.x] == [20, 20, 300, 20]
        assert data.y.tolist() == [[1, 0], [0, 1], [1, 0], [1, 0]]
        assert [Path(file).name[0] for file in data.files] == ["a", "a", "b", "c"]
        assert data.x[0][0, 0] == 45.0
        assert not data.skipped

    def test_all_files_whole_by_their_labels(self, mixed: Path) -> None:
        data = windows_from(open_labels(mixed), 20, clips="whole")
        assert [clip.shape[1] for clip in data.x] == [200, 300, 90, 50]
        assert data.y.tolist() == [[1, 1], [1, 0], [1, 0], [0, 0]]

    def test_windows_alone_leave_out_what_has_no_place(self, mixed: Path) -> None:
        data = windows_from(open_labels(mixed), 20, background=0)
        assert isinstance(data.x, np.ndarray)
        assert [skipped.reason for skipped in data.skipped] == [
            "it contains pulse at a place that is not known"
        ]

    def test_all_have_places(self, mixed: Path) -> None:
        (mixed / "labels.csv").write_text("file,start_time,end_time,label\na.npy,50,60,pulse\n")
        data = windows_from(open_labels(mixed), 20, clips="mixed")
        assert isinstance(data.x, np.ndarray)

    def test_unreadable_files_leave_no_clip_behind(self, mixed: Path) -> None:
        content = (mixed / "b.npy").read_bytes()
        (mixed / "b.npy").write_bytes(content[:-8] + np.array([np.inf]).tobytes())
        data = windows_from(open_labels(mixed), 20, background=0, clips="mixed", on_error="skip")
        assert [clip.shape[1] for clip in data.x] == [20, 20, 20]
        assert len(data) == 3

    def test_files_are_held_out_as_a_whole(self, mixed: Path) -> None:
        training, validation = split(windows_from(open_labels(mixed), 20, clips="whole"), 0.25)
        assert (len(training.x), len(validation.x)) == (3, 1)
        assert not set(training.files) & set(validation.files)


class TestClips:
    def test_small_ones_are_padded_about_their_centre(self) -> None:
        clips = Clips((1, 4), np.dtype(np.float32), np.load)
        clips.add_window(np.ones((1, 3)))
        padded = clips.at_least((6,))
        assert padded[0].tolist() == [[0, 1, 1, 1, 0, 0]]
        standardised = padded.standardised(np.array([[1.0]]), np.array([[2.0]]))
        assert standardised[0].tolist() == [[-0.5, 0, 0, 0, -0.5, -0.5]]
        assert clips[0].shape == (1, 3)  # as before

    def test_files_are_read_again_where_memory_is_short(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "available_bytes", lambda: 4 * 400)  # a quarter: one of them
        reads: list[str] = []

        def read(path: Path) -> np.ndarray:
            reads.append(path.name)
            return np.asarray(np.load(path), np.float32)

        clips = Clips((1, 100), np.dtype(np.float32), read)
        for name in "ab":
            path = save(tmp_path / f"{name}.npy", 100)
            clips.add_file(path, read(path))
        reads.clear()
        for _ in range(2):
            assert [clip.sum() for clip in clips] == [4950.0, 4950.0]
        assert reads == ["b.npy", "b.npy"]

    @pytest.mark.parametrize(
        ("lengths", "whole"),
        [([10] * 20, False), ([*[10] * 19, 11], False), ([*[10] * 18, 11, 11], True), ([1] * 9 + [10], True)],
        ids=["equal", "one longer", "more longer", "mostly padding"],
    )
    def test_when_windows_lose_or_waste_much(self, lengths: list[int], whole: bool) -> None:
        assert Surveyed((1, 10), None, tuple((n,) for n in lengths)).better_whole == whole
