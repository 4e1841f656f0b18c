"""What the stages of a Neocognitron are: their layers, and how selective they are while they learn and afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from scanwise.errors import ArgumentError
from scanwise.layers import Conv2d, CPlane, SPlane
from scanwise.layers.arguments import integer, number

__all__ = ["Contrast", "Edges", "Labelled", "SelfOrganized", "selectivity"]


def selectivity(threshold: float) -> float:
    """r of an S-cell that answers where the similarity to what it learnt is above `threshold`.

    u is close to (1 + r) s - r, which is 0 at s = r / (1 + r).

    >>> selectivity(0.75)
    3.0
    """
    return threshold / (1 - threshold)


@dataclass(frozen=True)
class Contrast:
    """U_G: cells that answer to a spot brighter or darker than what is around it (Fukushima 2003).

    Args:
        kernel_size: extent of a cell's receptive field, in pixels; odd.
        centre: width of the Gaussian in the centre, in pixels.
        surround: width of the Gaussian around it, in pixels; more than `centre`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Contrast(5).layer()
    Conv2d(2, 5, padding=2, bias=False)
    """

    kernel_size: int = 5
    centre: float = 0.7
    surround: float = 1.4

    def __post_init__(self) -> None:
        _check_odd(self)
        if not 0 < number("Contrast", "centre", self.centre) < number("Contrast", "surround", self.surround):
            raise ArgumentError(
                f"Contrast: centre must be more than 0 and less than surround. Got {self.centre}, {self.surround}."
            )

    def layer(self) -> Conv2d:
        """The layer: two planes, brighter and darker."""
        return Conv2d(2, self.kernel_size, padding=self.kernel_size // 2, bias=False)


@dataclass(frozen=True)
class Edges:
    """S1 and C1: planes for edges of all orientations, preset (Fukushima 2003).

    Args:
        orientations: number of planes; plane k sees edges that are turned by k / orientations of a full turn.
        kernel_size: extent of an S-cell's receptive field, in pixels; odd.
        threshold: similarity to the ideal edge above which an S-cell answers, between 0 and 1.
        cells: the C-cells.
        gamma: of `SPlane`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.
    """

    orientations: int
    kernel_size: int
    threshold: float
    cells: CPlane
    gamma: float = 0.9

    def __post_init__(self) -> None:
        integer("Edges", "orientations", self.orientations)
        _check_odd(self)
        _check_threshold("Edges", "threshold", self.threshold)
        self.layer()

    def layer(self) -> SPlane:
        """The S-cells."""
        r = selectivity(self.threshold)
        return SPlane(self.orientations, self.kernel_size, r, padding=self.kernel_size // 2, gamma=self.gamma)


@dataclass(frozen=True)
class SelfOrganized:
    """An S-layer that learns without labels, and its C-layer.

    Args:
        planes: the most planes that learning may make.
        kernel_size: extent of an S-cell's receptive field, in positions; odd.
        learning_threshold: similarity above which an S-cell answers while this stage learns, between 0 and 1. The
            higher, the more planes.
        recognition_threshold: the same afterwards. A lower one lets several planes answer to one feature (the dual
            thresholds of Fukushima and Tanigawa 1996).
        cells: the C-cells.
        competition: S-cells of all planes compete with those of up to so many rows and columns away.
        samples: of the training samples, the number that this stage learns from.
        gamma: of `SPlane`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.
    """

    planes: int
    kernel_size: int
    learning_threshold: float
    recognition_threshold: float
    cells: CPlane
    competition: int = 2
    samples: int = 200
    gamma: float = 0.9

    def __post_init__(self) -> None:
        for name in ("planes", "samples"):
            integer("SelfOrganized", name, getattr(self, name))
        integer("SelfOrganized", "competition", self.competition, minimum=0)
        _check_odd(self)
        for name in ("learning_threshold", "recognition_threshold"):
            _check_threshold("SelfOrganized", name, getattr(self, name))
        self.layer(1)

    def layer(self, planes: int, *, learning: bool = False) -> SPlane:
        """The S-cells of so many planes."""
        threshold = self.learning_threshold if learning else self.recognition_threshold
        r = selectivity(threshold)
        return SPlane(planes, self.kernel_size, r, padding=self.kernel_size // 2, gamma=self.gamma)


@dataclass(frozen=True)
class Labelled:
    """The highest S-layer: each plane has a label and sees the whole of what is below (Fukushima 2003).

    Its planes learn by the rule of 1980 for their weights and that of 2003 for their inhibition.

    Args:
        learning_threshold: similarity above which a plane answers while it learns, between 0 and 1. The higher, the
            more planes.
        recognition_threshold: the same afterwards; low, so that for every input some plane answers.
        padding: after learning, the planes are also tried so many positions away from where they learnt.
        gamma: of `SPlane`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.
    """

    learning_threshold: float
    recognition_threshold: float = 0.05
    padding: int = 1
    gamma: float = 0.9

    def __post_init__(self) -> None:
        integer("Labelled", "padding", self.padding, minimum=0)
        for name in ("learning_threshold", "recognition_threshold"):
            _check_threshold("Labelled", name, getattr(self, name))
        self.layer(1, (self.padding + 1, self.padding + 1))

    def layer(self, planes: int, extent: tuple[int, ...]) -> SPlane:
        """The S-cells of so many planes over a map of that extent, after learning."""
        return SPlane(
            planes, extent, selectivity(self.recognition_threshold), padding=self.padding, gamma=self.gamma
        )


def _check_odd(stage: Contrast | Edges | SelfOrganized) -> None:
    kind = type(stage).__name__
    if integer(kind, "kernel_size", stage.kernel_size) % 2 == 0:
        raise ArgumentError(f"{kind}: kernel_size must be odd. Got {stage.kernel_size}.")


def _check_threshold(kind: str, name: str, value: object) -> None:
    if not 0 < number(kind, name, value) < 1:
        raise ArgumentError(f"{kind}: {name} must be between 0 and 1. Got {value!r}.")
