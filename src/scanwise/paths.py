"""Paths that a user gives: checked before they are opened, because some are never done being read, and files written
whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from scanwise.errors import ArgumentTypeError, FileError

__all__ = ["is_folder", "require_file", "require_path", "write_beside"]


def require_path(path: object, name: str) -> Path:
    """`path` as a Path.

    Raises:
        ArgumentTypeError: it is neither text nor a path.
        FileError: it holds a null character, which no file's name does.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise ArgumentTypeError(f"{name} must be a path. Got {path!r}.")
    if "\0" in text:
        raise FileError(f"{name} must be a path. Got one with a null character: {text!r}.")
    return Path(text)


def require_file(path: Path, name: str) -> int:
    """The size in bytes of an ordinary file: opening a pipe waits, and reading a device never ends.

    Raises:
        FileError: there is no such file, or it is a folder, device or pipe.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileError(f"{name} must be an existing file. Got {path}, which does not exist.") from None
    except OSError as error:
        raise FileError(f"{name} must be a file that can be read. Got {path}: {error.strerror}.") from None
    if stat.S_ISDIR(status.st_mode):
        raise FileError(f"{name} must be an existing file. Got {path}, which is a folder.")
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{name} must be an ordinary file. Got {path}, which is a device or pipe.")
    return status.st_size


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`; False also for a path that cannot be one."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, say
        return False


def write_beside(path: Path, content: bytes, part: Path | None = None) -> None:
    """Write a file whole or not at all: beside its place, flushed to the disk, then renamed.

    A link stays a link: the file that it leads to is written. `part` names the file beside it, which is overwritten:
    for files that are written again and again, so that a killed process leaves one such part at most. By default its
    name is drawn.

    Raises:
        FileError: the folder is missing or not writable, `path` is a folder or a device, or the disk is full.
    """
    place = Path(os.path.realpath(path))
    drawn = f".scanwise-{secrets.token_hex(8)}.part"  # short, where the name itself is long
    temporary = place.parent / (drawn if part is None else part.name)
    try:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if place.exists() and not place.is_file():
            raise OSError(errno.EINVAL, "It is a device or a pipe, not an ordinary file")
        with temporary.open("xb" if part is None else "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    except OSError as error:
        raise FileError(f"{path}: the file must be writable. {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()  # still there only if something went wrong
