"""`--augment` of `scanwise train`: augmentations as they are printed, read as literals and never run."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from scanwise.augment import Augment, Augmentation, MixBackground, Recordings, bind
from scanwise.data import Dataset, read_signal, signal_files
from scanwise.errors import ArgumentError, ScanwiseError
from scanwise.paths import is_folder, require_file, require_path

__all__ = ["read_augment", "with_backgrounds"]


def read_augment(texts: Sequence[str]) -> Augment | None:
    """The augmentations in the order given; None if there are none. Backgrounds stay names.

    Raises:
        ArgumentError: a text is no augmentation, or an argument is not as it must be.
    """
    return Augment(*map(_augmentation, texts)) if texts else None


def with_backgrounds(augment: Augment | None, data: Dataset) -> Augment | None:
    """The same, with the recordings that are named read at the data's rate; a folder stands for all in it.

    Raises:
        FileError, DataError: a file does not exist, or cannot be read as what the data are.
    """
    if augment is None:
        return None
    shape, rate = data.input_shape, data.sample_rate

    def read(name: str) -> NDArray[Any]:
        return read_signal(name, input_shape=shape, sample_rate=rate)

    def listed(step: Augmentation) -> Augmentation:
        if not isinstance(step, MixBackground) or isinstance(step.background, Recordings):
            return step
        for name in step.background:
            path = require_path(name, "background")
            if not is_folder(path):
                require_file(path, "background")
        files = signal_files(list(step.background), input_shape=shape, sample_rate=rate)
        return replace(step, background=[str(file) for file in files])

    augment.check(shape)  # before anything is read
    return bind(Augment(*map(listed, augment.steps)), read)


def _augmentation(text: str) -> Augmentation:
    call = _parsed(text)
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Name)
        or any(keyword.arg is None for keyword in call.keywords)
    ):
        raise ArgumentError(f"augment must be written like 'TimeShift(800)'. Got {text!r}.")
    kind = Augmentation.kinds.get(call.func.id)
    if kind is None:
        known = ", ".join(sorted(Augmentation.kinds))
        raise ArgumentError(f"augment must be one of {known}. Got {call.func.id!r}.")
    try:
        arguments = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (ValueError, TypeError, RecursionError):  # TypeError: a list within a set
        raise ArgumentError(
            f"augment must have numbers, texts, lists and True or False as arguments. Got {text!r}."
        ) from None
    try:
        return kind(*arguments, **named)
    except ScanwiseError:
        raise
    except TypeError as error:  # of the call itself: too many arguments, unknown or missing ones
        reason = str(error).partition("__init__() ")[2]
        raise ArgumentError(
            f"augment must have the arguments of {kind.__name__}. Got {text!r}: {reason}."
        ) from None


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
