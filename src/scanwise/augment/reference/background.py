"""What `scanwise.augment.background` does to a sample."""

from __future__ import annotations

import numpy as np

from scanwise.augment.background import MixBackground
from scanwise.augment.draws import Draws
from scanwise.augment.reference.change import Array, change


# y = x + a b, where b is the stretch and mean(x^2) / mean((a b)^2) = 10^(snr/10).
@change.register(MixBackground)
def mix_background(augmentation: MixBackground, x: Array, draws: Draws) -> Array:
    recordings = augmentation.recordings.signals
    recording = recordings[draws.whole(2, 0, len(recordings) - 1)]
    length, T = recording.shape[1], x.shape[1]
    start = draws.whole(3, 0, max(length - T, 0) if length >= T else length - 1)
    b = recording[:, (start + np.arange(T)) % length].astype(np.float64)
    if recording.dtype == np.uint8:
        b /= 255.0
    power = np.mean(b**2)
    if power == 0.0:
        return x
    a = np.sqrt(np.mean(x**2) / power / 10.0 ** (draws.within(1, augmentation.snr) / 10.0))
    return np.asarray(x + a * b)
