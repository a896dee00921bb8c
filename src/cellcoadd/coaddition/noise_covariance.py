"""The covariance of an input's noise in a cell: the warp's for unit variance, scaled to nJy^2."""

from __future__ import annotations

__all__ = ["input_noise_covariance"]

import numpy as np
import numpy.typing as npt

_SOURCES = 2.0
"""Pixels of more variance than so many times the median have the photon noise of sources.

Resampling alone makes the variance of equal pixels differ by at most 1.62: the squared weights of
Lanczos-3 sum to 1 on a detector's pixel, and to 0.617 in the middle of four.
"""
_STRIDE = 3  # the median is only for that limit: a ninth of the pixels will do


def input_noise_covariance(
    unit_covariance: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    good: npt.NDArray[np.bool_],
    *,
    stated_variance: float,
) -> npt.NDArray[np.float32]:
    """Return the covariance of two pixels by their offset, in nJy^2.

    The mean variance that is stated for a detector, of which weights are made, need not be that of
    the pixels; the covariance is to be that of the pixels.

    Parameters
    ----------
    unit_covariance : float32 (n, n)
        What the resampling makes of white noise of variance 1; offset 0 in the middle.
    variance : float32 (height, width)
        Variance plane of the cell's inner region in nJy^2.
    good : bool (height, width)
        The pixels that are added up.
    stated_variance
        Mean variance of the detector in nJy^2, taken where no pixel has a variance.

    Returns
    -------
    covariance : float32 (n, n)
        At offset 0 the mean of the variance plane over the good pixels without sources; over all
        that have a variance, where none is good.
    """
    middle = unit_covariance.shape[0] // 2
    at_zero = float(unit_covariance[middle, middle])
    sky = _sky_variance(variance, good)
    if sky is None:
        return unit_covariance * np.float32(stated_variance)
    return unit_covariance * np.float32(sky / at_zero)


def _sky_variance(variance: npt.NDArray[np.float32], good: npt.NDArray[np.bool_]) -> float | None:
    known = np.isfinite(variance)
    good = known & good
    if not good.any():
        good = known
    if not good.any():
        return None
    sample = variance[::_STRIDE, ::_STRIDE][good[::_STRIDE, ::_STRIDE]]
    limit = _SOURCES * float(np.median(sample if sample.size else variance[good]))
    return float(variance[good & (variance <= limit)].mean(dtype=np.float64))
