"""`fit`: trains a model on samples."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from scanwise.model import Model
from scanwise.training.augmentation import require_fitting
from scanwise.training.callbacks import Callback
from scanwise.training.checkpoint import Keeper, checked_checkpoint
from scanwise.training.description import describe, value_range
from scanwise.training.history import History
from scanwise.training.optimizers import SGD, Optimizer
from scanwise.training.progress import ProgressBar
from scanwise.training.run import Run
from scanwise.training.samples import training_samples
from scanwise.training.settings import CallbackFunction, checked_settings

_DEFAULT_OPTIMIZER = SGD(0.05, momentum=0.9)


def fit(
    model: Model,
    x: object,
    y: ArrayLike | None = None,
    *,
    epochs: int,
    batch_size: int = 128,
    optimizer: Optimizer = _DEFAULT_OPTIMIZER,
    loss: str = "cross_entropy",
    validation_data: object = None,
    augment: object = None,
    callbacks: Sequence[Callback | CallbackFunction] = (),
    seed: int = 0,
    checkpoint: object = None,
    progress: bool = True,
) -> History:
    """Train `model` in place.

    The same seed gives the same parameters, bit for bit, for every number of threads. Ctrl-C ends the training after
    the running step; the model then holds that step's parameters (or the best ones, with `EarlyStopping`).

    The model keeps the history, what decided the training, and the range of the samples' values: `model.history`,
    `model.training`, `model.input_range`.

    Args:
        model: the model to train.
        x: samples `(N, *input_shape)`: an array, a `numpy.memmap` (uint8, int16, float32 or float64, C-contiguous; read
            as needed, never whole), or a data set from `scanwise.data`. uint8 is taken as 0..1. Or signals `(C, T)` or
            `(C, H, W)` of unequal sizes, for a network that takes them (as `Model.presence` does): a list, or any
            sequence of arrays, which may read each when it is asked for. Each is labelled as a whole, none is padded.
        y: targets, one for each sample: label numbers for `"cross_entropy"`, values of the output's shape for the
            others. None if `x` is a data set.
        epochs: times that every sample is used, at least 1.
        batch_size: samples per optimizer step, at least 1; the last step of an epoch may have fewer.
        optimizer: `SGD(...)` or `AdamW(...)`.
        loss: `"cross_entropy"` (one label per sample), `"binary_cross_entropy"` (several at once) or `"mse"`.
        validation_data: `(x, y)`, a data set, or the fraction of the samples to hold out.
        augment: random changes of the samples, anew in every epoch: an `Augment`, one of the augmentations of
            `scanwise.augment`, or a list of them. What a sample becomes follows from `seed`, the epoch and the sample's
            place in `x`; `augment(x, seed=, epoch=, samples=)` shows it. Validation data stay as they are.
        callbacks: `Callback`s such as `EarlyStopping`, or functions `(model, history) -> bool | None`; True ends the
            training.
        seed: of the samples' order, of the held-out fraction, of dropout and of `augment`.
        checkpoint: a path or a `Checkpoint`, where the training keeps how far it has come, every 30 seconds by default
            and after Ctrl-C. The same call goes on from there, to the same end. See `Checkpoint`.
        progress: whether to show a progress bar if standard error is a terminal.

    Returns:
        The history: one dictionary per epoch.

    Raises:
        ArgumentError, ArgumentTypeError, ShapeError: an argument is not as stated.
        DataError: `x` holds NaN or infinity or nothing, or `y` one label only and the model is untrained.
        DivergedError: the loss became NaN or infinite; the message names the layer with the first value that is not
            finite. The model has the parameters of the epoch before, or of the check-point that was gone on from.
        CheckpointError: the check-point is not of this training, or damaged. It stays as it is.
        FileError: the check-point cannot be read or written (a full disk, say). The model has the parameters of the
            last step, and the check-point before stays usable.

    >>> import numpy as np, scanwise as sw
    >>> x = np.array([[0.0], [1.0]] * 8)
    >>> y = np.array([0, 1] * 8)
    >>> model = sw.Model(sw.Sequential(sw.Linear(2)), input_shape=(1,), backend="reference")
    >>> history = sw.fit(model, x, y, epochs=20, batch_size=4, optimizer=sw.SGD(0.5))
    >>> model(x[:2]).argmax(axis=1).tolist()
    [0, 1]

    Signals of unequal length, labelled by whether they contain a pulse:

    >>> random = np.random.default_rng(0)
    >>> signals = [0.1 * random.normal(size=(1, n)) for n in (90, 70, 120, 60, 100, 80)]
    >>> for signal in signals[::2]:
    ...     signal[:, 30:33] += 1
    >>> network = sw.Sequential(sw.Conv1d(4, 5), sw.Tanh(), sw.Aggregate("max"), sw.Linear(1))
    >>> model = sw.Model(network, input_shape=(1, 60))
    >>> history = sw.fit(model, signals, [1, 0] * 3, epochs=60, batch_size=3, loss="binary_cross_entropy")
    >>> (model.presence(signals).scores[:, 0] > 0).tolist()
    [True, False, True, False, True, False]
    """
    settings = checked_settings(model, epochs, batch_size, optimizer, loss, seed, callbacks, augment)
    place = checked_checkpoint(checkpoint)
    train, validation = training_samples(model, x, y, loss, validation_data, settings.seed)
    require_fitting(settings.augment, train.x)
    description = describe(model, train, validation, settings)
    keeper = Keeper(place, description, model)
    history = History()
    with ProgressBar(wanted=bool(progress), epochs=epochs, samples=len(train.rows)) as bar:
        Run(model, train, validation, settings, history, bar, keeper).run()
    model.history, model.training = tuple(history.to_json()["epochs"]), description
    model.input_range = value_range(train)
    return history
