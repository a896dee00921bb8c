"""Planes that are 0 nearly everywhere, as masked fractions are: rows of zeros are left alone.

To see that a row holds nothing takes less time than to write it; and memory that nobody writes to,
of an array of zeros, is none.
"""

from __future__ import annotations

__all__ = ["copy_rows", "has_any"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel


@kernel
def has_any(row: npt.NDArray[np.float32] | npt.NDArray[np.float64]) -> bool:
    """Return whether an element is not 0.

    Parameters
    ----------
    row : float (n,)
        NaN is not 0.
    """
    found = False
    for i in range(row.size):
        found |= row[i] != 0.0
    return found


@kernel
def copy_rows(source: npt.NDArray[np.float32], target: npt.NDArray[np.float32]) -> None:
    """Copy planes, but for rows of zeros.

    Parameters
    ----------
    source, target : float32 (n, h, w)
        The target is 0 before.
    """
    for plane in range(source.shape[0]):
        for row in range(source.shape[1]):
            if has_any(source[plane, row]):
                target[plane, row] = source[plane, row]
