"""Augmentations of images `(C, H, W)`. What comes in from outside an image is zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from scanwise.augment.base import Augmentation, Pair, count_of, factors, symmetric
from scanwise.errors import ArgumentError, ShapeError
from scanwise.layers import Shape, arguments

__all__ = ["Brightness", "Contrast", "Crop", "Cutout", "Flip", "Rotate", "Scale", "Shift"]

# An angle's last digits are lost to whole turns.
_MOST_DEGREES = 1e6


@dataclass(frozen=True)
class _OfImages(Augmentation):
    axes: ClassVar[tuple[int, ...]] = (3,)


@dataclass(frozen=True)
class Shift(_OfImages):
    """Move the image by up to `most` pixels along each axis; every whole number is as likely.

    Args:
        most: pixels, or (rows, columns); at least 0 and below the image's extent.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Shift(2), Shift((0, 3))
    (Shift(p=1.0, most=2), Shift(p=1.0, most=(0, 3)))
    """

    most: arguments.Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("most", arguments.sizes(self.kind, "most", self.most, (1, 2), minimum=0))

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless the image is larger than the shift."""
        super().check(input_shape)
        _require_more(self.kind, "most", self.most, input_shape)


@dataclass(frozen=True)
class Crop(_OfImages):
    """Take a part of the image, anywhere in it, and make it as large as the image was (bilinear).

    Args:
        share: (low, high), above 0 and at most 1: the part's extent along each axis, as a share of the image's.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Crop((0.8, 1))
    Crop(p=1.0, share=(0.8, 1.0))
    """

    share: Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("share", factors(self.kind, "share", self.share, most=1.0))


@dataclass(frozen=True)
class Flip(_OfImages):
    """Turn left into right, or up into down.

    Args:
        axis: `"horizontal"` (left and right change places) or `"vertical"`.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Flip()
    Flip(p=0.5, axis='horizontal')
    """

    directions: ClassVar[tuple[str, ...]] = ("horizontal", "vertical")

    p: float = field(default=0.5, kw_only=True)
    axis: str = "horizontal"

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.choice(self.kind, "axis", self.axis, self.directions)


@dataclass(frozen=True)
class Rotate(_OfImages):
    """Turn the image around its centre (bilinear), by an angle uniform in `degrees`.

    Args:
        degrees: anticlockwise: (low, high), or one number m for (-m, m).
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Rotate(10)
    Rotate(p=1.0, degrees=(-10.0, 10.0))
    """

    degrees: float | Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = symmetric(self.kind, "degrees", self.degrees)
        if low < -_MOST_DEGREES or high > _MOST_DEGREES:
            raise ArgumentError(
                f"Rotate: degrees must be between {-_MOST_DEGREES:g} and {_MOST_DEGREES:g}. Got {self.degrees!r}."
            )
        self._settle("degrees", (low, high))


@dataclass(frozen=True)
class Scale(_OfImages):
    """Make what is in the image larger or smaller, around its centre (bilinear), by a factor uniform in `factor`.

    Args:
        factor: (low, high), from 1e-6 to 1e6; above 1 is larger.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Scale((0.9, 1.1))
    Scale(p=1.0, factor=(0.9, 1.1))
    """

    factor: Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("factor", factors(self.kind, "factor", self.factor))


@dataclass(frozen=True)
class Brightness(_OfImages):
    """Add a number uniform in `change` to all values. Nothing is cut off at 0 or 1.

    Args:
        change: (low, high), or one number m for (-m, m); the values of uint8 images are taken as 0..1.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Brightness(0.2)
    Brightness(p=1.0, change=(-0.2, 0.2))
    """

    change: float | Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("change", symmetric(self.kind, "change", self.change))


@dataclass(frozen=True)
class Contrast(_OfImages):
    """Multiply the difference of every value from the image's mean by a number uniform in `factor`.

    Args:
        factor: (low, high), above 0; above 1 is more contrast.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Contrast((0.8, 1.25))
    Contrast(p=1.0, factor=(0.8, 1.25))
    """

    factor: Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("factor", factors(self.kind, "factor", self.factor))


@dataclass(frozen=True)
class Cutout(_OfImages):
    """Set rectangles to zero, whose middle may be any pixel, so that they may reach outside.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.

    Args:
        extent: pixels, or (rows, columns), at least 1 and below the image's.
        count: rectangles, 1 to 1000. They may overlap.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Cutout(8)
    Cutout(p=1.0, extent=8, count=1)
    """

    extent: arguments.Sizes
    count: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("extent", arguments.sizes(self.kind, "extent", self.extent, (1, 2)))
        self._settle("count", count_of(self.kind, self.count))

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless the image is larger than a rectangle."""
        super().check(input_shape)
        _require_more(self.kind, "extent", self.extent, input_shape)


def _require_more(kind: str, name: str, value: arguments.Sizes, input_shape: Shape) -> None:
    if any(
        given >= extent for given, extent in zip(arguments.per_axis(value, 2), input_shape[1:], strict=True)
    ):
        raise ShapeError(f"{kind}: samples must be larger than {name}={value}. Got {input_shape}.")
