"""The table of agreement and the page that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellcoadd.validation.agreement import command
from cellcoadd.validation.agreement.comparison import Agreement, Comparison, Departure

ROOT = Path(__file__).parents[3]
IN_REPOSITORY = ROOT / "tests" / "reference_values" / "rubin"


def table_keys(text: str) -> set[tuple[str, str]]:
    """Stage and quantity or, in the other table, stage and rule, of each line."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {(row[0], row[1]) for row in lines if len(row) == 6 and not row[0].startswith("-")}


def test_worst_of_all_cases_is_shown() -> None:
    """A reader of the table wants to know how bad it gets, and where."""
    comparisons = [
        Comparison(
            agreements=(
                Agreement(case="B1", quantity="image", worst=1e-7, wanted=2e-6, count=1000),
                Agreement(case="B1", quantity="mask", worst=0.0, wanted=0.0, count=10),
            )
        ),
        Comparison(
            agreements=(
                Agreement(case="B2", quantity="image", worst=3e-7, wanted=2e-6, count=500),
            ),
            departures=(Departure(case="B2", rule="holes", affected=7, count=500, largest=0.25),),
        ),
    ]
    text = command.to_markdown(comparisons)
    assert "| Warps | image | 3e-07 | 2e-06 | B2 | 1,500 |" in text
    assert "| Warps | mask | 0 | none | all 1 | 10 |" in text
    assert "| Warps | holes | 7 | 500 | 0.25 | B2 |" in text


def test_command_prints_and_updates_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is outside of the marks is the writer's own."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    assert command.main([str(IN_REPOSITORY), "--update", str(page)]) == 0
    printed = capsys.readouterr().out
    text = page.read_text()
    assert "| Warps | image |" in printed
    assert text == f"before\n<!-- tables -->\n{printed}<!-- end of tables -->\nafter\n"


def test_command_fails_where_something_is_too_far_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that it can stand in a pipeline of checks."""
    off = Agreement(case="B9", quantity="image", worst=1e-3, wanted=2e-6, count=1)
    monkeypatch.setattr(command, "compare", lambda _folder, _name: Comparison(agreements=(off,)))
    assert command.main([str(IN_REPOSITORY)]) == 1
    assert "B9: image: 0.001, wanted 2e-06" in capsys.readouterr().err


def test_command_without_reference_values_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty table would look like an agreement."""
    with pytest.raises(SystemExit):
        command.main([str(tmp_path)])
    assert "holds no reference case" in capsys.readouterr().err


def test_page_without_marks_is_not_overwritten(tmp_path: Path) -> None:
    """A wrong path must not cost a page."""
    page = tmp_path / "page.md"
    page.write_text("text\n")
    with pytest.raises(ValueError, match="has no lines"):
        command.main([str(IN_REPOSITORY), "--update", str(page)])
    assert page.read_text() == "text\n"


def test_documentation_shows_what_is_compared() -> None:
    """All that the cases in the repository compare must be found on the page."""
    names = command.find_cases(IN_REPOSITORY)
    assert names == ["B5_noise", "B6_partial_coverage", *command.PARTS]
    tables = command.to_markdown([command.compare(IN_REPOSITORY, name) for name in names])
    page = (ROOT / "docs" / "agreement.md").read_text(encoding="utf-8")
    assert len(table_keys(tables)) > 20
    assert table_keys(tables) <= table_keys(page)
