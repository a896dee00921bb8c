"""Columns that say which cell of which coadd a row is about: every table begins with them."""

from __future__ import annotations

__all__ = ["place_columns"]

from collections.abc import Callable

import astropy.units as u
import numpy as np
import numpy.typing as npt

from ..products.cell_coadd import MultipleCellCoadd
from .cell_measurements import CellMeasurements
from .cell_positions import CellPositions
from .columns import TableColumn


def place_columns(
    positions: Callable[[CellMeasurements], CellPositions],
) -> tuple[TableColumn, ...]:
    """Return the columns of names, numbers and middles of cells.

    Parameters
    ----------
    positions
        Where the cell of each row of the table is.
    """

    def common(
        value: Callable[[MultipleCellCoadd], int | str],
    ) -> Callable[[CellMeasurements], npt.NDArray[np.generic]]:
        """Make a column of what all rows have in common."""
        return lambda cells: np.repeat(np.array([value(cells.coadd)]), len(positions(cells).ra))

    return (
        TableColumn(
            name="skymap",
            meaning="Name of the sky map.",
            measure=common(lambda coadd: coadd.identifiers.skymap),
        ),
        TableColumn(
            name="tract",
            meaning="Number of the tract.",
            measure=common(lambda coadd: coadd.identifiers.tract),
        ),
        TableColumn(
            name="patch",
            meaning="Number of the patch in its tract.",
            measure=common(lambda coadd: coadd.identifiers.patch),
        ),
        TableColumn(
            name="band",
            meaning="Name of the band.",
            measure=common(lambda coadd: coadd.band),
        ),
        TableColumn(
            name="cell_x",
            meaning="Column of the cell in its patch.",
            measure=lambda cells: positions(cells).index.x.astype(np.int16),
        ),
        TableColumn(
            name="cell_y",
            meaning="Row of the cell in its patch.",
            measure=lambda cells: positions(cells).index.y.astype(np.int16),
        ),
        TableColumn(
            name="tract_cell_x",
            meaning="Column of the cell in its tract, the same in all patches that share the cell.",
            measure=lambda cells: positions(cells).tract_index.x.astype(np.int32),
        ),
        TableColumn(
            name="tract_cell_y",
            meaning="Row of the cell in its tract, the same in all patches that share the cell.",
            measure=lambda cells: positions(cells).tract_index.y.astype(np.int32),
        ),
        TableColumn(
            name="ra",
            unit=u.deg,
            meaning="Right ascension (ICRS) of the middle of the inner region.",
            measure=lambda cells: positions(cells).ra,
        ),
        TableColumn(
            name="dec",
            unit=u.deg,
            meaning="Declination (ICRS) of the middle of the inner region.",
            measure=lambda cells: positions(cells).dec,
        ),
    )
