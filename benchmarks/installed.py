"""What `pip install scanwise` brings, without extras: the size of all files of all distributions."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import scanwise

_SIZE = "installed size of scanwise and all that it needs (MB)"
AT_MOST = {_SIZE: 300.0}


def figures() -> dict[str, float]:
    """Name with unit to value; a megabyte has a million bytes."""
    found: dict[str, Distribution] = {}
    _collect("scanwise", found)
    files = [path for each in found.values() for path in _files(each)]
    # An editable install lists none of its own files.
    files += [path for path in Path(scanwise.__file__).parent.rglob("*.py") if path not in files]
    sizes = [(path.suffix == ".pyc", path.stat().st_size) for path in files if path.is_file()]
    return {
        _SIZE: sum(size for _, size in sizes) / 1e6,
        "of these, bytecode that pip makes (MB)": sum(size for made, size in sizes if made) / 1e6,
    }


def _collect(name: str, found: dict[str, Distribution]) -> None:
    if name in found:
        return
    found[name] = distribution(name)
    for needed in _needed(found[name]):
        _collect(needed, found)


def _needed(distribution_: Distribution) -> Iterator[str]:
    for text in distribution_.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _files(distribution_: Distribution) -> list[Path]:
    """The files that the distribution was recorded with."""
    return [Path(str(distribution_.locate_file(file))) for file in distribution_.files or ()]
