"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
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
