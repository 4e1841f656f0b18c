"""The question that every augmentation answers; each file of this folder answers it for its augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from numpy.typing import NDArray

from scanwise.augment.base import Augmentation
from scanwise.augment.native.sample import Sample
from scanwise.codegen.emitter import Emitter, Index
from scanwise.errors import EngineError

__all__ = ["Change", "ChangeKernel", "change"]


@dataclass(frozen=True)
class ChangeKernel:
    """One kind of augmentation, of n samples in their place. Arguments: samples, keys (int32), settings, scratch.

    Draw 0 decides for each sample whether it is augmented; if not, the sample is not read.
    """

    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        def body(n: Index) -> None:
            sample = Sample(e, n)
            with e.builder.if_then(sample.happens()):
                self.change(sample)

        e.loop(e.n, body)

    def change(self, sample: Sample) -> None:
        """Write the code that augments a sample. Draws from 1 on say how."""
        raise NotImplementedError


@dataclass(frozen=True)
class Change:
    """How an augmentation is carried out.

    Attributes:
        kernel: its native code.
        settings: its own, in the order in which the kernel reads them: whole numbers, or float64.
        border: zeros that the scratch copy of a sample has around it: rows and columns in all.
        keeps: arrays whose addresses are among the settings.
    """

    kernel: ChangeKernel
    settings: Sequence[int | float] = ()
    border: int = 0
    keeps: tuple[NDArray[Any], ...] = ()


@singledispatch
def change(augmentation: Augmentation) -> Change:
    """The native code of an augmentation, with its settings."""
    raise EngineError(f"the native engine must know the augmentation {augmentation!r}. Got no rule for it.")
