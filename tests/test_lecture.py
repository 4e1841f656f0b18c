"""The executable lecture, docs/lecture: its pages print what they say, draw what they show, and leave nothing out."""

from __future__ import annotations

import ast
import operator
import re
from difflib import unified_diff
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scanwise
from scanwise import models
from tests.pages import LECTURE, PICTURES, REPOSITORY, pictures_in, run, with_results

# Sections in each part of the text that the pages follow.
SECTIONS = {1: 5, 2: 4, 3: 5, 4: 3, 5: 13, 6: 4, 7: 4, 8: 9, 9: 9}
PARTS = [f"docs/lecture/part-{part}.md" for part in SECTIONS]
LARGEST_PICTURE = 60_000  # bytes: nine pages of pictures stay a small part of a clone

INDEX = (LECTURE / "index.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in INDEX.splitlines()
    if re.match(r"\| \[\d", line)
]


@pytest.mark.parametrize("page", PARTS)
def test_page_prints_and_draws_what_it_shows(page: str, in_tmp_path: Path) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    now = with_results(text, run(page, in_tmp_path))
    changes = "\n".join(
        unified_diff(text.splitlines(), now.splitlines(), page, "what it prints now", lineterm="")
    )
    assert not changes, f"\n{changes}\n\nIf that is as it should be: scripts/lecture {page}"
    drawn = sorted(path.name for path in (in_tmp_path / PICTURES).iterdir())
    assert drawn == sorted(pictures_in(text))
    for name in drawn:
        compare_pictures(LECTURE / PICTURES / name, in_tmp_path / PICTURES / name)


def test_results_are_written_behind_their_blocks() -> None:
    page = (
        "```python\nprint(1)\n```\n\nWords.\n\n```python\n# not run\nprint(2)\n```\n\n"
        "```python\nx = 3\n```\n\n```text\nold\n```\n\n```python\nprint(4)\n```\n\n```text\nold\n```\n"
    )
    assert with_results(page, ["1\n", "", "4  \n\n5\n"]) == (
        "```python\nprint(1)\n```\n\n```text\n1\n```\n\nWords.\n\n```python\n# not run\nprint(2)\n```\n\n"
        "```python\nx = 3\n```\n\n```python\nprint(4)\n```\n\n```text\n4\n\n5\n```\n"
    )


def compare_pictures(kept: Path, drawn: Path) -> None:
    """Raises unless both show the same, apart from how a version of matplotlib smooths letters and lines."""
    a, b = (np.asarray(Image.open(path).convert("L"), dtype=np.float64) for path in (kept, drawn))
    assert a.shape == b.shape, f"{kept.name}: {a.shape} kept, {b.shape} drawn; renew it with scripts/lecture"
    difference = np.abs(a - b).mean()
    assert difference < 4, (
        f"{kept.name}: grey values differ by {difference:.1f}; renew it with scripts/lecture"
    )


def test_pictures_are_small_and_shown() -> None:
    shown = {name for page in PARTS for name in pictures_in((REPOSITORY / page).read_text(encoding="utf-8"))}
    kept = {path.name: path.stat().st_size for path in (LECTURE / PICTURES).iterdir()}
    assert set(kept) == shown
    assert max(kept.values()) < LARGEST_PICTURE, kept


@pytest.mark.parametrize(("part", "count"), SECTIONS.items())
def test_every_section_has_words_formula_code_and_result(part: int, count: int) -> None:
    text = (LECTURE / f"part-{part}.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [section.split()[0] for section in sections] == [f"{part}.{n + 1}" for n in range(count)]
    for section in sections:
        title, *sentences = re.split(r"^```", section, flags=re.MULTILINE)[0].strip().splitlines()
        assert sentences, title
        assert "$" in section, f"{title}: no formula"
        assert "\n```python\n" in section, f"{title}: no code"
        assert "\n```\n\n```text\n" in section, f"{title}: no result"


@pytest.mark.parametrize("page", PARTS)
def test_no_result_is_left_behind(page: str) -> None:
    """A `text` block that is not directly behind a `python` block would never be compared."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert text.count("\n```text\n") == len(re.findall(r"^```\n\n```text$", text, re.MULTILINE))


@pytest.mark.parametrize("page", [*PARTS, "docs/lecture/index.md"])
def test_github_shows_the_formulas(page: str) -> None:
    """Its Markdown takes away a backslash before punctuation, in formulas too, so spaces are not written as `\\,`."""
    prose = re.sub(r"^```.*?^```$", "", (REPOSITORY / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    assert not re.findall(r".*\\[^a-zA-Z].*", prose)
    assert prose.count("$") % 2 == 0


def test_index_lists_every_section_in_order() -> None:
    expected = [f"{part}.{n + 1}" for part, count in SECTIONS.items() for n in range(count)]
    assert [re.match(r"\[([\d.]+)", row[0])[1] for row in ROWS] == expected  # type: ignore[index]
    for row in ROWS:
        page, anchor = re.search(r"\]\(([^#]+)#([^)]+)\)", row[0]).groups()  # type: ignore[union-attr]
        assert anchor in anchors(page), f"{page}#{anchor}"


def anchors(page: str) -> set[str]:
    """Names that GitHub gives the page's headings."""
    headings = re.findall(r"^#+ (.*)$", (LECTURE / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("row", ROWS, ids=[row[0].split()[0].lstrip("[") for row in ROWS])
def test_index_names_what_exists(row: list[str]) -> None:
    section, _, names, tests = row
    public = re.findall(r"`sw\.([\w.]+)`", names)
    networks = re.findall(r"`models\.(\w+)`", names)
    functions = re.findall(r"`(reference/\w+\.py)::(\w+)`", names)
    assert len(public) + len(networks) + len(functions) == names.count("`") / 2 > 0, section
    for name in public:
        assert operator.attrgetter(name)(scanwise)
    for name in networks:
        assert name in models.__all__
    for file, function in functions:
        assert function in functions_of(f"src/scanwise/{file}"), f"{section}: {file}::{function}"
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", tests)
    assert len(named) == tests.count("`") / 2 > 0, section
    for file, test in named:
        assert test in functions_of(file), f"{section}: {file}::{test}"


def functions_of(file: str) -> set[str]:
    """Names of the file's functions, and `Class::method` of its classes."""
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {
        f"{each.name}::{node.name}"
        for each in classes
        for node in each.body
        if isinstance(node, ast.FunctionDef)
    }
