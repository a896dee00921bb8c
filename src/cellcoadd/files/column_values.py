"""A column of a table as plain numbers, whether it is masked or not."""

from __future__ import annotations

__all__ = ["column_values", "known_values"]

import numpy as np
import numpy.typing as npt
from astropy.table import Table


def column_values(table: Table, name: str) -> npt.NDArray[np.float64]:
    """Return a column of numbers, NaN where it is masked.

    Tables of patches whose columns differ are masked when they are put together.
    """
    values: npt.NDArray[np.float64] = np.ma.filled(np.ma.asarray(table[name], np.float64), np.nan)
    return values


def known_values(table: Table, name: str) -> npt.NDArray[np.float64]:
    """Return the finite numbers of a column."""
    values = column_values(table, name)
    return values[np.isfinite(values)]
