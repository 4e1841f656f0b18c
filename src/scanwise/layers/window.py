"""What the layers that slide a window over their input share: convolution, pooling and downsampling.

1-D is 2-D with `H = R = P = 1`: a `Geometry` is always two-dimensional, so that everything after the layers
has one convolution and one pooling, not two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ShapeError

from .base import Layer, Shape


@dataclass(frozen=True)
class Geometry:
    """Where a window lies, as rows and columns.

    Attributes:
        kernel: window extent (R, S), in input positions before dilation.
        stride: steps between neighbouring windows.
        dilation: distance between the input positions of one window.
        padding: positions added on (top, bottom, left, right).
        output: number of windows (P, Q).
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    output: tuple[int, int]


@dataclass(frozen=True, repr=False)
class _Windowed(Layer):
    """A layer whose output positions are windows of its input, `axes` spatial axes of them."""

    axes: ClassVar[int]

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        """Kernel, stride, dilation and (before, after) padding, one entry a spatial axis."""
        raise NotImplementedError

    def rounds_up(self) -> bool:
        """Whether a last window that is only partly inside the input counts (`ceil_mode`)."""
        return False

    def geometry(self, input_shape: Shape) -> Geometry:
        """Where the windows lie in an input of shape `(C, T)` or `(C, H, W)`.

        Raises:
            ShapeError: the input has another number of axes, or not even one window fits.
        """
        self._expect_axes(input_shape, self.axes + 1)
        kernel, stride, dilation, padding = self.sliding_window()
        output = tuple(
            self._positions(input_shape, axis, kernel[axis], stride[axis], dilation[axis], padding[axis])
            for axis in range(self.axes)
        )
        if self.axes == 1:
            kernel, stride, dilation, output = (1, *kernel), (1, *stride), (1, *dilation), (1, *output)
            padding = ((0, 0), *padding)
        (top, bottom), (left, right) = padding
        return Geometry(
            kernel=(kernel[0], kernel[1]),
            stride=(stride[0], stride[1]),
            dilation=(dilation[0], dilation[1]),
            padding=(top, bottom, left, right),
            output=(output[0], output[1]),
        )

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        self._expect_axes(input_shape, self.axes + 1)
        kernel, stride, dilation, _ = self.sliding_window()
        return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)), stride

    def _positions(
        self, input_shape: Shape, axis: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int]
    ) -> int:
        """Lecture 3.4 and 5.9: floor((N + padding - K) / stride) + 1, with K the extent after dilation.

        With `ceil_mode` the division rounds up, and a last window that would start in the padding behind the
        input is left out (PyTorch's rule).
        """
        extent = input_shape[1 + axis]
        before, after = padding
        reach = dilation * (kernel - 1) + 1
        room = extent + before + after - reach
        if self.rounds_up():
            positions = -(-room // stride) + 1
            if (positions - 1) * stride >= extent + before:
                positions -= 1
        else:
            positions = room // stride + 1
        if positions < 1:
            name = "T" if self.axes == 1 else "HW"[axis]
            raise ShapeError(
                f"{self.label()}: input extent {name} with padding must be at least the window's {reach}. "
                f"Got {extent + before + after} (input shape {input_shape})."
            )
        return positions
