"""Pages of the documentation whose tables a command writes, between two marks."""

from __future__ import annotations

__all__ = ["join_sections", "read_tables", "replace_tables", "split_sections"]

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_BEGIN, _END = "<!-- tables -->", "<!-- end of tables -->"
_MARKED = re.compile(f"{re.escape(_BEGIN)}\n(.*){re.escape(_END)}", re.DOTALL)


def read_tables(page: Path) -> str:
    """Return what is between the two marks of a page.

    Raises
    ------
    ValueError
        If the page does not have the marks.
    """
    found = _MARKED.search(page.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{page} has no lines {_BEGIN} and {_END} to put the tables between.")
    return found[1]


def replace_tables(page: Path, tables: str) -> None:
    """Replace what is between the two marks of a page; the rest is the writer's own.

    Raises
    ------
    ValueError
        If the page does not have the marks; it stays as it is.
    """
    read_tables(page)
    text = page.read_text(encoding="utf-8")
    marked = f"{_BEGIN}\n{tables}{_END}"
    page.write_text(_MARKED.sub(lambda _: marked, text), encoding="utf-8")


def join_sections(tables: Mapping[str, str], *, order: Iterable[str]) -> str:
    """Return tables as sections of a page.

    Parameters
    ----------
    tables
        By the names of their sections.
    order
        Names, in the order of the page.
    """
    return "".join(
        f"### {name.capitalize()}\n\n{tables[name]}\n" for name in order if name in tables
    )


def split_sections(text: str) -> dict[str, str]:
    """Return the tables of a page's sections; the inverse of `join_sections`."""
    sections = {}
    for section in text.split("### ")[1:]:
        title, _, table = section.partition("\n")
        sections[title.lower()] = table.strip() + "\n"
    return sections
