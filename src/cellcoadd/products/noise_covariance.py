"""Covariances of noise by offset, as warps and coadds keep them: one small plane a cell.

A plane (n, n) has the covariance of two pixels by their offset in y and x; n is odd and offset 0 in
the middle. NaN says that nobody knows it.
"""

from __future__ import annotations

__all__ = ["unknown_noise_covariance"]

import numpy as np
import numpy.typing as npt


def unknown_noise_covariance(count: int) -> npt.NDArray[np.float32]:
    """Return the covariances of cells of which nobody knows them, as a stack or a warp has them."""
    return np.full((count, 1, 1), np.nan, np.float32)
