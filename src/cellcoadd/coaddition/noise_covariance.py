"""The covariance of an input's noise in a cell: the warp's for unit variance, scaled."""

from __future__ import annotations

__all__ = ["input_noise_covariance", "sky_variances_of"]

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..cell_grid import Index2D
from ..kernels.cell_pixels import sky_variances
from ..products.warp import Warp

_SOURCES = 2.0
"""Pixels of more variance than so many times the median have the photon noise of sources.

Resampling alone makes the variance of equal pixels differ by at most 1.62: the squared weights of
Lanczos-3 sum to 1 on a detector's pixel, and to 0.617 in the middle of four.
"""
_STRIDE = 3  # the median is only for that limit: a ninth of the pixels will do


def input_noise_covariance(
    unit_covariance: npt.NDArray[np.float32], *, sky_variance: float, stated_variance: float
) -> npt.NDArray[np.float32]:
    """Return the covariance of two pixels by their offset, in nJy^2.

    The mean variance that is stated for a detector, of which weights are made, need not be that of
    the pixels; the covariance is to be that of the pixels.

    Parameters
    ----------
    unit_covariance : float32 (n, n)
        What the resampling makes of the input's noise, of variance 1; offset 0 in the middle.
    sky_variance
        Mean of the variance plane of the cell where there are no sources (`sky_variances_of`) in
        nJy^2; NaN if there is none.
    stated_variance
        Mean variance of the detector in nJy^2, taken where no pixel has a variance.

    Returns
    -------
    covariance : float32 (n, n)
        With the sky's variance at offset 0.
    """
    if math.isnan(sky_variance):
        return unit_covariance * np.float32(stated_variance)
    middle = unit_covariance.shape[0] // 2
    return unit_covariance * np.float32(sky_variance / float(unit_covariance[middle, middle]))


def sky_variances_of(
    warp: Warp, cells: Sequence[tuple[Index2D, int]], rejected: npt.NDArray[np.bool_]
) -> list[float]:
    """Return the mean variance in nJy^2 without sources of detectors in the inner regions of cells.

    Parameters
    ----------
    warp
        One visit.
    cells
        Cells and rows of detectors in the warp's inputs.
    rejected : bool, of the shape of the warp
        Pixels that are not added up; they count where all of a cell's are such.

    Returns
    -------
    variances
        NaN where no pixel has a variance.
    """
    shape = warp.grid.inner_cell_shape
    corner = warp.grid.corners_of(
        x=[index.x for index, _ in cells], y=[index.y for index, _ in cells], start=warp.bbox.start
    )
    result = np.empty(len(cells))
    sky_variances(
        warp.owner,
        warp.variance.array,
        rejected,
        np.array([number for _, number in cells], np.int64),
        corner.y,
        corner.x,
        shape.y,
        shape.x,
        _STRIDE,
        _SOURCES,
        result,
    )
    return [float(variance) for variance in result]
