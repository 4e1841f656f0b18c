"""A stream goes on from its state, wherever that is restored; a state that is none is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from tests.backends import random_values, signal_model
from tests.kernels.harness import host_targets
from tests.plan.drawn_networks import Case
from tests.scanning.drawn_signals import chunks_of, detectors, model_of


@settings(max_examples=20)
@given(st.data(), detectors(), st.integers(1, 5) | st.none())
def test_at_every_moment(data: st.DataObject, case: Case, step: int | None) -> None:
    """In turn on each of the processors that this one can be."""
    signal = random_values(case.input_shape[0], case.input_shape[1] + 25)
    owners = [model_of(case, target) for target in host_targets()[:2]]
    streams = [sw.Stream(model, step) for model in owners]
    parts, state = [], streams[0].state()
    for i, chunk in enumerate(data.draw(chunks_of(signal))):
        stream = streams[i % len(streams)]
        stream.restore(state)
        parts.append(stream.feed(chunk))
        state = stream.state()
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), sw.scan(owners[0], signal, step=step).scores)


def test_back_to_an_earlier_moment() -> None:
    model, signal = signal_model("native"), random_values(2, 60)
    stream = sw.Stream(model)
    stream.feed(signal[:, :20])
    state = stream.state()
    first = stream.feed(signal[:, 20:])
    stream.restore(state)
    np.testing.assert_array_equal(stream.feed(signal[:, 20:]), first)


def test_in_another_process_and_backend(tmp_path: Path) -> None:
    model, signal = signal_model("reference"), random_values(2, 60)
    stream = sw.Stream(model)
    stream.feed(signal[:, :25])
    (tmp_path / "state").write_bytes(stream.state())
    model.save(tmp_path / "model")
    np.save(tmp_path / "rest.npy", signal[:, 25:])
    code = (
        "import json, numpy as np, scanwise as sw; from pathlib import Path\n"
        "stream = sw.Stream(sw.load('model')); stream.restore(Path('state').read_bytes())\n"
        "print(json.dumps([stream.position, stream.feed(np.load('rest.npy')).tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    position, scores = json.loads(done.stdout)
    assert position == 25
    expected = sw.scan(signal_model("native"), signal).scores[:, 7:]
    np.testing.assert_array_equal(np.float32(scores), expected)


def test_an_ended_stream_stays_ended() -> None:
    stream, other = (sw.Stream(signal_model("native")) for _ in range(2))
    stream.feed(random_values(2, 12))
    stream.flush()
    other.restore(stream.state())
    with pytest.raises(sw.ArgumentError, match=r"ended"):
        other.feed(random_values(2, 1))


def test_damage() -> None:
    stream = sw.Stream(signal_model("native"))
    stream.feed(random_values(2, 15))
    state, scores = stream.state(), stream.feed(random_values(2, 4))
    stream.restore(state)
    for i in range(0, len(state), 7):
        wrong = bytearray(state)
        wrong[i] ^= 0x10
        with pytest.raises(sw.DataError, match=r"state must"):
            stream.restore(bytes(wrong))
        with pytest.raises(sw.DataError, match=r"state must"):
            stream.restore(state[:i])
    np.testing.assert_array_equal(stream.feed(random_values(2, 4)), scores)


def test_of_another_kind() -> None:
    model = signal_model("native")
    stream = sw.Stream(model, 2)
    with pytest.raises(sw.DataError, match=r"step 3. Got 2"):
        sw.Stream(model, 3).restore(stream.state())
    with pytest.raises(sw.DataError, match=r"another network or other parameters"):
        sw.Stream(signal_model("native", seed=1)).restore(stream.state())
    with pytest.raises(sw.ArgumentTypeError, match=r"state must be bytes. Got str"):
        stream.restore("state")  # type: ignore[arg-type]


def test_of_a_later_version(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = sw.Stream(signal_model("native"))
    monkeypatch.setattr("scanwise.scanning.state._VERSION", 2)
    state = stream.state()
    monkeypatch.undo()
    with pytest.raises(sw.DataError, match=r"version 1 at most for this Scanwise. Got 2"):
        stream.restore(state)
