"""The whole demo: train on small digits, find them in large photographs."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from scanwise.demo import digits, examples, photographs, picture, textures
from scanwise.demo.digits import WINDOW, Digits
from scanwise.demo.examples import BACKGROUND, LABELS
from scanwise.demo.photographs import Found, Hidden
from scanwise.errors import ArgumentError, FileError

HIDDEN_IN_EACH = 30
"""Digits hidden in each of the two photographs."""

THRESHOLD = 0.7
"""Smallest probability of a detection."""

DRAWN_CANVASES = 24
MIXED_CANVASES = 48
EXAMPLES = 50_000

ROUNDS = (3, 2, 2, 4)
"""Epochs of each round. After each but the last the network's own mistakes join the examples."""

MISTAKE_CANVASES = 240
MISTAKE_THRESHOLD = 0.2

Images = NDArray[np.uint8]
Report = Callable[[str], None]


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    Attributes:
        hidden: what was hidden.
        detections: what was found, best score first.
        picture: the PNG file.
        train_seconds: making the examples and training.
        scan_seconds: scanning both photographs, compilation included.
        method: how the photographs were scanned, as in `ScanResult.method`.
        windows: number of windows in both photographs.
    """

    hidden: list[Hidden]
    detections: list[Found]
    picture: Path
    train_seconds: float
    scan_seconds: float
    method: str
    windows: int
    missed: list[Hidden] = field(init=False)

    def __post_init__(self) -> None:
        seen = [found.hidden for found in self.detections if found.right]
        object.__setattr__(self, "missed", [hidden for hidden in self.hidden if hidden not in seen])

    @property
    def recall(self) -> float:
        """Share of the hidden digits that were found with their right label."""
        return 1.0 - len(self.missed) / len(self.hidden)

    @property
    def precision(self) -> float:
        """Share of the detections that are right; 1 if there is none."""
        return (
            sum(found.right for found in self.detections) / len(self.detections) if self.detections else 1.0
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "hidden": len(self.hidden),
            "detections": [
                {
                    "photograph": photographs.PHOTOGRAPHS[found.photograph],
                    "label": found.label,
                    "row": found.row,
                    "column": found.column,
                    "score": found.score,
                    "right": found.right,
                }
                for found in self.detections
            ],
            "picture": str(self.picture),
            "train_seconds": self.train_seconds,
            "scan_seconds": self.scan_seconds,
        }


def network() -> sw.Sequential:
    """A small convolutional network without padding, so that overlapping windows share all their work."""
    return sw.Sequential(
        sw.Conv2d(16, 5),
        sw.ReLU(),
        sw.MaxPool2d(2),
        sw.Conv2d(32, 3),
        sw.ReLU(),
        sw.MaxPool2d(2),
        sw.Flatten(),
        sw.Linear(128),
        sw.ReLU(),
        sw.Linear(len(LABELS)),
    )


def run_demo(
    output_png: str | os.PathLike[str], *, seed: int = 0, progress: bool = False, report: Report | None = None
) -> DemoResult:
    """Trains a digit detector, hides digits that it has never seen in two photographs, and finds them.

    The network is trained on windows of 28x28 pixels: scikit-learn's handwritten digits, drawn with random size, place,
    slant and contrast on synthetic textures. It sees no photograph before it scans them. What it wrongly finds on
    further textures joins the examples of the next round (Sung and Poggio, "Example-based learning for view-based
    human face detection", 1998).

    Args:
        output_png: where the picture goes.
        seed: of everything random: examples, first weights, hiding places.
        progress: whether to show progress bars.
        report: is called with one line of text when a stage begins.

    Raises:
        ArgumentError: scikit-learn is not installed.
        FileError: the picture's folder is missing or not writable.
    """
    path = Path(output_png)
    _check(path)
    say = report or (lambda _: None)
    random = np.random.default_rng(seed)
    known, held_out = digits.load()

    started = time.perf_counter()
    model = sw.Model(network(), (1, WINDOW, WINDOW), seed=seed, labels=LABELS, image_mode="L")
    _train(model, known, random, seed, progress, say)
    train_seconds = time.perf_counter() - started

    say("Hiding digits in two photographs and scanning them")
    images, hidden = photographs.hide(photographs.load(), held_out, HIDDEN_IN_EACH, random)
    started = time.perf_counter()
    results = [sw.scan(model, image) for image in images]
    detections = [
        (number, *_corner(found), found.label, found.score)
        for number, result in enumerate(results)
        for found in result.detections(THRESHOLD)
    ]
    scan_seconds = time.perf_counter() - started
    result = DemoResult(
        hidden,
        photographs.compare(detections, hidden),
        path,
        train_seconds,
        scan_seconds,
        results[0].method,
        sum(result.scores[0].size for result in results),
    )
    picture.write(picture.draw(images, result.detections, result.missed), path)
    return result


def _check(path: Path) -> None:
    """What would fail at the end must fail at the beginning."""
    if importlib.util.find_spec("sklearn") is None:
        raise ArgumentError("demo needs scikit-learn, which must be installed: pip install 'scanwise[demo]'")
    folder = path.parent
    if path.is_dir():
        raise FileError(f"output must be a file. Got {path}, which is a folder.")
    if path.exists() and not path.is_file():
        raise FileError(f"output must be an ordinary file. Got {path}, which is a device or pipe.")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FileError(f"output must be in a folder that can be written to. Got {path}")


def _train(
    model: sw.Model, known: Digits, random: np.random.Generator, seed: int, progress: bool, say: Report
) -> None:
    canvases = textures.canvases(DRAWN_CANVASES, random)
    mistakes = np.empty((0, 1, WINDOW, WINDOW), np.uint8)
    for number, epochs in enumerate(ROUNDS):
        say(
            f"Training, round {number + 1} of {len(ROUNDS)}, with {len(mistakes)} earlier mistakes as examples"
        )
        x, y = examples.make(EXAMPLES, known, textures.mixed(canvases, MIXED_CANVASES, random), random)
        x = np.concatenate([x, mistakes])
        y = np.concatenate([y, np.full(len(mistakes), BACKGROUND)])
        rate = sw.OneCycle(4e-3 if number == 0 else 2e-3)
        sw.fit(model, x, y, epochs=epochs, optimizer=sw.AdamW(rate), seed=seed + number, progress=progress)
        if number < len(ROUNDS) - 1:
            mistakes = np.concatenate([mistakes, *_mistakes(model, canvases, random)])


def _mistakes(model: sw.Model, canvases: NDArray[np.float32], random: np.random.Generator) -> list[Images]:
    """Windows of textures that the model takes for digits."""
    found = []
    for canvas in textures.mixed(canvases, MISTAKE_CANVASES, random):
        image = examples.quantised(canvas)[None]
        for detection in sw.scan(model, image).detections(MISTAKE_THRESHOLD, overlap=1.0):
            row, column = _corner(detection)
            found.append(image[None, :, row : row + WINDOW, column : column + WINDOW])
    return found


def _corner(detection: sw.Detection) -> tuple[int, int]:
    assert isinstance(detection.start, tuple)
    return detection.start
