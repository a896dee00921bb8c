"""The second distribution: our tasks under class paths of the Rubin pipelines, and its refusal."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "packages" / "rubin-names"

WARP = "lsst.pipe.tasks.make_direct_warp"
COADD = "lsst.drp.tasks.assemble_cell_coadd"


def python(program: str, *, before: Iterable[Path] = (), after: Iterable[Path] = ()) -> str:
    """What a fresh interpreter prints, or its error, with folders on its path about ours."""
    folders = [*before, FOLDER / "src", *after]
    named = [str(folder) for folder in folders] + [os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, named))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def write(root: Path, *modules: str) -> Path:
    """Regular packages of these names, each with a class of its own where ours has a task."""
    for module in modules:
        file = root.joinpath(*module.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        for folder in file.relative_to(root).parents:
            if len(folder.parts) > 2:
                (root / folder / "__init__.py").touch()
        file.write_text("MakeDirectWarpTask = 'theirs'\n", encoding="utf-8")
    return root


def test_the_paths_lead_to_our_tasks() -> None:
    """And leave alone what else is in the packages that they are in."""
    printed = python(
        f"from {WARP} import MakeDirectWarpTask, MakeDirectWarpConfig\n"
        f"from {COADD} import AssembleCellCoaddTask, AssembleCellCoaddConfig\n"
        "import lsst.pipe.base, lsst.daf.butler\n"
        "from cellcoadd import tasks\n"
        "print(MakeDirectWarpTask is tasks.MakeDirectWarpTask,"
        " AssembleCellCoaddTask is tasks.AssembleCellCoaddTask,"
        " MakeDirectWarpTask.ConfigClass is MakeDirectWarpConfig,"
        " AssembleCellCoaddTask.ConfigClass is AssembleCellCoaddConfig)\n"
    )
    assert printed == "True True True True\n"


@pytest.mark.parametrize("module", [WARP, COADD])
def test_beside_lsst_afw_they_refuse(module: str, tmp_path: Path) -> None:
    """Where a part of the Rubin pipelines is, all of them may come, and then there would be two."""
    (tmp_path / "lsst" / "afw").mkdir(parents=True)
    (tmp_path / "lsst" / "afw" / "__init__.py").touch()
    printed = python(f"import {module}", after=[tmp_path])
    assert f"ImportError: {module} of cellcoadd-rubin-names" in printed
    assert "lsst.afw of these is installed" in printed
    assert "cellcoadd.tasks" in printed


@pytest.mark.parametrize("first", [True, False])
def test_the_real_packages_win_wherever_they_are(first: bool, tmp_path: Path) -> None:
    """Nothing of theirs is hidden by a folder of ours that comes first."""
    theirs = {"before" if first else "after": [write(tmp_path, WARP)]}
    assert python(f"from {WARP} import *; print(MakeDirectWarpTask)", **theirs) == "theirs\n"
    assert "ImportError: " + COADD in python(f"import {COADD}", **theirs), "half of each is neither"


def test_the_distribution_has_no_package_file_that_is_not_ours() -> None:
    """An `__init__.py` in one of these folders would replace that of the others, or hide it."""
    files = {path.relative_to(FOLDER / "src") for path in (FOLDER / "src").rglob("*.py")}
    assert {str(path) for path in files} == {
        "cellcoadd_rubin_names.py",
        "lsst/pipe/tasks/make_direct_warp.py",
        "lsst/drp/tasks/assemble_cell_coadd.py",
    }
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["tool"]["setuptools"]["packages"]
    assert {str(path.parent).replace("/", ".") for path in files} - {"."} == set(named)
