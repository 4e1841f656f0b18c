"""Choices of schedules: kept in the cache folder, trusted only as far as they cannot do harm, per kernel and target."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scanwise.codegen import choices
from scanwise.codegen.emitter import Emitter
from scanwise.codegen.target import AVX2, AVX512, Target

posix = pytest.mark.skipif(sys.platform == "win32", reason="folder permissions as POSIX has them")


@dataclass(frozen=True)
class Plain:
    """A kernel that does nothing, in one way only."""

    name: str
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        pass


@dataclass(frozen=True)
class Choosy(Plain):
    """Three ways of doing nothing."""

    schedule: int | None = None

    def candidates(self, target: Target) -> Sequence[Choosy]:
        return [replace(self, schedule=schedule) for schedule in (None, 10, 20)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SCANWISE_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    choices._tables.clear()


def schedule(name: str) -> object:
    """What is chosen for the kernel of that name."""
    kernel = choices.chosen(Choosy(name), AVX2)
    assert isinstance(kernel, Choosy)
    return kernel.schedule


def next_process() -> None:
    """Forget what this process has in memory."""
    choices._tables.clear()


def file_in(folder: Path) -> Path:
    (path,) = folder.glob("choices-*.json")
    return path


def test_a_choice_is_taken_by_this_process_and_the_next(folder: Path) -> None:
    kernel = Choosy("a")
    assert choices.chosen(kernel, AVX2) is kernel
    choices.keep({kernel: 2}, AVX2)
    for _ in range(2):
        assert choices.chosen(kernel, AVX2) == Choosy("a", schedule=20)
        assert choices.is_known(kernel, AVX2)
        next_process()
    # Of one kernel on one target.
    assert choices.chosen(kernel, AVX512) is kernel
    assert choices.chosen(Choosy("b"), AVX2) == Choosy("b")
    assert not choices.is_known(kernel, AVX512)


def test_the_models_choice_can_be_the_best(folder: Path) -> None:
    choices.keep({Choosy("a"): 1}, AVX2)
    choices.keep({Choosy("a"): 0}, AVX2)
    assert choices.chosen(Choosy("a"), AVX2) == Choosy("a")
    assert choices.is_known(Choosy("a"), AVX2)


def test_kernels_without_a_choice_stay_as_they_are(folder: Path) -> None:
    kernel = Plain("a")
    assert choices.candidates(kernel, AVX2) == (kernel,)
    choices.keep({Choosy("other"): 1}, AVX2)
    assert choices.chosen(kernel, AVX2) is kernel


def test_processes_add_to_what_others_have_found(folder: Path) -> None:
    choices.keep({Choosy("a"): 1}, AVX2)
    next_process()
    choices.chosen(Choosy("a"), AVX2)
    kept = file_in(folder).read_bytes()
    choices.keep({Choosy("b"): 2}, AVX2)  # another process, after this one has read the file
    both = file_in(folder).read_bytes()
    file_in(folder).write_bytes(kept)
    next_process()
    choices.chosen(Choosy("a"), AVX2)
    file_in(folder).write_bytes(both)
    choices.keep({Choosy("c"): 1}, AVX2)
    next_process()
    assert [schedule(name) for name in "abc"] == [10, 20, 10]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"\xff\xfe", b'{"k": "1"}', b"null", b"[" * 100_000, b'{"k": 1e999}'],
    ids=["empty", "cut off", "a list", "bytes", "text", "null", "nested", "infinity"],
)
def test_a_damaged_file_counts_as_none(folder: Path, content: bytes) -> None:
    choices.keep({Choosy("a"): 1}, AVX2)
    file_in(folder).write_bytes(content)
    next_process()
    assert choices.chosen(Choosy("a"), AVX2) == Choosy("a")
    choices.keep({Choosy("a"): 2}, AVX2)
    next_process()
    assert schedule("a") == 20


@pytest.mark.parametrize("number", ["3", "-1", "true", "1.0", "10000000000000000000000"])
def test_numbers_of_no_candidate_are_passed_over(folder: Path, number: str) -> None:
    choices.keep({Choosy("a"): 1}, AVX2)
    path = file_in(folder)
    path.write_text(path.read_text().replace(": 1}", f": {number}}}"))
    next_process()
    assert choices.chosen(Choosy("a"), AVX2) == Choosy("a")


@posix
def test_a_folder_that_others_can_write_is_not_read(folder: Path) -> None:
    choices.keep({Choosy("a"): 1}, AVX2)
    assert file_in(folder).stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    next_process()
    assert choices.chosen(Choosy("a"), AVX2) == Choosy("a")


def test_without_a_folder_choices_live_in_the_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, in_tmp_path: Path
) -> None:
    monkeypatch.setenv("SCANWISE_CACHE", "")
    choices.keep({Choosy("a"): 1}, AVX2)
    assert schedule("a") == 10
    assert not list(in_tmp_path.iterdir())
    monkeypatch.setenv("SCANWISE_CACHE", str(folder))  # another folder has choices of its own
    assert choices.chosen(Choosy("a"), AVX2) == Choosy("a")


def test_the_oldest_are_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "LIMIT", 3)
    for name in "abcad":
        choices.keep({Choosy(name): 1}, AVX2)
    next_process()
    known = [name for name in "abcd" if choices.is_known(Choosy(name), AVX2)]
    assert known == ["a", "c", "d"]
