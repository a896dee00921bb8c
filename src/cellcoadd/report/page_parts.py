"""What a page of the report is made of, as plain values: texts, figures as PNG, tables as rows."""

from __future__ import annotations

__all__ = [
    "PageColumn",
    "PageFigure",
    "PageLink",
    "PageSection",
    "PageTable",
    "ReportPage",
    "Value",
]

import dataclasses
import struct
from collections.abc import Sequence

type Value = str | int | float | bool | PageLink | None
"""What an entry of a table can be; None is shown as a dash."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure of the page.

    Parameters
    ----------
    name
        Of its file, without the ending, and of its place on the page.
    png
        The picture.
    alt
        What it shows, for whoever does not see it.
    caption
        What a reader sees in it, and how it was computed.
    """

    name: str
    png: bytes
    alt: str
    caption: str

    def __post_init__(self) -> None:
        if not self.png.startswith(_PNG_SIGNATURE):
            raise ValueError(f"The figure {self.name} is no PNG.")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageLink:
    """A text that leads to another page, in a cell of a table."""

    text: str
    target: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageColumn:
    """A column of a table.

    Parameters
    ----------
    name, unit
        For its head; the unit is empty for pure numbers and text.
    digits
        After the point of a number that is no integer.
    grouped
        Whether the thousands of a whole number are set apart; those of a name are not.
    """

    name: str
    unit: str = ""
    digits: int = 3
    grouped: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table of the page, whose rows can be sorted by each column.

    Parameters
    ----------
    name
        Of its place on the page.
    caption
        What the rows are.
    columns
        Its heads.
    rows
        One value for each column; None or NaN is shown as a dash.
    folded
        Whether a reader opens it first.
    """

    name: str
    caption: str
    columns: Sequence[PageColumn]
    rows: Sequence[Sequence[Value]]
    folded: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"The table {self.name} has {len(self.columns)} columns, a row of it has "
                    f"{len(row)} values: {list(row)}."
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageSection:
    """A part of the page under one heading.

    Parameters
    ----------
    name
        Of its place on the page.
    heading
        The heading.
    texts
        Paragraphs below it.
    figures, tables
        What it shows.
    code
        Lines that a reader can copy.
    left_out
        What it would show, and why it does not, a sentence each.
    """

    name: str
    heading: str
    texts: Sequence[str] = ()
    figures: Sequence[PageFigure] = ()
    tables: Sequence[PageTable] = ()
    code: str = ""
    left_out: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether there is anything below the heading."""
        return bool(self.texts or self.figures or self.tables or self.code or self.left_out)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportPage:
    """All that a page shows.

    Parameters
    ----------
    title
        Of the page.
    summary
        One sentence.
    key_numbers
        What it is, and the number with its unit.
    sections
        In their order.
    footer
        The last line.
    """

    title: str
    summary: str
    key_numbers: Sequence[tuple[str, str]]
    sections: Sequence[PageSection]
    footer: str = ""
