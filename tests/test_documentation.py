"""Every example runs: docstrings, README, and the pages under docs/ (`tests/pages.py` says how).

What the examples read is made beforehand by `make_clips`: short recordings of two made-up sounds. What the pages of the
lecture print and draw is tested in `tests/test_lecture.py`.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import scanwise
from tests.pages import REPOSITORY, blocks, run, with_results
from tests.test_layering import STAGE_OF

PAGES = sorted(
    page.relative_to(REPOSITORY).as_posix()
    for page in (
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *(REPOSITORY / "docs").rglob("*.md"),
    )
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(scanwise.__path__, "scanwise.")
    if not module.name.endswith("__main__")
)

RATE = 8000
CLIP, SOUND = RATE // 2, RATE // 4
SOUNDS = {"rising": (400.0, 1600.0), "falling": (1600.0, 400.0)}
"""Frequencies in Hz at the beginning and the end."""


def sound(frequencies: tuple[float, float], random: np.random.Generator) -> NDArray[np.float64]:
    """A quarter of a second of a tone that moves from the first frequency to the second."""
    n = SOUND
    frequency = np.linspace(*frequencies, n) * random.uniform(0.9, 1.1)
    return random.uniform(0.2, 0.6) * np.sin(2 * np.pi * np.cumsum(frequency) / RATE)


def noise(n: int, random: np.random.Generator) -> NDArray[np.float64]:
    return random.normal(0.0, 0.02, n)


def make_clips(folder: Path) -> None:
    """`clips/{train,test}/<label>/*.wav` and `recording.wav`, in which both sounds occur."""
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 15)):
        for label in (*SOUNDS, "background"):
            place = folder / "clips" / part / label
            place.mkdir(parents=True)
            for number in range(count):
                clip = noise(CLIP, random)
                if label in SOUNDS:
                    start = random.integers(CLIP - SOUND)
                    clip[start : start + SOUND] += sound(SOUNDS[label], random)
                soundfile.write(place / f"{number:03}.wav", clip, RATE)
    recording = noise(10 * RATE, random)
    for second, label in ((2, "rising"), (5, "falling"), (7, "rising")):
        recording[second * RATE : second * RATE + SOUND] += sound(SOUNDS[label], random)
    soundfile.write(folder / "recording.wav", recording, RATE)


@pytest.fixture
def with_clips(in_tmp_path: Path) -> Path:
    make_clips(in_tmp_path)
    return in_tmp_path


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str, in_tmp_path: Path) -> None:
    module = importlib.import_module(name)
    failures, _ = doctest.testmod(module, verbose=False, report=True)
    assert failures == 0


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("docs/lecture/")])
def test_page_examples(page: str, with_clips: Path) -> None:
    """They run, and a page that shows what its examples print shows all that they print."""
    printed = run(page, with_clips)
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    if "```text" in text:
        assert with_results(text, printed) == text


def test_readme_commands_are_those_of_ci() -> None:
    shell = [text.strip() for _, text in blocks("README.md", "sh")]
    assert [text for text in shell if text.startswith("python3 -m venv") and text.endswith("scripts/test")]
    assert [text for text in shell if text.startswith("python3 -m venv") and text.endswith("scanwise demo")]


def test_architecture_names_every_folder_in_order() -> None:
    source = REPOSITORY / "src" / "scanwise"
    folders = {entry.name for entry in source.iterdir() if entry.is_dir() and entry.name != "__pycache__"}
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert re.findall(r"^### `(\w+)/`", page, re.MULTILINE) == sorted(folders, key=STAGE_OF.__getitem__)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith(("http://", "https://")):
                assert ((REPOSITORY / page).parent / target).exists(), f"{page}: {target}"


def test_changelog_has_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {scanwise.__version__}" in changelog
