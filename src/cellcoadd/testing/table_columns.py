"""The columns of the tables as documentation: ``python -m cellcoadd.testing.table_columns``.

Their lists are written from the registries that the tables themselves are made of.
"""

from __future__ import annotations

__all__ = ["main", "to_markdown"]

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..analysis.cell_table import CELL_COLUMNS
from ..analysis.columns import PlaneColumn, TableColumn
from ..analysis.input_table import INPUT_COLUMNS
from .pages import replace_tables

_TABLES = {
    "deepCoaddCell_table: one row a filled cell": CELL_COLUMNS,
    "deepCoaddCell_inputTable: one row a cell and a detector that touch": INPUT_COLUMNS,
}


def to_markdown() -> str:
    """Return a heading and the columns of each table, with unit and meaning."""
    parts = []
    for title, columns in _TABLES.items():
        lines = [f"### {title}", "", "| column | unit | meaning |", "|---|---|---|"]
        lines += [_line(column) for column in columns]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the lists, or put them into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m cellcoadd.testing.table_columns",
        description="Write what the columns of the tables of a coadd are.",
    )
    parser.add_argument("--update", type=Path, help="put the lists into this page as well")
    options = parser.parse_args(arguments)
    text = to_markdown()
    print(text, end="")
    if options.update is not None:
        replace_tables(options.update, text)
    return 0


def _line(column: TableColumn | PlaneColumn) -> str:
    unit = column.unit.to_string() if column.unit is not None else ""
    each = "Each plane: " if isinstance(column, PlaneColumn) else ""
    return f"| `{column.name}` | {unit} | {each}{column.meaning} |"


if __name__ == "__main__":
    sys.exit(main())
