"""The command line of `scanwise data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanwise.cli.options import (
    ColumnOption,
    EncodingOption,
    FolderOption,
    JsonOption,
    LabelKindOption,
)

__all__ = ["data_app"]

data_app = typer.Typer(
    name="data",
    help="Look at labelled data.",
    no_args_is_help=False,
    rich_markup_mode=None,
)


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
