"""The commands and their options. What they do is imported when they run, so that `--help` is fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanwise.cli.options import (
    BackendName,
    BackendOption,
    BackgroundOption,
    CheckpointOption,
    ColumnOption,
    CutOption,
    DataArgument,
    EdgeName,
    EdgeOption,
    EncodingOption,
    FilesArgument,
    FindRateOption,
    FolderOption,
    FormatOption,
    FromOption,
    HistoryPlotOption,
    ImageModeOption,
    JsonOption,
    LabelKindOption,
    LossName,
    LossOption,
    LowOption,
    MaxExtentOption,
    MergeOption,
    MinExtentOption,
    ModelArgument,
    NanName,
    NanOption,
    OnErrorName,
    OnErrorOption,
    OptimizerName,
    PlotOption,
    RestartOption,
    ResultOption,
    SampleName,
    SampleRateOption,
    StepOption,
    SupportOption,
    ThresholdOption,
    TrainDataArgument,
    UnlabelledOption,
    WindowOption,
)

# Plain text, without rich: help in a third of the time, and errors that fit one line.
app = typer.Typer(
    name="scanwise",
    help="Does this pattern occur anywhere in a signal, and where?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


data_app = typer.Typer(
    name="data",
    help="Look at labelled data.",
    no_args_is_help=False,
    rich_markup_mode=None,
)
app.add_typer(data_app)


@app.callback(invoke_without_command=True)
def _scanwise(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from scanwise import __version__

        typer.echo(f"scanwise {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command(short_help="Train a detector on labelled data, and save it.")
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
            help="mlp, lenet5, mnist-cnn, cifar-vgg, tdnn, ds-cnn, tdnn-1989, lecun-1989, lenet5-1998, auto (by the "
            "kind and size of the data), or a network file.",
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
    find_lr: FindRateOption = False,
    checkpoint: CheckpointOption = None,
    origin: FromOption = None,
    plot: HistoryPlotOption = None,
    loss: LossOption = LossName.auto,
    labels: LabelKindOption = None,
    folder: FolderOption = None,
    label_column: ColumnOption = None,
    encoding: EncodingOption = None,
    background: BackgroundOption = 1.0,
    cut: CutOption = 0.0,
    unlabelled: UnlabelledOption = False,
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
        again = as_before(origin, data, given, output=output, checkpoint=checkpoint)
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
        find_rate=find_lr,
        checkpoint=checkpoint,
        loss=loss.value,
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


@app.command("eval", short_help="Test a model on labelled data.")
def evaluate(
    model: ModelArgument,
    data: DataArgument,
    labels: LabelKindOption = None,
    folder: FolderOption = None,
    label_column: ColumnOption = None,
    encoding: EncodingOption = None,
    on_error: OnErrorOption = OnErrorName.fatal,
    backend: BackendOption = BackendName.native,
    json: JsonOption = False,
) -> None:
    """Test a model on labelled data: accuracy, confusion matrix, precision and recall of every label."""
    from scanwise.cli.evaluation import run_eval
    from scanwise.cli.labels import LabelOptions

    options = LabelOptions(None if labels is None else labels.value, folder, label_column, encoding)
    run_eval(model, data, options=options, on_error=on_error.value, backend=backend.value, as_json=json)


@app.command(short_help="Find where in whole files a model's patterns occur.")
def scan(
    model: ModelArgument,
    files: FilesArgument,
    threshold: ThresholdOption = 0.5,
    low: LowOption = None,
    merge: MergeOption = None,
    min_extent: MinExtentOption = None,
    max_extent: MaxExtentOption = None,
    support: SupportOption = False,
    step: StepOption = None,
    edge: EdgeOption = EdgeName.valid,
    nan: NanOption = NanName.error,
    format: FormatOption = None,  # noqa: A002
    output: ResultOption = None,
    restart: RestartOption = False,
    plot: PlotOption = None,
    backend: BackendOption = BackendName.native,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Find where in whole recordings, images or traces a model's patterns occur.

    The label 'background' or 'none' is never reported. A model without one takes every window for one of its labels.

    A file that cannot be scanned is named and does not stop the others; the exit code is 1.
    """
    from scanwise.cli.forms import ENDINGS
    from scanwise.cli.scanning import ScanRequest, run_scan

    form = "json" if json else format
    if form is None:
        form = ENDINGS.get("" if output is None else output.suffix.lower(), "table")
    request = ScanRequest(
        model=model,
        files=files,
        threshold=threshold,
        low=low,
        merge=merge,
        min_extent=min_extent,
        max_extent=max_extent,
        support=support,
        form=str(form),
        output=output,
        restart=restart,
        plot=plot,
        backend=backend.value,
        step=step,
        edge=edge.value,
        nan=nan.value,
    )
    raise typer.Exit(run_scan(request))


@app.command(short_help="Find a model's patterns in audio while it comes.")
def stream(
    model: ModelArgument,
    rate: Annotated[
        int | None, typer.Option(min=1, metavar="HZ", help="Of raw samples.  [default: the model's]")
    ] = None,
    dtype: Annotated[
        SampleName | None, typer.Option(help="Of raw samples, little-endian.  [default: int16]")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(min=1, help="Of raw samples; they are averaged.  [default: 1]")
    ] = None,
    threshold: ThresholdOption = 0.5,
    backend: BackendOption = BackendName.native,
    json: Annotated[bool, typer.Option("--json", help="Print each detection as a line of JSON.")] = False,
) -> None:
    """Find a model's patterns in audio on standard input, raw samples or WAV, and print each as soon as it is certain.

    A line has start and stop in seconds, label and probability. They are the lines that 'scan' would find in the whole.
    Ctrl-C, like the end of the input, ends the stream: what is left is printed. Example:

    ffmpeg -i SOURCE -f wav - | scanwise stream MODEL
    """
    from scanwise.cli.streaming import StreamRequest, run_stream

    request = StreamRequest(
        model=model,
        rate=rate,
        dtype=None if dtype is None else dtype.value,
        channels=channels,
        threshold=threshold,
        backend=backend.value,
        as_json=json,
    )
    run_stream(request)


@app.command(short_help="Show the layers of a model or a network file.")
def inspect(
    source: Annotated[
        Path, typer.Argument(metavar="MODEL|NETWORK.json", help="A saved model, or a network file.")
    ],
    input_shape: Annotated[
        str | None, typer.Option(metavar="CxT|CxHxW", help="Input of a network file, such as 1x28x28.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a model's or network's layers: shapes, parameters, operations, receptive field."""
    from scanwise.cli.inspection import run_inspect

    run_inspect(source, input_shape, as_json=json)


@app.command(short_help="Hide digits in photographs and find them again.")
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PNG", help="Where the picture is written.")
    ] = Path("scanwise-demo.png"),
    seed: Annotated[int, typer.Option(min=0, help="Of examples, first weights and hiding places.")] = 0,
    json: JsonOption = False,
) -> None:
    """Hide handwritten digits in two photographs and find them again (offline; needs scanwise[demo])."""
    from scanwise.cli.demo import run

    run(output, seed=seed, as_json=json)


@data_app.command(short_help="Say what was understood of labelled data, and what is wrong with them.")
def check(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder with one sub-folder per label, or labels of another kind (see --labels).",
        ),
    ],
    validation: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Validation data: files that are in both are found."),
    ] = None,
    labels: LabelKindOption = None,
    folder: FolderOption = None,
    label_column: ColumnOption = None,
    encoding: EncodingOption = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINDING",
            help="Leave out findings of this kind, such as overlap; several times for several.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what was understood of labelled data: labels, counts, durations, rates; and what is wrong with them.

    The exit code is 0 if nothing is wrong, and 1 if something is.
    """
    from scanwise.cli.data import run_check
    from scanwise.cli.labels import LabelOptions

    options = LabelOptions(None if labels is None else labels.value, folder, label_column, encoding)
    raise typer.Exit(run_check(data, validation, options, ignore or [], as_json=json))
