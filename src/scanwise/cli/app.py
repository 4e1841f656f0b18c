"""The commands and their options. What they do is imported when they run, so that `--help` is fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanwise.cli.data_command import data_app
from scanwise.cli.eval_command import calibrate, evaluate
from scanwise.cli.options import (
    BackendName,
    BackendOption,
    JsonOption,
    ModelArgument,
    SampleName,
    ThresholdOption,
)
from scanwise.cli.scan_options import (
    EdgeName,
    EdgeOption,
    FilesArgument,
    FormatOption,
    LowOption,
    MaxExtentOption,
    MergeOption,
    MinExtentOption,
    NanName,
    NanOption,
    PlotOption,
    RestartOption,
    ResultOption,
    StepOption,
    SupportOption,
)
from scanwise.cli.train_command import train

# Plain text, without rich: help in a third of the time, and errors that fit one line.
app = typer.Typer(
    name="scanwise",
    help="Does this pattern occur anywhere in a signal, and where?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
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


app.command(short_help="Train a detector on labelled data, and save it.")(train)


app.command("eval", short_help="Test a model on labelled data.")(evaluate)
app.command(short_help="Set thresholds that keep a promise on labelled data.")(calibrate)


@app.command(short_help="Find where in whole files a model's patterns occur.")
def scan(
    model: ModelArgument,
    files: FilesArgument,
    threshold: ThresholdOption = None,
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
    threshold: ThresholdOption = None,
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
    history: Annotated[
        bool, typer.Option("--history", help="Print the model's training alone, a line of JSON an epoch.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show a model's or network's layers: shapes, parameters, operations, receptive field."""
    from scanwise.cli.inspection import run_inspect, run_inspect_history

    if history:
        run_inspect_history(source)
    else:
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
