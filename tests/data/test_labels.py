"""Labels of every kind are found out by looking, and understood alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scanwise.data import open_labels
from scanwise.errors import DataError
from tests.data.labelled import (
    kinds,
    seconds,
    write_coco,
    write_picture,
    write_recording,
    write_selections,
    write_track,
    write_voc,
)


def test_a_folder_per_label(tmp_path: Path) -> None:
    write_recording(tmp_path / "wren" / "a.wav")
    write_recording(tmp_path / "background" / "deep" / "b.wav", rate=16000)
    (tmp_path / "robin").mkdir()
    collection = open_labels(tmp_path)
    assert (collection.kind, collection.signal, collection.labels) == ("folder", "audio", ("robin", "wren"))
    assert (collection.located, collection.has_background) == (False, True)
    assert collection.counts() == {"robin": (0, 0), "wren": (1, 0)}
    background, wren = collection.files
    assert (background.labels, background.sample_rate) == (("background",), 16000)
    assert (wren.labels, wren.extent, wren.seconds) == (("wren",), (16000,), 2.0)
    assert wren.source == str(tmp_path / "wren")
    assert not collection.findings


def test_a_table_of_clips_with_several_rows_for_a_file(tmp_path: Path) -> None:
    for i, name in enumerate("abc"):
        write_recording(tmp_path / f"{name}.wav", seed=i)
    (tmp_path / "labels.csv").write_text("file,label\na.wav,wren\na.wav,robin\nb.wav,\nc.wav,none\n")
    collection = open_labels(tmp_path)
    assert collection.kind == "table"
    assert [file.labels for file in collection.files] == [("robin", "wren"), (), ("none",)]
    assert collection.labels == ("robin", "wren")
    assert not collection.findings


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_events(tmp_path: Path, separator: str) -> None:
    write_recording(tmp_path / "a.wav")
    rows = ["file start_time end_time label", "a.wav 1.5 1.75 wren", "a.wav 0.25 0.5 robin"]
    table = tmp_path / "labels.csv"
    table.write_text("\r\n".join(row.replace(" ", separator) for row in rows))
    collection = open_labels(table)
    assert seconds(collection) == [("a.wav", "robin", (0.25, 0.5)), ("a.wav", "wren", (1.5, 1.75))]
    assert collection.files[0].events[0].source == f"{table}:3"


def test_a_table_in_parquet_says_what_it_says_as_text(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    write_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "b.wav", seed=1)
    columns = {
        "file": ["a.wav", "a.wav", "b.wav"],
        "start_time": [0.25, 1.5, None],
        "end_time": [0.5, 1.75, None],
        "label": ["robin", "wren", None],
    }
    parquet.write_table(pa.table(columns), tmp_path / "labels.parquet")
    (tmp_path / "labels.csv").write_text(
        "file,start_time,end_time,label\na.wav,0.25,0.5,robin\na.wav,1.5,1.75,wren\nb.wav,,,\n"
    )
    one, other = (open_labels(tmp_path / f"labels.{ending}") for ending in ("parquet", "csv"))
    assert (
        seconds(one)
        == seconds(other)
        == [
            ("a.wav", "robin", (0.25, 0.5)),
            ("a.wav", "wren", (1.5, 1.75)),
        ]
    )
    assert [file.source.rpartition(":")[2] for file in one.files] == ["1", "3"]


def test_other_names_of_columns_are_known_or_given(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    table = tmp_path / "labels.csv"
    table.write_text("filename,onset,offset,event_label\na.wav,0,1,wren\n")
    assert seconds(open_labels(table)) == [("a.wav", "wren", (0.0, 1.0))]
    table.write_text("file,Bird\na.wav,wren\n")
    assert open_labels(table, column="bird").labels == ("wren",)
    with pytest.raises(DataError, match=r"must have a column 'label'\. Got file, Bird"):
        open_labels(table, kind="table")


def test_unknown_columns_are_told(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    (tmp_path / "labels.csv").write_text("file,label,start_tme\na.wav,wren,1\n")
    finding = open_labels(tmp_path).findings[0]
    assert (finding.kind, finding.wrong) == ("unknown-columns", True)
    assert "start_tme" in finding.message


def test_one_time_without_the_other_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label,start_time\na.wav,wren,1\n")
    with pytest.raises(
        DataError, match=r"must have both start_time and end_time, or none\. It has no end_time"
    ):
        open_labels(tmp_path)


def test_label_tracks_of_audacity(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "sub" / "b.flac", seed=1)
    write_recording(tmp_path / "c.wav", seed=2)
    write_track(tmp_path / "a.txt", [(1.0, 1.5, "wren song"), (0.2, 0.2, "click")])
    (tmp_path / "sub" / "b.txt").write_text("0,5\t0,75\trobin\n\\\t100.0\t2000.0\n")
    (tmp_path / "c.txt").touch()
    (tmp_path / "README.txt").write_text("Recorded in spring.\n")
    collection = open_labels(tmp_path)
    assert collection.kind == "audacity"
    assert seconds(collection) == [
        ("a.wav", "click", (0.2, 0.2)),
        ("a.wav", "wren song", (1.0, 1.5)),
        ("b.flac", "robin", (0.5, 0.75)),
    ]
    assert collection.has_background  # an empty track says that nothing occurs
    assert not collection.findings


def test_a_single_track_and_recordings_elsewhere(tmp_path: Path) -> None:
    write_recording(tmp_path / "audio" / "a.wav")
    (tmp_path / "labels").mkdir()
    track = write_track(tmp_path / "labels" / "a.txt", [(1.0, 1.5, "wren")])
    assert kinds(open_labels(track)) == ["missing-file"]
    for path in (track, tmp_path / "labels"):
        assert seconds(open_labels(path, folder=tmp_path / "audio")) == [("a.wav", "wren", (1.0, 1.5))]


def test_selection_tables_of_raven(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "b.wav", seed=1)
    common = {"Low Freq (Hz)": 0, "High Freq (Hz)": 4000}
    write_selections(
        tmp_path / "both.selections.txt",
        [
            {"Selection": 1, "View": "Waveform 1", "Begin Time (s)": 0.5, "End Time (s)": 1.0, **common,
             "Begin File": "a.wav", "File Offset (s)": 0.5, "Species": "wren"},
            {"Selection": 1, "View": "Spectrogram 1", "Begin Time (s)": 0.5, "End Time (s)": 1.0, **common,
             "Begin File": "a.wav", "File Offset (s)": 0.5, "Species": "wren"},
            {"Selection": 2, "View": "Spectrogram 1", "Begin Time (s)": 2.5, "End Time (s)": 2.75, **common,
             "Begin File": "b.wav", "File Offset (s)": 0.5, "Species": "robin"},
        ],
    )  # fmt: skip
    collection = open_labels(tmp_path)
    assert collection.kind == "raven"
    assert seconds(collection) == [("a.wav", "wren", (0.5, 1.0)), ("b.wav", "robin", (0.5, 0.75))]
    assert not collection.findings


def test_a_selection_table_beside_its_recording_with_its_own_label_column(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    row: dict[str, object] = {"Selection": 1, "Begin Time (s)": 0.5, "End Time (s)": 1.0, "Call": "alarm"}
    table = write_selections(tmp_path / "a.Table.1.selections.txt", [row])
    with pytest.raises(DataError, match=r"Species or Annotation or Label\. Got Selection"):
        open_labels(table)
    assert kinds(open_labels(tmp_path)) == ["unreadable-labels", "unlabelled"]
    assert seconds(open_labels(table, column="Call")) == [("a.wav", "alarm", (0.5, 1.0))]


def test_our_own_results_come_back(tmp_path: Path) -> None:
    """What `scanwise scan --format raven` and `audacity` write is read as it was meant."""
    from scanwise.cli.exchange import audacity, raven
    from scanwise.cli.results import FileResult
    from scanwise.scanning import Detection

    found = Detection("wren", 0, 0.9, 4000, 6000, 8000.0)
    result = FileResult.__new__(FileResult)
    for name, value in {
        "file": str(write_recording(tmp_path / "a.wav")),
        "detections": [found],
        "sample_rate": 8000.0,
        "extent": (16000,),
    }.items():
        object.__setattr__(result, name, value)
    (tmp_path / "a.txt").write_text(audacity([result]))
    assert seconds(open_labels(tmp_path)) == [("a.wav", "wren", (0.5, 0.75))]
    (tmp_path / "a.txt").write_text(raven([result]))
    assert seconds(open_labels(tmp_path)) == [("a.wav", "wren", (0.5, 0.75))]


def test_coco(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.png")
    write_picture(tmp_path / "images" / "b.png", seed=1)
    write_coco(tmp_path / "labels.json", {"a.png": [("dent", [2.0, 4.0, 10.0, 6.0])], "b.png": []})
    collection = open_labels(tmp_path)
    assert (collection.kind, collection.signal) == ("coco", "image")
    assert [event.box for event in collection.files[0].events] == [(4.0, 2.0, 10.0, 12.0)]
    assert (collection.files[0].extent, collection.files[0].image_mode) == ((20, 30), "L")
    assert collection.has_background
    assert not collection.findings


def test_pascal_voc_counts_pixels_from_one(tmp_path: Path) -> None:
    write_picture(tmp_path / "JPEGImages" / "a.png")
    write_voc(
        tmp_path / "Annotations" / "a.xml", "a.png", [("dent", (1, 1, 30, 20)), ("hole", (3, 5, 12, 10))]
    )
    for path in (tmp_path, tmp_path / "Annotations", tmp_path / "Annotations" / "a.xml"):
        collection = open_labels(path)
        assert collection.kind == "voc"
        assert [event.box for event in collection.files[0].events] == [
            (0.0, 0.0, 20.0, 30.0),
            (4.0, 2.0, 10.0, 12.0),
        ]
        assert not collection.findings


def test_series_count_in_elements(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 50)))
    (tmp_path / "labels.csv").write_text("file,start_time,end_time,label\na.npy,10,60,pulse\n")
    collection = open_labels(tmp_path)
    assert (collection.signal, collection.files[0].seconds) == ("series", None)
    assert seconds(collection) == [("a.npy", "pulse", (10.0, 50.0))]
    assert kinds(collection) == ["past-the-end"]


def test_files_are_found_by_names_from_windows_and_by_their_last_part(tmp_path: Path) -> None:
    write_recording(tmp_path / "day" / "a.wav")
    write_recording(tmp_path / "day" / "deep" / "b.wav", seed=1)
    (tmp_path / "labels.csv").write_text("file,label\nday\\a.wav,wren\nC:\\somewhere\\b.wav,robin\n")
    assert [file.path.name for file in open_labels(tmp_path).files] == ["a.wav", "b.wav"]
    write_recording(tmp_path / "night" / "b.wav", seed=2)
    assert kinds(open_labels(tmp_path)) == ["missing-file", "unlabelled", "unlabelled"]
