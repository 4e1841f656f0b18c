"""Arguments and options of the commands: their choices and what `--help` says of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OptimizerName(StrEnum):
    """Choices of `--optimizer`."""

    adamw = "adamw"
    sgd = "sgd"


class OnErrorName(StrEnum):
    """Choices of `--on-error`."""

    fatal = "fatal"
    skip = "skip"


class ImageModeName(StrEnum):
    """Choices of `--image-mode`."""

    grey = "grey"
    rgb = "rgb"


class SampleName(StrEnum):
    """Choices of `--dtype`."""

    uint8 = "uint8"
    int16 = "int16"
    int24 = "int24"
    int32 = "int32"
    float32 = "float32"
    float64 = "float64"


class LossName(StrEnum):
    """Choices of `--loss`."""

    auto = "auto"
    cross_entropy = "cross_entropy"
    binary_cross_entropy = "binary_cross_entropy"


class LabelKindName(StrEnum):
    """Choices of `--labels`."""

    folder = "folder"
    table = "table"
    audacity = "audacity"
    raven = "raven"
    coco = "coco"
    voc = "voc"


class ClipsName(StrEnum):
    """Choices of `--clips`."""

    auto = "auto"
    windows = "windows"
    whole = "whole"
    mixed = "mixed"


class BackendName(StrEnum):
    """Choices of `--backend`."""

    native = "native"
    reference = "reference"


_DATA_HELP = (
    "A folder with one sub-folder per label (WAV, FLAC, OGG, PNG, JPEG, TIFF, .npy), labels of another kind "
    "(see --labels), a .npz with x and y, or a CSV with one series per row (label: the column headed 'label', else "
    "the last one). The label 'background' or 'none' stands for everything that 'scan' should not report."
)
DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help=_DATA_HELP)]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A model that 'scanwise train' saved.")]
LabelKindOption = Annotated[
    LabelKindName | None,
    typer.Option(
        "--labels",
        help="How labels are kept: sub-folders, a table (CSV or Parquet with file,label or "
        "file,start_time,end_time,label), label tracks of Audacity or selection tables of Raven beside the recordings, "
        "COCO's JSON, Pascal VOC's XML.  [default: found out by looking]",
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Where the labelled files are, if not beside the labels."
    ),
]
ColumnOption = Annotated[
    str | None,
    typer.Option("--label-column", metavar="NAME", help="The column of labels, if it is called otherwise."),
]
EncodingOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of label files, such as latin-1.  [default: utf-8]")
]
LossOption = Annotated[
    LossName,
    typer.Option(
        help="One of several labels a sample (cross_entropy), or a probability for each label by itself, so that none "
        "of them is an answer.  [default: the latter where there are places, several labels a file, or background]",
        show_default=False,
    ),
]
BackgroundOption = Annotated[
    float, typer.Option(min=0, help="Windows from the gaps for each window about an event.")
]
CutOption = Annotated[
    float, typer.Option(min=0, help="Windows that hold only a part of an event, for each window about one.")
]
UnlabelledOption = Annotated[
    bool, typer.Option("--unlabelled", help="Take files that have no labels for background.")
]
OnErrorOption = Annotated[
    OnErrorName,
    typer.Option("--on-error", help="What a file that cannot be read does: end the run, or be left out."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
BackendOption = Annotated[
    BackendName,
    typer.Option("--backend", help="Compiled code, or the plain loops that define every layer (slow)."),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        help="Smallest probability of a detection.  [default: what 'scanwise calibrate' set for each label, else 0.5]"
    ),
]

# Of `train`.
TrainDataArgument = Annotated[
    Path | None, typer.Argument(metavar="DATA", help=_DATA_HELP, show_default=False)
]
WindowOption = Annotated[
    str | None,
    typer.Option(
        metavar="EXTENT",
        help="Window: seconds of audio, elements of a series, HxW pixels. Longer clips are cropped to it (unless they "
        "stay whole, see --clips), shorter ones padded with zeros, both about their centre.  [default: what 95 % of "
        "the clips fit into]",
    ),
]
ClipsOption = Annotated[
    ClipsName,
    typer.Option(
        help="Each file as windows of one size, whole at its own length (for networks that end in Aggregate, such as "
        "tdnn), or mixed: windows where places are known, other files whole. auto: whole or mixed where windows would "
        "lose or waste much, and the network pads nowhere.",
    ),
]
SampleRateOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="HZ", help="Resample audio to this.  [default: that of most files]"),
]
ImageModeOption = Annotated[
    ImageModeName | None,
    typer.Option(help="Take images in grey or in colour.  [default: rgb if any image has colour]"),
]
FindRateOption = Annotated[
    bool,
    typer.Option("--find-lr", help="Find the largest learning rate of the cycle by trying, before training."),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keep how far the training has come, every 30 seconds: killed or interrupted at any moment, the same "
        "command goes on from there, to the same model. FILE is removed when the model is saved.",
    ),
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Train as MODEL was trained, on the same data unless DATA is given: the same parameters, bit for bit.",
    ),
]
AugmentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--augment",
        metavar="AUGMENTATION",
        help="Change samples at random, anew in every epoch, such as 'TimeShift(800)', 'AddNoise((5, 20), p=0.5)', "
        "'MixBackground(\"noise/\", snr=(0, 15))', 'Rotate(10)' (docs/augmentation.md). May be given several "
        "times, one after another. Units are those of the data.",
        show_default=False,
    ),
]
HistoryFileOption = Annotated[
    Path | None,
    typer.Option(
        "--history", metavar="JSONL", help="Write each epoch as a line of JSON when it ends, to be followed."
    ),
]
HistoryPlotOption = Annotated[
    Path | None,
    typer.Option(metavar="PNG", help="Draw losses, accuracies and learning rate (needs scanwise[plot])."),
]
