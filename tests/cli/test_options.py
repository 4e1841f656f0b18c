"""The choices that `--help` lists are those that there are: it must not import what knows them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import pytest

from scanwise.cli import options, scan_options
from scanwise.cli.forms import ENDINGS, FORMS
from scanwise.data.annotation.opening import KINDS
from scanwise.data.clips import MODES
from scanwise.data.pcm import DTYPES
from scanwise.model import BACKENDS
from scanwise.scanning.finite import RULES
from scanwise.scanning.grid import EDGES


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        (options.BackendName, BACKENDS),
        (options.ClipsName, ("auto", *MODES)),
        (scan_options.EdgeName, EDGES),
        (scan_options.FormatName, FORMS),
        (options.LabelKindName, KINDS),
        (options.LossName, ("auto", "cross_entropy", "binary_cross_entropy")),
        (scan_options.NanName, RULES),
        (options.SampleName, DTYPES),
    ],
)
def test_every_choice_is_listed(listed: type[StrEnum], known: Iterable[str]) -> None:
    assert {name.value for name in listed} == set(known)


def test_endings_choose_forms_that_there_are() -> None:
    assert set(ENDINGS.values()) <= set(FORMS)
