"""The Neocognitron for handwritten digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scanwise.layers import CPlane

if TYPE_CHECKING:
    from scanwise.neocognitron import Neocognitron

__all__ = ["neocognitron"]


def neocognitron(input_shape: Sequence[int] = (1, 28, 28), classes: int = 10) -> Neocognitron:
    """A Neocognitron for handwritten digits: edges, two stages that learn without labels, and a labelled one.

    Its stages are those of Fukushima 2003. Thresholds, sizes and blur were chosen for digits of MNIST's size, with
    digits of its training part that did not take part in learning.

    Args:
        input_shape: `(1, H, W)`.
        classes: number of labels, at least 2.

    Raises:
        ShapeError: `input_shape` is not one grey image, or too small.
        ArgumentError, ArgumentTypeError: `classes` is not an integer of at least 2.

    >>> len(neocognitron(classes=3).stages)
    2
    """
    # Those who want another network do not wait for this one's package.
    from scanwise.neocognitron import Contrast, Edges, Labelled, Neocognitron, SelfOrganized

    return Neocognitron(
        input_shape,
        classes,
        contrast=Contrast(5, 1.0, 2.0),
        edges=Edges(16, 3, threshold=0.7, cells=CPlane(7, 1, 3, alpha=1.0, sigma=1.0, surround=0.4)),
        stages=(
            SelfOrganized(
                120, 3, 0.7, 0.5, CPlane(7, 2, 3, alpha=0.05, sigma=1.3, surround=0.2), samples=400
            ),
            SelfOrganized(
                300,
                5,
                0.6,
                0.55,
                CPlane(5, 2, 2, alpha=0.05, sigma=1.0, surround=0.2),
                competition=3,
                samples=600,
            ),
        ),
        labelled=Labelled(0.75),
    )
