"""Depth: the magnitude of the faintest star that stands out by five times its noise.

What a cell's variance, effective PSF area and number of inputs say about it, as formulas of numbers
and arrays; `docs/algorithms/depth-and-variance.md` derives them.
"""

from __future__ import annotations

__all__ = [
    "depth",
    "legacy_depth",
    "line_of_depth",
    "line_of_variance",
    "variance_of_weights",
]

import numpy as np
import numpy.typing as npt

from ..conventions import AB_ZERO_POINT_NJY

type _Floats = npt.NDArray[np.float64]

_SIGNIFICANCE = 5.0
_LEGACY_ZERO_POINT = 27.0
_LEGACY_PIXELS = 62_500  # of an outer region of 250 x 250


def depth(
    psf_area: npt.ArrayLike, variance: npt.ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY
) -> _Floats:
    """Return the magnitude of a star whose PSF-weighted flux is five times its error.

    Parameters
    ----------
    psf_area
        Effective area A = (sum P)^2 / sum P^2 in pixels.
    variance
        Variance of a pixel, in the square of the flux whose magnitude is the zero point.
    zero_point
        Magnitude of the flux 1; the default is that of nJy.

    Returns
    -------
    depth
        zero_point - 2.5 log10(5 sqrt(A variance)), of the shape that both broadcast to; NaN where
        A or the variance is not positive and finite.

    Notes
    -----
    Pixels are taken as independent: see ``noise_factor`` of the table of cells for what that costs.

    Examples
    --------
    A PSF of 40 pixels, and a variance of 25 nJy^2 or of a quarter of it:

    >>> depth(40.0, [25.0, 6.25])
    array([25.9026, 26.6551])
    """
    area, per_pixel = np.broadcast_arrays(
        np.asarray(psf_area, np.float64), np.asarray(variance, np.float64)
    )
    known = (area > 0) & (per_pixel > 0) & np.isfinite(area) & np.isfinite(per_pixel)
    error = np.sqrt(np.where(known, area, np.nan) * np.where(known, per_pixel, np.nan))
    return np.asarray(zero_point - 2.5 * np.log10(_SIGNIFICANCE * error))


def legacy_depth(
    psf_area: npt.ArrayLike, weight: npt.ArrayLike, *, n_pixels: int = _LEGACY_PIXELS
) -> _Floats:
    """Return the depth as the notebooks of SITCOMTN-137 compute it, to compare with their plots.

    Parameters
    ----------
    psf_area
        Effective area in pixels.
    weight
        Weight of the cell, 1 / its clipped mean variance (`compute_weight`), nJy^-2.
    n_pixels
        Number of pixels of the outer region.

    Returns
    -------
    depth
        27 - 2.5 log10(5 sqrt(A / (weight n_pixels))). Pixels are in nJy and the weight is that of
        one of them: for 62,500 pixels the depth is 2.5 log10(250) - 4.4 = 1.5949 less than this.

    Examples
    --------
    >>> float(legacy_depth(40.0, 1 / 25.0) - depth(40.0, 25.0))
    1.5949
    """
    return depth(
        psf_area,
        _inverse(np.asarray(weight, np.float64) * n_pixels),
        zero_point=_LEGACY_ZERO_POINT,
    )


def variance_of_weights(weight_sum: npt.ArrayLike, *, resampling: npt.ArrayLike = 1.0) -> _Floats:
    """Return the variance of a weighted mean from the sum of its inverse-variance weights.

    Parameters
    ----------
    weight_sum
        Sum of 1 / s_i^2, with s_i^2 the mean variance of an input before resampling.
    resampling
        C(0): variance of a pixel after resampling over that before, the same for all inputs.

    Returns
    -------
    variance
        C(0) / sum w: what sum(w^2 v) / (sum w)^2 is with v = C(0) / w. NaN where the sum is not
        positive.

    Examples
    --------
    >>> variance_of_weights([1 / 25.0 + 1 / 25.0, 0.0])
    array([12.5,  nan])
    """
    return np.asarray(np.asarray(resampling, np.float64) * _inverse(weight_sum))


def line_of_variance(n_inputs: npt.ArrayLike, *, of_one: float) -> _Floats:
    """Return the variance of N inputs that are alike: that of one, over N.

    Examples
    --------
    >>> line_of_variance([1, 2, 5], of_one=25.0)
    array([25. , 12.5,  5. ])
    """
    return np.asarray(of_one / _positive(n_inputs))


def line_of_depth(n_inputs: npt.ArrayLike, *, of_one: float) -> _Floats:
    """Return the depth of N inputs that are alike: that of one, plus 1.25 log10 N.

    Examples
    --------
    >>> line_of_depth([1, 10, 100], of_one=25.0)
    array([25.  , 26.25, 27.5 ])
    """
    return np.asarray(of_one + 1.25 * np.log10(_positive(n_inputs)))


def _inverse(values: npt.ArrayLike) -> _Floats:
    numbers = np.asarray(values, np.float64)
    return 1.0 / np.where(numbers > 0, numbers, np.nan)


def _positive(n_inputs: npt.ArrayLike) -> _Floats:
    numbers = np.asarray(n_inputs, np.float64)
    if not (numbers > 0).all():
        raise ValueError(f"A cell adds up at least one input, got {numbers.min()} of them.")
    return numbers
