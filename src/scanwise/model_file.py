"""Models on disk: one safetensors file holding the parameters and, as JSON, everything else.

The safetensors header carries one string beside the tensors, `scanwise`. (One, because safetensors writes several in no
fixed order, and saving a model twice shall give the same bytes.) It is JSON:

    version  the version of this layout, a whole number
    model    network, input_shape, labels, sample_rate, image_mode, background, loss; and of a trained model history,
             training, input_range, as in `Model`; golden, see `self_check`; and calibration, see `Calibration`
    sha256   of `model` and of every tensor's name, shape and bytes, in order of names

Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, FileError, ModelFileError, ScanwiseError
from scanwise.inputs import LOSSES
from scanwise.layers import Sequential, arguments
from scanwise.memory import available_bytes, gibibytes
from scanwise.paths import require_file, require_path, write_beside

if TYPE_CHECKING:
    from scanwise.calibration import Calibration
    from scanwise.model import Model

KEY = "scanwise"
VERSION = 1
_HEADER_LIMIT = 100_000_000  # safetensors' own limit

# What a model is for: its own arguments.
_FACTS = ("labels", "sample_rate", "image_mode", "background")

# What a training leaves in a model. Files need not have it.
_OF_TRAINING = ("history", "training", "input_range")

Description = dict[str, Any]


def save(model: Model, path: str | PathLike[str]) -> None:
    """Write `model` to `path`; see `Model.save`."""
    content = to_bytes(model)
    write_beside(require_path(path, "path"), content)


def to_bytes(model: Model) -> bytes:
    """What a model's file holds; see `Model.to_bytes`."""
    from scanwise.self_check import golden_of

    description = {
        "network": model.network.to_json(),
        "input_shape": model.input_shape,
        "loss": model.loss,
        **{name: getattr(model, name) for name in _FACTS},
    }
    left = {name: getattr(model, name) for name in _OF_TRAINING}
    description |= {name: value for name, value in left.items() if value is not None}
    golden = golden_of(model)
    if golden is not None:
        description["golden"] = golden.to_json()
    if model.calibration is not None:
        description["calibration"] = model.calibration.to_json()
    return _content(description, dict(model.parameters))


def with_calibration(path: Path, calibration: Calibration) -> bytes:
    """The content of a model's file with this calibration, and all else as it is, golden outputs too."""
    header, tensors = _parse(path, _read(path))
    return _content({**header["model"], "calibration": calibration.to_json()}, tensors)


def _content(description: Description, tensors: dict[str, NDArray[Any]]) -> bytes:
    from safetensors import SafetensorError
    from safetensors.numpy import save as serialize

    header = {"version": VERSION, "model": description, "sha256": digest_of(description, tensors)}
    try:
        content: bytes = serialize(tensors, {KEY: _canonical(header)})
    except SafetensorError as error:
        raise ArgumentError(
            f"network must be described by at most {_HEADER_LIMIT:,} bytes to be saved; its tables are too large. "
            f"Got {len(_canonical(description)):,} bytes, and: {error}."
        ) from error
    return content


def load(path: str | PathLike[str], *, backend: str = "native") -> Model:
    """Read the model at `path`; see `scanwise.load`."""
    _check_backend(backend)
    path = require_path(path, "path")
    return _build(path, _read(path), backend)


def from_bytes(content: bytes, *, backend: str = "native") -> Model:
    """The model of a file's content; see `Model.from_bytes`."""
    _check_backend(backend)
    if not isinstance(content, bytes | bytearray | memoryview):
        raise ArgumentTypeError(f"content must be bytes. Got {type(content).__name__}.")
    return _build(Path("content"), bytes(content), backend)


def _check_backend(backend: str) -> None:
    from scanwise.model import BACKENDS

    if backend not in BACKENDS:
        raise ArgumentError(f"backend must be one of {', '.join(map(repr, BACKENDS))}. Got {backend!r}.")


def _build(path: Path, content: bytes, backend: str) -> Model:
    """The model that `content` describes; `path` is what messages call it."""
    from scanwise.calibration import Calibration
    from scanwise.model import Model
    from scanwise.self_check import Golden, check_if_compiled

    header, tensors = _parse(path, content)
    description = header["model"]
    try:
        if header.get("sha256") != digest_of(description, tensors):
            raise ModelFileError("The content must match its checksum: the file is damaged.")
        model = Model(
            Sequential.from_json(description["network"]),
            tuple(description["input_shape"]),
            backend=backend,
            **{name: description[name] for name in _FACTS},
        )
    except (ScanwiseError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{path}: the model in the file must be one that can be built. {error}"
        ) from error
    _take(path, model, tensors)
    loss = description.get("loss")
    if loss is not None and loss not in LOSSES:
        raise ModelFileError(f"{path}: the loss must be one of {', '.join(LOSSES)}. Got {loss!r}.")
    model.loss = loss
    _take_training(path, model, description)
    try:
        if "calibration" in description:
            model.calibration = Calibration.from_json(description["calibration"])
    except ScanwiseError as error:
        raise ModelFileError(f"{path}: the calibration must be whole. {error}") from error
    if "golden" in description and backend == "native":
        try:
            golden = Golden.from_json(description["golden"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ModelFileError(f"{path}: the golden outputs must be whole. {error}") from error
        model.expect(golden)
        check_if_compiled(model)
    return model


def _take_training(path: Path, model: Model, description: Description) -> None:
    history, training, limits = (description.get(name) for name in _OF_TRAINING)
    if history is not None:
        if not isinstance(history, list) or not all(isinstance(epoch, dict) for epoch in history):
            raise ModelFileError(
                f"{path}: the history must be a list of epochs. Got {type(history).__name__}."
            )
        model.history = tuple(history)
    if training is not None and not isinstance(training, dict):
        raise ModelFileError(f"{path}: the training must be an object. Got {type(training).__name__}.")
    model.training = training
    if limits is not None:
        try:
            low, high = (arguments.number("model", "input_range", limit) for limit in limits)
        except (ScanwiseError, TypeError, ValueError):
            raise ModelFileError(
                f"{path}: the input range must be two numbers. Got {limits!r:.80}."
            ) from None
        model.input_range = low, high


def fingerprint(model: Model) -> str:
    """A checksum of all that decides a model's outputs: network, input shape and parameters."""
    return digest_of({"network": model.network.to_json(), "input_shape": model.input_shape}, model.parameters)


def _read(path: Path) -> bytes:
    size, left = require_file(path, "model"), available_bytes()
    if size > left:
        raise ModelFileError(
            f"{path}: the file must fit into memory ({gibibytes(left)} available). Got {gibibytes(size)}."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: the model file must be readable. {error.strerror or error}.") from error


def _parse(path: Path, content: bytes) -> tuple[Description, dict[str, NDArray[Any]]]:
    """What our string in the header says, and the tensors, of a file of our format and version."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    header, end = _header(path, content)
    _check_version(path, header)
    if len(content) < end:
        raise ModelFileError(
            f"{path}: the file must be {end:,} bytes long. Got {len(content):,}: it is truncated."
        )
    try:
        return header, deserialize(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: the file must be intact. It is damaged: {error}.") from error


def _header(path: Path, content: bytes) -> tuple[Description, int]:
    """What our string in a safetensors header says, and how long the whole file must be."""
    no_model = ModelFileError(f"{path}: the file must be a model that Scanwise saved. It is not one.")
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= length <= _HEADER_LIMIT or content[8:9] not in (b"{", b""):
        raise no_model
    if len(content) < 8 + length:
        raise ModelFileError(f"{path}: the file must be complete. It is truncated within its header.")
    try:
        entries = json.loads(content[8 : 8 + length])
        header = json.loads(entries.pop("__metadata__")[KEY])
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        if not isinstance(header["model"], dict):
            raise no_model
        return header, 8 + length + int(end)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError):
        raise no_model from None


def _check_version(path: Path, header: Description) -> None:
    version = header.get("version")
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(
            f"{path}: the version must be a whole number. Got {version!r}: the file is damaged."
        )
    if version > VERSION:
        raise ModelFileError(
            f"{path}: the version must be at most {VERSION} for this Scanwise. Got {version}: "
            "the model was saved by a newer one."
        )


def _take(path: Path, model: Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    if set(tensors) != set(model.parameters):
        raise ModelFileError(
            f"{path}: the parameters must be {', '.join(model.parameters)}. Got {', '.join(tensors)}."
        )
    if any(tensor.dtype != np.float32 for tensor in tensors.values()):
        raise ModelFileError(f"{path}: the parameters must be float32. Got another dtype.")
    try:
        model.parameters.update(tensors)
    except ScanwiseError as error:
        raise ModelFileError(f"{path}: {error}") from error


def digest_of(description: Description, tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(_canonical(description).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def _canonical(data: Description) -> str:
    """JSON that is the same for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
