"""Memory that is not there, Ctrl-C at any moment, several threads at once, forked processes."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scanwise as sw
from scanwise import memory
from scanwise.layers import Conv1d, Conv2d, Dropout, Flatten, Linear, Pad1d, ReLU, Sequential, Shape, Tanh
from scanwise.plan.executor import NativeExecutor
from scanwise.training.native_program import NativeProgram
from tests.plan.drawn_networks import Case, random_values

NETWORK = Sequential(Conv2d(8, 3), ReLU(), Flatten(), Dropout(0.2), Linear(20), Tanh(), Linear(3))
CASE = Case(NETWORK, (2, 10, 10))
STEPS = 1500


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


class TestMemory:
    @pytest.mark.parametrize(
        ("network", "shape"),
        [
            (Sequential(Conv2d(1, 3)), (1, 200_000, 200_000)),
            (Sequential(Linear(10**30)), (3,)),
            (Sequential(Linear(3)), (10**30,)),
            (Sequential(Conv2d(10**30, 3)), (1, 8, 8)),
            (Sequential(Conv1d(1, 10**12, padding=10**12)), (1, 10)),
            (Sequential(Pad1d(10**13)), (1, 10)),
        ],
        ids=str,
    )
    def test_models_are_refused_at_once(self, network: Sequential, shape: Shape) -> None:
        with pytest.raises(sw.ArgumentError, match=r"small enough for memory \(.*GiB available\). Got"):
            sw.Model(network, shape)

    def test_activations_are_refused_before_they_are_allocated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        network = Sequential(*[Conv1d(16, 3, padding=1)] * 3)
        model = sw.Model(network, (1, 500_000))
        monkeypatch.setattr(memory, "available_bytes", lambda: 5 * 10**7)
        with pytest.raises(
            sw.EngineError, match=r"memory must hold the values of all layers.*Got 0.1 GiB to take"
        ):
            model(np.zeros((1, 1, 500_000), np.uint8))

    def test_training_is_refused_before_it_begins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = sw.Model(Sequential(Linear(2000)), (3000,))
        monkeypatch.setattr(memory, "available_bytes", lambda: 10**8)
        with pytest.raises(sw.EngineError, match=r"memory must hold 7 copies of the parameters"):
            sw.fit(model, np.zeros((20, 3000)), np.arange(20), epochs=1, optimizer=sw.AdamW(0.1))


# A signal that falls into a finalizer or a callback of the garbage collector is reported by Python and goes no further:
# such a call was not interrupted, and what it gives is checked as ever.
@pytest.mark.filterwarnings("ignore:Exception ignored.*:pytest.PytestUnraisableExceptionWarning")
class TestInterruption:
    @pytest.mark.parametrize("threads", [1, 2, 3])
    def test_training_goes_on_where_it_was(self, threads: int) -> None:
        """Ctrl-C again and again, at moments that fall anywhere: not a step is lost or done twice."""
        sw.set_threads(threads)
        x, y = CASE.samples(64), np.arange(64) % 3
        order, rates = np.resize(np.arange(64), 16 * STEPS), np.full(STEPS, 0.01, np.float32)

        def prepared() -> NativeProgram:
            optimizer = sw.AdamW(0.01)
            program = NativeProgram(
                NETWORK, CASE.input_shape, loss="cross_entropy", optimizer=optimizer, batch_size=16, seed=1
            )
            program.write_parameters(CASE.parameters)
            program.begin_epoch(x, y, order, rates)
            return program

        whole, interrupted = prepared(), prepared()
        whole.advance(1e9)
        interruptions = 0
        delays = np.random.default_rng(threads).uniform(1e-6, 1e-3, 100_000)
        while not np.array_equal(interrupted.state()["steps"], STEPS):
            interruptions += was_interrupted(lambda: interrupted.advance(2e-3), delays[interruptions])
        assert interruptions > 3
        for name, value in whole.read_parameters().items():
            np.testing.assert_array_equal(interrupted.read_parameters()[name], value)
        np.testing.assert_array_equal(interrupted.losses, whole.losses)

    def test_inference(self) -> None:
        sw.set_threads(3)
        model = sw.Model(NETWORK, CASE.input_shape)
        x = CASE.samples(200)
        expected = model(x)

        def use() -> None:
            for _ in range(20):
                assert (model(x) == expected).all()

        assert sum(was_interrupted(use, 1e-6 * (1 + 10 * i)) for i in range(150)) > 50
        use()


def was_interrupted(call: Callable[[], object], seconds: float) -> bool:
    """Runs `call` with a Ctrl-C after some seconds; whether it came before the end."""
    armed = True

    def press(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    gc.disable()  # the test tools' own callbacks of the collector are not what is interrupted here
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        call()
        armed = False
    except KeyboardInterrupt:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    return False


class TestThreads:
    def test_one_model_from_several_threads(self) -> None:
        """Also its first use, when the executor is made, and parameters that change meanwhile."""
        x = CASE.samples(30)
        expected = sw.Model(NETWORK, CASE.input_shape, seed=2)(x)
        for _ in range(5):
            model = sw.Model(NETWORK, CASE.input_shape, seed=2)
            together = threading.Barrier(6)

            def use(i: int, model: sw.Model = model, together: threading.Barrier = together) -> bool:
                together.wait()
                return all(
                    np.array_equal(model(x[n : n + i + 1]), expected[n : n + i + 1]) for n in range(20)
                )

            with ThreadPoolExecutor(6) as pool:
                assert all(pool.map(use, range(6)))

    def test_several_trainings_and_a_scan_at_once(self) -> None:
        """Every one has threads of its own: none waits for those of another."""
        sw.set_threads(3)
        x, y = CASE.samples(48), np.arange(48) % 3

        def train(seed: int) -> bytes:
            model = sw.Model(NETWORK, CASE.input_shape, seed=seed)
            sw.fit(model, x, y, epochs=15, batch_size=16, seed=seed, progress=False)
            return b"".join(value.tobytes() for value in model.parameters.values())

        listener = sw.Model(Sequential(Conv2d(4, 3), Flatten(), Linear(2)), (1, 8, 8))
        picture = random_values(1, 60, 60, seed=0)
        alone = [train(seed) for seed in range(3)], sw.scan(listener, picture).scores
        with ThreadPoolExecutor(4) as pool:
            scans = pool.submit(lambda: [sw.scan(listener, picture).scores for _ in range(10)])
            assert list(pool.map(train, range(3))) == alone[0]
            assert all(np.array_equal(scores, alone[1]) for scores in scans.result())

    def test_far_more_threads_than_processors(self) -> None:
        x, y = CASE.samples(60), np.arange(60) % 3
        expected = sw.Model(NETWORK, CASE.input_shape)(x)
        sw.set_threads(300)
        model = sw.Model(NETWORK, CASE.input_shape)
        np.testing.assert_array_equal(model(x), expected)
        sw.fit(model, x, y, epochs=2, batch_size=32, progress=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process() -> None:
    """It has none of its parent's threads, and must not wait for them."""
    sw.set_threads(3)
    model = sw.Model(NETWORK, CASE.input_shape)
    x, y = CASE.samples(40), np.arange(40) % 3
    expected = model(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of what is tested here
        child = os.fork()
    if child == 0:
        code = 1
        try:
            same = np.array_equal(model(x), expected)
            sw.fit(model, x, y, epochs=2, batch_size=16, progress=False)
            code = 0 if same else 2
        finally:
            os._exit(code)
    deadline = time.monotonic() + 20.0
    while (status := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if status == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child process hangs")
    assert os.waitstatus_to_exitcode(status[1]) == 0


def test_an_executor_made_in_one_thread_serves_another() -> None:
    executor = NativeExecutor(NETWORK, CASE.input_shape)
    executor.load_parameters(CASE.parameters)
    x = CASE.samples(9)
    found = []
    thread = threading.Thread(target=lambda: found.append(executor.forward(x)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], executor.forward(x))
