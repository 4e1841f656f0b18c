from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scanwise.data import signal_files
from scanwise.errors import ArgumentTypeError, DataError, FileError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "a.wav",
        "b.FLAC",
        "c.ogg",
        "d.png",
        "e.jpg",
        "f.tif",
        "g.npy",
        "h.csv",
        "i.txt",
        "j",
        ".k.npy",
    ):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("shape", "rate", "expected"),
    [((1, 400), 8000, "abcg"), ((1, 8, 8), None, "defg"), ((3, 8, 8), None, "defg"), ((2, 8), None, "gh")],
)
def test_a_folder_s_files_are_those_of_the_model_s_kind(
    folder: Path, shape: tuple[int, ...], rate: int | None, expected: str
) -> None:
    files = signal_files([folder], input_shape=shape, sample_rate=rate)
    assert "".join(file.stem for file in files) == expected
    assert signal_files([folder, str(folder), *files], input_shape=shape, sample_rate=rate) == files


def test_a_file_that_is_named_is_taken_whatever_it_is_called(folder: Path) -> None:
    files = [folder / "i.txt", folder / ".k.npy"]
    assert signal_files(files, input_shape=(1, 8)) == files
    assert signal_files([], input_shape=(1, 8)) == []


@pytest.mark.parametrize("path", [None, 3, b"bytes"])
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="FILE must be a path"):
        signal_files([path], input_shape=(1, 8))


@pytest.mark.parametrize("name", ["missing", "a\0b", "x" * 300, "/dev/null"])
def test_files_that_there_are_not(folder: Path, name: str) -> None:
    with pytest.raises(FileError, match="FILE must be"):
        signal_files([folder, folder / name], input_shape=(1, 8))


def test_a_folder_without_signals(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"empty must hold at least one file that the model reads \(\.csv, \.npy\)"
    ):
        signal_files([folder, folder / "empty"], input_shape=(1, 8))


def test_links_that_lead_back_or_around(folder: Path) -> None:
    (folder / "more" / "deep").mkdir(parents=True)
    (folder / "more" / "deep" / "z.npy").touch()
    (folder / "more" / "back").symlink_to(folder)
    (folder / "more" / "deep" / "up").symlink_to(folder / "more")
    (folder / "around").symlink_to(folder / "more" / "deep")
    (folder / "other.npy").symlink_to(folder / "g.npy")
    files = signal_files([folder], input_shape=(1, 8))
    assert [str(file.relative_to(folder)) for file in files] == ["g.npy", "h.csv", "around/z.npy"]


def test_a_folder_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", denied)
    with pytest.raises(FileError, match=r"must be a folder that can be read\. Got: Permission denied"):
        signal_files([folder], input_shape=(1, 8))
