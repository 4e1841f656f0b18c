"""Every example runs: docstrings, README, and the pages under docs/.

In a page, the `python` blocks run one after another in one namespace, and of a `console` block every line that begins
with `$ ` runs in a shell with this Python's `scanwise` first on the path. What the examples read is made beforehand by
`make_clips`: short recordings of two made-up sounds. A block whose first line is `# not run` is not run.
"""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import scanwise

REPOSITORY = Path(__file__).resolve().parent.parent
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
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

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


def blocks(page: str, *languages: str) -> Iterator[tuple[str, str]]:
    """(language, text) of the page's blocks in these languages, in order."""
    for language, text in BLOCK.findall((REPOSITORY / page).read_text(encoding="utf-8")):
        if language in languages and not text.startswith("# not run"):
            yield language, text


@pytest.mark.parametrize("page", PAGES)
def test_page_examples(page: str, with_clips: Path) -> None:
    """In a process of its own, since a page may define layers, which every process knows by name."""
    script = [
        text if language == "python" else "\n".join(shell_calls(text))
        for language, text in blocks(page, "python", "console")
    ]
    (with_clips / "example.py").write_text("\n".join(script), encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),  # docs/adding_a_layer.md uses what the tests use
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=with_clips,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}\n{done.stdout}\n{done.stderr}"


def shell_calls(text: str) -> Iterator[str]:
    """Python statements that run a console block's commands."""
    yield "import subprocess"
    for line in text.splitlines():
        if line.startswith("$ "):
            yield f"subprocess.run({line.removeprefix('$ ')!r}, shell=True, check=True)"


def test_readme_commands_are_those_of_ci() -> None:
    shell = [text.strip() for _, text in blocks("README.md", "sh")]
    assert [text for text in shell if text.startswith("python3 -m venv") and text.endswith("scripts/test")]
    assert [text for text in shell if text.startswith("python3 -m venv") and text.endswith("scanwise demo")]


def test_architecture_names_every_folder_in_order() -> None:
    source = REPOSITORY / "src" / "scanwise"
    folders = {entry.name for entry in source.iterdir() if entry.is_dir() and entry.name != "__pycache__"}
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"^### `(\w+)/`", page, re.MULTILINE)
    assert sorted(named) == sorted(folders)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith(("http://", "https://")):
                assert ((REPOSITORY / page).parent / target).exists(), f"{page}: {target}"


def test_changelog_has_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {scanwise.__version__}" in changelog
