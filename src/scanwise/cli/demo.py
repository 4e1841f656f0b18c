"""`scanwise demo`."""

from __future__ import annotations

from pathlib import Path

from scanwise.cli.console import print_json, say, table
from scanwise.demo import DemoResult, run_demo
from scanwise.demo.photographs import PHOTOGRAPHS


def run(output: Path, *, seed: int, as_json: bool) -> None:
    """Run the demo and print what was found."""
    result = run_demo(output, seed=seed, progress=True, report=say)
    if as_json:
        print_json(result.to_json())
    else:
        print(_text(result))


def _text(result: DemoResult) -> str:
    rows = [["photograph", "digit", "row", "column", "score", ""]]
    for found in result.detections:
        verdict = "right" if found.right else "wrong"
        place = [str(found.row), str(found.column)]
        rows.append([PHOTOGRAPHS[found.photograph], found.label, *place, f"{found.score:.3f}", verdict])
    lines = [table(rows, right=(2, 3, 4)), ""]
    right = sum(found.right for found in result.detections)
    lines.append(
        f"{len(result.hidden)} digits hidden, {len(result.detections)} detections, {right} right: "
        f"precision {result.precision:.3f}, recall {result.recall:.3f}"
    )
    lines.append(
        f"trained in {result.train_seconds:.1f} s; scanned {result.windows:,} windows in {result.scan_seconds:.1f} s"
    )
    lines.append(f"picture: {result.picture}")
    return "\n".join(lines)
