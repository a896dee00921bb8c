"""The page about the tables lists the columns that the tables have."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellcoadd.analysis.cell_table import CELL_COLUMNS
from cellcoadd.analysis.input_table import INPUT_COLUMNS
from cellcoadd.analysis.visit_properties import VISIT_PROPERTIES
from cellcoadd.testing.pages import read_tables
from cellcoadd.testing.table_columns import main, to_markdown

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


def test_the_page_is_up_to_date() -> None:
    """`python -m cellcoadd.testing.table_columns --update docs/tables.md` makes it so."""
    assert read_tables(PAGE) == to_markdown()


def test_every_column_has_its_line() -> None:
    """With its unit, and a hint where there is one a plane."""
    lines = to_markdown().splitlines()
    assert sum(line.startswith("| `") for line in lines) == len(CELL_COLUMNS) + len(INPUT_COLUMNS)
    assert any(line.startswith("| `depth` | mag | AB magnitude") for line in lines)
    assert any(line.startswith("| `masked_fraction_{plane}` |  | Each plane: ") for line in lines)


def test_every_property_of_visits_is_on_the_page() -> None:
    """With what is made of it by default."""
    for name, entry in VISIT_PROPERTIES.items():
        made = ", ".join(f"`{operation}`" for operation in entry.mapped)
        assert any(f"`{name}`" in line and made in line for line in PAGE.read_text().splitlines())


def test_the_command_prints_and_updates_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is outside of the marks is the writer's own."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    assert main(["--update", str(page)]) == 0
    assert capsys.readouterr().out == to_markdown() == read_tables(page)
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")
