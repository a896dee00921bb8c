"""Tables of cells for tests of what is made of them, without any coadd."""

from __future__ import annotations

__all__ = ["invent_cell_table"]

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..analysis.map_quantities import MAP_QUANTITIES
from ..cell_grid import Index2D
from ..skymap import Patch


def invent_cell_table(
    patch: Patch,
    *,
    cells: Iterable[Index2D] | None = None,
    band: str = "i",
    columns: Mapping[str, npt.ArrayLike] | None = None,
) -> Table:
    """Return a table of cells with the columns that say which, and all that can be mapped.

    Parameters
    ----------
    patch
        The patch of the cells.
    cells
        The filled cells; all, if this is None.
    band
        Name of the band.
    columns
        Values of columns, a scalar or one a row. Numbers of columns that are not given are drawn at
        random from 1..2: the same for a cell in every patch that has it.
    """
    rows = list(patch.grid if cells is None else cells)
    boxes = [patch.grid.inner_bbox_of(index) for index in rows]
    table = Table(
        {
            "skymap": np.full(len(rows), patch.skymap),
            "tract": np.full(len(rows), patch.tract),
            "patch": np.full(len(rows), patch.id),
            "band": np.full(len(rows), band),
            "cell_x": np.array([index.x for index in rows], np.int16),
            "cell_y": np.array([index.y for index in rows], np.int16),
        }
    )
    for number, quantity in enumerate(MAP_QUANTITIES.values()):
        table[quantity.column] = [
            np.random.default_rng(
                [number, box.x.start + patch.outer_bbox.x.size, box.y.start + 100_000]
            ).uniform(1.0, 2.0)
            for box in boxes
        ]
    for name, values in (columns or {}).items():
        table[name] = np.broadcast_to(np.asarray(values), len(rows))
    return table
