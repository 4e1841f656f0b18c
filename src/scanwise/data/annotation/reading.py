"""What every reader of labels gives, and the text of a label file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scanwise.data.annotation.collection import Box, Finding
from scanwise.data.decoding import decoding, shown
from scanwise.errors import ArgumentError, DataError

__all__ = ["Reading", "Row", "number", "read_text"]

# Tried, in this order, where a file is not UTF-8. Latin-1 reads anything, so it comes last.
ENCODINGS = ("utf-16", "latin-1")

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
            f"{path} must be text in {encoding or 'UTF-8'}. Got byte {content[place]:#04x} at position {place}; "
            f"it can be read with encoding={_fitting(content)!r}."
        ) from None
    if "\0" in text:
        raise DataError(
            f"{path} must be text in {encoding or 'UTF-8'}. Got null characters; "
            f"it can be read with encoding={_fitting(content)!r}."
        )
    return text


def _fitting(content: bytes) -> str:
    """The name of an encoding in which these bytes are text."""
    if content.startswith(_BYTE_ORDER_MARKS):
        return "utf-16"
    for encoding in ("utf-8-sig", "utf-16-le", "utf-16-be"):
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        # Bytes of any text are UTF-16 if they are even in number; only real UTF-16 has line ends and Latin letters.
        if "\0" not in text and (encoding == "utf-8-sig" or b"\0" in content):
            return encoding
    return "latin-1"


def number(text: object, what: str) -> float:
    """A finite number, also with a comma for the point.

    Raises:
        DataError: it is none.
    """
    try:
        value = float(text.strip().replace(",", ".") if isinstance(text, str) else text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{what} must be a finite number. Got {shown(str(text)) or 'nothing'}.")
    return value


def plural(names: Iterable[str], limit: int = 5) -> str:
    """Some names, and that there are more."""
    names = list(names)
    return ", ".join(map(shown, names[:limit])) + (" and others" if len(names) > limit else "")
