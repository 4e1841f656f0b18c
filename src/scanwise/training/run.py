"""One call of `fit`: epochs, validation, callbacks, progress, Ctrl-C, check-points."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import DivergedError, FileError
from scanwise.model import Model
from scanwise.model_file import fingerprint
from scanwise.training.augmentation import seen_in_training
from scanwise.training.checkpoint import Keeper
from scanwise.training.checkpoint_file import Saved
from scanwise.training.divergence import where_it_diverged
from scanwise.training.history import Epoch, History
from scanwise.training.interruption import remembered
from scanwise.training.program import Program, make_program
from scanwise.training.progress import ProgressBar
from scanwise.training.samples import Samples, evaluate
from scanwise.training.schedules import learning_rates
from scanwise.training.settings import Settings

SLICE_SECONDS = 0.2  # of native code between two looks at Ctrl-C, the progress bar and the check-point


class Run:
    """Trains a model, from its present parameters or from a check-point."""

    def __init__(
        self,
        model: Model,
        train: Samples,
        validation: Samples | None,
        settings: Settings,
        history: History,
        bar: ProgressBar,
        keeper: Keeper,
    ) -> None:
        self.model, self.train, self.validation = model, train, validation
        self.settings, self.history, self.bar, self.keeper = settings, history, bar, keeper
        self.batch_size = min(settings.batch_size, len(train.rows))
        self.steps = -(-len(train.rows) // self.batch_size)
        self.sizes = np.full(self.steps, self.batch_size)  # samples of each step
        self.sizes[-1] = len(train.rows) - (self.steps - 1) * self.batch_size
        self.program: Program | None = None
        self.interruptions: list[int] = []
        self.epoch_starts = (
            0.0  # on the clock; earlier than it was by what was done of the epoch before an interruption
        )
        # The last moment between two epochs: the history and the callbacks' states; None while they change.
        self.between: tuple[dict[str, Any], tuple[Any, ...]] | None = None
        self.within: int | None = None  # the epoch that the program is in; None while that changes

    def run(self) -> None:
        """Train; the history and the model hold what came of it."""
        saved = self.keeper.saved
        self.model.loss = self.settings.loss
        if saved is not None and saved.finished:
            self.model.parameters.update(saved.parameters)
            self.history.take_json(saved.history)
            return
        with remembered() as self.interruptions:
            self._run(saved)

    def _run(self, saved: Saved | None) -> None:
        left = None
        try:
            self._begin(saved)
            for epoch in range(len(self.history), self.settings.epochs):
                if self._epoch(epoch):
                    break
        except KeyboardInterrupt:
            self.history.interrupted = True
            self._take_what_there_is()
            left = self._moment()  # before the callbacks end, which changes them
        except FileError:
            self._take_what_there_is()
            raise
        for callback in self.settings.callbacks:
            callback.end(self.model, self.history)
        if not self.history.interrupted:
            result = {name: np.asarray(value) for name, value in self.model.parameters.items()}
            self.keeper.keep(Saved({}, True, self.history.to_json(), result))
        elif left is not None:
            self.keeper.keep(Saved(**{**vars(left), "left": fingerprint(self.model)}))

    def _begin(self, saved: Saved | None) -> None:
        for callback in self.settings.callbacks:
            callback.begin(self.model, self.history)
        program = make_program(self.model, self.settings, self.batch_size, unequal=self.train.unequal)
        if saved is None:
            program.write_parameters(self.model.parameters)
        else:
            self.history.take_json(saved.history)
            for callback, state in zip(self.settings.deciding, saved.callbacks, strict=True):
                callback.restore(state)
            self.model.parameters.update(saved.parameters)
            program.write_parameters(self.model.parameters)
            program.restore(saved.program)
            self.within = len(self.history) if saved.within else len(self.history) - 1
            self.epoch_starts = time.perf_counter() - saved.seconds
        self._close()
        self.program = program
        if saved is None:
            self.keeper.keep(
                self._moment()
            )  # a place that cannot be written to is found now, not after hours

    # -- one epoch -------------------------------------------------------------------------------------------------

    def _epoch(self, epoch: int) -> bool:
        """Train one epoch, or what is left of it; True if a callback wants to stop."""
        program = self.program
        assert program is not None
        rates = learning_rates(self.settings.optimizer.lr, epoch, self.settings.epochs, self.steps)
        order = self.train.shuffled(self.settings.seed, epoch)
        done = self._begin_epoch(program, epoch, order, rates)
        while done < self.steps:
            if self.interruptions:
                raise KeyboardInterrupt
            done = program.advance(SLICE_SECONDS)
            if program.diverged:
                raise self._loss_diverged(program, epoch, done, rates, order)
            samples = int(self.sizes[:done].sum())
            rate = samples / max(time.perf_counter() - self.epoch_starts, 1e-9)
            self.bar.show(epoch, samples, float(program.losses[:done].mean()), rate)
            self.keeper.keep_if_due(self._moment)
        seconds = time.perf_counter() - self.epoch_starts
        self._take_parameters(program.read_parameters(), epoch, float(rates[-1]))
        row = self._row(program, float(rates[-1]), seconds)
        stop = self._call_back(program, row)
        if not stop:
            self.keeper.keep_if_due(self._moment)
        return stop

    def _begin_epoch(
        self, program: Program, epoch: int, order: NDArray[np.int64], rates: NDArray[np.float32]
    ) -> int:
        """Prepare an epoch unless all its steps are done, by an earlier run; the number of steps done."""
        begun = self.within == epoch
        done = int(program.state()["done"]) if begun else 0
        if not begun:
            self.epoch_starts = time.perf_counter()
        if done < self.steps:
            self.within = None
            program.begin_epoch(self.train.x, self.train.y, order, rates)
            self.within = epoch
        return done

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

    def _call_back(self, program: Program, row: Epoch) -> bool:
        self.history.append(row)
        version = self.model.parameters.version
        # Every callback is asked, also after one has said stop.
        answers = [callback.epoch(self.model, self.history) for callback in self.settings.callbacks]
        stop = any(answer is True for answer in answers)
        if stop and self.history.stopped is None:
            self.history.stopped = "a callback asked for it"
        if self.model.parameters.version != version:
            self.between = None
            program.write_parameters(self.model.parameters)
        self._close()
        return stop

    # -- moments to go on from -------------------------------------------------------------------------------------

    def _close(self) -> None:
        """The epochs in the history are done with everything."""
        self.between = None
        states = tuple(callback.state() for callback in self.settings.deciding) if self.keeper.wanted else ()
        self.between = self.history.to_json(), states

    def _moment(self) -> Saved | None:
        """The present moment, or None while something is half done."""
        if self.program is None or self.between is None:
            return None
        history, callbacks = self.between
        closed = len(history["epochs"])
        if self.within is None and closed + self._begun() > 0:
            return None
        within = self.within == closed
        return Saved(
            run={},
            finished=False,
            history=history,
            parameters=dict(self.program.read_parameters()),
            within=within,
            seconds=time.perf_counter() - self.epoch_starts if within else 0.0,
            program=self.program.state(),
            callbacks=callbacks,
        )

    def _begun(self) -> int:
        assert self.program is not None
        return int(self.program.state()["epochs"])

    # -- parameters and what is wrong with them --------------------------------------------------------------------

    def _take_parameters(self, values: dict[str, NDArray[np.float32]], epoch: int, rate: float) -> None:
        for name, value in values.items():
            if not math.isfinite(np.vdot(value, value)) and not np.isfinite(value).all():
                raise DivergedError(
                    f"training must stay finite. Got a parameter {name!r} that is not, after epoch {epoch + 1}, "
                    f"at learning rate {rate:g}; a smaller one usually helps."
                )
        self.model.parameters.update(values)

    def _take_what_there_is(self) -> None:
        if self.program is None:
            return
        values = self.program.read_parameters()
        if all(np.isfinite(value).all() for value in values.values()):
            self.model.parameters.update(values)

    def _loss_diverged(
        self,
        program: Program,
        epoch: int,
        step: int,
        rates: NDArray[np.float32],
        order: NDArray[np.int64],
    ) -> DivergedError:
        rows = order[step * self.batch_size : (step + 1) * self.batch_size]
        batch = self.train.gathered(rows)
        augment = self.settings.augment
        if augment is not None:
            seed, backend = self.settings.seed, self.model.backend
            seen = seen_in_training(augment, batch, seed=seed, epoch=epoch, samples=rows, backend=backend)
            batch = seen if self.train.unequal else np.stack(seen)
        where = where_it_diverged(self.model, program.read_parameters(), batch)
        return DivergedError(
            f"training must stay finite. Got a loss of {program.losses[step]} in epoch {epoch + 1}, step {step + 1} of "
            f"{self.steps}, at learning rate {rates[step]:g}; a smaller one usually helps, "
            f"such as find_learning_rate (--find-lr) suggests. {where}"
        )
