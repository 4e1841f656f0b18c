"""Windows for training: about events, from the gaps, or whole clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.data import open_labels, read_signal, split, windows_from
from scanwise.data.annotation.gaps import Surface, about, draw_background, draw_cut, presence
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError
from tests.data.labelled import RATE, write_coco, write_picture, write_recording, write_track


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Two series of 200 elements that count from 0 and 1000, with events of length 10 and 20."""
    for name, first in (("a", 0.0), ("b", 1000.0)):
        np.save(tmp_path / f"{name}.npy", first + np.arange(200.0))
    (tmp_path / "labels.csv").write_text(
        "file,start_time,end_time,label\na.npy,50,60,pulse\na.npy,100,120,step\nb.npy,0,10,pulse\n"
    )
    return tmp_path


def test_windows_are_centred_on_events_and_stay_inside(series: Path) -> None:
    data = windows_from(open_labels(series), 20, background=0)
    assert (data.kind, data.labels, data.input_shape) == ("series", ("pulse", "step"), (1, 20))
    assert data.x[:, 0, 0].tolist() == [45.0, 100.0, 1000.0]
    np.testing.assert_array_equal(data.x[0, 0], np.arange(45, 65))
    assert data.y.dtype == np.float32
    assert data.y.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert [Path(file).name for file in data.files] == ["a.npy", "a.npy", "b.npy"]
    assert data.counts() == {"pulse": 2, "step": 1}


def test_background_comes_from_the_gaps_and_from_the_seed(series: Path) -> None:
    collection = open_labels(series)
    data = windows_from(collection, 20, background=4, seed=3)
    none = ~data.y.any(axis=1)
    assert none.sum() == 12
    for window in data.x[none, 0]:
        first = int(window[0])
        np.testing.assert_array_equal(window, np.arange(first, first + 20))
        for start, stop in ((50, 60), (100, 120), (1000, 1010)):
            assert first + 20 <= start or first >= stop
    again, other = (windows_from(collection, 20, background=4, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(data.x, again.x)
    assert not np.array_equal(data.x, other.x)


def test_windows_that_cut_an_event_off_are_background(series: Path) -> None:
    data = windows_from(open_labels(series), 20, background=0, cut=2, seed=1)
    none = data.x[~data.y.any(axis=1), 0]
    assert len(none) == 6
    for window in none:
        first = int(window[0])
        held = [
            min(first + 20, stop) - max(first, start)
            for start, stop in ((50, 60), (100, 120), (1000, 1010))
            if min(first + 20, stop) > max(first, start)
        ]
        assert len(held) == 1
        assert 1 <= held[0] <= 8
    np.testing.assert_array_equal(
        windows_from(open_labels(series), 20, background=0, cut=2, seed=1).x, data.x
    )


def test_the_usual_window_is_what_most_events_fit_into(series: Path, tmp_path: Path) -> None:
    assert windows_from(open_labels(series)).input_shape == (1, 24)  # 20, rounded up to a multiple of 8
    (tmp_path / "labels.csv").write_text("file,start_time,end_time,label\na.npy,50,50,pulse\n")
    with pytest.raises(ArgumentError, match="window must be given where events have no length"):
        windows_from(open_labels(series))


def test_an_event_without_length_is_in_its_window(series: Path) -> None:
    (series / "labels.csv").write_text("file,start_time,end_time,label\na.npy,50,50,pulse\n")
    data = windows_from(open_labels(series), 20)
    assert sorted(data.y[:, 0].tolist()) == [0.0, 1.0]


def test_recordings_of_several_rates_are_cut_at_one(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav", 30.0)  # longer than what is read at a time
    write_recording(tmp_path / "b.wav", 30.0, seed=1, rate=2 * RATE)
    for name in "ab":
        write_track(tmp_path / f"{name}.txt", [(7.9, 8.4, "wren"), (20.0, 20.5, "wren")])
    data = windows_from(open_labels(tmp_path), 1.0, sample_rate=RATE, background=0, labels=("wren",))
    assert (data.sample_rate, data.x.shape) == (RATE, (4, 1, RATE))
    for i, name in enumerate(("a.wav", "a.wav", "b.wav", "b.wav")):
        whole = read_signal(tmp_path / name, input_shape=(1, RATE), sample_rate=RATE)
        start = round((7.65 if i % 2 == 0 else 19.75) * RATE)
        np.testing.assert_array_equal(data.x[i], whole[:, start : start + RATE])


def test_windows_about_boxes_and_from_the_rest_of_images(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 60, 80)
    write_picture(tmp_path / "b.png", 60, 80, seed=1)
    write_coco(
        tmp_path / "l.json", {"a.png": [("dent", [20, 10, 10, 8]), ("hole", [70, 50, 10, 10])], "b.png": []}
    )
    data = windows_from(open_labels(tmp_path), (16, 16), background=5)
    whole = read_signal(tmp_path / "a.png", input_shape=(1, 16, 16))
    assert (data.kind, data.image_mode) == ("image", "L")
    assert data.x.dtype == np.uint8
    positive = data.x[data.y.any(axis=1)]
    np.testing.assert_array_equal(positive[0], whole[:, 6:22, 17:33])
    np.testing.assert_array_equal(positive[1], whole[:, 44:60, 64:80])
    assert (~data.y.any(axis=1)).sum() == 10
    assert {Path(file).name for file in data.files} == {"a.png", "b.png"}


def test_whole_clips_where_no_places_are_known(tmp_path: Path) -> None:
    for i, name in enumerate("abcd"):
        write_recording(tmp_path / f"{name}.wav", 1.0, seed=i)
    (tmp_path / "labels.csv").write_text("file,label\na.wav,wren\na.wav,robin\nb.wav,none\nc.wav,wren\n")
    collection = open_labels(tmp_path)
    data = windows_from(collection)
    assert data.labels == ("robin", "wren")
    assert data.y.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert data.x.shape == (3, 1, RATE)
    assert windows_from(collection, unlabelled=True).y.tolist() == [[1, 1], [0, 0], [0, 1], [0, 0]]


def test_what_contains_something_somewhere_gives_no_window(series: Path) -> None:
    (series / "labels.csv").write_text("file,start_time,end_time,label\na.npy,50,60,pulse\nb.npy,,,pulse\n")
    data = windows_from(open_labels(series), 20)
    assert {Path(file).name for file in data.files} == {"a.npy"}
    assert data.skipped[0].reason == "it contains pulse at a place that is not known"


def test_background_that_is_marked_is_taken_instead_of_gaps(series: Path) -> None:
    (series / "labels.csv").write_text(
        "file,start_time,end_time,label\na.npy,50,60,pulse\na.npy,150,180,background\n"
    )
    data = windows_from(open_labels(series), 20, background=8)
    first = data.x[~data.y.any(axis=1), 0, 0]
    assert len(first) == 8
    assert first.min() >= 150
    assert first.max() <= 160


def test_a_data_set_with_several_labels_is_split_by_files(tmp_path: Path) -> None:
    for i in range(10):
        write_recording(tmp_path / f"{i}.wav", seed=i)
        write_track(tmp_path / f"{i}.txt", [(0.2, 0.4, "wren"), (1.0, 1.2, "robin" if i % 2 else "wren")])
    data = windows_from(open_labels(tmp_path), 0.2)
    training, validation = split(data, 0.2, seed=1)
    assert not set(training.files) & set(validation.files)
    assert len(set(validation.files)) == 2
    assert training.y.any(axis=0).all()
    np.testing.assert_array_equal(split(data, 0.2, seed=1)[0].x, training.x)
    with pytest.raises(DataError, match=r"at least 2 files .* Got 1\."):
        split(training.take(np.arange(3)), 0.5)


def test_one_sigmoid_a_label_learns_from_it(series: Path) -> None:
    data = windows_from(open_labels(series), 20)
    network = sw.Sequential(sw.Flatten(), sw.Linear(2))
    model = sw.Model(network, data.input_shape, backend="reference")
    history = sw.fit(model, data, epochs=2, loss="binary_cross_entropy", progress=False)
    assert (len(history), model.labels) == (2, ("pulse", "step"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("gone.npy,0,10,pulse", "must label a file that exists. Got gone.npy"),
        ("a.npy,190,300,pulse", "must lie within"),
        ("a.npy,20,10,pulse", "must end after it begins"),
        ("a.npy,0,x,pulse", "end_time must be a finite number. Got x"),
        ("a.npy,0,200,pulse", "must have samples with and without label 'pulse'"),
        ("a.npy,0,10,none", "must hold a label beside background"),
        ("a.npy,,,none\na.npy,,,pulse", "must not be none and contain something"),
    ],
)
def test_what_cannot_be_trained_on(series: Path, rows: str, message: str) -> None:
    (series / "labels.csv").write_text(f"file,start_time,end_time,label\n{rows}\n")
    with pytest.raises(DataError) as caught:
        windows_from(open_labels(series), 20)
    assert message in str(caught.value)


def test_faults_are_left_out_where_that_is_asked_for(series: Path) -> None:
    with (series / "labels.csv").open("a") as file:
        file.write("gone.npy,0,10,pulse\nb.npy,190,300,pulse\nc.npy,0,10,pulse\n")
    np.save(series / "c.npy", np.full(200, np.nan))
    with pytest.raises(DataError):
        windows_from(open_labels(series), 20)
    data = windows_from(open_labels(series), 20, on_error="skip", background=0)
    assert len(data) == 4
    assert len(data.skipped) == 3
    assert np.isfinite(data.x).all()


def test_labels_of_a_model_are_kept_in_its_order(series: Path) -> None:
    data = windows_from(open_labels(series), 20, background=0, labels=("step", "more", "pulse"))
    assert data.y.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    with pytest.raises(DataError, match=r"only the model's labels \(step\)\. Got pulse"):
        windows_from(open_labels(series), 20, labels=("step",))
    with pytest.raises(DataError, match="must hold audio, as the model takes"):
        windows_from(open_labels(series), 20, kind="audio")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"background": -1}, ArgumentError),
        ({"background": float("nan")}, ArgumentError),
        ({"background": "many"}, ArgumentTypeError),
        ({"cut": -1}, ArgumentError),
        ({"cut": None}, ArgumentTypeError),
        ({"seed": -1}, ArgumentError),
        ({"seed": 0.5}, ArgumentTypeError),
        ({"window": (3, 4)}, ArgumentError),
        ({"window": 10**12}, ArgumentError),
        ({"on_error": "ignore"}, ArgumentError),
    ],
)
def test_wrong_options(series: Path, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        windows_from(open_labels(series), **{"window": 20, **options})


@st.composite
def surfaces(draw: st.DrawFn) -> tuple[Surface, tuple[int, ...]]:
    axes = draw(st.integers(1, 2))
    extent = tuple(draw(st.integers(1, 40)) for _ in range(axes))
    window = tuple(draw(st.integers(1, 12)) for _ in range(axes))
    number = draw(st.integers(0, 4))
    starts = [[draw(st.integers(0, n - 1)) for n in extent] for _ in range(number)]
    stops = [[draw(st.integers(a + 1, n)) for a, n in zip(start, extent, strict=True)] for start in starts]
    shape = (-1, axes)
    labels: NDArray[np.int64] = np.array([draw(st.integers(0, 2)) for _ in range(number)], np.int64)
    return (
        Surface(
            extent, np.array(starts, int).reshape(shape), np.array(stops, int).reshape(shape), labels, True
        ),
        window,
    )


@given(surfaces(), st.integers(0, 30), st.integers(0, 5))
def test_places_of_windows(drawn: tuple[Surface, tuple[int, ...]], number: int, seed: int) -> None:
    """Background overlaps no event, windows lie inside where they fit, and each contains the event it is about."""
    surface, window = drawn
    (free,) = draw_background([surface], window, number, np.random.default_rng(seed))
    assert len(free) <= number
    assert len(set(free)) == len(free)
    for place in [*free, *about(surface, window)]:
        for at, size, length in zip(place, window, surface.extent, strict=True):
            assert 0 <= at <= length - size if length >= size else at <= 0 and at + size >= length
    for place in free:
        assert not presence(surface, window, place, 3).any()
    (cut,) = draw_cut([surface], window, number, np.random.default_rng(seed))
    for place in cut:
        assert not presence(surface, window, place, 3).any()
    for place in about(surface, window):
        assert presence(surface, window, place, 3).any()
    if len(window) == 1 and surface.extent[0] >= window[0]:
        covered = np.zeros(surface.extent[0], bool)
        for start, stop in zip(surface.starts[:, 0], surface.stops[:, 0], strict=True):
            covered[start:stop] = True
        possible = sum(
            not covered[at : at + window[0]].any() for at in range(surface.extent[0] - window[0] + 1)
        )
        assert len(free) == min(number, possible)


def test_damage_of_files_that_are_not_used_does_not_matter(series: Path) -> None:
    (series / "spare.npy").write_bytes(b"damaged")
    assert len(windows_from(open_labels(series), 20, background=0)) == 3
    with pytest.raises(DataError, match="spare"):
        windows_from(open_labels(series), 20, unlabelled=True)
