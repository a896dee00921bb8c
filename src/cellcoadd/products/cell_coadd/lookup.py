"""Which cells of a coadd do the sources of a catalogue lie in, and where are cells on the sky.

Sky positions, many at once, become cells of a grid (`cells_at`) or rows of a coadd's stack and of
its table of cells (`rows_at`); `sky_of_cells` is the way back. Pixels become cells by
`BorderedCellGrid.indices_of`, and sky becomes pixels by the coadd's ``sky_projection``.
"""

from __future__ import annotations

__all__ = ["cells_at", "rows_at", "sky_of_cells"]

from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from lsst.images import XY, SkyProjection

from ...cell_grid import BorderedCellGrid
from .coadd import MultipleCellCoadd


def cells_at(
    grid: BorderedCellGrid, sky_projection: SkyProjection[Any], sky: SkyCoord
) -> XY[npt.NDArray[np.int64]]:
    """Return the cells whose inner regions contain sky positions.

    Parameters
    ----------
    grid
        The cells of a patch: ``grid`` of a patch, a warp or a coadd.
    sky_projection
        Tract pixels to sky and back, of the same.
    sky
        Positions, in whatever frame.

    Returns
    -------
    XY
        Columns and rows of the cells, of the shape of the positions. Both are -1 for a position
        that is in no inner region. Whether the cell is filled is not asked.
    """
    if not sky.size:  # which AST refuses
        nowhere = np.empty(sky.shape, np.int64)
        return XY(x=nowhere, y=nowhere)
    pixel = sky_projection.sky_to_pixel(sky)
    # What is behind the tangent plane comes as a huge negative number, and so lies outside.
    return grid.indices_of(x=pixel.x, y=pixel.y)


def rows_at(coadd: MultipleCellCoadd, sky: SkyCoord) -> npt.NDArray[np.int64]:
    """Return the rows of a coadd's filled cells that contain sky positions.

    Parameters
    ----------
    coadd
        The coadd.
    sky
        Positions, in whatever frame.

    Returns
    -------
    int64, of the shape of the positions
        Row of ``coadd.stack`` and of the table of cells; -1 for a position that is in no inner
        region, or in that of an empty cell.
    """
    shape = coadd.grid.shape
    row_of = np.full((shape.y + 1, shape.x + 1), -1)  # the last of each is read by an index of -1
    for row, index in enumerate(coadd.stack.indices):
        row_of[index.y, index.x] = row
    cells = cells_at(coadd.grid, coadd.sky_projection, sky)
    rows: npt.NDArray[np.int64] = row_of[cells.y, cells.x]
    return rows


def sky_of_cells(
    grid: BorderedCellGrid,
    sky_projection: SkyProjection[Any],
    *,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
) -> SkyCoord:
    """Return where the middles of the inner regions of cells are on the sky.

    Parameters
    ----------
    grid, sky_projection
        As for `cells_at`.
    x, y
        Columns and rows of the cells, of shapes that broadcast.

    Raises
    ------
    MissingCellError
        If one of the cells is not in the grid.
    """
    middle = grid.middles_of(x=x, y=y)
    return sky_projection.pixel_to_sky(x=middle.x, y=middle.y)
