"""How the command line trains where the user does not say: batch, epochs, learning rate.

The numbers come from the Free Spoken Digit Dataset (2,430 clips, `tdnn` on `LogMel`) and MNIST (54,000 images,
`lenet5`); both reach their accuracy with margin, and a one-cycle schedule forgives a wrong guess better than a
constant rate does.
"""

from __future__ import annotations

import math

from scanwise.training import SGD, AdamW, OneCycle
from scanwise.training.optimizers import Optimizer

# A thousand steps train a small detector; fewer than 10 passes leave data unused, more than 100 only memorise them.
STEPS = 1000
FEWEST_EPOCHS, MOST_EPOCHS = 10, 100

# At least 20 steps an epoch where the data allow it; more than 64 samples a step gain no speed on these networks.
STEPS_PER_EPOCH = 20
SMALLEST_BATCH, LARGEST_BATCH = 8, 64

LEARNING_RATES = {"adamw": 0.002, "sgd": 0.05}


def choose_batch_size(samples: int) -> int:
    """Samples per step.

    Example:
        >>> choose_batch_size(100), choose_batch_size(2430)
        (8, 64)
    """
    return min(max(samples // STEPS_PER_EPOCH, SMALLEST_BATCH), LARGEST_BATCH)


def choose_epochs(samples: int, batch_size: int) -> int:
    """Times that every sample is used.

    Example:
        >>> choose_epochs(100, 8), choose_epochs(2430, 64), choose_epochs(60_000, 64)
        (77, 27, 10)
    """
    steps_per_epoch = math.ceil(samples / batch_size)
    return min(max(math.ceil(STEPS / steps_per_epoch), FEWEST_EPOCHS), MOST_EPOCHS)


def make_optimizer(name: str, learning_rate: float | None) -> Optimizer:
    """The optimizer of that name with a one-cycle schedule up to `learning_rate`."""
    schedule = OneCycle(LEARNING_RATES[name] if learning_rate is None else learning_rate)
    if name == "sgd":
        return SGD(schedule, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return AdamW(schedule)
