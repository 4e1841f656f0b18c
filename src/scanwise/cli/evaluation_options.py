"""Options of `eval` and `calibrate`: how detections are found and told apart from false alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "EvalPlotOption",
    "EvalThresholdOption",
    "HourOption",
    "LevelOption",
    "LowWindowOption",
    "MegapixelOption",
    "ModelOutputOption",
    "OverlapOption",
    "PrecisionOption",
    "ScanStepOption",
    "TemperatureOption",
    "ToleranceOption",
]

ToleranceOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="A detection is of an event if its middle is in it or at most so far beside it: seconds of audio, "
        "elements of a series, pixels.  [default: a quarter of the window]",
    ),
]
OverlapOption = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Instead: if what both have in common is at least this share of what they cover together.",
    ),
]
ScanStepOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Samples or pixels between the windows of whole files.  [default: the network's own stride]",
    ),
]
LowWindowOption = Annotated[
    float | None,
    typer.Option("--low", help="Join neighbouring windows of whole files, as 'scan --low' does."),
]
EvalThresholdOption = Annotated[
    float | None,
    typer.Option(
        help="Probability from which on a label counts as there.  [default: what the model was calibrated to, else 0.5]"
    ),
]
EvalPlotOption = Annotated[
    Path | None,
    typer.Option(
        metavar="PNG",
        help="Draw the detection-error trade-off: miss rate against false alarms (needs scanwise[plot]).",
    ),
]
HourOption = Annotated[
    float | None,
    typer.Option(
        "--false-alarms-per-hour", metavar="N", help="At most so many in recordings, for each label."
    ),
]
MegapixelOption = Annotated[
    float | None,
    typer.Option(
        "--false-alarms-per-megapixel", metavar="N", help="At most so many in images, for each label."
    ),
]
PrecisionOption = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        help="At least this share of what is found is right: of detections where places are known, else of clips.",
    ),
]
LevelOption = Annotated[
    float, typer.Option(metavar="P", help="Probability of the intervals that are stated and stored.")
]
TemperatureOption = Annotated[
    bool,
    typer.Option(
        "--temperature", help="First fit a temperature, so that probabilities are as sure as right."
    ),
]
ModelOutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OTHER",
        help="Write the model there.  [default: MODEL itself]",
        show_default=False,
    ),
]
