"""Contract 7: nothing is unpickled or fetched from a network, and files are written only where the user said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.data.conftest import write_tone

# Python reports what its interpreter does to an audit hook, from which nothing that runs in it can hide.
WATCHED = """
import json, os, sys
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate"}
seen = {"network": [], "pickle": [], "paths": []}
def hook(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.")):
        seen["network"].append(event)
    elif event.startswith("pickle."):
        seen["pickle"].append(event)
    elif event == "open" and isinstance(arguments[0], (str, bytes)) and arguments[2] and arguments[2] & WRITES:
        seen["paths"].append(os.path.abspath(os.fsdecode(arguments[0])))
    elif event in CHANGES:
        seen["paths"] += [os.path.abspath(os.fsdecode(a)) for a in arguments if isinstance(a, (str, bytes))]
sys.addaudithook(hook)
from scanwise.cli import main
code = main(sys.argv[1:])
print(json.dumps(seen), file=sys.stderr)
sys.exit(code)
"""


def test_a_whole_way_leaves_nothing_elsewhere(in_tmp_path: Path) -> None:
    for label, hertz in (("high", 2000.0), ("low", 250.0)):
        for i in range(4):
            write_tone(in_tmp_path / "clips" / label / f"{i}.wav", 0.05, hertz + 10 * i)
    work, home, cache = (in_tmp_path / name for name in ("work", "home", "cache"))
    for folder in (work, home):
        folder.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "SCANWISE_CACHE": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    named = in_tmp_path / "out" / "sounds.safetensors"
    named.parent.mkdir()
    clips, clip = in_tmp_path / "clips", in_tmp_path / "clips" / "low" / "0.wav"
    for arguments in (
        ["train", clips, "-o", named, "--network", "mlp", "--epochs", "2", "--validation", "0"],
        ["eval", named, clips],
        ["scan", named, clip],
        ["scan", named, clip, "--format", "csv", "-o", "found.csv"],
        ["inspect", named],
    ):
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *map(str, arguments)],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stderr.splitlines()[-1])
        assert seen["network"] == []
        assert seen["pickle"] == []
        allowed = [str(folder) + os.sep for folder in (work, named.parent, cache)]
        elsewhere = {
            path for path in seen["paths"] if not any((path + os.sep).startswith(a) for a in allowed)
        }
        assert elsewhere <= {os.devnull}, arguments
    assert [path.name for path in work.iterdir()] == ["found.csv"]
    assert [path.name for path in named.parent.iterdir()] == [named.name]
    assert not list(home.iterdir())
    assert all(path.suffix == ".o" for path in cache.iterdir())


def test_an_array_of_objects_is_not_unpickled(in_tmp_path: Path) -> None:
    """Loading a pickle runs what it says; such a file is refused unread."""

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (in_tmp_path / "ran",))

    from scanwise.cli import main

    for label in "ab":
        (in_tmp_path / "d" / label).mkdir(parents=True)
        np.save(in_tmp_path / "d" / label / "0.npy", np.array([Bomb()], object), allow_pickle=True)
    np.savez("d.npz", x=np.array([Bomb()] * 4, object), y=np.arange(4))
    for data in ("d", "d.npz"):
        assert main(["train", data, "-o", "m.safetensors"]) == 1
    assert sorted(path.name for path in in_tmp_path.iterdir()) == ["d", "d.npz"]
