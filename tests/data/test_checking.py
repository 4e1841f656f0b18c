"""What is wrong with labels and files together."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile

from scanwise.data import Finding, check_labels, open_labels
from tests.data.labelled import RATE, write_coco, write_picture, write_recording, write_track


def found(folder: Path, validation: Path | None = None) -> list[Finding]:
    held_out = None if validation is None else open_labels(validation)
    return list(check_labels(open_labels(folder), validation=held_out))


def one(findings: list[Finding], kind: str) -> str:
    (message,) = [finding.message for finding in findings if finding.kind == kind]
    return message


def table(folder: Path, *rows: str, events: bool = False) -> None:
    head = "file,start_time,end_time,label" if events else "file,label"
    (folder / "labels.csv").write_text("\n".join([head, *rows]) + "\n")


def test_good_labels_have_nothing_wrong(tmp_path: Path) -> None:
    for i, name in enumerate("ab"):
        write_recording(tmp_path / f"{name}.wav", seed=i)
    table(tmp_path, "a.wav,0,0.5,wren", "a.wav,0.5,1,robin", "b.wav,1,1.5,wren", events=True)
    seen: list[tuple[int, int]] = []
    assert check_labels(open_labels(tmp_path), progress=lambda done, total: seen.append((done, total))) == ()
    assert seen == [(1, 2), (2, 2)]


def test_a_file_that_is_background_and_contains_something(tmp_path: Path) -> None:
    for i, name in enumerate("abc"):
        write_recording(tmp_path / f"{name}.wav", seed=i)
    table(tmp_path, "a.wav,wren", "a.wav,Background", "b.wav,none", "c.wav,wren")
    findings = found(tmp_path)
    assert [finding.kind for finding in findings] == ["contradiction"]
    assert findings[0].message.endswith("a.wav must not be Background and contain wren.")


def test_events_that_overlap(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    labels = [
        (0.0, 1.0, "wren"),
        (0.5, 0.8, "wren"),
        (0.9, 1.2, "robin"),
        (0.95, 1.1, "robin"),
        (1.1, 1.5, "none"),
    ]
    write_track(tmp_path / "a.txt", labels)
    findings = found(tmp_path)
    assert [finding.kind for finding in findings] == ["contradiction", "overlap"]
    assert "robin at 0.9 to 1.2" in findings[0].message
    assert "none at 1.1 to 1.5" in findings[0].message
    assert "wren at 0 to 1" in findings[1].message


def test_boxes_of_different_labels_overlap_if_they_are_nearly_the_same(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_coco(tmp_path / "l.json", {"a.png": [("dent", [0, 0, 10, 10]), ("hole", [8, 8, 10, 10])]})
    assert found(tmp_path) == []
    write_coco(tmp_path / "l.json", {"a.png": [("dent", [0, 0, 10, 10]), ("hole", [1, 1, 10, 10])]})
    assert "dent at (0, 0)" in one(found(tmp_path), "overlap")


def test_labels_without_a_positive_or_a_negative(tmp_path: Path) -> None:
    write_recording(tmp_path / "wren" / "a.wav")
    (tmp_path / "robin").mkdir()
    findings = found(tmp_path)
    assert one(findings, "no-positive") == "robin must occur in some file. It occurs in none."
    assert one(findings, "no-negative") == "wren must be absent somewhere. It is everywhere."


def test_an_event_throughout_leaves_no_negative_and_a_gap_does(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    table(tmp_path, "a.wav,1,2,wren", "a.wav,0,1,wren", events=True)
    assert one(found(tmp_path), "no-negative")
    table(tmp_path, "a.wav,1,2,wren", "a.wav,0,0.9,wren", events=True)
    assert found(tmp_path) == []


def test_silent_recordings(tmp_path: Path) -> None:
    write_recording(tmp_path / "wren" / "a.wav")
    write_recording(tmp_path / "robin" / "b.wav", seed=1)
    soundfile.write(str(tmp_path / "robin" / "silent.wav"), np.zeros(RATE), RATE)
    assert one(found(tmp_path), "silence").endswith("silent.wav must hold sound. It is silent throughout.")


def test_duplicates_and_whether_their_labels_differ(tmp_path: Path) -> None:
    write_recording(tmp_path / "wren" / "a.wav")
    write_recording(tmp_path / "robin" / "b.wav", seed=1)
    shutil.copy(tmp_path / "wren" / "a.wav", tmp_path / "robin" / "c.wav")
    shutil.copy(tmp_path / "robin" / "b.wav", tmp_path / "robin" / "d.wav")
    messages = [finding.message for finding in found(tmp_path) if finding.kind == "duplicate"]
    assert len(messages) == 2
    assert any(m.endswith("b.wav.") for m in messages)
    assert any(m.endswith("and other labels (robin; wren).") for m in messages)


def test_files_in_train_and_validation(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_recording(tmp_path / part / "wren" / "a.wav", seed=len(part))
        write_recording(tmp_path / part / "robin" / "b.wav", seed=10 + len(part))
    assert found(tmp_path / "train", tmp_path / "test") == []
    shutil.copy(tmp_path / "train" / "wren" / "a.wav", tmp_path / "test" / "wren" / "z.wav")
    assert "z.wav in validation has the content of" in one(
        found(tmp_path / "train", tmp_path / "test"), "train-and-validation"
    )
    same = [f for f in found(tmp_path / "train", tmp_path / "train") if f.kind == "train-and-validation"]
    assert len(same) == 2


def test_images_of_mixed_sizes_and_modes(tmp_path: Path) -> None:
    write_picture(tmp_path / "dent" / "a.png")
    write_picture(tmp_path / "hole" / "b.png", H=10, seed=1, colour=True)
    findings = found(tmp_path)
    assert "Got 1 20x30, 1 10x30." in one(findings, "mixed-sizes")
    assert "Got 1 grey, 1 colour." in one(findings, "mixed-modes")


def test_sizes_do_not_matter_to_boxes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", H=10, seed=1)
    write_coco(tmp_path / "l.json", {"a.png": [("dent", [0, 0, 5, 5])], "b.png": [("dent", [0, 0, 5, 5])]})
    assert found(tmp_path) == []


def test_kinds_that_are_mixed(tmp_path: Path) -> None:
    write_recording(tmp_path / "wren" / "a.wav")
    write_picture(tmp_path / "robin" / "b.png")
    assert one(found(tmp_path), "mixed-kinds").endswith("files of one kind. Got 1 image, 1 audio.")


def test_damage_behind_the_header_and_values_that_are_not_finite(tmp_path: Path) -> None:
    for i, name in enumerate(("a", "b")):
        write_recording(tmp_path / name / "x.wav", seed=i)
    picture = write_picture(tmp_path / "a" / "cut.png", 200, 300)
    picture.write_bytes(picture.read_bytes()[:2000])
    np.save(tmp_path / "b" / "nan.npy", np.array([0.0, np.nan]))
    soundfile.write(str(tmp_path / "b" / "nan.wav"), np.full(10, np.nan, np.float32), RATE, subtype="FLOAT")
    messages = [finding.message for finding in found(tmp_path) if finding.kind == "unreadable-file"]
    assert len(messages) == 3
    assert sum("must hold values that are finite" in message for message in messages) == 2
