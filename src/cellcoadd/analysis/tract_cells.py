"""The cells of a tract, each once, out of the tables of its patches.

Tables of cells come in, patch by patch; what goes out knows of patches no more. Neighbouring
patches share two rows or columns of cells, so that a mean, a sum or a histogram over the tables
counts those twice, and those of the corners four times. A cell is told by its place in the tract.
"""

from __future__ import annotations

__all__ = ["TractCells", "gather_cells", "places_in_tract"]

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from lsst.images import XY

from ..files.column_values import column_values
from ..skymap import Tract

_OWNER = -1  # comes before the id of any patch
_NOBODY = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TractCells:
    """The filled cells of a tract, each once, row by row, x fastest.

    Parameters
    ----------
    x, y
        Places in the tract, shape (cells,): the cell in the lower left corner of the tract's box
        has the place (0, 0); those beyond the box have negative places, or too large ones.
    values
        What was asked for, shape (columns, cells); NaN where it is not known.
    units
        Of each column, as text that astropy reads; empty for pure numbers.
    band
        Name of the band; empty if there is no cell.
    """

    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    units: tuple[str, ...]
    band: str

    def __len__(self) -> int:
        return len(self.x)


def places_in_tract(
    tract: Tract, *, patch: npt.ArrayLike, cell_x: npt.ArrayLike, cell_y: npt.ArrayLike
) -> tuple[XY[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    """Return where cells are in a tract, and whether they lie in the inner box of their patch.

    Parameters
    ----------
    tract
        The tract.
    patch
        Ids of patches.
    cell_x, cell_y
        Columns and rows of cells in these patches; all of shapes that broadcast.

    Returns
    -------
    places
        Patch index * cells in the inner box of a patch + cell index - cells in its border. Equal
        places are the same cell.
    owned
        Of the patches that have a cell, at most one owns it: the one that positions in the cell
        belong to.

    Raises
    ------
    ValueError
        If a patch or a cell does not exist.
    """
    shape, settings = tract.patch_shape, tract.settings
    inner, border = settings.patch_inner_cells, settings.patch_border_cells
    patch, column, row = np.broadcast_arrays(
        np.asarray(patch, np.int64), np.asarray(cell_x, np.int64), np.asarray(cell_y, np.int64)
    )
    for name, number, count in (
        ("patch", patch, shape.x * shape.y),
        ("cell_x", column, inner + 2 * border),
        ("cell_y", row, inner + 2 * border),
    ):
        foreign = (number < 0) | (number >= count)
        if foreign.any():
            raise ValueError(
                f"{name} must be in 0..{count - 1} in tract {tract.id} of sky map "
                f"{tract.skymap!r}, got {number[foreign][0]}."
            )
    patch_y, patch_x = np.divmod(patch, shape.x)
    in_x, in_y = column - border, row - border
    owned = (in_x >= 0) & (in_x < inner) & (in_y >= 0) & (in_y < inner)
    return XY(x=inner * patch_x + in_x, y=inner * patch_y + in_y), owned


def gather_cells(tables: Iterable[Table], tract: Tract, *, columns: Sequence[str]) -> TractCells:
    """Return the cells of a tract, each once.

    Parameters
    ----------
    tables
        Tables of cells, of one patch each or of several, in any order. They are asked for one at a
        time and let go of.
    tract
        The tract that they are of.
    columns
        Names of the columns that are wanted; numbers.

    Returns
    -------
    cells
        A cell that several patches have is taken from the one that owns it, else from the one with
        the lowest id. All copies of a cell are the same, unless a patch was made of other inputs
        than its neighbour: then a position has the value that its own patch states.

    Raises
    ------
    ValueError
        If a table lacks a column, is of another tract or sky map, or of another band than the
        others, has a column in another unit, or if the same cell of the same patch comes twice.
    """
    settings, patches = tract.settings, tract.patch_shape
    border = settings.patch_border_cells
    height, width = (
        count * settings.patch_inner_cells + 2 * border for count in (patches.y, patches.x)
    )
    # The tract's cells are few: some MB. So every value has its place from the start.
    values = np.full((len(columns), height, width), np.nan)
    taken_from = np.full((height, width), _NOBODY)
    units: tuple[str, ...] | None = None
    band = ""
    for table in tables:
        if len(table) == 0:
            continue
        _check_columns(table, columns)
        band = _check_identity(table, tract, band)
        units = _check_units(table, columns, units)
        patch = np.asarray(table["patch"], np.int64)
        places, owned = places_in_tract(
            tract, patch=patch, cell_x=table["cell_x"], cell_y=table["cell_y"]
        )
        y, x = places.y + border, places.x + border
        source = np.where(owned, _OWNER, patch)
        _check_repeats(table, tract, np.stack([y, x, source]), taken_from[y, x])
        # Of equal places the last one stays, so the best source comes last.
        order = np.argsort(-source, kind="stable")
        order = order[source[order] < taken_from[y[order], x[order]]]
        taken_from[y[order], x[order]] = source[order]
        for plane, column in zip(values, columns, strict=True):
            plane[y[order], x[order]] = column_values(table, column)[order]
    y, x = np.nonzero(taken_from < _NOBODY)
    return TractCells(
        x=x - border, y=y - border, values=values[:, y, x], units=units or (), band=band
    )


def _check_columns(table: Table, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in table.colnames]
    if missing:
        raise ValueError(
            f"The table of cells of patch {table['patch'][0]} has no column {missing}; make it "
            "again with tabulateCells, or do without what needs them."
        )


def _check_identity(table: Table, tract: Tract, band: str) -> str:
    """Return the one band of the table, which must be the one of the tables before."""
    for name, expected in (("skymap", tract.skymap), ("tract", tract.id), ("band", band)):
        for found in np.unique(table[name]):
            if name == "band" and not band:
                band = expected = str(found)
            if found != expected:
                raise ValueError(
                    f"The table of cells of patch {table['patch'][0]} has cells of {name} "
                    f"{found}; all must be of {expected}."
                )
    return band


def _check_units(
    table: Table, columns: Sequence[str], units: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return the units of the columns, which must be those of the tables before."""
    here = tuple(str(table[name].unit or "") for name in columns)
    for name, unit, expected in zip(columns, here, units or here, strict=True):
        if unit != expected:
            raise ValueError(
                f"The table of cells of patch {table['patch'][0]} has {name} in {unit!r}, those "
                f"of other patches in {expected!r}; make them with one version of tabulateCells."
            )
    return here


def _check_repeats(
    table: Table,
    tract: Tract,
    rows: npt.NDArray[np.int64],
    taken_from: npt.NDArray[np.int64],
) -> None:
    """Refuse a cell that the same patch states twice; ``rows`` are (y, x, source) by row."""
    _, first = np.unique(rows, axis=1, return_index=True)
    repeated = rows[2] == taken_from
    repeated |= ~np.isin(np.arange(len(table)), first)
    if repeated.any():
        row = table[int(np.nonzero(repeated)[0][0])]
        raise ValueError(
            f"Cell x={row['cell_x']}, y={row['cell_y']} of patch {row['patch']} of tract "
            f"{tract.id} comes twice; give each table once."
        )
