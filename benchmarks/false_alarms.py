"""Whether a calibrated detector cries wolf as seldom as it says, on recordings of words that it has never met.

Ten times a detector of one digit among ten is trained on some of the training recordings, calibrated to a rate of false
alarms on recordings made from others of them, and measured on recordings made from the test set. Every word is said
once, at a place drawn at random, over noise at 10 dB; false alarms are other words, and noise.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.weak_labels import LEVEL, RATE
from scanwise import augment, data, models
from scanwise.evaluation import calibrate, scan_files
from scanwise.evaluation.scanned import default_rule

__all__ = ["AT_LEAST", "LABELS", "RATE_PROMISED", "Word", "figures", "recordings"]

LABELS = tuple(str(digit) for digit in range(10))
RATE_PROMISED = 60.0
"""False alarms an hour: about twenty in the recordings for calibration, five in those that are measured."""

_WITHIN = (
    "calibrated detectors: seeds of ten whose false alarms lie in the interval predicted for so much audio"
)
AT_LEAST = {_WITHIN: 9.0}

_DECIBELS = 10.0
_WORDS_EACH = 30  # in a recording
_GAP = (0.3, 0.9)  # seconds between two words
_WINDOW = 5600  # samples
_TRAINED_FROM = (
    25  # recordings of each speaker and digit from this number on; those before are for calibration
)


@dataclass(frozen=True)
class Word:
    """A recording of a word.

    Attributes:
        label: what is said.
        number: which recording of the speaker and the label it is.
        samples: `(T,)`.
    """

    label: str
    number: int
    samples: NDArray[np.float32]


def words(folder: Path) -> list[Word]:
    """The recordings in folders of their labels, all equally loud."""
    found = []
    for path in sorted(folder.glob("*/*.wav")):
        samples, _ = soundfile.read(path, dtype="float32")
        loud = samples * np.float32(LEVEL / np.sqrt(np.mean(samples**2)))
        found.append(Word(path.parent.name, int(path.stem.split("_")[2]), loud))
    return found


def recordings(said: list[Word], label: str, folder: Path, random: np.random.Generator) -> None:
    """Write recordings of some words each, every word once, with label tracks that say where those of a label are."""
    order = random.permutation(len(said))
    for number, chosen in enumerate(np.array_split(order, -(-len(said) // _WORDS_EACH))):
        parts, track, at = [], [], 0
        for i in chosen:
            gap = round(random.uniform(*_GAP) * RATE)
            word = said[i]
            start, stop = at + gap, at + gap + len(word.samples)
            parts += [np.zeros(gap, np.float32), word.samples]
            if word.label == label:
                track.append(f"{start / RATE:.6f}\t{stop / RATE:.6f}\t{label}\n")
            at = stop
        signal = np.concatenate([*parts, np.zeros(_WINDOW, np.float32)])
        signal += random.normal(0, LEVEL * 10 ** (-_DECIBELS / 20), len(signal)).astype(np.float32)
        path = folder / f"{number:03}.wav"
        soundfile.write(path, signal, RATE, subtype="FLOAT")
        path.with_suffix(".txt").write_text("".join(track), encoding="ascii")


def figures(threads: int, folder: Path) -> dict[str, float]:
    """Name to value, from recordings under `folder`'s `train` and `test`."""
    sw.set_threads(threads)
    training, test = words(folder / "train"), words(folder / "test")
    within, hours, alarms, recall = 0, 0.0, 0, []
    for seed, label in enumerate(LABELS):
        model = _detector(label, [word for word in training if word.number >= _TRAINED_FROM], seed)
        with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as place:
            random = np.random.default_rng(seed)
            for name, said in (("calibration", training), ("measured", test)):
                Path(place, name).mkdir()
                kept = [word for word in said if word.number < _TRAINED_FROM]
                recordings(kept, label, Path(place, name), random)
            calibrate(
                model, data.open_labels(Path(place, "calibration")), false_alarms_per_hour=RATE_PROMISED
            )
            found = scan_files(model, data.open_labels(Path(place, "measured")))
        assert model.thresholds is not None
        threshold = model.thresholds[label]
        (measured,) = found.measures({label: threshold.value}, default_rule(model), repeats=100)
        searched = sum(found.amounts([label]).values())
        low, high = threshold.predicted(searched)
        within += low <= measured.false_alarms / searched <= high
        hours, alarms = hours + searched, alarms + measured.false_alarms
        recall.append(measured.recall.value)
    return {
        _WITHIN: float(within),
        f"calibrated detectors: false alarms an hour, {RATE_PROMISED:g} promised": alarms / hours,
        "calibrated detectors: words found": float(np.mean(recall)),
    }


def _detector(label: str, said: list[Word], seed: int) -> sw.Model:
    """A detector of one label, which is one sigmoid: all other words are background."""
    x = np.zeros((len(said), 1, _WINDOW), np.float32)
    for n, word in enumerate(said):
        length = min(len(word.samples), _WINDOW)
        start = (_WINDOW - length) // 2
        x[n, 0, start : start + length] = word.samples[:length]
    y = np.array([[word.label == label] for word in said], np.float32)
    shape = (1, _WINDOW)
    network = models.get("tdnn-bn", shape, 1, sample_rate=RATE)
    model = sw.Model(network, shape, seed=seed, sample_rate=RATE, labels=[label])
    sw.fit(
        model,
        x,
        y,
        epochs=20,
        batch_size=64,
        optimizer=sw.AdamW(sw.OneCycle(0.004)),
        loss="binary_cross_entropy",
        augment=[augment.TimeShift(1600), augment.AddNoise((5, 20))],
        seed=seed,
        progress=False,
    )
    return model
