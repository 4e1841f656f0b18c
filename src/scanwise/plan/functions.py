"""exp and log of arrays, with the bits that they have inside the kernels."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.kernels.maps import round_up
from scanwise.kernels.pointwise import LANES, Pointwise

__all__ = ["exp", "log"]


def exp(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """e**x of every value, a new array."""
    return _apply("exp", values)


def log(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """ln x of every value, a new array."""
    return _apply("log", values)


def _apply(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = np.zeros(round_up(values.size, LANES), np.float32)
    flat[: values.size] = values.ravel()
    _function(name)(flat.ctypes.data, len(flat) // LANES)
    return flat[: values.size].reshape(values.shape)


@functools.cache
def _function(name: str) -> Callable[[int, int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(jit.address(Pointwise(name)))
