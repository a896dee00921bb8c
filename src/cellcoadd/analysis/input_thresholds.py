"""The threshold function: which part of a cell's inputs is left if the more masked are refused.

For a threshold t it is, per cell, the part of the accepted inputs whose masked fraction is less
than t, and then the mean over cells. It comes from the tables of inputs alone: no coadd is opened.

Neighbouring patches share two rows or columns of cells, so the tables of a tract list some cells
twice or four times. A cell is known by its column and row in the tract, which are exact whole
numbers and in every table. Rounded sky positions would do for nearly all cells: but two values
that differ in their last bit can lie on two sides of where rounding changes, and then count twice.
"""

from __future__ import annotations

__all__ = [
    "DEFAULT_THRESHOLDS",
    "RemainingInputs",
    "remaining_fractions",
    "remaining_input_fraction",
]

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..files.column_values import column_values
from .mask_fractions import fraction_column, planes_of

type _Floats = npt.NDArray[np.float64]

DEFAULT_THRESHOLDS: tuple[float, ...] = (
    *(step / 1000 for step in range(1, 20)),
    *(step / 100 for step in range(2, 15)),
)
"""Those of SITCOMTN-137: 0.001 to 0.019 by 0.001, then 0.02 to 0.14 by 0.01."""

_PLACE = ("tract", "tract_cell_y", "tract_cell_x")
_CELL = ("tract", "patch", "cell_y", "cell_x")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RemainingInputs:
    """The threshold function of cells; `remaining_input_fraction` makes it.

    Parameters
    ----------
    thresholds : float64 (n,)
        Masked fractions t, growing.
    cells
        The cells that have inputs, one row each, sorted by tract, patch, row and column: their
        ``tract``, ``patch``, ``cell_x``, ``cell_y``, ``tract_cell_x``, ``tract_cell_y``, and
        ``input_count``. A cell that patches share has a row for each.
    fractions : float64 (cells, n)
        Part of the inputs with f < t. NaN where the masked fraction of an input is not known.
    first : bool (cells,)
        Whether no earlier row is about the same cell.
    """

    thresholds: _Floats
    cells: Table
    fractions: _Floats
    first: npt.NDArray[np.bool_]

    @property
    def cell_count(self) -> int:
        """Number of different cells."""
        return int(self.first.sum())

    def mean(self) -> _Floats:
        """Return the mean over all cells, each counted once; those that are NaN do not count.

        Cells of different tracts are different cells, also where the tracts overlap.
        """
        return _mean(self.fractions[self.first])

    def by_tract(self) -> dict[int, _Floats]:
        """Return the mean over the cells of each tract, each counted once."""
        tracts = np.asarray(self.cells["tract"])
        return {
            int(tract): _mean(self.fractions[self.first & (tracts == tract)])
            for tract in np.unique(tracts)
        }

    def by_patch(self) -> dict[tuple[int, int], _Floats]:
        """Return the mean over all cells of each patch, the shared ones in each, by tract, patch.

        So the mean over a tract is not the mean of these.
        """
        columns = [np.asarray(self.cells[name], np.int64) for name in ("tract", "patch")]
        _, starts, numbers = _distinct(columns)
        return {
            (int(columns[0][start]), int(columns[1][start])): _mean(self.fractions[numbers == n])
            for n, start in enumerate(starts)
        }


def remaining_input_fraction(
    input_table: Table,
    *,
    thresholds: npt.ArrayLike = DEFAULT_THRESHOLDS,
    plane: str = "all",
    region: Literal["outer", "inner"] = "outer",
) -> RemainingInputs:
    """Return, for each cell and threshold, which part of its inputs is masked less.

    Parameters
    ----------
    input_table
        A table of inputs (`tabulate_inputs`) of one sky map and band, or those of many patches and
        tracts put together by `astropy.table.vstack`. Inputs that were refused do not count.
    thresholds
        Masked fractions t, growing; an input with exactly t does not remain.
    plane
        The mask plane whose fraction counts, such as ``BAD``; ``all``: all bad planes together.
    region
        Whether the fraction is over the outer or the inner region of a cell.

    Raises
    ------
    ValueError
        If the thresholds do not grow; if the table lacks a column, or holds several sky maps or
        bands.
    """
    limits = _checked_thresholds(thresholds)
    column = fraction_column(plane, region)
    _check_table(input_table, column)
    used = np.flatnonzero(np.asarray(input_table["accepted"], np.bool_))
    columns = {name: np.asarray(input_table[name], np.int64)[used] for name in {*_PLACE, *_CELL}}
    _, rows, groups = _distinct([columns[name] for name in _CELL])
    cells = Table({name: column[rows] for name, column in columns.items()})
    cells["input_count"] = np.bincount(groups, minlength=len(rows))
    _, places, _ = _distinct([np.asarray(cells[name]) for name in _PLACE])
    first = np.zeros(len(cells), np.bool_)
    first[places] = True
    values = column_values(input_table, column)[used]
    return RemainingInputs(
        thresholds=limits,
        cells=cells,
        fractions=remaining_fractions(values, groups=groups, count=len(rows), thresholds=limits),
        first=first,
    )


def remaining_fractions(
    values: _Floats,
    *,
    groups: npt.NDArray[np.integer],
    count: int,
    thresholds: npt.ArrayLike,
) -> _Floats:
    """Return which part of the members of each group is below each threshold.

    Parameters
    ----------
    values : (n,)
        Masked fractions.
    groups : (n,)
        Which group each is in, 0 to ``count`` - 1.
    count
        Number of groups.
    thresholds : (m,)
        Growing.

    Returns
    -------
    fractions : float64 (count, m)
        NaN where a member is NaN, or there is none.
    """
    limits = np.asarray(thresholds, np.float64)
    # The first threshold that a value is below; NaN is below none.
    step = np.searchsorted(limits, values, side="right")
    width = len(limits) + 1
    counts = np.bincount(groups * width + step, minlength=count * width).reshape(count, width)
    totals = counts.sum(axis=1)
    unknown = np.bincount(groups[np.isnan(values)], minlength=count) > 0
    fractions = np.full((count, len(limits)), np.nan)
    np.divide(
        counts[:, :-1].cumsum(axis=1), totals[:, np.newaxis], out=fractions,
        where=((totals > 0) & ~unknown)[:, np.newaxis],
    )  # fmt: skip
    return fractions


def _checked_thresholds(thresholds: npt.ArrayLike) -> _Floats:
    limits = np.atleast_1d(np.asarray(thresholds, np.float64))
    if limits.ndim != 1 or not np.isfinite(limits).all() or (np.diff(limits) <= 0).any():
        raise ValueError(f"The thresholds must be finite and grow, got {limits.tolist()}.")
    return limits


def _check_table(table: Table, column: str) -> None:
    needed = {"skymap", "band", "accepted", *_PLACE, *_CELL}
    missing = sorted(needed - set(table.colnames))
    if missing:
        raise ValueError(f"This is not a table of inputs: it has no columns {missing}.")
    if column not in table.colnames:
        raise ValueError(
            f"The table has no column {column}: the planes with a fraction of their own are "
            f"{list(planes_of(table.colnames))}, and 'all' stands for all together."
        )
    for name in ("skymap", "band"):
        values = np.unique(np.asarray(table[name]))
        if len(values) > 1:
            raise ValueError(
                f"The table holds several values of {name}, {[str(value) for value in values]}: "
                f"choose the rows of one."
            )


def _distinct(
    columns: list[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the different rows of whole numbers, sorted by the first column first.

    Returns the numbers that there are, the first row of each, and the number of every row.
    """
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if not len(column):
            break
        low = column.min()
        key = key * (column.max() - low + 1) + (column - low)
        # Small numbers again: the product of few columns stays far below 2^63.
        key = np.unique(key, return_inverse=True)[1]
    return np.unique(key, return_index=True, return_inverse=True)


def _mean(fractions: _Floats) -> _Floats:
    known = fractions[~np.isnan(fractions).any(axis=1)]
    if not len(known):
        return np.full(fractions.shape[1], np.nan)
    mean: _Floats = known.mean(axis=0)
    return mean
