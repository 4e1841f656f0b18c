"""The journal of a scan of many files: what is finished, so that a scan that ended at any moment goes on from there.

Every line is a checksum and a JSON object: the first says what the scan is about, each other one what was found in one
file. A checksum is of the one before it and the object, and so of all lines so far: a line that was not written to its
end, that was changed, or that follows a missing one does not fit, and counts for nothing, like all lines behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanwise import __version__
from scanwise.cli.results import FileResult
from scanwise.errors import ArgumentError, FileError
from scanwise.paths import write_beside

__all__ = ["Journal", "Stamp", "Work", "stamp_of"]

# Of a file: its size, and the time of its last change in ns.
Stamp = tuple[int, int]

# What tells a journal, however damaged, from a file of the user's that must not be overwritten.
_OWN = re.compile(rb'^[0-9a-f]{16} \{"|\{"scanwise": "', re.MULTILINE)


@dataclass(frozen=True)
class Work:
    """What a scan is about. Results count only for the same work.

    Attributes:
        model: SHA-256 of the model file's bytes.
        options: by name, those that results depend on.
        files: to be scanned, in their order.
    """

    model: str
    options: dict[str, Any]
    files: Sequence[Path]

    def as_json(self) -> dict[str, Any]:
        """The work as JSON gives it back; a digest stands for the files, of which there may be many."""
        names = b"\0".join(os.fsencode(file) for file in self.files)
        options: dict[str, Any] = json.loads(json.dumps(self.options))
        return {
            "scanwise": __version__,
            "model": self.model,
            "options": options,
            "files": {"number": len(self.files), "sha256": hashlib.sha256(names).hexdigest()},
        }


class Journal:
    """What is finished of a work.

    Attributes:
        results: of the files that are finished and have not changed since, by their names.
        remarks: what the user should know about those that are not used.
    """

    def __init__(self, path: Path, work: Work, *, restart: bool = False) -> None:
        """Go on with the journal at `path`, or begin one.

        Args:
            path: of the journal.
            work: what is to be done.
            restart: whether a journal that is there is thrown away.

        Raises:
            ArgumentError: the journal is about other work, or the file is no journal.
            FileError: it cannot be read or written.
        """
        self._path = path
        self.results: dict[str, FileResult] = {}
        self.remarks: list[str] = []
        content = b"" if restart else _content(path)
        records, whole, self._checksum = _whole_lines(content)
        if content and not records and not _OWN.search(content):
            raise ArgumentError(
                f"{path} must be the journal of an earlier scan. Got another file; '--restart' overwrites it."
            )
        if whole < len(content):
            self.remarks.append(
                f"{path} is whole up to line {len(records)}: what follows in it is scanned again"
            )
        if records:
            _require_same(path, work.as_json(), records[0])
            self._use(records[1:])
        else:
            first = self._line(work.as_json())
            write_beside(path, first)
            whole = len(first)
        try:
            self._file = path.open("ab", buffering=0)
            self._file.truncate(whole)
        except OSError as error:
            raise FileError(f"{path}: the journal must be writable. {error.strerror or error}.") from error

    def add(self, result: FileResult, stamp: Stamp | None) -> None:
        """Write down what was found in a file that had this stamp; once this returns it is on the disk.

        Raises:
            FileError: it cannot be written. What was written before stays usable.
        """
        left = memoryview(self._line({"stamp": stamp, "result": result.as_json()}))
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise FileError(
                f"{self._path}: the journal must be writable. {error.strerror or error}."
            ) from error
        self.results[result.file] = result

    def close(self) -> None:
        """Leave the journal to whoever goes on with it."""
        self._file.close()

    def remove(self) -> None:
        """Remove the journal: nothing is left to be done."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _line(self, record: dict[str, Any]) -> bytes:
        text = json.dumps(record).encode()
        self._checksum = _checksum(self._checksum, text)
        return b"%s %s\n" % (self._checksum, text)

    def _use(self, records: Sequence[dict[str, Any]]) -> None:
        changed = {}
        for record in records:
            result = FileResult.from_json(record["result"])
            # A file that had changed when the scan went on has two lines.
            if list(stamp_of(Path(result.file)) or ()) == record["stamp"]:
                self.results[result.file] = result
            else:
                changed[result.file] = f"{result.file} has changed since it was scanned: it is scanned again"
        self.remarks += [remark for file, remark in changed.items() if file not in self.results]


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file, if there is one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise FileError(f"{path}: the journal must be readable. {error.strerror or error}.") from error


def _whole_lines(content: bytes) -> tuple[list[dict[str, Any]], int, bytes]:
    """The objects of the lines up to the first that does not fit its checksum; their length; the last checksum."""
    records: list[dict[str, Any]] = []
    start, checksum = 0, b""
    while (stop := content.find(b"\n", start)) >= 0:
        stated, _, text = content[start:stop].partition(b" ")
        if stated != _checksum(checksum, text):
            break
        records.append(json.loads(text))
        start, checksum = stop + 1, stated
    return records, start, checksum


def _checksum(before: bytes, text: bytes) -> bytes:
    return hashlib.sha256(before + text).hexdigest()[:16].encode()


def _require_same(path: Path, here: dict[str, Any], there: dict[str, Any]) -> None:
    """Raise ArgumentError, saying what differs, unless a journal is about the work that is to be done."""
    if here != there:
        raise ArgumentError(
            f"{path} must be the journal of this scan. Got one of a scan {_difference(here, there)}. "
            "'--restart' throws it away; with another --output it stays."
        )


def _difference(here: dict[str, Any], there: dict[str, Any]) -> str:
    if here["scanwise"] != there["scanwise"]:
        return f"by Scanwise {there['scanwise']}, now {here['scanwise']}"
    found = [
        f"with {name} {there['options'].get(name)}, now {value}"
        for name, value in here["options"].items()
        if value != there["options"].get(name)
    ]
    if here["model"] != there["model"]:
        found.append("with another model")
    if here["files"] != there["files"]:
        found.append(f"of other files: {there['files']['number']:,}, now {here['files']['number']:,}")
    return ", ".join(found)
