"""One layer worked by hand: its value and its input gradient as plain lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from scanwise.layers import Layer, Sequential
from scanwise.reference import forward, gradients


def value(layer: Layer, x: object, **parameters: object) -> list[Any]:
    """y of one sample."""
    given = {f"0.{name}": np.array(each, dtype=float) for name, each in parameters.items()}
    return forward(Sequential(layer), np.array([x], dtype=float), given)[0].tolist()  # type: ignore[no-any-return]


def slope(layer: Layer, x: object, dy: object) -> list[Any]:
    """dx of one sample, given dL/dy."""
    dx, _ = gradients(Sequential(layer), np.array([x], dtype=float), np.array([dy], dtype=float), {})
    return dx[0].tolist()  # type: ignore[no-any-return]
