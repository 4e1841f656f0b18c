"""Models on disk: everything comes back, and every damaged file is refused with a clear line."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensor_bytes

import scanwise as sw
from scanwise import model_file
from tests.backends import BACKENDS, IMAGE_SHAPE, image_model, random_values


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    image_model("reference", labels=("cat", "dog", "none"), image_mode="RGB", seed=3).save(path)
    return path


@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_comes_back(tmp_path: Path, backend: str) -> None:
    model = image_model(backend, labels=("é", "b", "none"), sample_rate=8000, image_mode="L", background="b")
    model.loss = "binary_cross_entropy"
    model.save(tmp_path / "m")
    twin = sw.load(tmp_path / "m", backend=backend)
    x = random_values(3, *IMAGE_SHAPE)
    np.testing.assert_array_equal(twin(x), model(x))
    for name in (
        "network",
        "input_shape",
        "labels",
        "sample_rate",
        "image_mode",
        "background",
        "loss",
        "backend",
    ):
        assert getattr(twin, name) == getattr(model, name), name
    assert names(tmp_path) == ["m"]


def test_a_network_without_parameters_and_one_of_every_kind(tmp_path: Path) -> None:
    for network, shape in (
        (sw.Sequential(sw.ReLU()), (3,)),
        (sw.Sequential(sw.Residual(sw.Sequential(sw.Linear(3, bias=False))), sw.Dropout(0.5)), (3,)),
        (
            sw.Sequential(sw.Pad2d((1, 0, 0, 1)), sw.Conv2d(2, (1, 2), groups=1), sw.Aggregate("mean")),
            (1, 3, 3),
        ),
    ):
        sw.Model(network, shape, backend="reference").save(tmp_path / "m")
        assert sw.load(tmp_path / "m").network == network


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    model = image_model("reference", labels=("cat", "dog", "none"), image_mode="RGB")
    contents = set()
    for _ in range(10):
        model.save(tmp_path / "m")
        contents.add((tmp_path / "m").read_bytes())
    sw.load(tmp_path / "m", backend="reference").save(tmp_path / "again")
    assert contents == {(tmp_path / "again").read_bytes()}


def test_other_tools_can_read_the_tensors(saved: Path) -> None:
    tensors = read_tensors(saved.read_bytes())
    np.testing.assert_array_equal(tensors["4.weight"], sw.load(saved).parameters["4.weight"])


def test_saving_again_replaces_the_file_and_keeps_ordinary_permissions(saved: Path) -> None:
    image_model("reference", seed=9).save(saved)
    assert sw.load(saved).labels is None
    (saved.parent / "plain").touch()
    assert saved.stat().st_mode == (saved.parent / "plain").stat().st_mode


class TestUnreadable:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(
            sw.FileError, match=r"model must be an existing file\. Got .*m\.safetensors, which does not exist"
        ):
            sw.load(tmp_path / "m.safetensors")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(sw.FileError, match=r"model must be an existing file\. Got .*, which is a folder"):
            sw.load(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0", b"hello, this is text", b"\x89PNG\r\n\x1a\n" + bytes(50), bytes(100), os.urandom(1000)],
    )
    def test_not_a_model(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(sw.ModelFileError, match="must be a model that Scanwise saved"):
            sw.load(tmp_path / "m")

    def test_safetensors_of_someone_else(self, tmp_path: Path) -> None:
        for metadata in (None, {"format": "pt"}):
            (tmp_path / "m").write_bytes(tensor_bytes({"w": np.zeros(3)}, metadata))
            with pytest.raises(sw.ModelFileError, match="must be a model that Scanwise saved"):
                sw.load(tmp_path / "m")

    def test_truncated_anywhere(self, saved: Path) -> None:
        content = saved.read_bytes()
        for length in [*range(0, len(content) - 1, 37), len(content) - 1]:
            saved.write_bytes(content[:length])
            with pytest.raises(sw.ModelFileError, match="truncated" if length >= 9 else "must be a model"):
                sw.load(saved)

    def test_damaged_anywhere(self, saved: Path) -> None:
        content = saved.read_bytes()
        for place in range(0, len(content), 11):
            damaged = bytearray(content)
            damaged[place] ^= 0x10
            saved.write_bytes(damaged)
            with pytest.raises(sw.ModelFileError, match=str(saved)):
                sw.load(saved)

    def test_longer_than_it_should_be(self, saved: Path) -> None:
        saved.write_bytes(saved.read_bytes() + b"more")
        with pytest.raises(sw.ModelFileError, match="damaged"):
            sw.load(saved)

    def test_newer_version(self, saved: Path) -> None:
        rewrite(saved, lambda header: header | {"version": 2})
        with pytest.raises(
            sw.ModelFileError, match=r"at most 1 for this Scanwise. Got 2: the model was saved by a newer"
        ):
            sw.load(saved)

    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("network", {"kind": "Sequential", "layers": [{"kind": "Teleport"}]}, "Got 'Teleport'"),
            ("network", {"kind": "Sequential", "layers": [{"kind": "MaxPool2d", "kernel_size": 99}]}, "99"),
            (
                "network",
                {
                    "kind": "Sequential",
                    "layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 3}],
                },
                "the parameters must be",
            ),
            ("input_shape", [2, 8, 70], "must have shape"),
            ("input_shape", "wide", "can be built"),
            ("labels", ["a"], "one name for each"),
            ("sample_rate", "fast", "can be built"),
        ],
    )
    def test_impossible_description(self, saved: Path, field: str, value: object, text: str) -> None:
        def change(header: dict[str, Any]) -> dict[str, Any]:
            description = header["model"] | {field: value}
            tensors = read_tensors(saved.read_bytes())
            return header | {"model": description, "sha256": model_file.digest_of(description, tensors)}

        rewrite(saved, change)
        with pytest.raises(sw.ModelFileError, match=text):
            sw.load(saved)

    def test_nested_without_end(self, saved: Path) -> None:
        def change(header: dict[str, Any]) -> dict[str, Any]:
            for _ in range(400):
                network = header["model"]["network"]
                header["model"]["network"] = {"kind": "Sequential", "layers": [network]}
            return header

        rewrite(saved, change)
        with pytest.raises(sw.ModelFileError, match="can be built"):
            sw.load(saved)
        deep = {"scanwise": "[" * 10**6}
        saved.write_bytes(tensor_bytes({"w": np.zeros(3)}, deep))
        with pytest.raises(sw.ModelFileError, match="must be a model that Scanwise saved"):
            sw.load(saved)


class TestUnwritable:
    def test_a_device_is_no_file_to_replace(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for place in (tmp_path / "pipe", Path("/dev/null")):
            with pytest.raises(sw.FileError, match="a device or a pipe"):
                image_model("reference").save(place)
            assert not place.is_file()
        assert names(tmp_path) == ["pipe"]

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("target")
        image_model("reference").save(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert sw.load(tmp_path / "target").input_shape == IMAGE_SHAPE

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(sw.FileError, match=r"must be writable. No such file or directory"):
            image_model("reference").save(tmp_path / "no" / "m")

    def test_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "m").mkdir()
        with pytest.raises(sw.FileError, match=r"must be writable. Is a directory"):
            image_model("reference").save(tmp_path / "m")
        assert names(tmp_path) == ["m"]

    def test_tables_too_large_for_the_header(self, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What safetensors says then stands in for codes that fill its 100,000,000 bytes."""

        def too_large(*_: object) -> bytes:
            raise safetensors.SafetensorError("header too large")

        before = saved.read_bytes()
        monkeypatch.setattr(safetensors.numpy, "save", too_large)
        with pytest.raises(sw.ArgumentError, match=r"at most 100,000,000 bytes .* Got .* header too large"):
            image_model("reference").save(saved)
        assert names(saved.parent) == [saved.name]
        assert saved.read_bytes() == before

    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_disk_full_leaves_the_old_file_and_nothing_else(
        self, saved: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        before = saved.read_bytes()
        monkeypatch.setattr(*((os, "fsync", full) if step == "fsync" else (Path, "replace", full)))
        with pytest.raises(sw.FileError, match="No space left on device"):
            image_model("reference").save(saved)
        assert names(saved.parent) == [saved.name]
        assert saved.read_bytes() == before


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["scanwise"])
    path.write_bytes(tensor_bytes(read_tensors(content), {"scanwise": json.dumps(change(header))}))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_are_those_of_the_file(saved: Path) -> None:
    model = sw.load(saved, backend="reference")
    assert model.to_bytes() == saved.read_bytes()
    twin = sw.Model.from_bytes(saved.read_bytes(), backend="reference")
    assert (twin.labels, twin.image_mode, twin.backend) == (model.labels, model.image_mode, "reference")
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(twin.parameters[name], value)


def test_damaged_bytes() -> None:
    content = image_model("reference").to_bytes()
    with pytest.raises(sw.ModelFileError, match="truncated"):
        sw.Model.from_bytes(content[:-1])
    with pytest.raises(sw.ModelFileError, match="is not one"):
        sw.Model.from_bytes(b"")
    with pytest.raises(sw.ModelFileError, match="damaged"):
        sw.Model.from_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(sw.ArgumentTypeError, match=r"content must be bytes\. Got str"):
        sw.Model.from_bytes("content")  # type: ignore[arg-type]
    with pytest.raises(sw.ArgumentError, match="backend must be one of"):
        sw.Model.from_bytes(content, backend="other")
