"""What a model knows of its signals beside its parameters: names of its outputs, sample rate, image mode."""

from __future__ import annotations

from collections.abc import Sequence

from scanwise.errors import ArgumentError
from scanwise.inputs import as_labels, as_sample_rate
from scanwise.layers import Shape

__all__ = ["BACKGROUND_NAMES", "IMAGE_MODES", "Facts"]

IMAGE_MODES = ("L", "RGB")
BACKGROUND_NAMES = ("background", "none")


class Facts:
    """The checked attributes of `Model`; see there."""

    output_shape: Shape
    loss: str | None

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the K outputs, or None."""
        return self._labels

    @labels.setter
    def labels(self, labels: Sequence[str] | None) -> None:
        self._labels = None if labels is None else as_labels(labels, self.output_shape[0])

    @property
    def sample_rate(self) -> float | None:
        """Samples per second of the signals the model is for, or None."""
        return self._sample_rate

    @sample_rate.setter
    def sample_rate(self, rate: float | None) -> None:
        self._sample_rate = None if rate is None else as_sample_rate(rate)

    @property
    def image_mode(self) -> str | None:
        """`"L"` (grey) or `"RGB"`, or None."""
        return self._image_mode

    @image_mode.setter
    def image_mode(self, mode: str | None) -> None:
        if mode is not None and mode not in IMAGE_MODES:
            raise ArgumentError(
                f"image_mode must be one of {', '.join(map(repr, IMAGE_MODES))}. Got {mode!r}."
            )
        self._image_mode = mode

    @property
    def background(self) -> str | None:
        """The label that means "nothing here", or None."""
        if self._background is not None or self._labels is None:
            return self._background
        return next((label for label in self._labels if label.lower() in BACKGROUND_NAMES), None)

    @background.setter
    def background(self, label: str | None) -> None:
        if label is not None and label not in (self._labels or ()):
            raise ArgumentError(f"background must be one of the labels {self._labels!r}. Got {label!r}.")
        self._background = label

    def take_facts(self, other: Facts) -> None:
        """Take the labels, sample rate, image mode, background and loss of another model with as many outputs."""
        self.labels, self.sample_rate, self.image_mode = other.labels, other.sample_rate, other.image_mode
        self.background, self.loss = other._background, other.loss
