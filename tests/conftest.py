"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
