"""`scanwise eval --plot`: the detection-error trade-off of every label."""

from __future__ import annotations

from pathlib import Path

from scanwise.cli.located import Located
from scanwise.identities.plot.figures import COLOURS, figure_of, finished

__all__ = ["draw_trade_off"]


def draw_trade_off(path: Path, found: Located, *, title: str) -> None:
    """Write the picture, whole or not at all. The threshold that is used is a dot on its label's line.

    Args:
        path: of the PNG.
        found: what was found.
        title: above the picture.
    """
    figure = figure_of(7.0, 5.0)
    axes = figure.subplots()
    shown = [each for each in found.measures if each.label is not None and each.events]
    for number, measures in enumerate(shown):
        amount = found.amount(measures)
        # None at all has no place on a logarithmic axis: it is drawn where half of one would be.
        every = measures.curve.trade_off(
            amount, most=len(measures.curve.thresholds)
        )  # the dot lies on the line
        points = [(max(alarms, 0.5 / amount), misses) for _, misses, alarms in every]
        colour = COLOURS[number % len(COLOURS)]
        axes.step(*zip(*points, strict=True), where="post", color=colour, label=measures.label)
        hits, alarms = measures.curve.at(found.thresholds[str(measures.label)])
        axes.plot(max(alarms, 0.5) / amount, 1 - hits / measures.events, "o", color=colour)
    axes.set(
        xscale="log",
        ylim=(-0.02, 1.02),
        xlabel=f"false alarms per {found.scanned.unit}",
        ylabel="share of events missed",
    )
    axes.grid(alpha=0.3)
    if shown:
        for text in axes.legend(fontsize="small").get_texts():
            text.set_parse_math(False)
    axes.set_title(title, loc="left", parse_math=False)
    finished(figure, path)
