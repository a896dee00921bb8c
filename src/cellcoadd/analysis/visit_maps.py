"""Maps of a tract on the sky: under what its visits were taken, as each cell adds them up.

Tables of inputs come in, patch by patch, and the tract. A map for each property that is known goes
out, and the reason for each that is not made.
"""

from __future__ import annotations

__all__ = ["VisitMapSettings", "VisitMaps", "map_visits", "tabulate_visits"]

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from astropy.table import Column, Table

from ..files.column_values import column_values
from ..skymap import Tract
from .cell_maps import SkyMapSettings, map_columns
from .map_quantities import MapQuantity
from .visit_properties import DEFAULT_VISIT_MAPS, Operation, VisitMap, VisitProperty

if TYPE_CHECKING:
    import healsparse

_PLACE = ("skymap", "tract", "patch", "band", "cell_x", "cell_y")


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisitMapSettings(SkyMapSettings):
    """Which properties of visits become maps, and how.

    Parameters
    ----------
    properties
        Names of maps, such as ``epoch_map_mean``: a property of `VISIT_PROPERTIES`, and one of the
        operations that it has.
    nside_sparse, nside_coverage, assignment
        As for `SkyMapSettings`.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    properties: tuple[str, ...] = DEFAULT_VISIT_MAPS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.properties or len(set(self.properties)) < len(self.properties):
            raise ValueError(f"properties must be some, each once, got {list(self.properties)}.")
        for name in self.properties:
            VisitMap.named(name)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VisitMaps:
    """What became of the properties that were asked for.

    Parameters
    ----------
    maps
        Maps by name.
    missing
        Why there is none, by the name of the property, in a sentence.
    """

    maps: Mapping[str, healsparse.HealSparseMap]
    missing: Mapping[str, str]


def map_visits(
    tables: Iterable[Table], tract: Tract, *, settings: VisitMapSettings
) -> VisitMaps | None:
    """Map under what the inputs of a tract's cells were taken.

    Parameters
    ----------
    tables
        Tables of inputs of the tract's patches, in any order. They are asked for one at a time and
        let go of. A cell that several patches have is counted once.
    tract
        The tract.
    settings
        What is mapped, and how.

    Returns
    -------
    made
        None if no cell has an input. A cell has a value if all inputs that it adds up have the
        property: a mean of some would be none of the cell. Maps are as those of
        `cellcoadd.analysis.cell_maps.map_cells`; in the place of ``COLUMN``, their metadata have
        ``OPERATION``.

    Raises
    ------
    ValueError
        If a table does not belong to the tract and the other tables.
    """
    wanted = [VisitMap.named(name) for name in settings.properties]
    known: set[str] = set()
    cells = map_columns(
        (_noting(table, wanted, known) for table in tables),
        tract,
        [MapQuantity(name=each.name, column=each.name, meaning=each.meaning) for each in wanted],
        settings,
    )
    if cells is None:
        return None
    maps, missing = {}, {}
    for each in wanted:
        made = cells[each.name]
        if not made.metadata["NCELLS"]:
            missing[each.of.name] = f"There is no map of {each.of.name}: " + (
                "of no cell all inputs have it." if each.of.name in known else "no input has it."
            )
            continue
        metadata = dict(made.metadata)
        del metadata["COLUMN"]
        made.metadata = metadata | {"OPERATION": str(each.operation)}
        maps[each.name] = made
    return VisitMaps(maps=maps, missing=missing)


def tabulate_visits(table: Table, maps: Sequence[VisitMap]) -> Table:
    """Return a table of cells of a table of inputs, with a column for each map, by its name.

    Parameters
    ----------
    table
        Inputs; those that were refused do not count. A column that it lacks is as good as NaN.
    maps
        What is worked out.
    """
    return _tabulated(rows := _accepted(table), maps, _values_of(rows, maps))


def _noting(table: Table, maps: Sequence[VisitMap], known: set[str]) -> Table:
    """Tabulate, and note which properties any accepted input has."""
    rows = _accepted(table)
    values = _values_of(rows, maps)
    known.update(name for name, found in values.items() if np.isfinite(found).any())
    return _tabulated(rows, maps, values)


def _accepted(table: Table) -> Table:
    return table[np.asarray(table["accepted"], np.bool_)]


def _values_of(rows: Table, maps: Sequence[VisitMap]) -> dict[str, npt.NDArray[np.float64]]:
    """Work out each property once, by its name, whatever is made of it."""
    properties = {each.of.name: each.of for each in maps}
    return {name: _values(entry, rows) for name, entry in properties.items()}


def _tabulated(
    rows: Table, maps: Sequence[VisitMap], values: Mapping[str, npt.NDArray[np.float64]]
) -> Table:
    keys = np.stack([np.asarray(rows[name], np.int64) for name in ("patch", "cell_y", "cell_x")])
    _, first, cells = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    groups = _Groups(rows, cells.reshape(-1), len(first))
    result = rows[list(_PLACE)][first]
    for each in maps:
        combined = groups.combined(values[each.of.name], each.operation)
        result[each.name] = Column(combined, unit=_unit(each.of, rows))
    return result


def _values(entry: VisitProperty, rows: Table) -> npt.NDArray[np.float64]:
    if not set(entry.columns) <= set(rows.colnames):
        return np.full(len(rows), np.nan)
    return entry.values(*(column_values(rows, name) for name in entry.columns))


def _unit(entry: VisitProperty, rows: Table) -> str | None:
    if entry.unit is not None:
        return entry.unit or None
    (name,) = entry.columns
    unit = rows[name].unit if name in rows.colnames else None
    return None if unit is None else str(unit)


class _Groups:
    """Rows of inputs by the cell that they are of."""

    def __init__(self, rows: Table, cells: npt.NDArray[np.intp], count: int) -> None:
        self._cells, self._count = cells, count
        self._weights = column_values(rows, "weight")
        _, instruments = np.unique(np.asarray(rows["instrument"]), return_inverse=True)
        visits = np.stack([cells, instruments.reshape(-1), np.asarray(rows["visit"], np.int64)])
        _, self._first_of_visits = np.unique(visits, axis=1, return_index=True)

    def combined(
        self, values: npt.NDArray[np.float64], operation: Operation
    ) -> npt.NDArray[np.float64]:
        """Return one value a cell; NaN if one of its inputs is."""
        if operation is Operation.SUM:
            once = self._first_of_visits
            return np.bincount(self._cells[once], values[once], minlength=self._count)
        if operation is Operation.MEAN:
            total = np.bincount(self._cells, self._weights, minlength=self._count)
            weighted = self._weights * values
            return np.asarray(np.bincount(self._cells, weighted, minlength=self._count) / total)
        smaller = operation is Operation.MIN
        result = np.full(self._count, np.inf if smaller else -np.inf)
        with np.errstate(invalid="ignore"):  # NaN stays NaN; some processors say so
            (np.minimum if smaller else np.maximum).at(result, self._cells, values)
        return result
