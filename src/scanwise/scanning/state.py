"""The state of a stream as bytes: its last samples, from which everything else is computed again.

    magic     16 bytes
    sha256    32 bytes, of all that follows
    length    4 bytes, of the next part
    header    JSON: version, model (its fingerprint), step, position, ended
    samples   float32, little-endian, channel after channel

So a state has the size of a window, is the same on every processor and for every backend, and a later version of
Scanwise can read it whatever its engine keeps.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from scanwise.errors import ArgumentTypeError, DataError
from scanwise.model_file import fingerprint
from scanwise.scanning.line import Line
from scanwise.scanning.past import Past

_MAGIC = b"scanwise stream\n"
_VERSION = 1
_START = len(_MAGIC) + 32


def pack(line: Line) -> bytes:
    """The state of a line."""
    past = line.past
    header = {
        "version": _VERSION,
        "model": fingerprint(line.plan.model),
        "step": line.plan.windows.step,
        "position": past.position,
        "ended": line.ended,
    }
    text = json.dumps(header).encode()
    samples = past.last(past.kept).astype("<f4").tobytes()
    content = len(text).to_bytes(4, "little") + text + samples
    return _MAGIC + hashlib.sha256(content).digest() + content


def unpack(state: bytes, line: Line) -> None:
    """Bring a line into a state; it stays as it was if that is not possible.

    Raises:
        ArgumentTypeError: `state` is not bytes.
        DataError: it is no state, damaged or truncated, of a later version, or of another model or step.
    """
    if not isinstance(state, bytes | bytearray | memoryview):
        raise ArgumentTypeError(f"state must be bytes. Got {type(state).__name__}.")
    state = bytes(state)
    if not state.startswith(_MAGIC):
        raise DataError("state must be what a stream's state() gave. Got other bytes.")
    content = state[_START:]
    if hashlib.sha256(content).digest() != state[len(_MAGIC) : _START]:
        raise DataError(
            f"state must match its checksum. Got {len(state):,} bytes that are damaged or truncated."
        )
    end = 4 + int.from_bytes(content[:4], "little")
    header = json.loads(content[4:end])  # as it was written: the checksum is right
    if header["version"] > _VERSION:
        raise DataError(
            f"state must be of version {_VERSION} at most for this Scanwise. Got {header['version']}, a later one's."
        )
    if header["model"] != fingerprint(line.plan.model):
        raise DataError(
            "state must be of a stream of this model. Got that of another network or other parameters."
        )
    if header["step"] != line.plan.windows.step:
        raise DataError(
            f"state must be of a stream with step {line.plan.windows.step}. Got {header['step']}."
        )
    samples = np.frombuffer(content[end:], "<f4").reshape(line.plan.model.input_shape[0], -1)
    line.begin(Past.of(header["position"], samples.astype(np.float32)), ended=header["ended"])
