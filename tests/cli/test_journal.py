"""What a journal remembers, what it makes of damage, and what it refuses."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.cli.journal import Journal, Work, stamp_of
from scanwise.cli.results import FileResult
from scanwise.errors import ArgumentError, FileError
from scanwise.scanning import Detection

FILES = [Path(name) for name in ("a.npy", "ü\n.npy", os.fsdecode(b"\xe9.npy"), "d.npy")]
WORK = Work("0" * 64, {"threshold": 0.5, "step": (1, 2)}, FILES)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def result_of(file: Path) -> FileResult:
    found = Detection("yes", 1, 0.1 + 0.2, 4, 12)
    return FileResult(
        file=str(file),
        extent=(20,),
        sample_rate=None,
        window=8,
        step=1,
        method="shared",
        reason="no layer pads inside the window",
        uncovered=((),),
        padded=((),),
        skipped=0,
        replaced=0,
        presence={"no": 1 / 3, "yes": 0.1 + 0.2},
        detections=(found,),
    )


def write(path: Path, files: list[Path] = FILES) -> bytes:
    """A journal in which some files are finished, as bytes."""
    journal = Journal(path, WORK)
    for file in files:
        journal.add(result_of(file), stamp_of(file))
    journal.close()
    return path.read_bytes()


@pytest.fixture
def path(in_tmp_path: Path) -> Path:
    for number, file in enumerate(FILES):
        file.write_bytes(bytes(number))
    return in_tmp_path / "out.journal"


def finished(path: Path) -> list[str]:
    """The files whose results a journal has."""
    journal = Journal(path, WORK)
    journal.close()
    for file, result in journal.results.items():
        assert result == result_of(Path(file))
    return list(journal.results)


NAMES = [str(file) for file in FILES]


def test_what_was_added_is_there(path: Path) -> None:
    write(path, FILES[:2])
    assert finished(path) == NAMES[:2]
    journal = Journal(path, WORK)
    assert journal.remarks == []
    journal.add(result_of(FILES[2]), stamp_of(FILES[2]))
    assert list(journal.results) == NAMES[:3]
    journal.close()
    assert finished(path) == NAMES[:3]
    journal = Journal(path, WORK)
    journal.remove()
    assert not path.exists()


def test_ended_at_any_byte_it_has_the_whole_lines(path: Path) -> None:
    content = write(path)
    whole = content.index(b"\n") + 1
    for end in range(whole, len(content)):
        path.write_bytes(content[:end])
        lines = content[:end].count(b"\n")
        journal = Journal(path, WORK)
        assert list(journal.results) == NAMES[: lines - 1]
        assert bool(journal.remarks) == (content[end - 1 : end] != b"\n")
        for file in FILES[lines - 1 :]:
            journal.add(result_of(file), stamp_of(file))
        journal.close()
        assert path.read_bytes() == content


@given(st.data())
@settings(max_examples=300)
def test_damage_costs_no_line_before_it_and_lends_none(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "out.journal"
    files = [path.parent / f"{i}.npy" for i in range(4)]
    for file in files:
        file.touch()
    content = write(path, files)
    place, length = (data.draw(st.integers(0, 1 << 20)) % len(content) for _ in range(2))
    kind = data.draw(st.sampled_from(["bit", "byte", "cut", "zeros", "inserted", "newline"]))
    changed = bytearray(content)
    if kind == "bit":
        changed[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "byte":
        changed[place] = data.draw(st.integers(0, 255))
    elif kind == "cut":
        del changed[place : place + length + 1]
    elif kind == "zeros":
        changed[place : place + length] = bytes(len(content[place : place + length]))
    else:
        changed[place:place] = b"\n" if kind == "newline" else data.draw(st.binary(max_size=40))
    path.write_bytes(changed)
    same = next((i for i, (a, b) in enumerate(zip(content, changed, strict=False)) if a != b), len(changed))
    lines = content[:same].count(b"\n")
    if not re.search(rb'^[0-9a-f]{16} \{"|\{"scanwise": "', changed, re.MULTILINE):
        with pytest.raises(ArgumentError, match="must be the journal of an earlier scan"):
            Journal(path, WORK)
        assert lines == 0
        assert path.read_bytes() == changed
        return
    journal = Journal(path, WORK)
    assert list(journal.results) == [str(file) for file in files[: max(lines - 1, 0)]]
    assert bool(journal.remarks) == (lines < changed.count(b"\n") or not changed.endswith(b"\n"))
    for file in files[max(lines - 1, 0) :]:
        journal.add(result_of(file), stamp_of(file))
    journal.close()
    assert path.read_bytes() == content


def test_lines_that_are_missing_or_from_another_journal_are_noticed(path: Path) -> None:
    lines = write(path).splitlines(keepends=True)
    other = Journal(path, replace(WORK, options={"threshold": 0.7}), restart=True)
    other.add(result_of(FILES[1]), stamp_of(FILES[1]))
    other.close()
    stranger = path.read_bytes().splitlines(keepends=True)[1]
    for changed in (
        [*lines[:2], *lines[3:]],
        [*lines[:2], lines[3], lines[2], lines[4]],
        [*lines[:2], lines[1], *lines[2:]],
        [*lines[:2], stranger, *lines[3:]],
    ):
        path.write_bytes(b"".join(changed))
        journal = Journal(path, WORK)
        journal.close()
        assert list(journal.results) == NAMES[:1]
        assert journal.remarks == [f"{path} is whole up to line 2: what follows in it is scanned again"]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (replace(WORK, model="1" * 64), "one of a scan with another model."),
        (
            replace(WORK, options={**WORK.options, "threshold": 0.7}),
            "one of a scan with threshold 0.5, now 0.7.",
        ),
        (replace(WORK, options={**WORK.options, "new": 1}), "one of a scan with new None, now 1."),
        (replace(WORK, files=FILES[:3]), "one of a scan of other files: 4, now 3."),
        (replace(WORK, files=FILES[::-1]), "one of a scan of other files: 4, now 4."),
    ],
)
def test_other_work_is_refused_unless_it_begins_anew(path: Path, work: Work, message: str) -> None:
    content = write(path)
    with pytest.raises(ArgumentError, match="must be the journal of this scan") as caught:
        Journal(path, work)
    assert message in str(caught.value)
    assert path.read_bytes() == content
    journal = Journal(path, work, restart=True)
    journal.close()
    assert journal.results == {}
    assert journal.remarks == []
    with pytest.raises(ArgumentError):
        Journal(path, WORK)


def test_another_version_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path)
    monkeypatch.setattr("scanwise.cli.journal.__version__", "99.0")
    with pytest.raises(ArgumentError, match=f"by Scanwise {sw.__version__}, now 99.0"):
        Journal(path, WORK)


@pytest.mark.parametrize("content", [b"notes\n", b"\0" * 50, b'{"a": 1}\n', b"0123456789abcdef\n"])
def test_a_file_that_is_no_journal_is_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match="must be the journal of an earlier scan"):
        Journal(path, WORK)
    assert path.read_bytes() == content
    Journal(path, WORK, restart=True).close()
    assert finished(path) == []


def test_an_empty_file_is_an_empty_journal(path: Path) -> None:
    path.touch()
    assert finished(path) == []


def test_a_file_that_has_changed_is_scanned_again(path: Path) -> None:
    write(path)
    FILES[0].write_bytes(b"larger")
    os.utime(FILES[2], ns=(1, 1))
    FILES[3].unlink()
    journal = Journal(path, WORK)
    assert list(journal.results) == NAMES[1:2]
    assert journal.remarks == [
        f"{name} has changed since it was scanned: it is scanned again" for name in (NAMES[0], *NAMES[2:])
    ]
    journal.add(result_of(FILES[0]), stamp_of(FILES[0]))
    journal.close()
    again = Journal(path, WORK)
    again.close()
    assert sorted(again.results) == sorted(NAMES[:2])
    assert len(again.remarks) == 2


def test_a_full_disk_leaves_what_was_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, FILES[:2])
    journal = Journal(path, WORK)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(FileError, match=r"the journal must be writable\. No space left on"):
            journal.add(result_of(FILES[2]), stamp_of(FILES[2]))
        with pytest.raises(FileError, match="No space left on device"):
            Journal(path.with_name("new.journal"), WORK)
    assert list(journal.results) == NAMES[:2]
    journal.close()
    assert finished(path)[:2] == NAMES[:2]
    assert not path.with_name("new.journal").exists()


def test_a_folder_is_no_journal(path: Path) -> None:
    path.mkdir()
    with pytest.raises(FileError, match=r"the journal must be readable\. Is a directory"):
        Journal(path, WORK)
