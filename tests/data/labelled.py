"""Recordings, images and label files of every kind, written by the tests that read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from scanwise.data import Collection
from tests.data.conftest import write_image

RATE = 8000
Labelled = Sequence[tuple[float, float, str]]


def write_recording(path: Path, seconds: float = 2.0, seed: int = 0, rate: int = RATE) -> Path:
    """Faint noise, other for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    soundfile.write(str(path), noise, rate)
    return path


def write_picture(path: Path, H: int = 20, W: int = 30, seed: int = 0, colour: bool = False) -> Path:
    shape = (H, W, 3) if colour else (H, W)
    pixels: NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 255, shape, np.uint8)
    return write_image(path, pixels)


def write_track(path: Path, labels: Labelled) -> Path:
    """Audacity's."""
    path.write_text("".join(f"{start}\t{stop}\t{label}\n" for start, stop, label in labels))
    return path


def write_selections(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """Raven's."""
    heads = list(rows[0])
    lines = ["\t".join(heads), *("\t".join(str(row[head]) for head in heads) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_coco(path: Path, images: dict[str, list[tuple[str, list[float]]]]) -> Path:
    """Boxes are [x, y, width, height]."""
    labels = sorted({label for boxes in images.values() for label, _ in boxes})
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(images)],
        "categories": [{"id": 10 + k, "name": label} for k, label in enumerate(labels)],
        "annotations": [
            {"id": 100 * i + j, "image_id": i, "category_id": 10 + labels.index(label), "bbox": box}
            for i, boxes in enumerate(images.values())
            for j, (label, box) in enumerate(boxes)
        ],
    }
    path.write_text(json.dumps(content))
    return path


def write_voc(path: Path, picture: str, boxes: Sequence[tuple[str, tuple[int, int, int, int]]]) -> Path:
    """Boxes are (xmin, ymin, xmax, ymax)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        f"<object><name>{label}</name><bndbox>"
        + "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, box, strict=True))
        + "</bndbox></object>"
        for label, box in boxes
    )
    path.write_text(f"<annotation><filename>{picture}</filename>{objects}</annotation>")
    return path


def kinds(collection: Collection) -> list[str]:
    return [finding.kind for finding in collection.findings]


def seconds(collection: Collection) -> list[tuple[str, str, tuple[float, float] | None]]:
    return [(f.path.name, e.label, e.seconds) for f in collection.files for e in f.events]
