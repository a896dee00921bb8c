"""Replace bad pixels of a detector by Clough-Tocher interpolation from the good pixels around.

One triangulation of the good pixels near any defect serves every plane (image and noise
realizations), so that the noise is interpolated in the same places with the same weights as the
image. Source of the scheme: Clough and Tocher (1965), piecewise cubic, continuous first
derivatives, as in `scipy.interpolate.CloughTocher2DInterpolator`.
"""

from __future__ import annotations

__all__ = ["interpolate_bad_pixels"]

import contextlib

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CloughTocher2DInterpolator
from scipy.ndimage import maximum_filter
from scipy.spatial import QhullError
from threadpoolctl import threadpool_limits

_LEAST_POINTS = 3  # of a triangulation


def interpolate_bad_pixels(
    planes: npt.NDArray[np.float32],
    bad: npt.NDArray[np.bool_],
    *,
    interp_length: int,
    fill_value: float,
) -> npt.NDArray[np.bool_]:
    """Interpolate bad pixels in place.

    Parameters
    ----------
    planes : float32 (n, rows, columns)
        Planes to interpolate, finite at every good pixel. Changed at bad pixels only.
    bad : bool (rows, columns)
        Pixels to replace.
    interp_length
        Good pixels within a square of ``2 * interp_length + 1`` pixels around a bad one are used.
    fill_value
        Written where a bad pixel lies outside of the convex hull of all good ones.

    Returns
    -------
    filled : bool (rows, columns)
        Bad pixels that could not be interpolated and got the fill value.
    """
    filled = np.zeros_like(bad)
    if not bad.any():
        return filled
    near = maximum_filter(bad, size=2 * interp_length + 1, mode="constant", cval=False)
    good_y, good_x = np.nonzero(near & ~bad)
    bad_y, bad_x = np.nonzero(bad)
    # They stay NaN if all good pixels lie on one line: there is nothing to interpolate between.
    values = np.full((bad_y.size, planes.shape[0]), np.nan)
    if good_y.size >= _LEAST_POINTS:
        points = np.column_stack([good_y, good_x]).astype(np.float64)
        # scipy calls LAPACK for each triangle. With its threads that takes ten times as long, and
        # a thousand times when other processes use the same cores.
        with threadpool_limits(limits=1, user_api="blas"), contextlib.suppress(QhullError):
            interpolator = CloughTocher2DInterpolator(
                points, planes[:, good_y, good_x].T.astype(np.float64)
            )
            values = interpolator(np.column_stack([bad_y, bad_x]).astype(np.float64))
    outside = ~np.isfinite(values).all(axis=1)
    values[outside] = fill_value
    planes[:, bad_y, bad_x] = values.T
    filled[bad_y[outside], bad_x[outside]] = True
    return filled
