"""Maps larger than 2**31 floats: kernels count in 64 bits.

No such memory is needed: the map has a border of so many rows above it, and the pointer lies as far before the memory.
"""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from scanwise.codegen import jit
from scanwise.codegen.jit import Kernel
from scanwise.kernels.container import Add
from scanwise.kernels.conv import Convolution, ParameterGradient, forward
from scanwise.kernels.maps import FeatureMap, plain_map
from scanwise.kernels.pool import MaxForward, Pooling
from scanwise.kernels.transfer import Scatter
from tests.kernels import harness
from tests.kernels.harness import Float32

ROWS, COLUMNS, CHANNELS = 6, 5, 7
NEAR = plain_map(CHANNELS, ROWS, COLUMNS)
FAR = NEAR.with_border((2**27, 0, 0, 0))
SIZES = Convolution(7, 7, (1, 1), (1, 1), (1, 1), (0, 0), (ROWS, COLUMNS), (ROWS, COLUMNS), bias=False)
POOLING = Pooling((1, 1), (1, 1), (0, 0), (ROWS, COLUMNS), (ROWS, COLUMNS))


def kernel_of(name: str, m: FeatureMap) -> Kernel:
    kernels: dict[str, Kernel] = {
        "forward": forward(SIZES, m, m),
        "weight gradient": ParameterGradient(SIZES, m, m),
        "pooling": MaxForward(POOLING, m, m),
        "sum": Add(m, m, m),
        "scatter": Scatter(m),
    }
    return kernels[name]


def run(name: str, m: FeatureMap) -> list[bytes]:
    """What each argument holds afterwards. Maps are told by their size."""
    maps: dict[str, list[bool]] = {
        "forward": [True, False, False, True, False],
        "weight gradient": [True, True, False],
        "pooling": [True, True],
        "sum": [True, True, True],
        "scatter": [True, False],
    }
    kernel = kernel_of(name, m)
    arrays: list[Float32] = []
    pointers: list[int] = []
    for number, is_map in enumerate(maps[name]):
        field = harness.filled(NEAR, harness.normal(number, 1, CHANNELS, ROWS, COLUMNS))
        inside = field.memory[harness._GUARD : -harness._GUARD]
        arrays.append(inside)
        pointers.append(inside.ctypes.data - (4 * (m.origin - NEAR.origin) if is_map else 0))
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * kernel.pointers, ctypes.c_int64)
    native(jit.address(kernel))(*pointers, 1)
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("name", ["forward", "weight gradient", "pooling", "sum", "scatter"])
def test_far_offsets(name: str) -> None:
    assert FAR.origin > 2**31
    assert run(name, FAR) == run(name, NEAR)


def test_the_memory_of_these_tests_holds_the_weights() -> None:
    """`forward` and `weight gradient` take a map's memory for their weights."""
    assert SIZES.weight_size <= NEAR.size
    assert np.prod((CHANNELS, ROWS, COLUMNS)) <= NEAR.size
