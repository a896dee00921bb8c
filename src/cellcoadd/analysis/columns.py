"""Columns of the tables of a coadd: what each is called, what it means, how it is measured.

A table is a list of columns, stated once (`cell_table.CELL_COLUMNS`, `input_table.INPUT_COLUMNS`):
the tables are made of it, and the page of the documentation is written from it. Some columns exist
once for each mask plane whose fraction a coadd keeps on its own; the list holds one entry for them.
"""

from __future__ import annotations

__all__ = ["PLANE", "PlaneColumn", "TableColumn", "make_table"]

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.table import Column, Table

from .cell_measurements import CellMeasurements

PLANE = "{plane}"
"""Stands for the name of a mask plane in the name and the meaning of a `PlaneColumn`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableColumn:
    """A column of a table.

    Parameters
    ----------
    name, unit
        As in the table of a coadd in nJy; the unit is None for a pure number. Where a coadd is in
        counts, these stand for nJy.
    meaning
        What a reader needs to know, in a sentence.
    measure
        Its values for a coadd, one a row of the table.
    """

    name: str
    meaning: str
    measure: Callable[[CellMeasurements], npt.NDArray[np.generic]]
    unit: u.UnitBase | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlaneColumn:
    """Columns that are alike, one for each mask plane whose fraction a coadd keeps on its own.

    Parameters
    ----------
    name, meaning
        As for `TableColumn`, with `PLANE` where that of the plane stands.
    measure
        The values for a coadd and a plane.
    unit
        As in the table; None for a pure number.
    """

    name: str
    meaning: str
    measure: Callable[[CellMeasurements, str], npt.NDArray[np.generic]]
    unit: u.UnitBase | None = None

    def __post_init__(self) -> None:
        if PLANE not in self.name:
            raise ValueError(f"The name of a column of planes holds {PLANE}, got {self.name!r}.")

    def of(self, plane: str) -> TableColumn:
        """Return the column of one plane."""
        return TableColumn(
            name=self.name.replace(PLANE, plane),
            meaning=self.meaning.replace(PLANE, plane),
            measure=functools.partial(self._measure_plane, plane),
            unit=self.unit,
        )

    def _measure_plane(self, plane: str, cells: CellMeasurements) -> npt.NDArray[np.generic]:
        return self.measure(cells, plane)


def make_table(columns: Sequence[TableColumn | PlaneColumn], cells: CellMeasurements) -> Table:
    """Return the table of a coadd that has these columns, with their units and meanings."""
    return Table(
        [
            Column(
                column.measure(cells),
                name=column.name,
                unit=_in_unit_of(cells.coadd.unit, column.unit),
                description=column.meaning,
            )
            for column in _for_planes(columns, cells.fraction_planes)
        ]
    )


def _in_unit_of(of_coadd: u.UnitBase, unit: u.UnitBase | None) -> u.UnitBase | None:
    """Put the unit of a coadd in the place of nJy."""
    if unit is None or of_coadd == u.nJy:
        return unit
    return next((of_coadd**n for n in (1, 2, -2) if unit == u.nJy**n), unit)


def _for_planes(
    columns: Iterable[TableColumn | PlaneColumn], planes: Sequence[str]
) -> Iterable[TableColumn]:
    for column in columns:
        if isinstance(column, PlaneColumn):
            yield from (column.of(plane) for plane in planes)
        else:
            yield column
