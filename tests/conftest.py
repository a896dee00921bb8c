"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cellcoadd import MultipleCellCoadd
    from cellcoadd.warping.direct import DirectWarp


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
