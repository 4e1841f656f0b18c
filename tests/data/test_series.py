from pathlib import Path

import numpy as np
import pytest

from scanwise.data import load_csv
from scanwise.errors import DataError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_label_is_the_last_cell_without_a_header(tmp_path: Path) -> None:
    data = load_csv(write(tmp_path / "d.csv", "1,2,3,7\n4,5,6,10\n\n0,0,1e3,7\n"))
    assert data.labels == ("7", "10")
    np.testing.assert_array_equal(data.x[:, 0], [[1, 2, 3], [4, 5, 6], [0, 0, 1000]])
    np.testing.assert_array_equal(data.y, [0, 1, 0])
    assert data.kind == "series"


@pytest.mark.parametrize("text", ["Label;t0;t1\nno;1;2\nyes;3;4\n", "t0\tt1\tanswer\n1\t2\tno\n3\t4\tyes\n"])
def test_a_header_may_name_the_label_and_separators_are_found(tmp_path: Path, text: str) -> None:
    data = load_csv(write(tmp_path / "d.csv", "\ufeff" + text))
    assert data.labels == ("no", "yes")
    np.testing.assert_array_equal(data.x[:, 0], [[1, 2], [3, 4]])


def test_rows_of_unequal_length_follow_the_window_rule(tmp_path: Path) -> None:
    data = load_csv(write(tmp_path / "d.csv", "label,a,b,c\nx,1,,\ny,1,2,3\n"))
    np.testing.assert_array_equal(data.x[0, 0], [0, 0, 0, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(data.x[1, 0], [0, 0, 1, 2, 3, 0, 0, 0])
    assert load_csv(tmp_path / "d.csv", window=2).input_shape == (1, 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,x,3,a", r"line 2, value 2, must be a finite number\. Got x"),
        ("1,nan,3,a", r"line 2, value 2, must be a finite number\. Got nan"),
        ("1,2,1e60,a", r"line 2, value 3, must be a finite number\. Got 1e60"),
        ("1,,3,a", r"line 2, value 2, must be a finite number\. Got an empty cell"),
        ("1,2,3,", r"line 2, must have a label"),
        (",,,a", r"line 2, must hold at least one value"),
        ("a", r"line 2, must have a series and a label\. Got 1 cells"),
    ],
)
def test_a_bad_row_is_named_or_skipped(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path / "d.csv", f"1,2,3,a\n{row}\n4,5,6,b\n")
    with pytest.raises(DataError, match=message):
        load_csv(path)
    data = load_csv(path, on_error="skip")
    assert (len(data), len(data.skipped)) == (2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must be a CSV file in UTF-8\. Got an empty file \(0 bytes\)"),
        ("\n \n", r"at least one row\. Got blank lines only"),
        ("a,label\n", "at least one series. Got a header in line 1 only"),
        ("1,2,a\n", "at least 2 labels"),
    ],
)
def test_a_file_without_series_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_csv(write(tmp_path / "d.csv", text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"\xff\xfe\x00\x81,1\n")
    with pytest.raises(DataError, match="must be a CSV file in UTF-8"):
        load_csv(tmp_path / "d.csv")
