"""Files that may be damaged, or no files at all: whatever comes of opening one is one clear error."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanwise.errors import DataError, ScanwiseError

_SHOWN = 40  # characters of a user's text that a message repeats


@contextmanager
def decoding(path: Path, expected: str) -> Iterator[bytes]:
    """Opens a file of a data set; gives its first 16 bytes, and turns what its decoder raises into DataError.

    Decoders raise nearly anything on damage (KeyError, struct.error, tokenize.TokenError, ...): a list of them would
    be a list of the accidents so far.

    Args:
        path: the file.
        expected: what it should be, such as "a .npy file".
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} must be {expected}. Got a folder, device or pipe.")
        with path.open("rb") as file:
            head = file.read(16)
        if not head:
            raise DataError(f"{path} must be {expected}. Got an empty file (0 bytes).")
        yield head
    except ScanwiseError:
        raise
    except MemoryError:
        raise DataError(f"{path} must be {expected} that fits into memory. Got a larger one.") from None
    except Exception as error:  # noqa: BLE001  see above
        raise DataError(f"{path} must be {expected}. Got one that cannot be read: {reason(error)}.") from None


def reason(error: Exception) -> str:
    """What a library's error says, in one line and without repeating the file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(getattr(error, "error_string", None) or error) or type(error).__name__
    return text.splitlines()[0].rstrip(". ")


def shown(text: str) -> str:
    """A user's text as a message repeats it: short, in one line."""
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}..."
    return text if text.isprintable() else repr(text)
