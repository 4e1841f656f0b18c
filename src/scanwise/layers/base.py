"""What every layer is: frozen data with a shape rule.

Shapes are channels first and without the sample axis: `(C, H, W)` for images, `(C, T)` for signals, `(D,)`
for flat vectors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError

Shape = tuple[int, ...]

# Levels of nesting that a network may have: every walk over it goes as deep.
DEEPEST = 50

_TOLD_ENTRIES = 20  # of a tuple, in labels

_AXES = {1: "(D,)", 2: "(C, T)", 3: "(C, H, W)"}


@dataclass(frozen=True, repr=False)
class Layer:
    """Base of all layers: equal, hashable, printed as the call that makes it, JSON both ways.

    A layer holds sizes and options only. What it computes is defined in `scanwise.reference`, in the file of
    the same name.
    """

    kinds: ClassVar[dict[str, type[Layer]]] = {}
    operations_per_output: ClassVar[int] = 1
    # What stands among the parameters but is not trained: statistics that training keeps.
    state: ClassVar[tuple[str, ...]] = ()

    @property
    def unshared(self) -> str | None:
        """Why windows of a larger signal cannot share the layer's work, where they cannot."""
        return None

    @property
    def first_values(self) -> Mapping[str, float]:
        """Parameters that start from one value; the others start from random ones."""
        return {"bias": 0.0}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not cls.__name__.startswith("_"):
            Layer.kinds[cls.__name__] = cls

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output for an input of `input_shape`, both without the sample axis.

        Raises:
            ShapeError: the layer does not fit an input of this shape.
        """
        raise NotImplementedError

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Name and shape of every parameter, in PyTorch's layout, for an input of `input_shape`."""
        del input_shape  # most layers have none, whatever reaches them
        return {}

    def state_names(self) -> tuple[str, ...]:
        """Names among `parameter_shapes` of what is not trained."""
        return self.state

    def operations(self, input_shape: Shape) -> int:
        """Arithmetic operations for one sample; a multiplication and an addition count as two."""
        return math.prod(self.output_shape(input_shape)) * self.operations_per_output

    def connection_count(self, input_shape: Shape) -> int:
        """Weighted connections for one sample, biases included, as the papers of the 1980s and 1990s count them.

        A shared weight counts at every position where it is used, at places in the padding too.
        """
        del input_shape  # most layers have none
        return 0

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Input positions that one output position sees, and the step between neighbours, for each axis."""
        ones = (1,) * (len(input_shape) - 1)
        return ones, ones

    def to_json(self) -> dict[str, Any]:
        """The layer as plain JSON data: its kind, and the fields that differ from their defaults.

        >>> from scanwise.layers import Conv2d
        >>> Conv2d(6, 5, padding="same").to_json()
        {'kind': 'Conv2d', 'out_channels': 6, 'kernel_size': 5, 'padding': 'same'}
        """
        data: dict[str, Any] = {"kind": type(self).__name__}
        for name, value, required in self._told_fields():
            if required or value is not None:
                data[name] = _lists(value)
        return data

    @classmethod
    def _from_fields(cls, data: Mapping[str, Any]) -> Layer:
        known = [field.name for field in fields(cls)]
        for name in data:
            if name not in known:
                raise ArgumentError(
                    f"{cls.__name__}: field must be one of {', '.join(known) or '(none)'}. Got {name!r}."
                )
        for field in fields(cls):
            if field.default is MISSING and field.name not in data:
                raise ArgumentError(f"{cls.__name__}: field {field.name!r} must be given. Got {list(data)}.")
        return cls(**data)

    def _told_fields(self) -> list[tuple[str, Any, bool]]:
        """(name, value, required) of the fields that the call that makes this layer has to tell."""
        told = []
        for field in fields(self):
            value = getattr(self, field.name)
            required = field.default is MISSING
            if required or value != field.default:
                told.append((field.name, value, required))
        return told

    def __repr__(self) -> str:
        words = [
            repr(value) if required else f"{name}={value!r}" for name, value, required in self._told_fields()
        ]
        return f"{type(self).__name__}({', '.join(words)})"

    def label(self) -> str:
        """The layer as printed, but a table or long list among its arguments as its size: for summaries and messages.

        >>> from scanwise.layers import Conv2d
        >>> Conv2d(2, 5, connections=((1, 0), (1, 1))).label()
        'Conv2d(2, 5, connections=<2x2>)'
        """
        words = [
            _brief(value) if required else f"{name}={_brief(value)}"
            for name, value, required in self._told_fields()
        ]
        return f"{type(self).__name__}({', '.join(words)})"

    def _settle(self, name: str, value: Any) -> None:
        """Write the checked, canonical value of a field; only `__post_init__` may call this."""
        object.__setattr__(self, name, value)

    def _expect_axes(self, input_shape: Shape, axes: int, advice: str = "") -> None:
        if len(input_shape) != axes:
            raise ShapeError(f"{self.label()}: input shape must be {_AXES[axes]}. Got {input_shape}.{advice}")


@dataclass(frozen=True, repr=False)
class _Pointwise(Layer):
    """A function of each value by itself: any shape goes in, the same shape comes out."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def _lists(value: Any) -> Any:
    """Tuples, also those within, as the lists of JSON."""
    return [_lists(entry) for entry in value] if isinstance(value, tuple) else value


def _brief(value: Any) -> str:
    if isinstance(value, Layer):
        return value.label()
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return f"<{len(value)}x{len(value[0])}>"
    return f"<{len(value)}>" if isinstance(value, tuple) and len(value) > _TOLD_ENTRIES else repr(value)


def from_json(data: object) -> Layer:
    """The layer that `Layer.to_json` described.

    Args:
        data: a mapping with `"kind"` (a layer's name) and that layer's fields.

    Raises:
        ArgumentError: unknown kind, unknown or missing field, or a field's value is not allowed.
        ArgumentTypeError: `data` is not a mapping, or a field's type is not allowed.

    >>> from_json({"kind": "MaxPool2d", "kernel_size": 2})
    MaxPool2d(2)
    """
    _check_depth(data)
    return layer_of(data)


def layer_of(data: object) -> Layer:
    """`from_json` of data that is not too deep."""
    if not isinstance(data, Mapping):
        raise ArgumentTypeError(f"layer must be a JSON object with a 'kind'. Got {data!r}.")
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in Layer.kinds:
        raise ArgumentError(f"layer kind must be one of {', '.join(sorted(Layer.kinds))}. Got {kind!r}.")
    return Layer.kinds[kind]._from_fields({name: value for name, value in data.items() if name != "kind"})


def _check_depth(data: object) -> None:
    """Refuse data nested deeper than any network, before something walks into it."""
    level = [data]
    for _ in range(2 * DEEPEST + 4):  # a mapping and a list for each, and those of the innermost layer
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return
    raise ArgumentError(f"network: layers must be nested at most {DEEPEST} levels deep. Got more.")
