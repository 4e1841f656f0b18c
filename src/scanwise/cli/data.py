"""`scanwise data check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from scanwise.cli.console import plain, print_json, progress_bar, table
from scanwise.cli.labels import LabelOptions
from scanwise.data import Collection, Finding, check_labels
from scanwise.data.annotation.collection import FINDINGS
from scanwise.data.dataset import PLURAL
from scanwise.errors import ArgumentError

__all__ = ["run_check"]

BAD_DATA = 1
SHOWN = 5  # findings of a kind, and rates and sizes, that the text tells


def run_check(
    data: Path, validation: Path | None, options: LabelOptions, ignore: Sequence[str], *, as_json: bool
) -> int:
    """Print what was understood and what is wrong; the exit code."""
    for kind in ignore:
        if kind not in FINDINGS:
            raise ArgumentError(f"ignore must be one of {', '.join(FINDINGS)}. Got {kind!r}.")
    collection = _opened(data, options)
    held_out = None if validation is None else _opened(validation, options)
    with progress_bar("checking") as show:
        found = list(check_labels(collection, validation=held_out, progress=show))
    if held_out is not None:
        with progress_bar("checking validation") as show:
            found += [one for one in check_labels(held_out, progress=show) if one not in found]
    order = list(FINDINGS)
    findings = sorted(
        (one for one in found if one.kind not in ignore), key=lambda finding: order.index(finding.kind)
    )
    wrong = sum(finding.wrong for finding in findings)
    if as_json:
        result = _described(collection)
        if held_out is not None:
            result["validation"] = _described(held_out)
        result["wrong"] = wrong
        result["findings"] = [
            {
                "kind": finding.kind,
                "wrong": finding.wrong,
                "about": finding.about,
                "message": finding.message,
            }
            for finding in findings
        ]
        print_json(result)
    else:
        parts = [_text(collection)] + ([] if held_out is None else [f"validation: {_text(held_out)}"])
        print("\n\n".join([*parts, *_told(findings), f"{wrong:,} wrong" if wrong else "nothing is wrong"]))
    return BAD_DATA if wrong else 0


def _opened(path: Path, options: LabelOptions) -> Collection:
    with progress_bar("reading headers") as show:
        return options.open(path, progress=show)


def _described(collection: Collection) -> dict[str, Any]:
    """What was understood, as JSON; durations in seconds, sizes as rows x columns."""
    counts = collection.counts()
    labelled = [file for file in collection.files if file.source]
    return {
        "data": collection.source,
        "labels_kept_as": collection.kind,
        "signal": collection.signal,
        "files": len(collection.files),
        "labelled_files": len(labelled),
        "unreadable_files": sum(bool(file.error) for file in collection.files),
        "events": sum(len(file.events) for file in collection.files),
        "background_files": sum(
            bool(file.source) and not set(file.all_labels) & set(collection.labels)
            for file in collection.files
        ),
        "labels": {
            label: {
                "files": counts[label][0],
                "events": counts[label][1],
                "seconds": _label_seconds(collection, label),
            }
            for label in collection.labels
        },
        "seconds": _span([file.seconds for file in collection.files if file.seconds is not None]),
        "sample_rates": _number(file.sample_rate for file in collection.files if file.sample_rate),
        "sizes": _number(
            "x".join(map(str, f.extent)) for f in collection.files if f.signal == "image" and f.extent
        ),
        "lengths": _span([float(f.extent[0]) for f in collection.files if f.signal == "series" and f.extent]),
        "image_modes": _number(file.image_mode for file in collection.files if file.image_mode),
    }


def _label_seconds(collection: Collection, label: str) -> float | None:
    """How long the events of a label last together; None where no event has times."""
    lengths = [
        event.length[0]
        for file in collection.files
        for event in file.events
        if event.label == label and event.seconds is not None
    ]
    return sum(lengths) if lengths else None


def _span(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"total": sum(values), "shortest": min(values), "longest": max(values)}


def _number(values: Any) -> dict[str, int]:
    return {str(value): count for value, count in Counter(values).most_common()}


def _text(collection: Collection) -> str:
    about = _described(collection)
    what = "files" if collection.signal is None else PLURAL[collection.signal]
    head = f"{plain(collection.source)}: {_KEPT[collection.kind]}, {what}"
    counts = f"{about['files']:,} files, {about['labelled_files']:,} labelled"
    if about["background_files"]:
        counts += f", {about['background_files']:,} of these as background"
    if about["events"]:
        counts += f"; {about['events']:,} events"
    lines = [head, counts]
    for name, unit in (("seconds", "s"), ("lengths", "elements")):
        if about[name]:
            span = about[name]
            lines.append(
                f"{span['total']:,.4g} {unit} in all, {span['shortest']:g} to {span['longest']:g} {unit} each"
            )
    for name, title in (("sample_rates", "Hz"), ("sizes", "pixels"), ("image_modes", "")):
        if about[name]:
            shown = [
                f"{count:,} of {value} {title}".rstrip() for value, count in list(about[name].items())[:SHOWN]
            ]
            more = len(about[name]) - SHOWN
            lines.append(", ".join(shown) + (f" and {more:,} more" if more > 0 else ""))
    rows = [["label", "files", "events", "seconds"]]
    for label, row in about["labels"].items():
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.2f}"
        rows.append([label, f"{row['files']:,}", f"{row['events']:,}", seconds])
    return "\n".join(lines) + "\n\n" + table(rows, right=(1, 2, 3))


_KEPT = {
    "folder": "a folder per label",
    "table": "a table",
    "audacity": "Audacity's label tracks",
    "raven": "Raven's selection tables",
    "coco": "COCO's annotations",
    "voc": "Pascal VOC's annotations",
}


def _told(findings: Sequence[Finding]) -> list[str]:
    told = []
    for kind, group in groupby(findings, key=lambda finding: finding.kind):
        same = list(group)
        lines = [f"{FINDINGS[kind]}: {len(same):,} ({kind})"]
        lines += [f"  {plain(finding.message)}" for finding in same[:SHOWN]]
        if len(same) > SHOWN:
            lines.append(f"  and {len(same) - SHOWN:,} more")
        told.append("\n".join(lines))
    return told
