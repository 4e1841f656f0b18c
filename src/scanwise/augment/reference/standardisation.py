"""What `scanwise.augment.standardisation` does to a sample."""

from __future__ import annotations

import numpy as np

from scanwise.augment.draws import Draws
from scanwise.augment.reference.change import Array, change
from scanwise.augment.standardisation import _PerChannel


# y[c] = a[c] x[c] + b[c]
@change.register(_PerChannel)
def per_channel(augmentation: _PerChannel, x: Array, draws: Draws) -> Array:
    form = (-1,) + (1,) * (x.ndim - 1)
    a, b = (np.reshape(each, form) for each in (augmentation.factor, augmentation.offset))
    return np.asarray(a * x + b)
