"""What `scanwise.augment.signals` does to a sample."""

from __future__ import annotations

import numpy as np

from scanwise.augment.draws import Draws
from scanwise.augment.reference.change import Array, change
from scanwise.augment.signals import AddNoise, FrequencyMask, Gain, TimeMask, TimeShift


# y[c, t] = x[c, t - s], s uniform in -most..most.
@change.register(TimeShift)
def time_shift(augmentation: TimeShift, x: Array, draws: Draws) -> Array:
    s = draws.whole(1, -augmentation.most, augmentation.most)
    y = np.roll(x, s, axis=1)
    if not augmentation.wrap and s > 0:
        y[:, :s] = 0.0
    if not augmentation.wrap and s < 0:
        y[:, s:] = 0.0
    return y


# y = 10^(g/20) x
@change.register(Gain)
def gain(augmentation: Gain, x: Array, draws: Draws) -> Array:
    return np.asarray(x * 10.0 ** (draws.within(1, augmentation.decibels) / 20.0))


# y = x + a n for noise n of mean square 1, where mean(x^2) / a^2 = 10^(snr/10).
# Elements are counted channels innermost, e = (h W + w) C + c, as the native engine lays them out.
@change.register(AddNoise)
def add_noise(augmentation: AddNoise, x: Array, draws: Draws) -> Array:
    a = np.sqrt(np.mean(x**2) / 10.0 ** (draws.within(1, augmentation.snr) / 10.0))
    noise = draws.noise(x.size).reshape(*x.shape[1:], x.shape[0])
    return np.asarray(x + a * np.moveaxis(noise, -1, 0))


# y[:, t : t + e] = 0, first e uniform in 0..most and then t in 0..T-e.
@change.register(TimeMask)
def time_mask(augmentation: TimeMask, x: Array, draws: Draws) -> Array:
    y = x.copy()
    for start, extent in _bands(augmentation, x.shape[1], draws):
        y[:, start : start + extent] = 0.0
    return y


# y[c : c + e] = 0 likewise.
@change.register(FrequencyMask)
def frequency_mask(augmentation: FrequencyMask, x: Array, draws: Draws) -> Array:
    y = x.copy()
    for start, extent in _bands(augmentation, x.shape[0], draws):
        y[start : start + extent] = 0.0
    return y


def _bands(augmentation: TimeMask | FrequencyMask, total: int, draws: Draws) -> list[tuple[int, int]]:
    """(start, extent) of each mask, by two draws each."""
    bands = []
    for mask in range(augmentation.count):
        extent = draws.whole(1 + 2 * mask, 0, augmentation.most)
        bands.append((draws.whole(2 + 2 * mask, 0, total - extent), extent))
    return bands
