"""The notebooks run from the first cell to the last, on what a small demonstration leaves."""

from __future__ import annotations

import importlib
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from cellcoadd.demo import run_demo

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NAMES = ["getting_started", "cells_in_depth"]


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `cellcoadd demo --plan tests` leaves, without its report. Do not change it.

    No notebook looks at the report, which takes longer than most steps.
    """
    folder = tmp_path_factory.mktemp("demo")
    page = SimpleNamespace(page=Path("report.html"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cellcoadd.demo.write_reports", lambda *_: [page])
        run_demo(folder, plan="tests", console=Console(file=io.StringIO()))
    return folder


@pytest.fixture(scope="module")
def script() -> Any:
    """The script that runs them, as a module; its folder is not a package's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return importlib.import_module("run_notebooks")


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of all files, those of the database's own business left out."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and ".sqlite3-" not in path.name
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_to_its_end(
    name: str, script: Any, demonstration: Path, tmp_path: Path
) -> None:
    """No cell raises or warns, nothing goes to standard error, and figures are drawn.

    A representation that fails does not end a run, but tells so on standard error. The folder of
    the demonstration stays as it was, as the notebooks promise.
    """
    before = contents(demonstration)
    source = FOLDER / f"{name}.py"
    notebook = script.run_notebook(source, demonstration, warnings_are_errors=True)
    assert contents(demonstration) == before

    outputs = outputs_of(notebook)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == source.read_text(encoding="utf-8").count("new_figure(") + (
        name == "getting_started"  # draw_coadd_and_inputs
    )

    paths = script.write_notebook(notebook, name, tmp_path / "written")
    assert [path.name for path in paths] == [f"{name}.ipynb", f"{name}.html"]
    page = paths[1].read_text(encoding="utf-8")
    shown = re.findall(r'<img[^>]*src="data:image/png;base64,', page)
    assert len(shown) == len(figures)


def test_a_cell_that_fails_is_named(script: Any, tmp_path: Path) -> None:
    """Whoever runs the notebooks sees the cell, not only that there was an error."""
    source = tmp_path / "broken.py"
    source.write_text("# %%\nx = 1\n\n# %%\nprint(x / 0)\n", encoding="utf-8")
    with pytest.raises(Exception, match=r"(?s)print\(x / 0\).*ZeroDivisionError"):
        script.run_notebook(source, tmp_path)


def test_a_warning_fails_where_that_is_asked_for(script: Any, tmp_path: Path) -> None:
    """The tests ask for it; whoever looks at the notebooks shall see them all the same."""
    source = tmp_path / "warns.py"
    source.write_text("# %%\nimport warnings\nwarnings.warn('old')\n", encoding="utf-8")
    assert script.run_notebook(source, tmp_path)
    with pytest.raises(Exception, match=r"(?s)UserWarning.*old"):
        script.run_notebook(source, tmp_path, warnings_are_errors=True)


def test_every_notebook_is_run() -> None:
    """One that is added to the folder is added to the list."""
    notebooks = {path.stem for path in FOLDER.glob("*.py") if "# %%" in path.read_text("utf-8")}
    assert notebooks == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_prose_has_no_numbers_of_a_run(name: str) -> None:
    """What depends on the survey is computed: in a sentence it would soon be wrong.

    Sentences may have numbers of up to three digits, which are settings and formulas, and names
    in code; results, such as a flux or a variance, have a decimal point or more digits.
    """
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    prose = "\n".join(cell for cell in cells if cell.startswith(" [markdown]"))
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", prose, flags=re.DOTALL)
    settings = {"8192", "0.016", "31.4"}  # HSC's divot and what the conventions fix
    found = re.findall(r"(?<![\w-])\d+\.\d+|(?<![\w-])\d{4,}", prose)
    assert set(found) <= settings
