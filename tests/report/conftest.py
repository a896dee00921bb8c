"""Tables of a survey that nobody observed, on a tract whose patches have 5 x 5 cells."""

from __future__ import annotations

import pytest
from astropy.table import Table

from cellcoadd.testing.example_tables import example_cells, example_inputs
from cellcoadd.testing.images import small_tract

PATCHES = (16, 17, 23, 24)
"""Four patches around a corner, which share cells."""


@pytest.fixture(scope="session")
def inputs() -> Table:
    """The table of inputs of `PATCHES`. Do not change it."""
    return example_inputs(small_tract(), PATCHES)


@pytest.fixture(scope="session")
def cells(inputs: Table) -> Table:
    """The table of cells of `PATCHES`. Do not change it."""
    return example_cells(inputs)
