"""Masked fractions of cells: how much of what a cell adds up was bad before resampling.

Of an input in a cell it is the mean of the warped fraction over the pixels of a region; of the
coadded cell it is the weighted mean of its inputs' (`weighted_means`). The names of the columns
that hold them are made and understood here.
"""

from __future__ import annotations

__all__ = ["fraction_column", "planes_of", "weighted_means"]

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

_ALL, _INNER = "masked_fraction", "_inner"


def fraction_column(plane: str = "all", region: Literal["outer", "inner"] = "outer") -> str:
    """Return the name of the column of masked fractions of a plane in a region.

    Parameters
    ----------
    plane
        A mask plane; ``all``: all bad planes together.
    region
        Of the cell.

    Raises
    ------
    ValueError
        If the region is none of the two.
    """
    if region not in ("outer", "inner"):
        raise ValueError(f"region must be 'outer' or 'inner', got {region!r}.")
    name = _ALL if plane == "all" else f"{_ALL}_{plane}"
    return name + (_INNER if region == "inner" else "")


def planes_of(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the planes that columns hold the fractions of, without that of all together."""
    names = set(columns)
    start = f"{_ALL}_"
    # Columns come in pairs: so masked_fraction_inner is not that of a plane called inner.
    return tuple(
        name.removeprefix(start)
        for name in columns
        if name.startswith(start) and f"{name}{_INNER}" in names
    )


def weighted_means(
    values: npt.NDArray[np.float64],
    *,
    weights: npt.NDArray[np.float64],
    groups: npt.NDArray[np.integer],
    count: int,
) -> npt.NDArray[np.float64]:
    """Return sum_i w_i f_i / sum_i w_i of the members of each group.

    Parameters
    ----------
    values, weights : (n,)
        f and w.
    groups : (n,)
        Which group each is in, 0 to ``count`` - 1.
    count
        Number of groups.

    Returns
    -------
    means : float64 (count,)
        NaN where a member is NaN, or there is none.
    """
    totals = np.bincount(groups, weights, minlength=count)
    means = np.full(count, np.nan)
    np.divide(
        np.bincount(groups, weights * values, minlength=count), totals, out=means, where=totals != 0
    )
    return means
