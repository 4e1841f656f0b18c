"""One table of the report."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Section"]


@dataclass(frozen=True)
class Section:
    """A table with its heading.

    Attributes:
        heading: title.
        note: what the figures are and how they were taken, before the table.
        head: titles of the columns.
        rows: cells.
    """

    heading: str
    note: str
    head: list[str]
    rows: list[list[str]]
