"""What is handed out: the wheel holds the package and nothing else, the sdist all there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]

# What work leaves in a checkout.
LEFT_BEHIND = (
    "src/cellcoadd/__pycache__/errors.cpython-313.pyc",
    "src/cellcoadd/kernels/__pycache__/lanczos.add-1.py313.1.nbc",
    "tests/__pycache__/conftest.cpython-313.pyc",
    "tests/docs/.hypothesis/constants/1",
    "build/lib/cellcoadd/module_of_last_year.py",
    "demo/coadd.fits",
    "packages/rubin-names/build/old.py",
    "packages/rubin-names/src/cellcoadd_rubin_names.egg-info/SOURCES.txt",
)


@pytest.fixture(scope="module")
def tracked(files: list[Path]) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.fixture(scope="module")
def checkout(tracked: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in use."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in tracked:
        copy = checkout / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    for name in LEFT_BEHIND:
        left = checkout / name
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("old", encoding="utf-8")
    return checkout


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sdist, and of the wheel that is built from it."""
    return build(checkout, tmp_path_factory.mktemp("built"))


def build(project: Path, folder: Path, *options: str) -> Path:
    """Build in a process of its own; without isolation, since what builds is pinned as all else."""
    command = [sys.executable, "-m", "build", "--no-isolation", *options]
    done = subprocess.run(
        [*command, "--outdir", str(folder), str(project)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path, tracked: set[str]) -> None:
    """A file of data that is left out is missed only by those who install: here, all is there."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    about = {name for name in names if name.parts[0].endswith(".dist-info")}
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    assert "cellcoadd/py.typed" in package
    assert {str(name) for name in names - about} == package
    assert {"/".join(name.parts[1:]) for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "top_level.txt",
    }


def test_the_wheel_of_the_class_paths_holds_three_modules(checkout: Path, tmp_path: Path) -> None:
    """A file more in the packages of others would replace theirs."""
    (wheel,) = build(checkout / "packages" / "rubin-names", tmp_path, "--wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {
        "cellcoadd_rubin_names.py",
        "lsst/drp/tasks/assemble_cell_coadd.py",
        "lsst/pipe/tasks/make_direct_warp.py",
    }


def test_the_sdist_is_the_repository(built: Path, tracked: set[str]) -> None:
    """Whoever has it can build, run the tests and read the pages; the wheel above came from it."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {
            PurePosixPath(*PurePosixPath(member.name).parts[1:])
            for member in archive
            if member.isfile()
        }
    made = {"PKG-INFO", "setup.cfg"}
    assert {
        str(name)
        for name in names
        if str(name) not in made and "cellcoadd.egg-info" not in name.parts
    } == tracked
