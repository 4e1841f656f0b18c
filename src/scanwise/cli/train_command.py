"""The command line of `scanwise train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanwise.cli.options import (
    AugmentOption,
    BackendName,
    BackendOption,
    BackgroundOption,
    CheckpointOption,
    ClipsName,
    ClipsOption,
    ColumnOption,
    CutOption,
    EncodingOption,
    FindRateOption,
    FolderOption,
    FromOption,
    HistoryFileOption,
    HistoryPlotOption,
    ImageModeOption,
    JsonOption,
    LabelKindOption,
    LossName,
    LossOption,
    OnErrorName,
    OnErrorOption,
    OptimizerName,
    SampleRateOption,
    TrainDataArgument,
    UnlabelledOption,
    WindowOption,
)

__all__ = ["train"]


def train(
    context: typer.Context,
    data: TrainDataArgument = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL", help="Where the model is saved.")
    ],
    network: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE.json",
            help="mlp, lenet5, mnist-cnn, cifar-vgg, vgg-bn, tdnn, tdnn-bn, ds-cnn, tdnn-1989, lecun-1989, "
            "lenet5-1998, auto (by the kind and size of the data), or a network file.",
        ),
    ] = "auto",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Times that every sample is used.  [default: by the number of samples]"),
    ] = None,
    validation: Annotated[
        str,
        typer.Option(
            metavar="DATA|FRACTION", help="Validation data, or the fraction to hold out; 0 for none."
        ),
    ] = "0.1",
    learning_rate: Annotated[
        float | None, typer.Option(help="Largest learning rate of the cycle.  [default: by the optimizer]")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples per step.  [default: by the number of samples]")
    ] = None,
    optimizer: Annotated[
        OptimizerName, typer.Option(help="How parameters follow the gradient.")
    ] = OptimizerName.adamw,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model, bit for bit.")] = 0,
    window: WindowOption = None,
    sample_rate: SampleRateOption = None,
    image_mode: ImageModeOption = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop after so many epochs without a better validation loss, and keep the best parameters.",
        ),
    ] = None,
    augment: AugmentOption = None,
    find_lr: FindRateOption = False,
    checkpoint: CheckpointOption = None,
    origin: FromOption = None,
    history: HistoryFileOption = None,
    plot: HistoryPlotOption = None,
    loss: LossOption = LossName.auto,
    labels: LabelKindOption = None,
    folder: FolderOption = None,
    label_column: ColumnOption = None,
    encoding: EncodingOption = None,
    background: BackgroundOption = 1.0,
    cut: CutOption = 0.0,
    unlabelled: UnlabelledOption = False,
    clips: ClipsOption = ClipsName.auto,
    on_error: OnErrorOption = OnErrorName.fatal,
    backend: BackendOption = BackendName.native,
    json: JsonOption = False,
) -> None:
    """Train a detector on labelled clips, images or series, and save it.

    Where labels have times or boxes, windows are cut about them, and background windows from the gaps.

    The model keeps its history and all that decided the training: 'inspect' shows it, --from trains so again.
    """
    from scanwise.cli.labels import LabelOptions
    from scanwise.cli.request import Request, as_before
    from scanwise.cli.training import run_train
    from scanwise.errors import ArgumentError

    if origin is not None:
        given = [name for name in context.params if _is_given(context, name)]
        again = as_before(origin, data, given, output=output, checkpoint=checkpoint, history=history)
        raise typer.Exit(run_train(again, as_json=json, plot=plot))
    if data is None:
        raise ArgumentError("DATA must be given, unless --from names a model. Got none.")
    request = Request(
        data=data,
        output=output,
        network=network,
        epochs=epochs,
        validation=validation,
        learning_rate=learning_rate,
        batch_size=batch_size,
        optimizer=optimizer.value,
        seed=seed,
        window=window,
        sample_rate=sample_rate,
        image_mode=None if image_mode is None else {"grey": "L", "rgb": "RGB"}[image_mode.value],
        patience=patience,
        on_error=on_error.value,
        backend=backend.value,
        augment=tuple(augment or ()),
        find_rate=find_lr,
        checkpoint=checkpoint,
        history=history,
        loss=loss.value,
        clips=clips.value,
        labels=LabelOptions(
            None if labels is None else labels.value,
            folder,
            label_column,
            encoding,
            background,
            unlabelled,
            cut,
        ),
    )
    raise typer.Exit(run_train(request, as_json=json, plot=plot))


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option is on the command line, rather than at its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
