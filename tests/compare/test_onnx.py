"""The benchmark's ONNX models compute what Scanwise computes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.networks import CASES
from benchmarks.onnx_twin import session_of
from tests.compare.comparison import assert_close, randomised


@pytest.mark.parametrize("name", list(CASES))
def test_onnx_twin_agrees(name: str) -> None:
    model = randomised(CASES[name].model())
    x, _ = CASES[name].samples(3)
    (y,) = session_of(model, threads=1).run(None, {"x": x})
    assert_close(np.asarray(y), model(x), name)
