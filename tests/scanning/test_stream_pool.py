"""Many streams together: each is as by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from tests.backends import random_values, signal_model
from tests.plan.drawn_networks import Case
from tests.scanning.drawn_signals import chunks_of, detectors, model_of


@settings(max_examples=20)
@given(st.data(), detectors(), st.integers(1, 5) | st.none(), st.integers(1, 3))
def test_each_stream_is_as_by_itself(data: st.DataObject, case: Case, step: int | None, threads: int) -> None:
    model = model_of(case)
    signals = [random_values(case.input_shape[0], case.input_shape[1] + 20, seed=i) for i in range(3)]
    chunks = [data.draw(chunks_of(signal)) for signal in signals]
    pool = sw.StreamPool(model, step)
    numbers = [pool.open() for _ in signals]
    parts: dict[int, list[NDArray[np.float32]]] = {number: [] for number in numbers}
    before = sw.get_threads()
    sw.set_threads(threads)
    try:
        for i in range(max(map(len, chunks))):
            ready = {n: c[i] for n, c in zip(numbers, chunks, strict=True) if i < len(c)}
            for number, scores in pool.feed(ready).items():
                parts[number].append(scores)
    finally:
        sw.set_threads(before)
    for number, signal in zip(numbers, signals, strict=True):
        np.testing.assert_array_equal(
            np.concatenate(parts[number], axis=1), sw.scan(model, signal, step=step).scores
        )


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_take_streams(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanwise.plan.ticks.LONG", 0)
    model = signal_model("native")
    pool = sw.StreamPool(model, 1)
    before = sw.get_threads()
    sw.set_threads(threads)
    try:
        signals = {pool.open(): random_values(2, 100 + i, seed=i) for i in range(9)}
        found = pool.feed(signals)
    finally:
        sw.set_threads(before)
    for number, signal in signals.items():
        np.testing.assert_array_equal(found[number], sw.scan(model, signal, step=1).scores)


def test_states_move_between_pools_and_streams() -> None:
    model, signal = signal_model("native"), random_values(2, 60)
    pool, stream = sw.StreamPool(model), sw.Stream(model)
    first = pool.open()
    head = pool.feed({first: signal[:, :23]})[first]
    second = pool.restore(pool.state(first))
    stream.restore(pool.state(second))
    tails = [pool.feed({n: signal[:, 23:]})[n] for n in (first, second)] + [stream.feed(signal[:, 23:])]
    for tail in tails:
        np.testing.assert_array_equal(np.concatenate([head, tail], axis=1), sw.scan(model, signal).scores)
    assert pool.position(first) == 60
    assert len(pool) == 2


def test_the_end_of_one() -> None:
    model, signal = signal_model("native"), random_values(2, 17)
    pool, stream = sw.StreamPool(model, 5), sw.Stream(model, 5)
    one, other = pool.open(), pool.open()
    pool.feed({one: signal, other: signal})
    stream.feed(signal)
    np.testing.assert_array_equal(pool.flush(one, "pad"), stream.flush("pad"))
    with pytest.raises(sw.ArgumentError, match=r"ended"):
        pool.feed({one: signal})
    pool.close(one)
    with pytest.raises(sw.ArgumentError, match=r"stream must be the number of one that is open. Got 0"):
        pool.close(one)
    assert pool.feed({other: signal})[other].shape[1] > 0
    assert pool.open() not in (one, other)


def test_a_wrong_chunk_leaves_all_as_they_were() -> None:
    pool = sw.StreamPool(signal_model("native"))
    one, other = pool.open(), pool.open()
    with pytest.raises(sw.ArgumentError, match=r"chunks\[1\] must be finite .* at index \(0, 0\)"):
        pool.feed({one: np.ones((2, 20)), other: np.full((2, 1), np.nan)})
    assert (pool.position(one), pool.position(other)) == (0, 0)
    with pytest.raises(sw.ArgumentError, match=r"Got 7"):
        pool.feed({one: np.ones((2, 20)), 7: np.ones((2, 1))})
    with pytest.raises(sw.ArgumentTypeError, match=r"mapping from streams to samples. Got list"):
        pool.feed([np.ones((2, 20))])  # type: ignore[arg-type]
    with pytest.raises(sw.DataError, match=r"state must"):
        pool.restore(b"")
    assert pool.feed({}) == {}
    assert len(pool) == 2


def test_window_by_window() -> None:
    model, signal = signal_model("reference"), random_values(2, 30)
    pool = sw.StreamPool(model)
    one = pool.open()
    np.testing.assert_array_equal(pool.feed({one: signal})[one], sw.scan(model, signal).scores)
