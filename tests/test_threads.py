"""The number of threads: argument, environment variable, processors."""

from __future__ import annotations

import os

import pytest

import scanwise as sw
from scanwise import threads


@pytest.fixture(autouse=True)
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_threads", None)
    monkeypatch.delenv("SCANWISE_THREADS", raising=False)


def test_default_is_the_processors_this_process_may_use() -> None:
    assert sw.get_threads() == len(os.sched_getaffinity(0))


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANWISE_THREADS", "3")
    assert sw.get_threads() == 3
    sw.set_threads(5)
    assert sw.get_threads() == 5


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_bad_environment(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SCANWISE_THREADS", text)
    with pytest.raises(sw.ArgumentError, match=f"SCANWISE_THREADS must be a whole number.*Got '{text}'"):
        sw.get_threads()


def test_bad_arguments() -> None:
    with pytest.raises(sw.ArgumentError, match=r"n must be at least 1 thread. Got 0"):
        sw.set_threads(0)
    with pytest.raises(sw.ArgumentTypeError, match=r"n must be a whole number of threads. Got 1.5"):
        sw.set_threads(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["9" * 5000, "1025", "²"])
def test_environment_out_of_all_proportion(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SCANWISE_THREADS", text)
    with pytest.raises(sw.ArgumentError, match="at least 1 and at most 1024") as caught:
        sw.get_threads()
    assert len(str(caught.value)) < 200


def test_more_threads_than_any_machine_has() -> None:
    with pytest.raises(sw.ArgumentError, match=r"n must be at most 1024 threads\. Got 1000000000"):
        sw.set_threads(10**9)
    with pytest.raises(sw.ArgumentTypeError, match=r"n must be a whole number of threads\. Got True"):
        sw.set_threads(True)
