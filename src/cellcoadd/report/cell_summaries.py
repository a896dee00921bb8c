"""The cells of a tract in numbers: by patch and by number of visits, as tables of the page.

Columns that the table of cells does not have are left out.
"""

from __future__ import annotations

__all__ = ["summary_by_inputs", "summary_by_patch"]

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..files.column_values import column_values, known_values
from .by_inputs import group_by_inputs
from .page_parts import PageColumn, PageTable, Value
from .units import variance_label, variance_unit


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Statistic:
    """A column of a summary: a statistic of a column of the table of cells."""

    of: str
    column: PageColumn
    value: Callable[[npt.NDArray[np.float64]], float] = np.median


_VARIANCE = "variance, median"  # its unit is the table's

_STATISTICS = (
    _Statistic(of="visit_count", column=PageColumn(name="visits, mean", digits=2), value=np.mean),
    _Statistic(of="visit_count", column=PageColumn(name="most visits", digits=0), value=np.max),
    _Statistic(of="variance_median", column=PageColumn(name=_VARIANCE, digits=1)),
    _Statistic(of="depth", column=PageColumn(name="depth, median", unit="AB mag", digits=3)),
    _Statistic(of="psf_fwhm", column=PageColumn(name="PSF FWHM, median", unit="arcsec", digits=3)),
    _Statistic(of="psf_ellipticity", column=PageColumn(name="PSF ellipticity, median", digits=4)),
    _Statistic(
        of="masked_fraction", column=PageColumn(name="masked fraction, mean", digits=4),
        value=np.mean,
    ),
    _Statistic(
        of="input_fraction_0.1", column=PageColumn(name="inputs < 10 % masked", digits=3),
        value=np.mean,
    ),
    _Statistic(
        of="input_fraction_0.05", column=PageColumn(name="inputs < 5 % masked", digits=3),
        value=np.mean,
    ),
)  # fmt: skip


def summary_by_patch(cells: Table, *, cells_in_patch: int) -> PageTable:
    """Return one row a patch: how many of its cells are filled, and what they are like.

    Parameters
    ----------
    cells
        Tables of cells of all patches; a cell that patches share counts in each.
    cells_in_patch
        Number of cells of a patch, empty ones included.
    """
    statistics = [entry for entry in _STATISTICS if entry.of in cells.colnames]
    patches = np.asarray(cells["patch"], np.int64)
    rows: list[list[Value]] = []
    for patch in np.unique(patches):
        here = cells[patches == patch]
        filled = 100.0 * len(here) / cells_in_patch
        rows.append([int(patch), len(here), filled, *_values(here, statistics)])
    return PageTable(
        name="patches",
        caption="Patches: their filled cells, of which two rows or columns are shared with each "
        "neighbour, and statistics over these cells.",
        columns=[
            PageColumn(name="patch", grouped=False),
            PageColumn(name="filled cells"),
            PageColumn(name="filled", unit="%", digits=1),
            *(_with_unit(entry.column, cells) for entry in statistics),
        ],
        rows=rows,
    )


def summary_by_inputs(cells: Table) -> PageTable:
    """Return one row a number of visits: how many cells have it, their variance and depth.

    Parameters
    ----------
    cells
        One row a filled cell, each cell once.
    """
    counts = np.asarray(cells["visit_count"], np.int64)
    inputs = np.unique(counts)
    heads = [PageColumn(name="visits, N"), PageColumn(name="cells")]
    columns: list[Sequence[Value]] = [
        [int(entry) for entry in inputs],
        [int((counts == entry).sum()) for entry in inputs],
    ]
    squared = variance_label(variance_unit(cells))
    for of, unit, digits in (("variance_mean", squared, 1), ("depth", "AB mag", 3)):
        if of not in cells.colnames:
            continue
        groups = group_by_inputs(counts, column_values(cells, of))
        name = of.removesuffix("_mean")
        for statistic, values in (("mean", groups.mean), ("median", groups.median)):
            known = dict(zip(groups.inputs.tolist(), values.tolist(), strict=True))
            heads.append(PageColumn(name=f"{name}, {statistic}", unit=unit, digits=digits))
            columns.append([known.get(int(entry)) for entry in inputs])
        if name == "variance":
            heads.append(PageColumn(name="N · variance, median", unit=squared, digits=1))
            columns.append([_times(entry, known.get(int(entry))) for entry in inputs])
    return PageTable(
        name="by-inputs",
        caption="Cells by their number of visits, each cell once. The variance of a cell is "
        "the mean over its inner region; N times it would be constant if all inputs were equal.",
        columns=heads,
        rows=list(zip(*columns, strict=True)),
    )


def _with_unit(column: PageColumn, cells: Table) -> PageColumn:
    if column.name != _VARIANCE:
        return column
    return dataclasses.replace(column, unit=variance_label(variance_unit(cells)))


def _values(cells: Table, statistics: Sequence[_Statistic]) -> list[Value]:
    """The statistics of the values that are known; None where none is."""
    values: list[Value] = []
    for entry in statistics:
        known = known_values(cells, entry.of)
        values.append(float(entry.value(known)) if known.size else None)
    return values


def _times(number: int, value: float | None) -> float | None:
    return None if value is None else int(number) * value
