"""Kernels of drawn shapes are compiled once and never again: they do not go to the disk cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_disk_cache() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCANWISE_CACHE", "")
        yield
