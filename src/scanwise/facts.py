"""What a model knows beside its parameters: names of its outputs, sample rate, image mode, thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scanwise.calibration import Calibration, Threshold
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.inputs import as_labels, as_sample_rate
from scanwise.layers import Shape
from scanwise.parameters import Parameters

__all__ = ["BACKGROUND_NAMES", "IMAGE_MODES", "Facts"]

IMAGE_MODES = ("L", "RGB")
BACKGROUND_NAMES = ("background", "none")


class Facts:
    """The checked attributes of `Model`; see there."""

    output_shape: Shape
    loss: str | None
    _parameters: Parameters
    _calibration: tuple[Calibration, object] | None

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

    @property
    def calibration(self) -> Calibration | None:
        """What the model was calibrated to, or None; see `scanwise.evaluation.calibrate`.

        It holds for the parameters, labels and loss that it was measured with: once one of them is assigned, as `fit`
        does, it is None.
        """
        if self._calibration is None or self._calibration[1] != self._measured_with:
            return None
        return self._calibration[0]

    @calibration.setter
    def calibration(self, calibration: Calibration | None) -> None:
        if not isinstance(calibration, Calibration | None):
            raise ArgumentTypeError(f"calibration must be a Calibration or None. Got {calibration!r}.")
        names = self.labels or tuple(map(str, range(self.output_shape[0])))
        unknown = (
            [] if calibration is None else [name for name in calibration.thresholds if name not in names]
        )
        if unknown:
            raise ArgumentError(f"calibration must be of the labels {names}. Got {unknown[0]!r}.")
        self._calibration = None if calibration is None else (calibration, self._measured_with)

    @property
    def _measured_with(self) -> object:
        return self._parameters.version, self._labels, self.loss

    @property
    def thresholds(self) -> Mapping[str, Threshold] | None:
        """Label -> the threshold that scans take by default, with what is promised of it; None if not calibrated."""
        return None if self.calibration is None else self.calibration.thresholds

    def take_facts(self, other: Facts) -> None:
        """Take the labels, sample rate, image mode, background and loss of another model with as many outputs."""
        self.labels, self.sample_rate, self.image_mode = other.labels, other.sample_rate, other.image_mode
        self.background, self.loss = other._background, other.loss
