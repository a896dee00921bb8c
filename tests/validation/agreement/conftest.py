"""Where the reference values are: a few in the repository, the rest in the shared folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cellcoadd.validation.agreement.command import find_cases

IN_REPOSITORY = Path(__file__).parents[2] / "reference_values" / "rubin"


@pytest.fixture(scope="session")
def reference_folder(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Return the folder that holds a case; a case that is nowhere is skipped."""

    def find(name: str) -> Path:
        if name in find_cases(IN_REPOSITORY):
            return IN_REPOSITORY
        shared: Path = request.getfixturevalue("shared")
        folder = shared / "reference" / "rubin"
        if name not in find_cases(folder):
            pytest.skip(f"{folder} does not hold the reference case {name}")
        return folder

    return find
