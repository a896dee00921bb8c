"""Replace bad pixels of a detector by Clough-Tocher interpolation from the good pixels around.

One triangulation serves every plane (image and noise realizations), so that the noise is
interpolated in the same places with the same weights as the image. Source of the scheme: Clough and
Tocher (1965), piecewise cubic, continuous first derivatives.
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

from ..kernels.holes import fill_holes
from .detector_rows import DetectorRows
from .settings import InterpolationSettings

_LEAST_POINTS = 3  # of a triangulation


def interpolate_bad_pixels(
    planes: npt.NDArray[np.float32],
    bad: npt.NDArray[np.bool_],
    *,
    settings: InterpolationSettings,
    rows: DetectorRows,
) -> npt.NDArray[np.bool_]:
    """Interpolate bad pixels in place.

    Parameters
    ----------
    planes : float32 (n, rows, columns)
        Planes to interpolate, finite at every good pixel in the wanted blocks and their margins.
        Changed at bad pixels only.
    bad : bool (rows, columns)
        Pixels to replace.
    settings
        All choices. ``fill_value`` is written where a bad pixel lies outside of the convex hull of
        the good ones in its block and its margin.
    rows
        Which rows of the detector these are, and which blocks of them are wanted. Other bad pixels
        stay as they are.

    Returns
    -------
    outside : bool (rows, columns)
        Bad pixels that got the fill value instead.

    Raises
    ------
    ValueError
        If rows are missing for a triangulation of the detector.
    """
    if settings.triangulation == "detector":
        if len(bad) != rows.shape.y:
            raise ValueError("A triangulation of the detector needs all rows of it.")
        outside = _interpolate_at_once(planes, bad, settings.interp_length)
    else:
        outside = np.zeros_like(bad)
        for inner, outer in rows.blocks():
            if not bad[inner].any():
                continue
            around, missed = np.ascontiguousarray(bad[outer]), np.zeros_like(bad[outer])
            down, right = (
                part.start - whole.start for part, whole in zip(inner, outer, strict=True)
            )
            high, wide = bad[inner].shape
            fill_holes(
                planes, outer[0].start, outer[1].start, around, settings.interp_length,
                down, down + high, right, right + wide, missed,
            )  # fmt: skip
            outside[inner] = missed[down : down + high, right : right + wide]
    if outside.any():
        planes[:, outside] = settings.fill_value
    return outside


def _interpolate_at_once(
    planes: npt.NDArray[np.float32], bad: npt.NDArray[np.bool_], interp_length: int
) -> npt.NDArray[np.bool_]:
    """Interpolate as the Rubin pipelines do; return the bad pixels that are outside of the hull."""
    outside = np.zeros_like(bad)
    if not bad.any():
        return outside
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
    planes[:, bad_y, bad_x] = values.T
    outside[bad_y, bad_x] = ~np.isfinite(values).all(axis=1)
    return outside
