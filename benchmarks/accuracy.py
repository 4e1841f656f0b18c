"""Accuracies that a command reaches on test sets, and how long it trains for them.

Networks, augmentations and rates were chosen on 10,000 of the training images, and on recordings 5 to 9 of each
speaker and digit, which took no part in training then. The test sets took part in nothing.

MNIST: CC BY-SA 3.0. Fashion-MNIST: MIT licence (Xiao, Rasul and Vollgraf 2017), as in Debian's package
`dataset-fashion-mnist`. Free Spoken Digit Dataset: CC BY-SA 4.0.
"""

from __future__ import annotations

import gzip
import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.commands import Trained, trained

__all__ = ["AT_LEAST", "AT_MOST", "TASKS", "figures", "speakers"]

_SEEDS = (0, 1, 2)
_FASHION = Path("/usr/share/datasets/fashion-mnist")
_IMAGE_SHAPE = (28, 28)


@dataclass(frozen=True)
class Task:
    """What is to be reached, and by what.

    Attributes:
        name: of the data.
        network: a name, or layers.
        epochs: times that every sample is used.
        rate: the largest learning rate.
        augmentations: as `scanwise train` takes them.
        accuracy: at least, on the test set.
        seconds: of training, at most.
        batch_size: samples in a step.
    """

    name: str
    network: str | sw.Sequential
    epochs: int
    rate: float
    augmentations: tuple[str, ...]
    accuracy: float
    seconds: float
    batch_size: int = 128

    @property
    def accuracy_name(self) -> str:
        return f"{self.name}, augmented: accuracy on unseen data, median of {len(_SEEDS)} seeds"

    @property
    def seconds_name(self) -> str:
        return f"{self.name}, augmented: training (s)"

    def run(self, threads: int, training: Path, test: Path, seed: int = 0) -> Trained:
        """Train and test by the command line."""
        with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
            network = self.network
            if isinstance(network, sw.Sequential):
                file = Path(folder, "network.json")
                file.write_text(json.dumps(network.to_json()), encoding="ascii")
                network = str(file)
            options = {
                "--network": network,
                "--epochs": self.epochs,
                "--learning-rate": self.rate,
                "--batch-size": self.batch_size,
                "--validation": 0,
                "--seed": seed,
            }
            words = [str(word) for pair in options.items() for word in pair]
            words += [word for each in self.augmentations for word in ("--augment", each)]
            return trained(threads, training, test, *words)


def _narrow() -> sw.Sequential:
    """Five narrow convolutions: more epochs in the same time than `vgg-bn`, which digits gain more from."""
    layers: list[sw.Layer] = []
    for stage in (((16, 5),), ((32, 3), (32, 3)), ((64, 3), (64, 3))):
        for channels, kernel_size in stage:
            convolution = sw.Conv2d(channels, kernel_size, padding="same", bias=False)
            layers += [convolution, sw.BatchNorm(), sw.ReLU()]
        layers.append(sw.MaxPool2d(2))
    return sw.Sequential(*layers, sw.Flatten(), sw.Linear(10))


MNIST = Task("MNIST", _narrow(), 9, 0.01, ("Rotate(10)", "Scale((0.9, 1.1))", "Shift(1)"), 0.995, 90.0)
FASHION = Task("Fashion-MNIST", "vgg-bn", 9, 0.008, ("Flip()",), 0.925, 180.0)
SPEECH = Task(
    "spoken digits",
    "tdnn-bn",
    40,
    0.004,
    ("TimeShift(800)", "Gain(6)", "AddNoise((10, 40))"),
    0.99,
    60.0,
    batch_size=64,
)
TASKS = (MNIST, FASHION, SPEECH)
AT_LEAST = {task.accuracy_name: task.accuracy for task in TASKS}
AT_MOST = {task.seconds_name: task.seconds for task in TASKS}


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
        digits, speech = data / "mnist.npz", data / "fsdd"
        sides = ((digits, digits), (archive, archive), (speech / "train", speech / "test"))
        for task, (training, test) in zip(TASKS, sides, strict=True):
            runs = [task.run(threads, training, test, seed) for seed in _SEEDS]
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
            result = SPEECH.run(threads, heard, unheard)
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
