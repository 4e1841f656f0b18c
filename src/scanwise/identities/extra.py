"""What only an extra brings: asked for before it is used."""

from __future__ import annotations

import importlib.util

from scanwise.errors import ArgumentError

__all__ = ["require_extra"]


def require_extra(package: str, what: str, extra: str = "lecture") -> None:
    """Raise ArgumentError if `package` is not installed.

    >>> require_extra("numpy", "a picture")
    """
    if importlib.util.find_spec(package) is None:
        raise ArgumentError(
            f"{what} needs {package}, which must be installed: pip install 'scanwise[{extra}]'"
        )
