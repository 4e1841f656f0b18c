"""What every reader of labels gives, and the text of a label file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scanwise.data.annotation.collection import Box, Finding
from scanwise.data.decoding import decoding, shown
from scanwise.errors import ArgumentError, DataError

__all__ = ["Reading", "Row", "head_of", "number", "plural", "read_text"]

_HEAD_BYTES = 1 << 12

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Row:
    """One statement of a label file.

    Attributes:
        file: as the label file calls it.
        label: what occurs; None says that nothing does.
        source: the label file, and where in it.
        base: the folder that relative names of files start from.
        seconds: (start, stop), or None.
        box: (top, left, bottom, right) in pixels, or None.
    """

    file: str
    label: str | None
    source: str
    base: Path
    seconds: tuple[float, float] | None = None
    box: Box | None = None


@dataclass
class Reading:
    """What one or more label files say: filled by readers, made into a `Collection` by `open_labels`."""

    rows: list[Row] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Reading) -> None:
        """Take in what another label file says."""
        self.rows += other.rows
        self.labels |= other.labels
        self.findings += other.findings

    def find(self, kind: str, about: str | Path, message: str) -> None:
        """Note that something is wrong."""
        self.findings.append(Finding(kind, str(about), message))


def read_text(path: Path, encoding: str | None, expected: str) -> str:
    """The text of a label file.

    Args:
        path: the file.
        encoding: a name that Python knows; None reads UTF-8, with or without a byte order mark.
        expected: what it should be, such as "an Audacity label file".

    Raises:
        ArgumentError: there is no such encoding.
        DataError: it cannot be read, or is in another encoding; the message names one that reads it.
    """
    with decoding(path, expected):
        content = path.read_bytes()
    try:
        text = content.decode(encoding or "utf-8-sig")
    except LookupError:
        raise ArgumentError(
            f"encoding must be one that Python knows, such as 'latin-1'. Got {encoding!r}."
        ) from None
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        raise DataError(
            f"{path} must be text in {encoding or 'UTF-8'}. Got byte {content[place]:#04x} at position {place}"
            f"{_advice(content)}."
        ) from None
    if "\0" in text:
        raise DataError(
            f"{path} must be text in {encoding or 'UTF-8'}. Got null characters{_advice(content)}."
        )
    return text


def head_of(path: Path) -> bytes:
    """The first bytes of a file; none of what cannot be read, or is a device or pipe, from which reading may wait."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _advice(content: bytes) -> str:
    encoding = _fitting(content)
    return "" if encoding is None else f"; it can be read with encoding={encoding!r}"


def _fitting(content: bytes) -> str | None:
    """The name of an encoding in which these bytes are text; None if they are none."""
    if content.startswith(_BYTE_ORDER_MARKS):
        return "utf-16"
    for encoding in ("utf-8-sig", "utf-16-le", "utf-16-be"):
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        # Nearly any bytes are UTF-16 if they are even in number; in real UTF-16 every other byte of Latin text is null.
        if "\0" not in text and (encoding == "utf-8-sig" or 4 * content.count(0) >= len(content)):
            return encoding
    return None if b"\0" in content else "latin-1"


def number(text: object, what: str) -> float:
    """A finite number, also with a comma for the point.

    Raises:
        DataError: it is none.
    """
    try:
        value = float(text.strip().replace(",", ".") if isinstance(text, str) else text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or "_" in str(text):  # float() takes 1_0 for 10
        raise DataError(f"{what} must be a finite number. Got {shown(str(text)) or 'nothing'}.")
    return value


def plural(names: Iterable[str], limit: int = 5) -> str:
    """Some names, and that there are more."""
    names = list(names)
    return ", ".join(map(shown, names[:limit])) + (" and others" if len(names) > limit else "")
