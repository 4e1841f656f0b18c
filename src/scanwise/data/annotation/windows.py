"""Data sets for training from a collection: windows about events and from gaps, or whole clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.annotation.collection import (
    AnnotatedFile,
    Collection,
    is_background,
    require_collection,
)
from scanwise.data.annotation.cutting import fill
from scanwise.data.annotation.gaps import Extent, Place, Surface, about, draw_background, draw_cut, presence
from scanwise.data.annotation.usable import check_drawing, require_both, usable_files
from scanwise.data.clips import ClipMode, ClipRule, Clips, Surveyed, settled_mode
from scanwise.data.dataset import Dataset, ImageMode, Kind, OnError, Skipped
from scanwise.data.folder import Reader, reader_for
from scanwise.data.options import check_options
from scanwise.data.window import Window, choose_extent, empty_windows
from scanwise.errors import ArgumentError, DataError

__all__ = ["windows_from"]


def windows_from(
    collection: Collection,
    window: Window | None = None,
    *,
    background: float = 1.0,
    cut: float = 0.0,
    unlabelled: bool = False,
    seed: int = 0,
    kind: Kind | None = None,
    sample_rate: int | None = None,
    image_mode: ImageMode | None = None,
    labels: tuple[str, ...] | None = None,
    clips: ClipRule = "windows",
    on_error: OnError = "fatal",
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    r"""Make a data set with one 0 or 1 per label, for `loss="binary_cross_entropy"`.

    Where places are known, windows are cut about the events, centred on each, and background windows from the gaps.
    A window contains an event if it holds at least half of it, or is filled with it by half; background windows from
    the gaps overlap no event, and all targets of background are 0. A file of which it is only known that it contains
    something gives no window, but with `clips="mixed"` it is a sample as long as it is. Where no places are known,
    every file is one window, cropped or padded to it about its centre.

    Args:
        collection: what `open_labels` gives.
        window: seconds of audio, elements of a series, (rows, columns) of an image; None chooses what 95 % of the
            events, or of the clips, fit into.
        background: background windows from the gaps for every window about an event, as far as there are places.
        cut: windows for every window about an event that hold between a tenth and two fifths of an event at their
            edge, and so contain none: background too.
        unlabelled: whether files of which nothing is said count as background.
        seed: of the choice of background windows and of cut ones.
        kind: "audio", "image" or "series" that a model takes; other kinds are refused.
        sample_rate: Hz that audio is resampled to; None takes that of most files.
        image_mode: "L" or "RGB"; None takes RGB if any file has colour.
        labels: a model's labels; None takes those that occur.
        clips: "windows"; "whole": every file is one sample, as long as it is, by its labels, for a network that takes
            any extent; "mixed": where places are known windows are cut, and other files stay whole. Or a function that
            decides when lengths are known.
        on_error: "fatal" raises at the first label or file that cannot be used; "skip" leaves it out.
        progress: is called with (files read, files in all).

    Returns:
        The data set: x (N, C, T) or (N, C, H, W), or `Clips`; y (N, K) float32, in the order of files and places;
        `files` has the file that each sample is from. What was left out is in `skipped`.

    Raises:
        ArgumentError, ArgumentTypeError: an option is not as stated.
        DataError: nothing to train on, mixed kinds, labels that `labels` does not have, with `on_error="fatal"` a label
            or file that cannot be used, and without `labels` a label that is in no window or in all.

    Example:
        >>> import tempfile, numpy as np
        >>> from scanwise.data import open_labels
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.arange(100.0))
        ...     text = "file,start_time,end_time,label\na.npy,10,20,pulse\n"
        ...     _ = Path(folder, "labels.csv").write_text(text)
        ...     data = windows_from(open_labels(folder), 10, background=2)
        >>> data.labels, data.y.tolist()
        (('pulse',), [[1.0], [0.0], [0.0]])
        >>> data.x[0, 0].tolist()
        [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0]
    """
    check_options(
        kind=kind,
        window=window,
        sample_rate=sample_rate,
        image_mode=image_mode,
        labels=labels,
        on_error=on_error,
    )
    require_collection(collection)
    check_drawing(background, cut, seed)
    names = collection.labels if labels is None else tuple(labels)
    files, skipped = usable_files(collection, names, kind, unlabelled=unlabelled, on_error=on_error)
    reader = reader_for(Path(collection.source), [file.path for file in files], sample_rate, image_mode)
    for file in files:
        reader.survey(file.path)
    if window is None and collection.located:
        reader.settle(None)  # the sample rate
        window = _usual_window(files, reader)
    shape, dtype = reader.settle(window)
    mode = settled_mode(clips, Surveyed(shape, reader.sample_rate, reader.extents, collection.located))
    windows = _Cut(shape, dtype, mode)
    if collection.located and mode != "whole":
        _cut(windows, files, reader, names, (background, cut), seed, skipped)
    else:
        for file in files:
            windows.add(file, None, [_target(file, names)])
    return _dataset(collection, windows, reader, names, labels is None, on_error, skipped, progress)


class _Cut:
    """Which windows are cut from which file, and their targets."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], mode: ClipMode) -> None:
        self.shape, self.dtype, self.mode = shape, dtype, mode
        self.files: list[AnnotatedFile] = []
        self.places: list[list[Place] | None] = []  # None: the whole file, as a window about its centre
        self.targets: list[NDArray[np.float32]] = []

    def add(
        self, file: AnnotatedFile, places: list[Place] | None, targets: Sequence[NDArray[np.float32]]
    ) -> None:
        self.files.append(file)
        self.places.append(places)
        self.targets.append(np.array(targets, np.float32))

    @property
    def extent(self) -> Extent:
        return self.shape[1:]

    @property
    def stay_whole(self) -> bool:
        """Whether files stay as long as they are, some of them."""
        return self.mode != "windows" and None in self.places


def _target(file: AnnotatedFile, names: tuple[str, ...]) -> NDArray[np.float32]:
    return np.array([label in file.all_labels for label in names], np.float32)


def _cut(
    cut: _Cut,
    files: Sequence[AnnotatedFile],
    reader: Reader,
    names: tuple[str, ...],
    shares: tuple[float, float],
    seed: int,
    skipped: list[Skipped],
) -> None:
    """Add windows about events and from gaps, and what stays whole."""
    vague = {file.path: [name for name in file.labels if not is_background(name)] for file in files}
    surfaces = [_surface(file, reader, names) for file in files if not vague[file.path]]
    wanted = [about(surface, cut.extent) for surface in surfaces]
    free, part = (round(share * sum(map(len, wanted))) for share in shares)
    gaps = draw_background(surfaces, cut.extent, free, np.random.default_rng(seed))
    parts = draw_cut(surfaces, cut.extent, part, np.random.default_rng([seed, 1]))
    drawn = zip(surfaces, wanted, gaps, parts, strict=True)
    for file in files:
        if not vague[file.path]:
            surface, *groups = next(drawn)
            places = sorted({place for group in groups for place in group})
            if places:
                cut.add(file, places, [presence(surface, cut.extent, at, len(names)) for at in places])
        elif cut.mode == "mixed":
            cut.add(file, None, [_target(file, names)])
        else:
            told = f"it contains {', '.join(vague[file.path])} at a place that is not known"
            skipped.append(Skipped(str(file.path), told))


def _usual_window(files: Sequence[AnnotatedFile], reader: Reader) -> Window:
    """What 95 % of the events fit into."""
    lengths = [
        event.length
        for file in files
        for event in file.events
        if min(event.length) > 0 and not is_background(event.label)
    ]
    if not lengths:
        raise ArgumentError("window must be given where events have no length. Got None.")
    if reader.kind == "image":
        H, W = (choose_extent([math.ceil(length[axis]) for length in lengths], 8) for axis in (0, 1))
        return H, W
    rate = reader.sample_rate
    if rate is None:
        return choose_extent([math.ceil(length[0]) for length in lengths], 8)
    samples = [math.ceil(round(length[0] * rate, 3)) for length in lengths]
    return choose_extent(samples, max(rate // 20, 1)) / rate


def _surface(file: AnnotatedFile, reader: Reader, names: tuple[str, ...]) -> Surface:
    """A file's events at the rate at which it is read."""
    scale = float(reader.sample_rate or 1) if file.signal == "audio" else 1.0
    extent = file.extent
    if file.sample_rate is not None and reader.sample_rate is not None:
        extent = (math.ceil(file.extent[0] * reader.sample_rate / file.sample_rate),)
    number = {name: k for k, name in enumerate(names)}
    axes = len(extent)
    starts = [[round(value * scale) for value in event.start] for event in file.events]
    stops = [[round(value * scale) for value in event.stop] for event in file.events]
    stops = [[max(b, a + 1) for a, b in zip(*ends, strict=True)] for ends in zip(starts, stops, strict=True)]
    labels = [number.get(event.label, -1) for event in file.events]
    return Surface(
        extent,
        np.array(starts, np.int64).reshape(-1, axes),
        np.array(stops, np.int64).reshape(-1, axes),
        np.array(labels, np.int64),
        free=not any(is_background(event.label) for event in file.events),
    )


def _dataset(
    collection: Collection,
    cut: _Cut,
    reader: Reader,
    names: tuple[str, ...],
    both: bool,
    on_error: OnError,
    skipped: list[Skipped],
    progress: Callable[[int, int], None] | None,
) -> Dataset:
    windows_of = [] if cut.stay_whole else cut.targets
    x = empty_windows(sum(map(len, windows_of)), cut.shape, cut.dtype)
    clips = Clips(cut.shape, cut.dtype, reader.read)
    kept: list[str] = []
    y: list[NDArray[np.float32]] = []
    for done, (file, places, targets) in enumerate(zip(cut.files, cut.places, cut.targets, strict=True), 1):
        windows = x[len(kept) : len(kept) + len(targets)]
        try:
            if cut.stay_whole:
                _add(clips, file, places, reader)
            else:
                fill(windows, file, places, reader)
        except DataError as error:
            if on_error == "fatal":
                raise
            windows[...] = 0
            skipped.append(Skipped(str(file.path), str(error)))
        else:
            kept += [str(file.path)] * len(targets)
            y.append(targets)
        if progress is not None:
            progress(done, len(cut.files))
    if not kept:
        raise DataError(f"{collection.source} must give at least one window. Got none.")
    targets = np.concatenate(y)
    if both:
        require_both(collection.source, targets, names)
    return Dataset(
        x=clips if cut.stay_whole else x[: len(kept)],
        y=targets,
        labels=names,
        kind=reader.kind,
        sample_rate=reader.sample_rate if reader.kind == "audio" else None,
        image_mode=reader.image_mode if reader.kind == "image" else None,
        files=tuple(kept),
        skipped=tuple(skipped),
    )


def _add(clips: Clips, file: AnnotatedFile, places: list[Place] | None, reader: Reader) -> None:
    """Add a whole file, or the windows that are cut from it."""
    if places is None:
        clips.add_file(file.path, reader.read(file.path))
        return
    windows = empty_windows(len(places), clips.input_shape, clips.dtype)
    fill(windows, file, places, reader)
    for window in windows:
        clips.add_window(window)
