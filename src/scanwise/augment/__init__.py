"""Augmentation: random changes of training samples that keep their labels.

Each is a frozen dataclass, and `Augment` puts them in a row. What they do to sample number `n` in epoch `e` follows
from the seed, `e` and `n` alone.
"""

from scanwise.augment.background import MixBackground, Recordings, bind
from scanwise.augment.base import Augmentation, from_json
from scanwise.augment.images import Brightness, Contrast, Crop, Cutout, Flip, Rotate, Scale, Shift
from scanwise.augment.signals import AddNoise, FrequencyMask, Gain, TimeMask, TimeShift
from scanwise.augment.standardisation import standardised
from scanwise.augment.steps import Augment

__all__ = [
    "AddNoise",
    "Augment",
    "Augmentation",
    "Brightness",
    "Contrast",
    "Crop",
    "Cutout",
    "Flip",
    "FrequencyMask",
    "Gain",
    "MixBackground",
    "Recordings",
    "Rotate",
    "Scale",
    "Shift",
    "TimeMask",
    "TimeShift",
    "bind",
    "from_json",
    "standardised",
]
