"""Files that are damaged, lie about themselves, or are no files: one clear error, in little time and memory."""

from __future__ import annotations

import io
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanwise.data import load_csv, load_folder, load_npz, open_dataset, read_signal, split
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError, FileError, ScanwiseError
from tests.data.conftest import write_image, write_tone

AUDIO: dict[str, Any] = {"input_shape": (1, 100), "sample_rate": 8000}
IMAGE: dict[str, Any] = {"input_shape": (3, 4, 4)}


def write_npz(path: Path, compressed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def samples(random: np.random.Generator) -> dict[str, Any]:
    return {"x": random.normal(size=(6, 1, 10)), "y": np.arange(6) % 2}


Reader = Callable[[Path], object]

FORMATS: dict[str, tuple[Callable[[Path], object], Reader]] = {
    "a.wav": (lambda p: write_tone(p, 0.1, channels=2), lambda p: read_signal(p, **AUDIO)),
    "a.flac": (lambda p: write_tone(p, 0.1), lambda p: read_signal(p, **AUDIO)),
    "a.ogg": (lambda p: write_tone(p, 0.1), lambda p: read_signal(p, **AUDIO)),
    "a.png": (lambda p: write_image(p, np.full((9, 11, 3), 7, np.uint8)), lambda p: read_signal(p, **IMAGE)),
    "a.jpg": (lambda p: write_image(p, np.full((9, 11, 3), 7, np.uint8)), lambda p: read_signal(p, **IMAGE)),
    "a.tif": (lambda p: write_image(p, np.full((9, 11), 7, np.uint8)), lambda p: read_signal(p, **IMAGE)),
    "a.npy": (lambda p: np.save(p, np.ones((2, 9))), lambda p: read_signal(p, input_shape=(2, 5))),
    "a.npz": (lambda p: write_npz(p, **samples(np.random.default_rng(0))), open_dataset),
    "b.npz": (lambda p: write_npz(p, compressed=True, **samples(np.random.default_rng(0))), open_dataset),
    "a.csv": (lambda p: p.write_text("t0,t1,label\n1,2,a\n3,4,b\n1e3,-2,a\n"), open_dataset),
}
PIECES = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"9",
    b"-",
    b"(",
    b"'",
    b"\n",
    b",",
)


def damaged(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        i = chance.randrange(max(1, min(len(changed), chance.choice((16, 128, 10**6)))))
        kind = chance.randrange(4)
        if kind == 0:
            del changed[i:]
        else:
            piece = chance.choice(PIECES) if kind == 1 else bytes([chance.randrange(256)])
            changed[i : i + (kind < 3) * len(piece)] = piece
    return bytes(changed)


@pytest.mark.parametrize("name", FORMATS)
def test_whatever_the_damage_the_error_is_ours(tmp_path: Path, name: str) -> None:
    write, read = FORMATS[name]
    path = tmp_path / name
    write(path)
    content = path.read_bytes()
    chance = random.Random(name)
    messages = []
    for _ in range(150):
        path.write_bytes(damaged(content, chance))
        try:
            read(path)
        except ScanwiseError as error:
            messages.append(str(error))
    assert len(messages) > 10
    assert not [message for message in messages if "\n" in message or name not in message]


def test_a_file_of_another_format_is_refused_without_a_guess(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "a.wav").write_bytes(b"\xff\xfb\x90\x00" * 200)  # how an MP3 begins
    with pytest.raises(DataError, match="one of another format"):
        read_signal(tmp_path / "a.wav", **AUDIO)
    assert capfd.readouterr().err == ""


def test_a_recording_that_claims_to_be_longer_than_memory(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.flac", 0.1)
    content = bytearray(path.read_bytes())
    content[21:26] = bytes([content[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # its number of samples, 36 bits
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"must fit into memory .* Got 68,719,476,735 samples"):
        read_signal(path, **AUDIO)


def test_channels_whose_sum_is_too_large(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(str(tmp_path / "a.wav"), np.full((9, 2), 3e38, np.float32), 8000, subtype="FLOAT")
    with pytest.raises(DataError, match="must hold values that are finite as float32"):
        read_signal(tmp_path / "a.wav", **AUDIO)


@pytest.mark.parametrize(
    "name", ["é 日本.wav", "a\nb.wav", " .wav", "%s{}.wav", os.fsdecode(b"caf\xe9.wav")], ids=ascii
)
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    write_tone(tmp_path / "tone.wav", 0.1).rename(tmp_path / name)
    assert read_signal(tmp_path / name, **AUDIO).shape == (1, 800)


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(10**6, 1, 10**6), (-1, 1, 10), (10**30, 1, 10)])
def test_an_archive_whose_header_lies(tmp_path: Path, shape: tuple[int, ...], compression: int) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x.npy", header(shape) + bytes(400))
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match=r"a\.npz"):
        load_npz(path)
    (tmp_path / "a.npy").write_bytes(header(shape) + bytes(400))
    with pytest.raises(DataError, match=r"a\.npy"):
        read_signal(tmp_path / "a.npy", input_shape=(1, 5))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": 3}, r"as many y as x"),
        ({"x": 3.0}, r"as many y as x"),
        ({"y": np.zeros(6, complex)}, r"y in .* whole numbers or strings. Got type complex128"),
        ({"y": np.zeros(6, "M8[s]")}, r"y in .* Got type datetime64"),
        ({"y": np.zeros(6, [("a", "i4")])}, r"y in .* whole numbers or strings"),
        ({"y": np.array([0, 1, np.nan, 0, 1, 0])}, r"Got nan at position 2"),
        ({"y": np.array([0, 1, 0, np.inf, 1, 0])}, r"Got inf at position 3"),
        ({"y": np.array([0, 1e30, 0, 0, 1, 0])}, r"Got 1e\+30 at position 1"),
        ({"y": np.array([None] * 6)}, r"must be an array of numbers or strings|Object arrays"),
        (
            {"x": np.zeros((6, 3, 1), np.longdouble) + np.longdouble("1e4000")},
            r"must hold values that are finite",
        ),
    ],
)
def test_arrays_that_are_no_samples_or_labels(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = write_npz(tmp_path / "a.npz", **{**samples(np.random.default_rng(0)), **arrays})
    with pytest.raises(DataError, match=message):
        load_npz(path)


def test_labels_of_bytes_and_arrays_within_folders(tmp_path: Path) -> None:
    x = np.zeros((2, 1, 8))
    assert load_npz(write_npz(tmp_path / "a.npz", x=x, y=np.array([b"no", b"yes"]))).labels == ("no", "yes")
    with pytest.raises(DataError, match=r"must hold arrays x and y.* Got s/x, s/y"):
        load_npz(write_npz(tmp_path / "b.npz", False, **{"s/x": x, "s/y": x}))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("x.txt", "")
        archive.writestr("y.txt", "")
    with pytest.raises(DataError, match=r"must hold arrays x and y.* Got none"):
        load_npz(tmp_path / "c.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    for name in ("a.csv", "a.npz", "a.npy"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for path in (tmp_path / "a.csv", tmp_path / "a.npz", tmp_path / "zero.csv"):
        with pytest.raises(FileError, match=r"must be an ordinary file\. Got .*, which is a device or pipe"):
            open_dataset(path)
    with pytest.raises(FileError, match="which is a device or pipe"):
        read_signal(tmp_path / "a.npy", input_shape=(1, 5))
    for label in "ab":
        write_tone(tmp_path / "d" / label / "0.wav")
    os.mkfifo(tmp_path / "d" / "a" / "1.wav")
    with pytest.raises(DataError, match=r"1\.wav must be a WAV.* Got a folder, device or pipe"):
        load_folder(tmp_path / "d")


def test_links_are_followed_and_never_passed_over(tmp_path: Path) -> None:
    for label in "ab":
        write_tone(tmp_path / "d" / label / "0.wav")
    (tmp_path / "d" / "a" / "1.wav").symlink_to(tmp_path / "moved.wav")
    with pytest.raises(DataError, match=r"1\.wav must be .* No such file"):
        load_folder(tmp_path / "d")
    assert len(load_folder(tmp_path / "d", on_error="skip").skipped) == 1
    (tmp_path / "d" / "a" / "1.wav").unlink()
    write_tone(tmp_path / "elsewhere" / "2.wav")
    (tmp_path / "d" / "a" / "more").symlink_to(tmp_path / "elsewhere")
    assert len(load_folder(tmp_path / "d")) == 3
    (tmp_path / "d" / "a" / "self").symlink_to(tmp_path / "d")
    with pytest.raises(DataError, match="a link to a folder that it lies in"):
        load_folder(tmp_path / "d")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(FileError, match="loop"):
        open_dataset(tmp_path / "loop.csv")


def test_a_folder_that_must_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in "ab":
        write_tone(tmp_path / label / "sub" / "0.wav")
    real = Path.iterdir

    def guarded(folder: Path) -> Any:
        if folder.name == "sub":
            raise PermissionError(13, os.strerror(13), str(folder))
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", guarded)
    with pytest.raises(FileError, match=r"sub must be readable\. Got: Permission denied"):
        load_folder(tmp_path)


@pytest.mark.parametrize("path", [None, 5, b"bytes", []])
@pytest.mark.parametrize("load", [open_dataset, load_folder, load_npz, load_csv])
def test_paths_that_are_none(load: Callable[[Any], object], path: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="must be a path"):
        load(path)


@pytest.mark.parametrize("path", ["nul\0l", "x" * 300, "missing"])
@pytest.mark.parametrize("load", [open_dataset, load_folder, load_npz, load_csv])
def test_paths_that_lead_nowhere(load: Callable[[Any], object], path: str) -> None:
    with pytest.raises(FileError, match="must be"):
        load(path)


@pytest.mark.parametrize(
    ("option", "value"),
    [("on_error", "ignore"), ("on_error", None), ("window", np.nan), ("window", np.inf), ("window", "a"),
     ("window", 1j), ("window", True), ("window", (1, 2, 3)), ("window", 1e300), ("window", [3]),
     ("labels", "ab"), ("labels", 5), ("labels", (1, 2)), ("labels", ("a", "a")), ("image_mode", "CMYK"),
     ("part", "x"), ("sample_rate", 0), ("sample_rate", -1), ("sample_rate", 1.5), ("sample_rate", "8k"),
     ("input_shape", 5), ("input_shape", (1,)), ("input_shape", (0, 3)), ("input_shape", (1, 2.5))],
)  # fmt: skip
def test_options_that_fit_no_data(tmp_path: Path, option: str, value: Any) -> None:
    path = write_npz(tmp_path / "a.npz", **samples(np.random.default_rng(0)))
    with pytest.raises((ArgumentError, ArgumentTypeError), match=f"{option} must"):
        open_dataset(path, **{option: value})


@pytest.mark.parametrize(
    ("fraction", "seed"), [("a", 0), (None, 0), (np.nan, 0), (0.5, -1), (0.5, 1.5), (0.5, None)]
)
def test_splits_that_are_none(tmp_path: Path, fraction: Any, seed: Any) -> None:
    data = load_npz(write_npz(tmp_path / "a.npz", **samples(np.random.default_rng(0))))
    with pytest.raises((ArgumentError, ArgumentTypeError), match=r"fraction must|seed must"):
        split(data, fraction, seed=seed)


def test_labels_that_look_like_numbers_but_have_no_order(tmp_path: Path) -> None:
    rows = ["1,2,nan", "1,2,3", "1,2,2", "1,2," + "9" * 5000]
    orders = set()
    for turn in range(len(rows)):
        (tmp_path / "a.csv").write_text("\n".join(rows[turn:] + rows[:turn]))
        orders.add(load_csv(tmp_path / "a.csv").labels)
    assert orders == {("2", "3", "9" * 5000, "nan")}


def test_messages_repeat_what_is_long_in_short(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,a\n1," + "x\t" * 5000 + ",b\n")
    with pytest.raises(DataError) as caught:
        load_csv(tmp_path / "a.csv")
    assert len(str(caught.value)) < 250
    shutil.rmtree(tmp_path)
