"""Forms that other programs read: Audacity, Raven, pycocotools, QuPath."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scanwise.cli.console import as_json, plain
from scanwise.cli.results import FailedFile, FileResult
from scanwise.scanning import Detection

__all__ = ["audacity", "coco", "geojson", "raven"]

_RAVEN = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)", "Begin Path",
    "Begin File", "File Offset (s)", "Label", "Score",
)  # fmt: skip


def audacity(results: Sequence[FileResult]) -> str:
    """A label track for Audacity's File > Import > Labels: start, end and text, with tabs between.

    Source: Audacity's manual, "Importing and Exporting Labels".
    """
    lines = [
        f"{start:.6f}\t{stop:.6f}\t{plain(found.label)}\n"
        for one in results
        for found in one.detections
        for start, stop in [_seconds(found)]
    ]
    return "".join(lines)


def raven(results: Sequence[FileResult]) -> str:
    """A selection table for Raven.

    Raven opens several files as one sound, one behind the other: `Begin Time (s)` and `End Time (s)` count from the
    start of the first, `File Offset (s)` from the start of the file that a selection begins in. A box reaches from 0 Hz
    to the highest frequency that the model hears.

    Source: Cornell Lab of Ornithology, "Raven Pro User's Manual", on selection tables and on measurements.
    """
    rows = [_RAVEN]
    before = 0.0
    for one in results:
        assert one.sample_rate is not None  # `require_form_fits`
        for found in one.detections:
            start, stop = _seconds(found)
            rows.append((
                str(len(rows)), "Spectrogram 1", "1", f"{before + start:.6f}", f"{before + stop:.6f}", "0.0",
                f"{one.sample_rate / 2:.1f}", plain(one.file), plain(Path(one.file).name), f"{start:.6f}",
                plain(found.label), f"{found.score:.6f}",
            ))  # fmt: skip
        before += one.extent[0] / one.sample_rate
    return "".join("\t".join(row) + "\n" for row in rows)


def coco(outcomes: Sequence[FileResult | FailedFile]) -> str:
    """A list of results as `COCO.loadRes` of pycocotools takes it, boxes as [x, y, width, height] in pixels.

    `category_id` is the label's number in the model, from 0. `image_id` is the number that a file is called by, as
    COCO's own images are (`000000000139.jpg`), if all files are called by different ones; else the file's place in the
    order of scanning, from 1. `file_name` and `category_name`, which pycocotools passes over, say it in words.

    Source: cocodataset.org, "Results Format"; `PythonAPI/pycocotools/coco.py`.
    """
    names = [Path(one.file).stem for one in outcomes]
    numbers = [int(name) for name in names if name.isascii() and name.isdecimal()]
    ids = numbers if len(set(numbers)) == len(outcomes) else range(1, len(outcomes) + 1)
    entries = [
        {
            "image_id": image,
            "category_id": found.index,
            "bbox": [left, top, right - left, bottom - top],
            "score": found.score,
            "file_name": one.file,
            "category_name": found.label,
        }
        for image, one in zip(ids, outcomes, strict=True)
        if isinstance(one, FileResult)
        for found in one.detections
        for top, left, bottom, right in [found.box]
    ]
    return as_json(entries) + "\n"


def geojson(results: Sequence[FileResult]) -> str:
    """A FeatureCollection of rectangles in pixels, x to the right and y down from the top left corner, as QuPath reads.

    `properties.file` says which file a rectangle belongs to: QuPath, which imports into one image, wants one file at a
    time.

    Source: RFC 7946; QuPath's documentation, "Exporting annotations".
    """
    features = [_feature(one.file, found) for one in results for found in one.detections]
    return as_json({"type": "FeatureCollection", "features": features}) + "\n"


def _feature(file: str, found: Detection) -> dict[str, Any]:
    top, left, bottom, right = found.box
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": found.label},
            "measurements": {"score": found.score},
            "file": file,
        },
    }


def _seconds(found: Detection) -> tuple[float, float]:
    assert found.seconds is not None  # `require_form_fits`
    return found.seconds
