"""Network files: the JSON form of a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scanwise.errors import ArgumentError, FileError, ScanwiseError
from scanwise.layers import Sequential
from scanwise.layers.base import DEEPEST
from scanwise.paths import require_file

LARGEST_NETWORK_FILE = 10_000_000


def read_network(path: Path) -> Sequential:
    """The network of a network file."""
    size = require_file(path, "network")
    if size > LARGEST_NETWORK_FILE:
        raise ArgumentError(
            f"network must be a file of at most {LARGEST_NETWORK_FILE:,} bytes. Got {size:,}."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"network must be a file that can be read. Got {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ArgumentError(f"network must be a JSON file in UTF-8. Got {path}.") from None
    try:
        return Sequential.from_json(json.loads(text, object_pairs_hook=_object))
    except ScanwiseError:
        raise
    except ValueError as error:  # no JSON, or a number of thousands of digits
        raise ArgumentError(f"network must be a JSON file. Got {path}: {error}.") from None
    except RecursionError:
        raise ArgumentError(f"network must be nested at most {DEEPEST} levels deep. Got {path}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names differ: of two values with one name, one would be passed over in silence."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ArgumentError(f"network must give every name once in an object. Got {name!r} twice.")
        found[name] = value
    return found
