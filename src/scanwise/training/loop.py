"""`fit`: epochs, validation, callbacks, progress, Ctrl-C."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, DivergedError
from scanwise.initialization import check_seed
from scanwise.inputs import check_loss
from scanwise.model import Model
from scanwise.training.callbacks import Callback
from scanwise.training.history import Epoch, History
from scanwise.training.interruption import remembered
from scanwise.training.optimizers import SGD, AdamW, Optimizer
from scanwise.training.program import Program
from scanwise.training.progress import ProgressBar
from scanwise.training.samples import Samples, evaluate, training_samples
from scanwise.training.schedules import learning_rates

CallbackFunction = Callable[[Model, History], bool | None]

_SLICE_SECONDS = 0.2  # of native code between two looks at Ctrl-C and the progress bar
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

    Args:
        model: the model to train.
        x: samples `(N, *input_shape)`: an array, a `numpy.memmap` (uint8, int16, float32 or float64, C-contiguous; read
            as needed, never whole), or a data set from `scanwise.data`. uint8 is taken as 0..1. Or a list of signals
            `(C, T)` or `(C, H, W)` of unequal sizes, for a network that takes them (as `Model.presence` does): each is
            labelled as a whole, none is padded, and memory does not grow with the longest.
        y: targets, one for each sample: label numbers for `"cross_entropy"`, values of the output's shape for the
            others. None if `x` is a data set.
        epochs: times that every sample is used, at least 1.
        batch_size: samples per optimizer step, at least 1; the last step of an epoch may have fewer.
        optimizer: `SGD(...)` or `AdamW(...)`.
        loss: `"cross_entropy"` (one label per sample), `"binary_cross_entropy"` (several at once) or `"mse"`.
        validation_data: `(x, y)`, a data set, or the fraction of the samples to hold out.
        augment: not available yet; must be None.
        callbacks: `Callback`s such as `EarlyStopping`, or functions `(model, history) -> bool | None`; True ends the
            training.
        seed: of the samples' order, of the held-out fraction and of dropout.
        checkpoint: not available yet; must be None.
        progress: whether to show a progress bar if standard error is a terminal.

    Returns:
        The history: one dictionary per epoch.

    Raises:
        ArgumentError, ArgumentTypeError, ShapeError: an argument is not as stated.
        DataError: `x` holds NaN or infinity or nothing, or `y` one label only and the model is untrained.
        DivergedError: the loss became NaN or infinite. The model has the parameters of the epoch before.

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
    settings = _checked_settings(model, epochs, batch_size, optimizer, loss, seed, callbacks)
    for name, value in (("augment", augment), ("checkpoint", checkpoint)):
        if value is not None:
            raise ArgumentError(f"{name} must be None: it is not available yet. Got {value!r}.")
    train, validation = training_samples(model, x, y, loss, validation_data, settings.seed)
    history = History()
    with ProgressBar(wanted=bool(progress), epochs=epochs, samples=len(train.rows)) as bar:
        _Training(model, train, validation, settings, history, bar).run()
    return history


@dataclass(frozen=True)
class _Settings:
    epochs: int
    batch_size: int
    optimizer: Optimizer
    loss: str
    seed: int
    callbacks: tuple[Callback, ...]


class _Training:
    """One call of `fit`."""

    def __init__(
        self,
        model: Model,
        train: Samples,
        validation: Samples | None,
        settings: _Settings,
        history: History,
        bar: ProgressBar,
    ) -> None:
        self.model, self.train, self.validation = model, train, validation
        self.settings, self.history, self.bar = settings, history, bar
        self.batch_size = min(settings.batch_size, len(train.rows))
        self.steps = -(-len(train.rows) // self.batch_size)
        self.sizes = np.full(self.steps, self.batch_size)  # samples of each step
        self.sizes[-1] = len(train.rows) - (self.steps - 1) * self.batch_size
        self.program: Program | None = None
        self.interruptions: list[int] = []

    def run(self) -> None:
        self.model.loss = self.settings.loss
        with remembered() as self.interruptions:
            self._run()

    def _run(self) -> None:
        try:
            for callback in self.settings.callbacks:
                callback.begin(self.model, self.history)
            self.program = self._make_program()
            self.program.write_parameters(self.model.parameters)
            for epoch in range(self.settings.epochs):
                if self._epoch(self.program, epoch):
                    break
        except KeyboardInterrupt:
            self.history.interrupted = True
            self._take_what_there_is()
        for callback in self.settings.callbacks:
            callback.end(self.model, self.history)

    def _make_program(self) -> Program:
        settings = self.settings
        make: Callable[..., Program]
        if isinstance(self.train.x, list):
            from scanwise.training.presence_program import PresenceProgram

            make = functools.partial(PresenceProgram, backend=self.model.backend)
        elif self.model.backend == "reference":
            from scanwise.training.reference_program import ReferenceProgram

            make = ReferenceProgram
        else:
            from scanwise.training.native_program import NativeProgram

            make = NativeProgram
        return make(
            self.model.network,
            self.model.input_shape,
            loss=settings.loss,
            optimizer=settings.optimizer,
            batch_size=self.batch_size,
            seed=settings.seed,
        )

    def _epoch(self, program: Program, epoch: int) -> bool:
        """Train one epoch; True if a callback wants to stop."""
        start = time.perf_counter()
        rates = learning_rates(self.settings.optimizer.lr, epoch, self.settings.epochs, self.steps)
        order = self.train.shuffled(self.settings.seed, epoch)
        program.begin_epoch(self.train.x, self.train.y, order, rates)
        done = 0
        while done < self.steps:
            if self.interruptions:
                raise KeyboardInterrupt
            before, done = done, program.advance(_SLICE_SECONDS)
            self._check_losses(program.losses, before, done, epoch, rates)
            samples = int(self.sizes[:done].sum())
            rate = samples / max(time.perf_counter() - start, 1e-9)
            self.bar.show(epoch, samples, float(program.losses[:done].mean()), rate)
        seconds = time.perf_counter() - start
        self._take_parameters(program.read_parameters(), epoch, float(rates[-1]))
        self.history.append(self._row(program, float(rates[-1]), seconds))
        return self._call_back(program)

    def _row(self, program: Program, rate: float, seconds: float) -> Epoch:
        n = len(self.train.rows)
        row = {"loss": float(program.losses @ self.sizes) / n}
        hits = getattr(program, "correct", None)
        if self.settings.loss == "cross_entropy" and hits is not None:
            row["accuracy"] = float(hits.sum()) / n
        if self.validation is not None:
            score = evaluate(self.model, self.validation, self.settings.loss)
            row["validation_loss"] = score.loss
            if score.accuracy is not None:
                row["validation_accuracy"] = score.accuracy
        return {**row, "learning_rate": rate, "seconds": seconds}

    def _call_back(self, program: Program) -> bool:
        version = self.model.parameters.version
        # Every callback is asked, also after one has said stop.
        answers = [callback.epoch(self.model, self.history) for callback in self.settings.callbacks]
        if self.model.parameters.version != version:
            program.write_parameters(self.model.parameters)
        stop = any(answer is True for answer in answers)
        if stop and self.history.stopped is None:
            self.history.stopped = "a callback asked for it"
        return stop

    def _check_losses(
        self, losses: NDArray[np.float64], start: int, end: int, epoch: int, rates: NDArray[np.float32]
    ) -> None:
        finite = np.isfinite(losses[start:end])
        if not finite.all():
            step = start + int(np.argmin(finite))
            raise self._diverged(f"a loss of {losses[step]}", epoch, step, float(rates[step]))

    def _take_parameters(self, values: dict[str, NDArray[np.float32]], epoch: int, rate: float) -> None:
        for name, value in values.items():
            if not math.isfinite(np.vdot(value, value)) and not np.isfinite(value).all():
                raise self._diverged(f"a parameter {name!r} that is not finite", epoch, self.steps - 1, rate)
        self.model.parameters.update(values)

    def _take_what_there_is(self) -> None:
        if self.program is None:
            return
        values = self.program.read_parameters()
        if all(np.isfinite(value).all() for value in values.values()):
            self.model.parameters.update(values)

    def _diverged(self, what: str, epoch: int, step: int, rate: float) -> DivergedError:
        return DivergedError(
            f"training must stay finite. Got {what} in epoch {epoch + 1}, step {step + 1} of {self.steps}, "
            f"at learning rate {rate:g}; a smaller one usually helps."
        )


class _FunctionCallback(Callback):
    """A plain function as a callback."""

    def __init__(self, function: CallbackFunction) -> None:
        self._function = function

    def epoch(self, model: Model, history: History) -> bool | None:
        return self._function(model, history)


def _checked_settings(
    model: object,
    epochs: object,
    batch_size: object,
    optimizer: object,
    loss: object,
    seed: object,
    callbacks: Sequence[Callback | CallbackFunction],
) -> _Settings:
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    if not isinstance(optimizer, SGD | AdamW):
        raise ArgumentTypeError(f"optimizer must be SGD(...) or AdamW(...). Got {optimizer!r}.")
    if not isinstance(callbacks, Sequence):
        raise ArgumentTypeError(f"callbacks must be a sequence of Callbacks or functions. Got {callbacks!r}.")
    found: list[Callback] = []
    for callback in callbacks:
        if isinstance(callback, Callback):
            found.append(callback)
        elif callable(callback):
            found.append(_FunctionCallback(callback))
        else:
            raise ArgumentTypeError(f"callbacks must be Callbacks or functions. Got {callback!r}.")
    return _Settings(
        _positive("epochs", epochs),
        _positive("batch_size", batch_size),
        optimizer,
        check_loss(loss),
        check_seed(seed),
        tuple(found),
    )


def _positive(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"{name} must be a whole number. Got {value!r}.")
    if value < 1:
        raise ArgumentError(f"{name} must be at least 1. Got {value}.")
    return int(value)
