"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import linecache
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cellcoadd import MultipleCellCoadd
    from cellcoadd.warping.direct import DirectWarp

LONG = (
    "test_benchmarks.py",
    "end_to_end/test_switches.py",
    "end_to_end/test_pipetask_run.py",
    "end_to_end/test_demo.py",
    "end_to_end/test_other_engines.py",
    "end_to_end/test_technote.py",
    "real_data/test_mosaics.py",
    "real_data/test_decam_coadds.py",
    "docs/test_notebooks.py",
    "docs/test_how_to.py",
    "report/test_tract_page.py",
    "end_to_end/test_maps_of_tracts.py",
    "real_data/test_measured_psfs.py",
    "kernels/test_kernel_modes.py",
)
"""Files whose tests take longest, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files: `make test` gives a process a file at a time.

    A long one that is begun last would leave the other processes idle.
    """
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


_OURS = Path(__file__).parents[1] / "src" / "cellcoadd"
_OF_PROGRAMS = (AssertionError, AttributeError, IndexError, NameError, TypeError)


class _Mistakes(logging.Handler):
    """Collects what the guard around files took for a fault of the file, and may be one of ours."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, _OF_PROGRAMS) or error.__traceback__ is None:
            return
        frame = error.__traceback__
        while frame.tb_next is not None:
            frame = frame.tb_next
        where = Path(frame.tb_frame.f_code.co_filename)
        on_purpose = linecache.getline(str(where), frame.tb_lineno).strip().startswith("raise ")
        if where.is_relative_to(_OURS) and not on_purpose:
            self.found.append(f"{where.name}:{frame.tb_lineno}: {error!r}; {record.getMessage()}")


@pytest.fixture(autouse=True)
def mistakes() -> Iterator[list[str]]:
    """Fails a test in which an error of a program, raised in our own code, refused a file.

    A file must not have been refused because of a mistake of ours. Tests that damage files at
    random, where the one cannot be told from the other, clear the list.
    """
    log, handler = logging.getLogger("cellcoadd.files.guard"), _Mistakes()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False  # users do not see it either
    yield handler.found
    log.removeHandler(handler)
    log.setLevel(level)
    log.propagate = True
    assert not handler.found


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real survey data and reference values, which is not part of the repository.

    It lies beside the repository, or where the environment variable CELLCOADD_SHARED says.
    """
    named = os.environ.get("CELLCOADD_SHARED")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"the shared data are not here: {folder} does not exist (CELLCOADD_SHARED)")
    return folder


@pytest.fixture(scope="session")
def direct_warps() -> list[DirectWarp]:
    """Two visits of two detectors each, with everything that warps can carry."""
    from cellcoadd.testing.example_products import example_warps

    return example_warps()


@pytest.fixture(scope="session")
def cell_coadd(direct_warps: list[DirectWarp]) -> MultipleCellCoadd:
    """Their coadd; the detectors leave some cells empty."""
    from cellcoadd.testing.example_products import example_coadd

    return example_coadd(direct_warps)
