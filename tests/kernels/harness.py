"""Calls a kernel on maps the way the plan does, on every target that this processor can run.

Maps get random values, borders and padding lanes of zeros, and guards of NaN at both ends of the memory. After the call
all targets must have left the same bits, and borders, padding lanes and guards must be as they were.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.codegen.jit import Kernel
from scanwise.codegen.target import AVX2, AVX512, GENERIC, NEON, Target, host_target
from scanwise.kernels.maps import FeatureMap, plain_map

Float32 = NDArray[np.float32]
Border = tuple[int, int, int, int]

_GUARD = 64  # floats: more than the widest vector
_STALE = np.float32(7.25)  # what outputs hold before a call: kernels assign, they do not add

# Around the vector widths 4, 8 and 16; one, two and three vectors; with and without a ragged last one.
CHANNELS = st.sampled_from([1, 3, 4, 5, 8, 9, 15, 16, 17, 20, 33])
EXTENTS = st.integers(1, 9)
SAMPLES = st.integers(1, 3)
BORDERS = st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (0, 2, 1, 0)])
SEEDS = st.integers(0, 2**32 - 1)


def host_targets() -> list[Target]:
    """The targets whose code this processor can run, the widest first."""
    known = {"avx512": [AVX512, AVX2, GENERIC], "avx2": [AVX2, GENERIC], "generic": [GENERIC], "neon": [NEON]}
    return known[host_target().name]


@dataclass
class Field:
    """A map with its memory."""

    extent: FeatureMap
    samples: int
    memory: Float32  # with a guard at both ends

    @property
    def grid(self) -> Float32:
        """A view as (N, rows with border, columns with border, pitch)."""
        m = self.extent
        rows, columns = m.border[0] + m.height + m.border[1], m.border[2] + m.width + m.border[3]
        return self.memory[_GUARD:-_GUARD].reshape(self.samples, rows, columns, m.pitch)

    @property
    def values(self) -> Float32:
        """A view as (N, C, H, W)."""
        m = self.extent
        top, left = m.border[0], m.border[2]
        inside = self.grid[:, top : top + m.height, left : left + m.width, : m.channels]
        return inside.transpose(0, 3, 1, 2)

    def check_surroundings(self) -> None:
        """Borders and padding lanes are zero, and nothing was written beyond the map."""
        rest = Field(self.extent, self.samples, self.memory.copy())
        rest.values[...] = 0
        if rest.grid.any():
            raise AssertionError(f"a kernel wrote to the border or the padding lanes of {self.extent}")
        if not np.isnan(self.memory[:_GUARD]).all() or not np.isnan(self.memory[-_GUARD:]).all():
            raise AssertionError(f"a kernel wrote outside of {self.extent}")


@dataclass(frozen=True)
class Scratch:
    """Memory that a kernel may use: it finds there what another call left, and what it leaves is its own."""

    floats: int


def _memory(size: int) -> Float32:
    memory = np.full(size + 2 * _GUARD, np.nan, np.float32)
    memory[_GUARD:-_GUARD] = 0
    return memory


def output(extent: FeatureMap, samples: int) -> Field:
    """A map that holds stale values."""
    field = Field(extent, samples, _memory(samples * extent.size))
    field.values[...] = _STALE
    return field


def zeros(extent: FeatureMap, samples: int) -> Field:
    """A map as the arena is at first."""
    return Field(extent, samples, _memory(samples * extent.size))


def filled(extent: FeatureMap, values: NDArray[Any]) -> Field:
    """A map with these values, (N, C, H, W) or with axes of one left out."""
    field = Field(extent, len(values), _memory(len(values) * extent.size))
    field.values[...] = values.reshape(field.values.shape)
    return field


def bordered(channels: int, height: int, width: int, border: Border = (0, 0, 0, 0)) -> FeatureMap:
    return plain_map(channels, height, width).with_border(border)


def normal(seed: int, *shape: int) -> Float32:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def call(
    kernel: Kernel,
    samples: int,
    *arguments: Field | Scratch | NDArray[Any] | None,
    targets: Sequence[Target] | None = None,
) -> None:
    """Run the kernel, on all targets or those given; its results stand in `arguments` afterwards."""
    before = [_array(a) if a is None else _array(a).copy() for a in arguments]
    first: list[NDArray[Any]] | None = None
    for target in targets or host_targets():
        results = [array.copy() for array in before]
        function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * kernel.pointers, ctypes.c_int64)
        pointers = [
            array.ctypes.data + (4 * _GUARD if isinstance(a, Field) else 0)
            for a, array in zip(arguments, results, strict=True)
        ]
        function(jit.address(kernel, target))(*pointers, samples)
        if first is None:
            first = results
            continue
        for number, (a, b) in enumerate(zip(first, results, strict=True)):
            if isinstance(arguments[number], Scratch):
                continue
            if a.tobytes() != b.tobytes():
                places = np.flatnonzero(a.view(np.uint32) != b.view(np.uint32))
                raise AssertionError(
                    f"{kernel!r}: argument {number} differs on {target.name} at {places[:8]}"
                )
    assert first is not None
    for argument, result in zip(arguments, first, strict=True):
        if argument is None or isinstance(argument, Scratch):
            continue
        _array(argument)[...] = result
        if isinstance(argument, Field):
            argument.check_surroundings()


def _array(argument: Field | Scratch | NDArray[Any] | None) -> NDArray[Any]:
    if isinstance(argument, Scratch):
        return np.full(argument.floats, np.nan, np.float32)
    if argument is None:
        return np.zeros(0, np.float32)
    return argument.memory if isinstance(argument, Field) else argument


def check_close(
    actual: NDArray[Any], expected: NDArray[Any], tolerance: float, scale: NDArray[Any] | float | None = None
) -> None:
    """|actual - expected| <= tolerance * scale everywhere.

    The scale is |expected|, at least its mean, unless another is given: for sums of many terms the sum of their sizes.
    """
    wanted = np.asarray(expected, np.float64).reshape(actual.shape)
    if scale is None:
        scale = np.maximum(np.abs(wanted), np.abs(wanted).mean())
    allowed = tolerance * np.broadcast_to(np.asarray(scale, np.float64), wanted.shape) + 1e-37
    excess = np.abs(actual - wanted) / allowed
    if not (excess <= 1).all():
        worst = np.unravel_index(int(np.nanargmax(np.where(np.isnan(excess), np.inf, excess))), excess.shape)
        raise AssertionError(
            f"at {tuple(int(i) for i in worst)}: {actual[worst]!r} in place of {wanted[worst]!r}, "
            f"{excess[worst]:.3g} times the tolerance"
        )
