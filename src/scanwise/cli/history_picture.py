"""`scanwise train --plot`: losses, accuracies and learning rate, epoch by epoch."""

from __future__ import annotations

from pathlib import Path

from scanwise.errors import ArgumentError
from scanwise.identities.extra import require_extra
from scanwise.identities.plot.figures import COLOURS, GREY, figure_of, finished, whole_numbers
from scanwise.training import History

__all__ = ["draw_history", "require_plot"]

_TITLES = {"loss": "loss", "accuracy": "accuracy"}


def require_plot(path: Path) -> None:
    """Raise ArgumentError unless a picture can be drawn there."""
    require_extra("matplotlib", "--plot", "plot")
    if path.suffix.lower() != ".png":
        raise ArgumentError(f"plot must be a file that ends in .png. Got {path}.")


def draw_history(path: Path, history: History, *, title: str) -> None:
    """Write the picture of a training, whole or not at all.

    Args:
        path: of the PNG.
        history: at least one epoch.
        title: above the picture.
    """
    numbers = range(1, len(history) + 1)
    shown = [name for name in _TITLES if name in history[0] or f"validation_{name}" in history[0]]
    figure = figure_of(8.0, 2.4 * (len(shown) + 1))
    *panels, last = figure.subplots(len(shown) + 1, 1, sharex=True)
    for axes, name in zip(panels, shown, strict=True):
        for key, label, colour in (
            (name, "training", COLOURS[0]),
            (f"validation_{name}", "validation", COLOURS[1]),
        ):
            if key in history[0]:
                axes.plot(numbers, history[key], color=colour, label=label, marker=".")
        if history.best_epoch is not None:
            axes.axvline(history.best_epoch + 1, color=GREY, linestyle="--", label="best epoch")
        axes.set_ylabel(_TITLES[name])
        axes.legend(fontsize="small")
    last.plot(numbers, history["learning_rate"], color=GREY, marker=".")
    last.set(ylabel="learning rate", xlabel="epoch")
    whole_numbers(last, "x")
    (panels[0] if panels else last).set_title(title, loc="left", parse_math=False)
    finished(figure, path)
