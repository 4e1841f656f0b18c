"""Labels that are wrong: each fault is found and named, and does not stop the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scanwise.data import check_labels, open_labels, windows_from
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError, FileError
from tests.data.labelled import kinds, seconds, write_coco, write_picture, write_recording, write_track


def test_what_is_wrong_is_found_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"RIFF....WAVEfmt ")
    (tmp_path / "labels.csv").write_text(
        "file,start_time,end_time,label\n"
        "a.wav,0.5,1,wren\n"
        "a.wav,0.5,1,wren\n"
        "a.wav,1.5,2.5,wren\n"
        "a.wav,9,10,wren\n"
        "a.wav,1,0.5,wren\n"
        "a.wav,nan,1,wren\n"
        "a.wav,0.1,inf,wren\n"
        ",0.1,0.2,wren\n"
        "gone.wav,0,1,robin\n"
        "b.wav,0,1,wren\n"
    )
    collection = open_labels(tmp_path)
    assert sorted(kinds(collection)) == sorted(
        ["repeated-label", "past-the-end", "past-the-end"]
        + ["bad-place"] * 3
        + ["missing-file"] * 2
        + ["unreadable-file"]
    )
    assert seconds(collection)[:2] == [("a.wav", "wren", (0.5, 1.0)), ("a.wav", "wren", (1.5, 2.0))]
    assert collection.labels == ("wren",)
    assert collection.files[1].error
    messages = " ".join(finding.message for finding in collection.findings)
    assert "labels.csv:4 must lie within" in messages
    assert "which ends at 2. Got 1.5 to 2.5" in messages
    assert "line 7: start_time must be a finite number. Got nan." in messages


def test_a_label_with_commas_that_is_not_quoted_is_found(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    (tmp_path / "labels.csv").write_text('file,label\na.wav,wren, winter\na.wav,"robin, red",,\n')
    collection = open_labels(tmp_path)
    assert kinds(collection) == ["unreadable-labels"]
    assert collection.labels == ("robin, red",)
    with pytest.raises(
        DataError, match=r"line 2, must have at most 2 cells, as its head. Got 3: a label with"
    ):
        windows_from(collection)


@pytest.mark.parametrize("name", ["images", "categories"])
def test_an_id_of_coco_twice_is_refused(tmp_path: Path, name: str) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    data = {
        "images": images,
        "annotations": [],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    data[name] = [{**entry, "id": 1} for entry in data[name]]
    (tmp_path / "boxes.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=f"must give each of its {name} an id of its own. Got one twice"):
        open_labels(tmp_path / "boxes.json")


def test_recordings_without_labels_are_a_note(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "b.wav", seed=1)
    write_track(tmp_path / "a.txt", [(1.0, 1.5, "wren")])
    collection = open_labels(tmp_path)
    assert [(finding.kind, finding.wrong) for finding in collection.findings] == [("unlabelled", False)]
    assert [file.source != "" for file in collection.files] == [True, False]


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("latin-1", "latin-1")]
)
def test_another_encoding_is_named_and_can_be_given(tmp_path: Path, encoding: str, named: str) -> None:
    write_recording(tmp_path / "a.wav")
    table = tmp_path / "labels.csv"
    table.write_bytes("file,label\na.wav,Zaunkönig\n".encode(encoding))
    with pytest.raises(DataError, match=rf"must be text in UTF-8.*it can be read with encoding='{named}'"):
        open_labels(table, kind="table")
    assert open_labels(table, encoding=named).labels == ("Zaunkönig",)
    with pytest.raises(DataError, match="it can be read with encoding="):
        open_labels(table, kind="table", encoding="ascii")
    with pytest.raises(ArgumentError, match="encoding must be one that Python knows"):
        open_labels(table, kind="table", encoding="klingon")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbffile,label\na.wav,wren\n")
    assert open_labels(tmp_path).labels == ("wren",)


def test_one_track_in_another_encoding_does_not_stop_the_others(tmp_path: Path) -> None:
    for i, name in enumerate("ab"):
        write_recording(tmp_path / f"{name}.wav", seed=i)
    write_track(tmp_path / "a.txt", [(1.0, 1.5, "wren")])
    (tmp_path / "b.txt").write_bytes("0.1\t0.2\tZaunkönig\n".encode("latin-1"))
    collection = open_labels(tmp_path)
    assert kinds(collection) == ["unreadable-labels", "unlabelled"]
    assert "encoding='latin-1'" in collection.findings[0].message


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        ("labels.csv", b"", "table", "must be a CSV file. Got an empty file"),
        ("labels.csv", b"file,label\n", "table", "must have at least one row below its head"),
        ("labels.parquet", b"PAR1 cut off", None, "must be a Parquet file. Got one that cannot be read"),
        ("labels.json", b"", None, "must be a JSON file. Got an empty file"),
        (
            "labels.json",
            b"[]",
            None,
            "must be COCO's annotations, with lists images, annotations and categories",
        ),
        ("labels.json", b'{"images": [', None, "must be a JSON file. Got one that cannot be read"),
        ("labels.json", b"[" * 100_000, None, "must be a JSON file. Got one that cannot be read"),
        ("labels.xml", b"", None, "must be an XML file. Got an empty file"),
        ("labels.xml", b"<annotation><filename>", None, "must be an XML file. Got one that cannot be read"),
        ("labels.xml", b"<other/>", None, "must be Pascal VOC's <annotation>. Got <other>"),
        ("labels.xml", b"<annotation/>", None, "must name its picture in <filename>"),
        ("labels.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", None, "without a document type"),
        ("labels.csv", b"file,label\na.wav,w\0en\n", None, "must be text in UTF-8. Got null characters."),
        ("labels.csv", b"file,label\na.wav," + b"q" * 200_000, None, "field larger than field limit"),
        ("labels.xml", b"<a>" * 100_000, None, "must be an XML file. Got one that cannot be read"),
        (
            "labels.txt",
            bytes(range(255, 1, -1)),
            None,
            "must be text in UTF-8. Got byte 0xff at position 0; it can",
        ),
        ("labels.txt", b"\n", "raven", "must have the columns Begin Time (s), End Time (s)"),
    ],
)
def test_damaged_label_files(
    tmp_path: Path, name: str, content: bytes, kind: str | None, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_labels(tmp_path / name, kind=kind)
    assert message in str(caught.value)


def test_boxes_that_are_none_are_found(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_coco(
        tmp_path / "labels.json",
        {
            "a.png": [
                ("dent", [0, 0, 0, 5]),
                ("dent", [25, 0, 10, 5]),
                ("dent", [1, 2, 3]),
                ("dent", [1, 2, 3, 4]),
            ]
        },
    )
    collection = open_labels(tmp_path)
    assert sorted(kinds(collection)) == ["bad-place", "bad-place", "past-the-end"]
    assert sorted(e.box for e in collection.files[0].events if e.box) == [(0, 25, 5, 30), (2, 1, 6, 4)]


def test_times_for_an_image_and_boxes_for_a_recording_are_found(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_recording(tmp_path / "b.wav")
    (tmp_path / "labels.csv").write_text("file,start_time,end_time,label\na.png,0,1,dent\n")
    assert "bad-place" in kinds(open_labels(tmp_path / "labels.csv"))
    write_coco(tmp_path / "labels.json", {"b.wav": [("dent", [1, 2, 3, 4])]})
    assert "bad-place" in kinds(open_labels(tmp_path / "labels.json"))


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="kind must be one of 'folder', 'table'"):
        open_labels(tmp_path, kind="tabel")
    with pytest.raises(FileError, match="DATA must be an existing folder or file"):
        open_labels(tmp_path / "nowhere")
    with pytest.raises(FileError, match="folder must be an existing folder"):
        open_labels(tmp_path, folder=tmp_path / "nowhere")
    with pytest.raises(DataError, match="must hold one sub-folder per label"):
        open_labels(tmp_path)
    (tmp_path / "notes.md").write_text("none")
    with pytest.raises(ArgumentError, match="DATA must be a folder with one sub-folder per label, a table"):
        open_labels(tmp_path / "notes.md")
    with pytest.raises(DataError, match="must hold one label file of kind coco, or be one"):
        open_labels(tmp_path, kind="coco")
    with pytest.raises(DataError, match="must hold label files of kind raven"):
        open_labels(tmp_path, kind="raven")
    with pytest.raises(ArgumentTypeError, match="column must be text"):
        open_labels(tmp_path, column=3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="encoding must be text"):
        open_labels(tmp_path, encoding=8)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="DATA must be a path"):
        open_labels(None)  # type: ignore[arg-type]
    for function in (check_labels, windows_from):
        with pytest.raises(ArgumentTypeError, match="collection must be what open_labels gives"):
            function("birds")  # type: ignore[arg-type]


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    write_recording(tmp_path / "a" / "a.wav")
    for ending in ("csv", "json", "txt", "xml"):
        os.mkfifo(tmp_path / "a" / f"pipe.{ending}")
    with pytest.raises(FileError, match="must be an ordinary file"):
        open_labels(tmp_path / "a" / "pipe.csv")
    collection = open_labels(tmp_path)
    assert collection.kind == "folder"
    assert sorted(kinds(collection)) == ["unreadable-file"] * 4
