"""Module paths of earlier versions lead to the same modules, and say where these are now."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from lsst.utils import doImportType

import cellcoadd.products
import cellcoadd.testing
from cellcoadd import ImagePointSpreadFunction
from cellcoadd._moved_modules import MOVED


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new interpreter: no old path has been imported."""
    for name in list(sys.modules):
        if any(name == old or name.startswith(f"{old}.") for old in MOVED):
            monkeypatch.delitem(sys.modules, name)


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_is_the_module_of_the_new_one(unimported: None, old: str) -> None:
    """The very same: two copies would have two classes of the same name, of different type."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = importlib.import_module(old)
        assert module is importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old])
    assert (module.__name__, module.__spec__ and module.__spec__.name) == (MOVED[old],) * 2
    assert {warning.category for warning in caught} == {DeprecationWarning}
    assert [str(warning.message) for warning in caught] == [
        f"{old} has moved to {MOVED[old]}; the old path will be removed."
    ]


def test_an_old_path_is_not_that_of_a_module_that_is_there() -> None:
    """A line for a file that somebody adds later would hide that file."""
    root = Path(cellcoadd.__file__).parents[1]
    paths = [root.joinpath(*old.split(".")) for old in MOVED]
    assert not [path for path in paths if path.with_suffix(".py").exists() or path.is_dir()]


def test_what_is_below_a_package_that_moved_is_found_and_not_loaded_twice(
    unimported: None,
) -> None:
    """The usual finder would load the file again under the old name. Its package has warned."""
    with pytest.warns(DeprecationWarning, match=r"lsst_cell_coadds has moved") as caught:
        found = importlib.import_module("cellcoadd.products.lsst_cell_coadds.reading")
    assert found is importlib.import_module("cellcoadd.exchange.lsst_cell_coadds.reading")
    assert len(caught) == 1
    with pytest.raises(ModuleNotFoundError, match=r"lsst_cell_coadds\.nothing"):
        importlib.import_module("cellcoadd.products.lsst_cell_coadds.nothing")


def test_the_warning_points_at_the_line_of_the_user(unimported: None) -> None:
    """Python shows deprecations to whoever wrote the line, so it must be theirs."""
    program = "from cellcoadd.products.stamp_shift import shift_stamp"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(program, "notebook.py", "exec"), {})
    assert [warning.filename for warning in caught] == ["notebook.py"]
    done = run_python("-c", program)
    assert "cellcoadd.products.stamp_shift has moved to cellcoadd.psfs.stamp_shift" in done.stderr


def test_a_class_is_found_by_its_old_name(unimported: None) -> None:
    """As the Butler finds types that a configuration names."""
    with pytest.warns(DeprecationWarning, match=r"moved to cellcoadd\.psfs\.models"):
        found = doImportType("cellcoadd.products.psf_models.ImagePointSpreadFunction")
    assert found is ImagePointSpreadFunction


@pytest.mark.parametrize("name", ["agreement", "physics"])
def test_a_command_is_found_by_its_old_name(name: str) -> None:
    """`python -m` finds and executes modules in a way of its own."""
    done = run_python("-m", f"cellcoadd.testing.{name}", "--help")
    assert f"python -m cellcoadd.validation.{name}" in done.stdout


def test_a_module_that_never_was_is_an_import_error() -> None:
    """Also below the packages whose modules have moved."""
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'cellcoadd.products.nothing'"):
        importlib.import_module("cellcoadd.products.nothing")


def test_threads_that_import_by_old_and_new_paths_do_not_wait_for_one_another() -> None:
    """The import system holds a lock while it asks a finder: one that asks back could hang."""
    program = """
import sys, threading
import cellcoadd.products
def old(): import cellcoadd.products.warp_storage
def new(): import cellcoadd.products.warp.stored
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=t, daemon=True) for t in (new, old, new, old)]
for t in threads: t.start()
for t in threads: t.join(60)
print(any(t.is_alive() for t in threads))
"""
    assert run_python("-W", "ignore", "-c", program).stdout == "False\n"
