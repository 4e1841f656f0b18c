"""What every augmentation is: frozen data with a probability, and the shapes that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import Shape, arguments

__all__ = ["Augmentation", "Pair", "count_of", "decibels", "factors", "from_json", "interval", "symmetric"]

Pair = tuple[float, float]

_AXES = {2: "(C, T)", 3: "(C, H, W)"}

# More than any recording spans; powers of ten beyond it leave the finite numbers.
_MOST_DECIBELS = 200.0

# Beyond its reciprocal an image is one pixel, and where that lies is lost to rounding, or not a number.
_MOST_FACTOR = 1e6

# Each takes time for every sample, and a sample is gone long before.
_MOST_MASKS = 1000


@dataclass(frozen=True)
class Augmentation:
    """Base of all augmentations: equal, hashable, printed as the call that makes it, JSON both ways.

    An augmentation holds its settings only. What it does is defined in `scanwise.augment.reference`, in the file of the
    same name. It leaves a sample's shape as it is.

    Args:
        p: probability that it is applied to a sample, from 0 to 1.
    """

    kinds: ClassVar[dict[str, type[Augmentation]]] = {}
    axes: ClassVar[tuple[int, ...]] = (2, 3)  # of the samples that it takes
    draws: ClassVar[bool] = True  # whether it takes random numbers

    p: float = field(default=1.0, kw_only=True)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not cls.__name__.startswith("_"):
            Augmentation.kinds[cls.__name__] = cls

    def __post_init__(self) -> None:
        p = arguments.number(self.kind, "p", self.p)
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(f"{self.kind}: p must be a probability, from 0 to 1. Got {self.p!r}.")
        self._settle("p", p)

    @property
    def kind(self) -> str:
        """Its name."""
        return type(self).__name__

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless samples of `input_shape`, `(C, T)` or `(C, H, W)`, can be augmented so."""
        if len(input_shape) not in self.axes:
            wanted = " or ".join(_AXES[axes] for axes in self.axes)
            raise ShapeError(f"{self.kind}: samples must have shape {wanted}. Got {input_shape}.")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data: its kind and its fields.

        >>> from scanwise.augment import Gain
        >>> Gain((-6, 6), p=0.5).to_json()
        {'kind': 'Gain', 'p': 0.5, 'decibels': [-6.0, 6.0]}
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            "kind": self.kind,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
        }

    @classmethod
    def _from_fields(cls, data: Mapping[str, Any]) -> Augmentation:
        """The augmentation with these fields."""
        known = [each.name for each in fields(cls)]
        for name in data:
            if name not in known:
                raise ArgumentError(f"{cls.__name__}: field must be one of {', '.join(known)}. Got {name!r}.")
        for each in fields(cls):
            if each.default is MISSING and each.name not in data:
                raise ArgumentError(f"{cls.__name__}: field {each.name!r} must be given. Got {list(data)}.")
        return cls(**data)

    def _settle(self, name: str, value: Any) -> None:
        """Write the checked, canonical value of a field; only `__post_init__` may call this."""
        object.__setattr__(self, name, value)


def from_json(data: object) -> Augmentation:
    """The augmentation that `to_json` described.

    Raises:
        ArgumentError: unknown kind, unknown or missing field, or a field's value is not allowed.
        ArgumentTypeError: `data` is not a mapping, or a field's type is not allowed.

    >>> from_json({"kind": "Flip", "axis": "vertical"})
    Flip(p=0.5, axis='vertical')
    """
    if not isinstance(data, Mapping):
        raise ArgumentTypeError(f"augmentation must be a JSON object with a 'kind'. Got {data!r}.")
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in Augmentation.kinds:
        known = ", ".join(sorted(Augmentation.kinds))
        raise ArgumentError(f"augmentation kind must be one of {known}. Got {kind!r}.")
    return Augmentation.kinds[kind]._from_fields(
        {name: value for name, value in data.items() if name != "kind"}
    )


def interval(kind: str, name: str, value: object) -> Pair:
    """`value` as (low, high): a pair of numbers in this order, or one number that is both."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        number = arguments.float32(kind, name, value)
        return number, number
    entries = tuple(arguments.float32(kind, name, entry) for entry in value)
    if len(entries) != 2 or entries[0] > entries[1]:
        raise ArgumentError(f"{kind}: {name} must be a number, or a pair (low, high). Got {value!r}.")
    return entries[0], entries[1]


def symmetric(kind: str, name: str, value: object) -> Pair:
    """`value` as (low, high): a pair, or one number m of at least 0 for (-m, m)."""
    low, high = interval(kind, name, value)
    if isinstance(value, Sequence):
        return low, high
    if high < 0.0:
        raise ArgumentError(f"{kind}: {name} must be at least 0, or a pair (low, high). Got {value!r}.")
    return -high, high


def decibels(kind: str, name: str, value: Pair) -> Pair:
    """`value`, an interval, if it is one of ratios that float32 can hold."""
    if max(map(abs, value)) > _MOST_DECIBELS:
        raise ArgumentError(
            f"{kind}: {name} must be between {-_MOST_DECIBELS:g} and {_MOST_DECIBELS:g} decibels. Got {value!r}."
        )
    return value


def count_of(kind: str, value: object) -> int:
    """`value` as a number of masks in one sample."""
    count = arguments.integer(kind, "count", value)
    if count > _MOST_MASKS:
        raise ArgumentError(f"{kind}: count must be at most {_MOST_MASKS}. Got {value!r}.")
    return count


def factors(kind: str, name: str, value: object, *, most: float | None = None) -> Pair:
    """`value` as a pair (low, high) of numbers above 0, up to `most`."""
    if not isinstance(value, Sequence):
        raise ArgumentTypeError(f"{kind}: {name} must be a pair (low, high). Got {value!r}.")
    low, high = interval(kind, name, value)
    if low <= 0.0 or (most is not None and high > most):
        bound = "above 0" if most is None else f"above 0 and at most {most:g}"
        raise ArgumentError(f"{kind}: {name} must be a pair (low, high) {bound}. Got {value!r}.")
    if low < 1.0 / _MOST_FACTOR or high > _MOST_FACTOR:
        raise ArgumentError(
            f"{kind}: {name} must be between {1.0 / _MOST_FACTOR:g} and {_MOST_FACTOR:g}. Got {value!r}."
        )
    return low, high
