"""What commands say of the thresholds that a model was calibrated to."""

from __future__ import annotations

from scanwise.cli.console import plain, say
from scanwise.model import Model
from scanwise.scanning.reading import THRESHOLD, Reading

__all__ = ["say_thresholds", "thresholds_text"]


def thresholds_text(model: Model) -> str | None:
    """Every label's threshold and its promise; None of a model that was not calibrated."""
    if model.thresholds is None:
        return None
    told = [
        f"{plain(name)} {model.thresholds.get(name, f'{THRESHOLD:g} (nothing promised)')}"
        for name in Reading.of(model).names
        if name != model.background
    ]
    return "thresholds: " + ", ".join(told)


def say_thresholds(
    model: Model, *, step: int | None = None, low: float | None = None, merged: bool = False
) -> None:
    """Say which thresholds are used, and where what they promise was counted otherwise."""
    text, calibration = thresholds_text(model), model.calibration
    if text is None or calibration is None:
        return
    say(text)
    if calibration.rule == "clips":
        return
    if (step, low) != (calibration.step, calibration.low) or merged:
        counted = [
            "the network's own step" if calibration.step is None else f"step {calibration.step}",
            "windows that compete" if calibration.low is None else f"low {calibration.low:g}",
        ]
        say(
            f"what they promise was counted with {' and '.join(counted)}, without merging: it need not hold here"
        )
