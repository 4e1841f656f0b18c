"""Check-points on disk: one safetensors file with arrays, and as JSON everything else.

As in a model's file there is one string beside the tensors, `scanwise_checkpoint`, which is JSON:

    version   the version of this layout, a whole number
    content   what `Saved` says that is not an array
    sha256    of `content` and of every tensor's name, shape and bytes

Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentTypeError, CheckpointError, FileError
from scanwise.model_file import digest_of
from scanwise.paths import write_beside

__all__ = ["Saved", "read", "write"]

KEY = "scanwise_checkpoint"
VERSION = 1
_HEADER_LIMIT = 100_000_000  # safetensors' own limit

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Saved:
    """A training at one moment.

    Attributes:
        run: the training's description, see `description.describe`.
        finished: whether it has ended; `parameters` and `history` are then its result, and the rest is empty.
        history: `History.to_json` after the last epoch that is done with validation and callbacks.
        within: whether the program is in the epoch after that one.
        seconds: that this epoch has taken.
        parameters: by name.
        program: `Program.state`.
        callbacks: `Callback.state` of each, plain values and arrays.
        left: fingerprint of the model that an interruption left, or None.
    """

    run: dict[str, Any]
    finished: bool
    history: dict[str, Any]
    parameters: Arrays
    within: bool = False
    seconds: float = 0.0
    program: Arrays = field(default_factory=dict)
    callbacks: tuple[Mapping[str, Any], ...] = ()
    left: str | None = None


def write(path: Path, saved: Saved) -> None:
    """Write a check-point, whole or not at all.

    A process that is killed meanwhile leaves `path` as it was and a file `path.part`, which the next one replaces.

    Raises:
        FileError: it cannot be written.
    """
    from safetensors.numpy import save as serialize

    tensors = {f"parameter {name}": values for name, values in saved.parameters.items()}
    tensors |= {f"program {name}": values for name, values in saved.program.items()}
    callbacks: list[dict[str, Any]] = []
    for i, state in enumerate(saved.callbacks):
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        tensors |= {f"callback {i} {name}": value for name, value in arrays.items()}
        callbacks.append({name: value for name, value in state.items() if name not in arrays})
    content = {
        "run": saved.run,
        "finished": saved.finished,
        "history": saved.history,
        "within": saved.within,
        "seconds": saved.seconds,
        "callbacks": callbacks,
        "left": saved.left,
    }
    tensors = {name: np.asarray(values, order="C") for name, values in tensors.items()}
    try:
        header = {"version": VERSION, "content": content, "sha256": digest_of(content, tensors)}
    except TypeError as error:
        raise ArgumentTypeError(
            f"callbacks' state() must give arrays and values that JSON knows. Got {callbacks!r}: {error}."
        ) from error
    write_beside(path, serialize(tensors, {KEY: json.dumps(header)}), path.with_name(path.name + ".part"))


def read(path: Path) -> Saved | None:
    """The check-point at `path`, or None if there is no file.

    Raises:
        FileError: it cannot be read.
        CheckpointError: it is no check-point, damaged, truncated, or of a newer version.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(8)
            length = int.from_bytes(begin, "little")
            if len(begin) < 8 or not 2 <= length <= _HEADER_LIMIT:
                raise _no_checkpoint(path)
            head = file.read(length)
            header = _header(path, head, length)
            content = begin + head + file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{path}: the check-point must be readable. {error.strerror or error}.") from error
    return _parsed(path, header, content)


def _no_checkpoint(path: Path) -> CheckpointError:
    return CheckpointError(f"{path}: the file must be a check-point that Scanwise wrote. It is not one.")


def _header(path: Path, head: bytes, length: int) -> dict[str, Any]:
    if head[:1] != b"{" or (len(head) == length and KEY.encode() not in head):
        raise _no_checkpoint(path)
    if len(head) < length:
        raise CheckpointError(f"{path}: the check-point must be complete. It is truncated.")
    try:
        header = json.loads(json.loads(head)["__metadata__"][KEY])
        version = header["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(f"{path}: the check-point must be intact. It is damaged.") from None
    if not isinstance(version, int) or version > VERSION:
        raise CheckpointError(
            f"{path}: the version must be at most {VERSION} for this Scanwise. Got {version!r}: "
            "the check-point was written by a newer one."
        )
    return dict(header)


def _parsed(path: Path, header: dict[str, Any], content: bytes) -> Saved:
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    try:
        tensors = deserialize(content)
        told = header["content"]
        if header["sha256"] != digest_of(told, tensors):
            raise ValueError("its content does not match its checksum")
        callbacks = tuple(
            {**state, **_named(tensors, f"callback {i} ")} for i, state in enumerate(told["callbacks"])
        )
        return Saved(
            run=told["run"],
            finished=told["finished"],
            history=told["history"],
            parameters=_named(tensors, "parameter "),
            within=told["within"],
            seconds=told["seconds"],
            program=_named(tensors, "program "),
            callbacks=callbacks,
            left=told["left"],
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: the check-point must be intact. It is damaged: {error}.") from error


def _named(tensors: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
