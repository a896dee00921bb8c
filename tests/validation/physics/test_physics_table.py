"""The physics table: what it measures holds, and its page shows it."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest

from cellcoadd.validation.physics import command
from cellcoadd.validation.physics.check import Check

PAGE = Path(__file__).parents[3] / "docs" / "physics.md"

OFF = Check(case="stars", quantity="flux", deviation=2e-3, wanted=1e-3, count=5)
GOOD = Check(case="stars", quantity="flux", deviation=2e-4, wanted=1e-3, count=5, error=1e-5)
SHOWN = Check(
    case="stars", quantity="size", deviation=0.5, wanted=math.inf, count=5, note="a single visit"
)


def rows(text: str) -> set[tuple[str, str]]:
    """Case and quantity of each line of the tables."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {(row[0], row[1]) for row in lines if len(row) == 7 and not row[0].startswith("-")}


def measuring(monkeypatch: pytest.MonkeyPatch, **checks: list[Check]) -> None:
    """Let the command find these checks in place of measuring."""

    def find(name: str, *, short: bool) -> list[Check]:
        return checks[name]

    measurements = {name: functools.partial(find, name) for name in checks}
    monkeypatch.setattr(command, "MEASUREMENTS", measurements)


@pytest.mark.parametrize("name", sorted(command.MEASUREMENTS))
def test_coadds_show_what_is_in_the_sky(name: str) -> None:
    """The short form of every measurement: all limits hold, and the page shows every row."""
    checks = command.MEASUREMENTS[name](short=True)
    missed = [check for check in checks if not check.holds]
    assert not missed
    limited = [check for check in checks if math.isfinite(check.wanted)]
    assert limited
    assert all(check.count > 0 for check in checks)
    shown = rows(PAGE.read_text(encoding="utf-8"))
    assert {(check.case, check.quantity) for check in checks} <= shown


def test_a_table_tells_limits_from_numbers_for_information() -> None:
    """A number without a limit must not look as if it had met one."""
    text = command.to_markdown([OFF, GOOD, SHOWN])
    assert "| stars | flux | 0.002 | 0.001 | 5 | **no** |  |" in text
    assert "| stars | flux | 0.0002 ± 1e-05 | 0.001 | 5 | yes |  |" in text
    assert "| stars | size | 0.5 | - | 5 | - | a single visit |" in text


def test_the_command_fails_where_a_limit_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that it can stand in a pipeline of checks; what holds elsewhere does not help."""
    measuring(monkeypatch, stars=[GOOD, SHOWN], seams=[OFF])
    assert command.main([]) == 1
    assert "stars: flux: 0.002, wanted 0.001" in capsys.readouterr().err
    assert command.main(["--only", "stars"]) == 0


def test_one_measurement_leaves_the_others_on_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long measurement can be made on its own; the order of the page stays."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables -->\n<!-- end of tables -->\nafter\n")
    measuring(monkeypatch, stars=[GOOD], seams=[SHOWN])
    assert command.main(["--update", str(page)]) == 0
    everything = page.read_text()
    assert capsys.readouterr().out in everything
    measuring(monkeypatch, stars=[OFF], seams=[OFF])
    assert command.main(["--only", "stars", "--update", str(page)]) == 1
    table, other = command.to_markdown([OFF]), command.to_markdown([SHOWN])
    assert page.read_text() == (
        f"before\n<!-- tables -->\n### Stars\n\n{table}\n### Seams\n\n{other}\n"
        "<!-- end of tables -->\nafter\n"
    )
    measuring(monkeypatch, stars=[GOOD], seams=[OFF])
    command.main(["--only", "stars", "--update", str(page)])
    assert page.read_text() == everything


def test_a_page_is_not_filled_by_the_short_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its numbers are of fewer stars than the page says."""
    with pytest.raises(SystemExit):
        command.main(["--short", "--update", str(tmp_path / "page.md")])
    assert "does not go with --update" in capsys.readouterr().err


def test_a_page_without_marks_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Minutes of work would be lost."""
    page = tmp_path / "page.md"
    page.write_text("text\n")

    def never(*, short: bool) -> list[Check]:
        raise AssertionError("measured")

    monkeypatch.setattr(command, "MEASUREMENTS", {"stars": never})
    with pytest.raises(ValueError, match="has no lines"):
        command.main(["--update", str(page)])
    assert page.read_text() == "text\n"


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"deviation": -1.1e-3}, False),
        ({"deviation": -1.1e-3, "error": 1e-4}, True),
        ({"deviation": 0.0, "error": 1.1e-3}, False),
        ({"deviation": math.nan}, False),
        ({"count": 0}, False),
    ],
)
def test_a_check_holds_within_its_limit_and_two_errors(
    changes: dict[str, float], holds: bool
) -> None:
    """Nothing measured, or not a number, is no agreement."""
    values = {"deviation": 1e-3, "wanted": 1e-3, "count": 3, "error": 0.0} | changes
    assert Check(case="", quantity="", **values).holds is holds  # type: ignore[arg-type]
