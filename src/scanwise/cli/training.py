"""`scanwise train`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal, cast

from scanwise import models
from scanwise.augment import Augment
from scanwise.cli.augmentation import read_augment, with_backgrounds
from scanwise.cli.clips import padded_for
from scanwise.cli.console import print_json, say
from scanwise.cli.history_picture import draw_history, require_plot
from scanwise.cli.network_file import read_network
from scanwise.cli.recipe import choose_batch_size, choose_epochs, make_optimizer
from scanwise.cli.request import Request, say_differences
from scanwise.cli.standardisation import Standardisation
from scanwise.cli.training_data import open_training, validation_fraction
from scanwise.cli.training_report import (
    describe,
    epochs_text,
    labels_of,
    network_name,
    parameter_count,
    result_of,
    size_of,
    summary_of,
)
from scanwise.cli.writable import require_writable
from scanwise.data import Dataset
from scanwise.errors import ArgumentError, ShapeError
from scanwise.layers import Sequential
from scanwise.model import Model
from scanwise.training import Callback, EarlyStopping, History, HistoryFile, find_learning_rate, fit

INTERRUPTED = 130


def run_train(request: Request, *, as_json: bool, plot: Path | None = None) -> int:
    """Read the data, train, save; the exit code."""
    inputs = [request.data]
    if validation_fraction(request.validation) is None:
        inputs.append(Path(request.validation))
    described = request.described
    if described is None and request.network.endswith(".json"):
        inputs.append(Path(request.network))
        described = read_network(Path(request.network))
    _require_places(request, plot, inputs)
    augment = read_augment(request.augment)
    training, validation = open_training(request, described)
    augment = with_backgrounds(augment, training)
    standardisation = Standardisation.of(training) if described is None else None
    model = _model(request, training, described)
    training = padded_for(model.network, training)
    validation = padded_for(model.network, validation) if isinstance(validation, Dataset) else validation
    say(f"{describe(training)}; {'no validation' if validation is None else size_of(validation, training)}")
    say(labels_of(training))
    say(f"network {network_name(request, training)}: {parameter_count(model):,} parameters")
    if request.checkpoint is not None and request.checkpoint.exists():
        say(f"going on from {request.checkpoint}")
    started = time.perf_counter()
    history = _fit(request, model, training, validation, standardisation, augment)
    seconds = time.perf_counter() - started
    going_on = f"; the same command goes on from {request.checkpoint}" if request.checkpoint else ""
    if history.interrupted and not history:
        say(f"interrupted before the first epoch was done: {request.output} is not written{going_on}")
        return INTERRUPTED
    if standardisation is not None:
        model = standardisation.into(model)
    say_differences(request, model)
    model.training = {**(model.training or {}), "command": request.as_json()}
    model.save(request.output)
    if plot is not None:
        draw_history(plot, history, title=str(request.output))
    if request.checkpoint is not None and not history.interrupted:
        request.checkpoint.unlink(missing_ok=True)  # the model has it all
    result = result_of(request, training, model, history, seconds)
    if as_json:
        print_json(result)
    else:
        print(summary_of(result))
    if history.interrupted:
        say(
            f"interrupted after {epochs_text(len(history))}; the model so far is saved in {request.output}{going_on}"
        )
        return INTERRUPTED
    return 0


def _require_places(request: Request, plot: Path | None, inputs: list[Path]) -> None:
    """Raise now, rather than after minutes of training, where something cannot be written."""
    require_writable(request.output, *inputs)
    if request.origin is not None:
        require_writable(request.output, request.origin)
    if request.checkpoint is not None:
        require_writable(request.checkpoint, request.output, *inputs, name="checkpoint")
        if request.checkpoint == request.output:
            raise ArgumentError(
                f"checkpoint must be another file than output. Got {request.output} for both."
            )
    if request.history is not None:
        require_writable(request.history, request.output, *inputs, name="history")
        if request.history in (request.output, request.checkpoint):
            raise ArgumentError(
                f"history must be another file than output and checkpoint. Got {request.history} for both."
            )
    if plot is not None:
        require_plot(plot)
        require_writable(plot, request.output, *inputs, name="plot")


def _model(request: Request, data: Dataset, described: Sequential | None) -> Model:
    classes = len(data.labels)
    network = described
    if network is None:
        network = models.get(request.network, data.input_shape, classes, sample_rate=data.sample_rate)
    backend = cast("Literal['native', 'reference']", request.backend)
    model = Model(network, data.input_shape, seed=request.seed, backend=backend)
    if model.output_shape != (classes,):
        raise ShapeError(
            f"network must give one score for each of the {classes} labels. Got output shape {model.output_shape}.\n"
            f"{model.summary()}"
        )
    return model


def _fit(
    request: Request,
    model: Model,
    training: Dataset,
    validation: Dataset | float | None,
    standardisation: Standardisation | None,
    augment: Augment | None,
) -> History:
    if standardisation is not None:
        augment = standardisation.apply_to(augment)
        training = standardisation.apply(training)
        validation = standardisation.apply(validation) if isinstance(validation, Dataset) else validation
    samples = len(training) if not isinstance(validation, float) else round(len(training) * (1 - validation))
    batch_size = choose_batch_size(samples) if request.batch_size is None else request.batch_size
    rate = request.learning_rate
    if request.find_rate:
        optimizer = make_optimizer(request.optimizer, None)
        rate = find_learning_rate(
            model,
            training,
            batch_size=batch_size,
            optimizer=optimizer,
            loss=_loss(training),
            augment=augment,
            seed=request.seed,
        ).suggestion
        say(f"learning rate {rate:.3g}, found by trying")
    callbacks: list[Callback] = [] if request.patience is None else [EarlyStopping(request.patience)]
    written = None if request.history is None else HistoryFile(request.history)
    history = fit(
        model,
        training,
        epochs=choose_epochs(samples, batch_size) if request.epochs is None else request.epochs,
        batch_size=batch_size,
        optimizer=make_optimizer(request.optimizer, rate),
        loss=_loss(training),
        validation_data=validation,
        augment=augment,
        callbacks=callbacks if written is None else [*callbacks, written],
        seed=request.seed,
        checkpoint=request.checkpoint,
    )
    if written is not None:
        written.write(history)  # where the check-point was of a training at its end, no epoch was
    return history


def _loss(data: Dataset) -> str:
    """One sigmoid per label where samples may have several labels, or none."""
    return "binary_cross_entropy" if data.y.ndim == 2 else "cross_entropy"
