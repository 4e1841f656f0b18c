"""Accuracies that a command reaches on test sets, and how long it trains for them.

Networks, augmentations and rates were chosen on 10,000 of the training images, and on recordings 5 to 9 of each
speaker and digit, which took no part in training then. The test sets took part in nothing.

MNIST: CC BY-SA 3.0. Fashion-MNIST: MIT licence (Xiao, Rasul and Vollgraf 2017), as in Debian's package
`dataset-fashion-mnist`. Free Spoken Digit Dataset: CC BY-SA 4.0.
"""

from __future__ import annotations

import gzip
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.commands import trained

__all__ = ["AT_LEAST", "AT_MOST", "TASKS", "figures", "speakers"]

_SEEDS = (0, 1, 2)
_FASHION = Path("/usr/share/datasets/fashion-mnist")
_IMAGE_SHAPE = (28, 28)


@dataclass(frozen=True)
class Task:
    """What is to be reached.

    Attributes:
        name: of the data.
        options: of `scanwise train`.
        accuracy: at least, on the test set.
        seconds: of training, at most.
    """

    name: str
    options: tuple[str, ...]
    accuracy: float
    seconds: float

    @property
    def accuracy_name(self) -> str:
        return f"{self.name}: accuracy on unseen data, {' '.join(self.options[:2])}"

    @property
    def seconds_name(self) -> str:
        return f"{self.name}: training, {' '.join(self.options[:2])} (s)"


def _options(
    network: str, epochs: int, rate: float, *augmentations: str, batch_size: int = 128
) -> tuple[str, ...]:
    own = (
        "--epochs",
        str(epochs),
        "--learning-rate",
        str(rate),
        "--batch-size",
        str(batch_size),
        "--validation",
        "0",
    )
    return ("--network", network, *own, *(word for each in augmentations for word in ("--augment", each)))


SPEECH = Task(
    "spoken digits",
    _options("tdnn-bn", 40, 0.004, "TimeShift(800)", "Gain(6)", "AddNoise((10, 40))", batch_size=64),
    0.99,
    60.0,
)
TASKS = {
    "mnist": Task(
        "MNIST", _options("vgg-bn", 6, 0.008, "Rotate(10)", "Scale((0.9, 1.1))", "Shift(2)"), 0.995, 90.0
    ),
    "fashion": Task("Fashion-MNIST", _options("vgg-bn", 9, 0.008, "Flip()"), 0.925, 180.0),
    "speech": SPEECH,
}
AT_LEAST = {task.accuracy_name: task.accuracy for task in TASKS.values()}
AT_MOST = {task.seconds_name: task.seconds for task in TASKS.values()}


def figures(threads: int, data: Path) -> dict[str, float]:
    """Name to value; medians over three seeds.

    Args:
        threads: for the engine.
        data: a folder with `mnist.npz` and `fsdd`, and with `fashion-mnist` unless Debian's package is installed.
    """
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        archive = Path(folder, "fashion-mnist.npz")
        own = data / "fashion-mnist"
        np.savez(archive, allow_pickle=False, **_fashion(own if own.is_dir() else _FASHION))
        sides = {
            "mnist": (data / "mnist.npz",) * 2,
            "fashion": (archive, archive),
            "speech": (data / "fsdd" / "train", data / "fsdd" / "test"),
        }
        for name, task in TASKS.items():
            runs = [trained(threads, *sides[name], *task.options, "--seed", str(seed)) for seed in _SEEDS]
            found[task.accuracy_name] = statistics.median(run.accuracy for run in runs)
            found[task.seconds_name] = statistics.median(run.seconds for run in runs)
    return found | speakers(threads, data / "fsdd")


def speakers(threads: int, folder: Path) -> dict[str, float]:
    """Accuracy on all 500 recordings of each speaker, by a network that has heard the other five."""
    recordings = sorted(folder.glob("*/*/*.wav"))
    found: dict[str, float] = {}
    for speaker in sorted({_speaker(recording) for recording in recordings}):
        with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as linked:
            heard, unheard = Path(linked, "heard"), Path(linked, "unheard")
            for recording in recordings:
                side = unheard if _speaker(recording) == speaker else heard
                place = side / recording.parent.name / recording.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(recording.resolve())
            result = trained(threads, heard, unheard, *SPEECH.options)
        found[f"{SPEECH.name}: accuracy on speaker {speaker}, who was not heard"] = result.accuracy
    return found


def _speaker(recording: Path) -> str:
    _, speaker, _ = recording.stem.split("_")
    return speaker


def _fashion(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The four arrays, from files in MNIST's own form: a header of 16 or 8 bytes, then bytes."""
    found = {}
    for part, beginning in (("train", "train"), ("test", "t10k")):
        images = gzip.decompress((folder / f"{beginning}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((folder / f"{beginning}-labels-idx1-ubyte.gz").read_bytes())
        found[f"x_{part}"] = np.frombuffer(images, np.uint8, offset=16).reshape(-1, *_IMAGE_SHAPE)
        found[f"y_{part}"] = np.frombuffer(labels, np.uint8, offset=8)
    return found
