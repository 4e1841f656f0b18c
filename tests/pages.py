"""The pages of the documentation: their blocks, how they are run, and what they print.

In a page, the `python` blocks run one after another in one namespace, and of a `console` block every line that begins
with `$ ` runs in a shell with this Python's `scanwise` first on the path. A block whose first line is `# not run` is
not run. A `text` block directly behind a `python` block is what that block prints.

    python -m tests.pages docs/lecture/part-1.md ...

writes what the pages print into their `text` blocks, and renews the pictures that their code makes. Without arguments
it does so for all pages of `docs/lecture` (`scripts/lecture`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LECTURE = REPOSITORY / "docs" / "lecture"
PICTURES = "pictures"
"""Folder beside a page, and in the folder where it runs, that holds its pictures."""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WITH_RESULT = re.compile(
    r"^(```python\n(?!# not run).*?^```\n)(?:\n?```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL
)
_END_OF_BLOCK = "\x1e"  # the ASCII character that separates records


def blocks(page: str, *languages: str) -> Iterator[tuple[str, str]]:
    """(language, text) of the page's blocks in these languages, in order; `page` is relative to the repository."""
    for language, text in BLOCK.findall((REPOSITORY / page).read_text(encoding="utf-8")):
        if language in languages and not text.startswith("# not run"):
            yield language, text


def run(page: str, folder: Path) -> list[str]:
    """What each of the page's `python` blocks prints, when the page runs in `folder`.

    It runs in a process of its own, since a page may define layers, which every process knows by name. Warnings are
    errors.

    Raises:
        AssertionError: the page did not run to its end; the message has its output and the traceback.
    """
    script: list[str] = []
    for language, text in blocks(page, "python", "console"):
        script += (
            [text, f"print({_END_OF_BLOCK!r}, flush=True)"] if language == "python" else shell_calls(text)
        )
    (folder / "example.py").write_text("\n".join(script), encoding="utf-8")
    (folder / PICTURES).mkdir(exist_ok=True)
    programs = Path(sys.executable).parent
    sources = (str(REPOSITORY / "src"), str(REPOSITORY))  # docs/adding_a_layer.md uses what the tests use
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sources),
        "MPLBACKEND": "agg",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{page}\n{done.stdout.replace(_END_OF_BLOCK, '')}\n{done.stderr}"
    return done.stdout.split(f"{_END_OF_BLOCK}\n")[:-1]


def shell_calls(text: str) -> Iterator[str]:
    """Python statements that run a console block's commands."""
    yield "import subprocess"
    for line in text.splitlines():
        if line.startswith("$ "):
            yield f"subprocess.run({line.removeprefix('$ ')!r}, shell=True, check=True)"


def with_results(text: str, printed: Sequence[str]) -> str:
    """The page's text with what its `python` blocks printed in the `text` blocks behind them."""
    remaining = iter(printed)

    def block_and_result(match: re.Match[str]) -> str:
        lines = [line.rstrip() for line in next(remaining).rstrip().splitlines()]
        result = "".join(f"{line}\n" for line in lines)
        return match[1] + (f"\n```text\n{result}```\n" if result else "")

    return WITH_RESULT.sub(block_and_result, text)


def pictures_in(text: str) -> list[str]:
    """Names of the pictures that the page's text shows."""
    return re.findall(rf"!\[[^]]*\]\({PICTURES}/([^)]+)\)", text)


def renew(page: Path) -> None:
    """Run the page; write its results and its pictures to where it lies."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        printed = run(page.relative_to(REPOSITORY).as_posix(), folder)
        text = with_results(page.read_text(encoding="utf-8"), printed)
        page.write_text(text, encoding="utf-8")
        (page.parent / PICTURES).mkdir(exist_ok=True)
        for picture in pictures_in(text):
            shutil.copy(folder / PICTURES / picture, page.parent / PICTURES / picture)


if __name__ == "__main__":
    for each in sys.argv[1:] or sorted(map(str, LECTURE.glob("part-*.md"))):
        print(each)
        renew(Path(each).resolve())
