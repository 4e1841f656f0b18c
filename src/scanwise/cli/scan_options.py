"""Options of `scanwise scan`: their choices and what `--help` says of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EdgeName(StrEnum):
    """Choices of `--edge`."""

    valid = "valid"
    pad = "pad"
    extend = "extend"


class NanName(StrEnum):
    """Choices of `--nan`."""

    error = "error"
    zero = "zero"
    skip = "skip"


class FormatName(StrEnum):
    """Choices of `--format`."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    audacity = "audacity"
    raven = "raven"
    coco = "coco"
    geojson = "geojson"


FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Signals of any size: audio, images, .npy, or CSV (a column a channel). A folder stands for all under "
        "it that the model can read. A file that is named twice is scanned once.",
    ),
]
LowOption = Annotated[
    float | None,
    typer.Option(
        help="Join neighbouring windows to one event that goes on while the probability reaches this, if it "
        "reaches the threshold somewhere."
    ),
]
MergeOption = Annotated[
    str | None,
    typer.Option(
        metavar="GAP",
        help="Join events of one label that are at most so far apart; 0: that touch or overlap. Seconds of audio, "
        "elements of a series, pixels or HxW of an image.",
    ),
]
MinExtentOption = Annotated[
    str | None,
    typer.Option(metavar="EXTENT", help="Leave out what is shorter or smaller; in the same units."),
]
MaxExtentOption = Annotated[
    str | None,
    typer.Option(metavar="EXTENT", help="Leave out what is longer or larger; in the same units."),
]
SupportOption = Annotated[
    bool,
    typer.Option(
        "--support", help="Find which part of the signal decided each score; told by json and jsonl."
    ),
]
StepOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Samples or pixels between neighbouring windows.  [default: the network's own stride]"
    ),
]
EdgeOption = Annotated[
    EdgeName,
    typer.Option(
        help="The last window: the last that fits, one more filled up with zeros, or one more that ends with the "
        "signal, where the end is not covered otherwise."
    ),
]
NanOption = Annotated[
    NanName,
    typer.Option(
        help="What a value that is not finite does: end the run, be taken as zero, or leave out the windows that "
        "hold it."
    ),
]
FormatOption = Annotated[
    FormatName | None,
    typer.Option(
        "--format",
        help="Of the result; audacity, raven: of recordings; coco, geojson: of images.  [default: by OUT's ending, "
        ".csv, .json, .jsonl or .geojson, else table]",
    ),
]
ResultOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Write the result to a file. Of several files, OUT.journal keeps what is finished until then: after "
        "an interruption the same command goes on from there.",
    ),
]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Throw OUT.journal away, and scan all files again.")
]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        metavar="PNG",
        help="Draw the signal, the probabilities and what was found (of one file; needs scanwise[plot]).",
    ),
]
