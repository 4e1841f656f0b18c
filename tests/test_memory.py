"""How much memory there is to take: what the system has left, within what its container allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanwise import Model, Pad1d, Sequential, memory
from scanwise.errors import ArgumentError, EngineError

GIB = 2**30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a system and a container tell what they have."""
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CONTAINERS", (tmp_path / "memory.max", tmp_path / "limit_in_bytes"))
    return tmp_path


def test_what_the_system_has_left(system: Path) -> None:
    (system / "meminfo").write_text("MemTotal: 9999 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n")
    assert memory.available_bytes() == 2 * 2**20


@pytest.mark.parametrize(
    ("limit", "expected"), [("1048576\n", 2**20), ("max\n", 2 * 2**20), (f"{2**62}", 2 * 2**20)]
)
@pytest.mark.parametrize("version", ["memory.max", "limit_in_bytes"])
def test_what_the_container_allows(system: Path, version: str, limit: str, expected: int) -> None:
    (system / "meminfo").write_text("MemAvailable: 2048 kB\n")
    (system / version).write_text(limit)
    assert memory.available_bytes() == expected


def test_where_neither_tells_it_is_the_whole_machine(system: Path) -> None:
    (system / "meminfo").write_text("something else\n")
    assert memory.available_bytes() >= 2**28


def test_what_is_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: GIB)
    memory.require(GIB, "a lot")
    with pytest.raises(
        EngineError, match=r"^memory must hold too much. Got 2.0 GiB to take, and 1.0 GiB available.$"
    ):
        memory.require(2 * GIB, "too much")


def test_numbers_that_no_machine_has_can_be_told() -> None:
    assert memory.gibibytes(3 * 2**29) == "1.5 GiB"
    assert memory.gibibytes(10**400) == "more than 2**50 GiB"
    with pytest.raises(ArgumentError, match=r"which needs more than 2\*\*50 GiB"):
        Model(Sequential(Pad1d(10**400)), (1, 4))
