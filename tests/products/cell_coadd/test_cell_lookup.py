"""Sources of a catalogue and the cells of a coadd that they lie in."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.cell_grid import Index2D
from cellcoadd.conventions import round_half_up
from cellcoadd.errors import MissingCellError
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.lookup import cells_at, rows_at, sky_of_cells
from cellcoadd.testing.images import small_patch

PATCH = small_patch()
GRID = PATCH.grid


def test_sky_positions_find_the_cells_of_their_pixels() -> None:
    """A thousand positions in and around the patch, by the scalar look-up one by one."""
    rng = np.random.default_rng(1)
    box = GRID.bbox.dilated_by(15)
    x = rng.uniform(box.x.start, box.x.stop, 1000)
    y = rng.uniform(box.y.start, box.y.stop, 1000)
    found = cells_at(GRID, PATCH.sky_projection, PATCH.sky_projection.pixel_to_sky(x=x, y=y))
    inside = 0
    for n in range(1000):
        pixel = {"x": round_half_up(x[n]), "y": round_half_up(y[n])}
        if GRID.bbox.contains(**pixel):
            inside += 1
            assert Index2D(x=int(found.x[n]), y=int(found.y[n])) == GRID.index_of(**pixel)
        else:
            assert (found.x[n], found.y[n]) == (-1, -1)
    assert 300 < inside < 900


def test_the_middle_of_a_cell_is_in_it_and_comes_back() -> None:
    """There and back over the sky, in another frame too, with the shape kept."""
    x, y = np.arange(5), np.arange(5)[:, np.newaxis]
    sky = sky_of_cells(GRID, PATCH.sky_projection, x=x, y=y)
    assert sky.shape == (5, 5)
    for frame in ("icrs", "galactic"):
        found = cells_at(GRID, PATCH.sky_projection, sky.transform_to(frame))
        np.testing.assert_array_equal(found.x, np.broadcast_to(x, (5, 5)))
        np.testing.assert_array_equal(found.y, np.broadcast_to(y, (5, 5)))
    with pytest.raises(MissingCellError, match="x=5"):
        sky_of_cells(GRID, PATCH.sky_projection, x=5, y=0)


def test_positions_that_no_plane_shows_are_in_no_cell() -> None:
    """Behind the tangent plane the mirror image of the patch would answer; NaN is nowhere."""
    middle = sky_of_cells(GRID, PATCH.sky_projection, x=2, y=2)
    opposite = SkyCoord(middle.ra.deg + 180.0, -middle.dec.deg, unit="deg")
    for sky in (opposite, SkyCoord(np.nan, np.nan, unit="deg")):
        found = cells_at(GRID, PATCH.sky_projection, sky)
        assert (int(found.x), int(found.y)) == (-1, -1)


def test_rows_are_those_of_the_table_and_empty_cells_have_none(
    cell_coadd: MultipleCellCoadd,
) -> None:
    """A source takes what was measured of its cell by indexing the table."""
    grid = cell_coadd.grid
    cells = list(grid)
    sky = sky_of_cells(
        grid, cell_coadd.wcs, x=[index.x for index in cells], y=[index.y for index in cells]
    )
    rows = rows_at(cell_coadd, sky)
    table = tabulate_cells(cell_coadd)
    assert 0 < (rows < 0).sum() < len(cells)
    for index, row in zip(cells, rows, strict=True):
        assert (row >= 0) == (index in cell_coadd.cells)
        if row >= 0:
            assert (table["cell_x"][row], table["cell_y"][row]) == (index.x, index.y)
            assert cell_coadd.stack.indices[row] == index
    assert int(rows_at(cell_coadd, SkyCoord(10.0, 10.0, unit="deg"))) == -1


def test_an_empty_catalogue_has_no_cells(cell_coadd: MultipleCellCoadd) -> None:
    """A selection that leaves no star is an ordinary one."""
    nothing = SkyCoord([], [], unit="deg")
    assert rows_at(cell_coadd, nothing).shape == (0,)
    assert cells_at(cell_coadd.grid, cell_coadd.sky_projection, nothing).x.shape == (0,)
