"""What each augmentation *means*: plain loops over NumPy float64, one sample at a time. The oracle of native code."""

from scanwise.augment.reference import background as background
from scanwise.augment.reference import images as images
from scanwise.augment.reference import signals as signals
from scanwise.augment.reference import standardisation as standardisation
from scanwise.augment.reference.change import augmented, change

__all__ = ["augmented", "change"]
