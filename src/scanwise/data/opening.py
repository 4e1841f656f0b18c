"""Opening whatever holds a data set, and reading the one signal to scan."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scanwise.data import array, audio, image
from scanwise.data.archive import load_npz
from scanwise.data.array import as_signal, image_mode_of, read_npy
from scanwise.data.audio import read_audio
from scanwise.data.clips import ClipRule
from scanwise.data.dataset import PLURAL, Dataset, ImageMode, Kind, OnError, require_finite, require_kind
from scanwise.data.folder import load_folder
from scanwise.data.image import read_image
from scanwise.data.options import check_input_shape, check_options
from scanwise.data.series import load_csv, read_trace
from scanwise.data.window import Window
from scanwise.errors import ArgumentError, DataError, FileError
from scanwise.paths import is_folder, require_file, require_path

FileKind = Literal["audio", "image", "npy", "trace"]


def kind_of(input_shape: tuple[int, ...], sample_rate: int | None) -> Kind:
    """What a model of this input takes: images have three axes; audio is a series with a sample rate."""
    if len(input_shape) == 3:
        return "image"
    return "audio" if sample_rate is not None else "series"


def signal_endings(kind: Kind) -> tuple[str, ...]:
    """The endings of files that hold a signal of a kind."""
    own = {"audio": audio.EXTENSIONS, "image": image.EXTENSIONS, "series": (".csv",)}[kind]
    return (*own, *array.EXTENSIONS)


def open_dataset(
    path: str | Path,
    *,
    input_shape: tuple[int, ...] | None = None,
    window: Window | None = None,
    sample_rate: int | None = None,
    image_mode: ImageMode | None = None,
    labels: tuple[str, ...] | None = None,
    clips: ClipRule = "windows",
    on_error: OnError = "fatal",
    part: str = "train",
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    r"""Open a labelled data set: a folder with one sub-folder per label, a `.npz`, or a `.csv`.

    Args:
        path: the folder or file.
        input_shape: a model's (C, T) or (C, H, W): the data must be of its kind and channels, and is cropped
            or padded to its extent. None takes kind and window from the data.
        window: seconds of audio, elements of a series, (rows, columns) of an image; None chooses it by the
            window rule. Not together with `input_shape`.
        sample_rate: Hz that audio is resampled to; None takes that of most files.
        image_mode: "L" or "RGB"; None takes it from the files.
        labels: a model's labels; None takes those that occur, at least two, sorted (numbers by value).
        clips: of a folder, see `load_folder`.
        on_error: "fatal" raises at the first file or row that cannot be read; "skip" leaves it out.
        part: of a `.npz` with `x_train`, `x_test`: "train" or "test".
        progress: is called with (files read, files in all) while a folder is read.

    Returns:
        The data set.

    Raises:
        FileError: the path does not exist.
        ArgumentError: the path is none of these, or an option does not fit the kind of data.
        DataError: the content does not fit; the message names the file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "series.csv"
        ...     _ = path.write_text("0,1,0,pulse\n0,0,0,flat\n")
        ...     data = open_dataset(path)
        >>> data.labels, data.x.shape
        (('flat', 'pulse'), (2, 1, 3))
    """
    check_options(
        window=window,
        sample_rate=sample_rate,
        image_mode=image_mode,
        labels=labels,
        on_error=on_error,
        part=part,
    )
    path = require_path(path, "DATA")
    kind: Kind | None = None
    if input_shape is not None:
        kind, window, mode = taken_by(input_shape, sample_rate)
        image_mode = image_mode or mode
    dataset: Dataset
    folder = is_folder(path)
    if not os.path.lexists(path):
        raise FileError(f"DATA must be an existing folder or file. Got {path}, which does not exist.")
    if not folder:
        require_file(path, "DATA")
    if folder:
        dataset = load_folder(
            path,
            kind=kind,
            window=window,
            sample_rate=sample_rate,
            image_mode=image_mode,
            labels=labels,
            clips=clips,
            on_error=on_error,
            progress=progress,
        )
    elif path.suffix.lower() == ".npz":
        dataset = load_npz(
            path, kind=kind, window=window, image_mode=image_mode, labels=labels, on_error=on_error, part=part
        )
    elif path.suffix.lower() == ".csv":
        dataset = load_csv(path, window=window, labels=labels, on_error=on_error)
    else:
        raise ArgumentError(
            f"DATA must be a folder, a .npz or a .csv file, or labels that `open_labels` reads. Got {path}."
        )
    require_kind(dataset.kind, kind, str(path))
    if input_shape is not None:
        require_input_shape(dataset, input_shape, path)
    if sample_rate is not None and dataset.kind != "audio":
        raise ArgumentError(f"sample_rate must be left out for {PLURAL[dataset.kind]}. Got {sample_rate}.")
    return dataset


def taken_by(input_shape: tuple[int, ...], sample_rate: int | None) -> tuple[Kind, Window, ImageMode | None]:
    """The kind of signal, window and image mode that a model of this input takes."""
    check_input_shape(input_shape)
    kind = kind_of(input_shape, sample_rate)
    if kind == "image":
        return kind, (input_shape[1], input_shape[2]), image_mode_of(input_shape[0])
    return kind, input_shape[-1] / float(sample_rate or 1) if kind == "audio" else input_shape[-1], None


def require_input_shape(dataset: Dataset, input_shape: tuple[int, ...], path: Path) -> None:
    """Raise DataError unless the samples have the channels that a model takes; their extent is made to fit."""
    if dataset.input_shape != tuple(input_shape):
        raise DataError(
            f"{path} must have {input_shape[0]} channels, as the model takes. Got {dataset.input_shape[0]}."
        )


def read_signal(
    path: str | Path,
    *,
    input_shape: tuple[int, ...],
    sample_rate: int | None = None,
    image_mode: ImageMode | None = None,
    finite: bool = True,
) -> NDArray[Any]:
    """Read one file as a signal for a model that takes `input_shape`; its extent may be any.

    Args:
        path: audio for a model with a sample rate; an image or a `.npy` for (C, H, W); a `.npy` or `.csv`
            (a column a channel, a row a time step) for (C, T).
        input_shape: the model's (C, T) or (C, H, W).
        sample_rate: the model's, in Hz, for audio.
        image_mode: the model's, for images; None follows the channels.
        finite: whether NaN and infinity are refused. A CSV never holds them.

    Returns:
        (C, T) or (C, H, W), float32 or uint8; a `.npy` is mapped, not read.

    Raises:
        FileError: no such file.
        DataError: not of the model's kind, wrong channels, not readable, NaN or infinity where `finite`.
    """
    path = checked_file(path, input_shape, sample_rate, image_mode)
    kind = file_kind(path, input_shape, sample_rate)
    signal: NDArray[Any]
    if kind == "audio":
        signal = read_audio(path, sample_rate, finite=finite)
    elif kind == "image":
        signal = read_image(path, image_mode or ("RGB" if input_shape[0] == 3 else "L"))
    elif kind == "npy":
        if len(input_shape) == 3:
            image_mode = image_mode or image_mode_of(input_shape[0])
        signal = as_signal(read_npy(path), str(path), image_mode)
        if finite:
            require_finite(signal, str(path))
    else:
        signal = read_trace(path, input_shape[0])
    require_shape(path, signal.shape, input_shape)
    if signal.dtype not in array.NATIVE_TYPES:
        signal = signal.astype(np.float32)
    return signal


def checked_file(
    path: str | Path, input_shape: tuple[int, ...], sample_rate: int | None, image_mode: ImageMode | None
) -> Path:
    """The path of an existing file, with options that fit a signal."""
    check_options(sample_rate=sample_rate, image_mode=image_mode)
    check_input_shape(input_shape)
    path = require_path(path, "FILE")
    require_file(path, "FILE")
    return path


def file_kind(path: Path, input_shape: tuple[int, ...], sample_rate: int | None) -> FileKind:
    """How a file is read for a model that takes `input_shape`; DataError if the model takes something else."""
    kind, suffix = kind_of(input_shape, sample_rate), path.suffix.lower()
    if suffix in array.EXTENSIONS:
        return "npy"
    if kind == "audio" and suffix in audio.EXTENSIONS:
        return "audio"
    if kind == "image" and suffix in image.EXTENSIONS:
        return "image"
    if kind == "series" and suffix == ".csv":
        return "trace"
    raise DataError(
        f"{path} must be {', '.join(signal_endings(kind))}: the model takes {PLURAL[kind]}. "
        f"Got {suffix or 'no extension'}."
    )


def require_shape(path: Path, shape: tuple[int, ...], input_shape: tuple[int, ...]) -> None:
    """Raise DataError unless a signal has the axes and channels of `input_shape`."""
    if len(shape) != len(input_shape) or shape[0] != input_shape[0]:
        raise DataError(
            f"{path} must have {len(input_shape)} axes and {input_shape[0]} channels, as the model takes. "
            f"Got shape {shape}."
        )
