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
from .row_blocks import INTERPOLATION
from .settings import InterpolationSettings

_LEAST_POINTS = 3  # of a triangulation
_MOST_COLUMNS = 2**17  # where the integers of the kernel are exact


def interpolate_bad_pixels(
    planes: npt.NDArray[np.float32],
    bad: npt.NDArray[np.bool_],
    *,
    settings: InterpolationSettings,
    first_row: int = 0,
    n_rows: int | None = None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Interpolate bad pixels in place.

    Parameters
    ----------
    planes : float32 (n, rows, columns)
        Planes to interpolate, finite at every good pixel. Changed at bad pixels only.
    bad : bool (rows, columns)
        Pixels to replace.
    settings
        All choices. ``fill_value`` is written where a bad pixel lies outside of the convex hull of
        the good ones, in the rows that its block depends on.
    first_row, n_rows
        Where in the detector the rows lie, and how many it has; None: these are all. Blocks of rows
        that depend on others stay as they are (`row_blocks`).

    Returns
    -------
    interpolated, filled : bool (rows, columns)
        Bad pixels that were interpolated, and those that got the fill value.

    Raises
    ------
    ValueError
        If rows are missing for a triangulation of the detector, or there are too many columns.
    """
    n_rows = len(bad) if n_rows is None else n_rows
    if settings.triangulation != "detector" and bad.shape[1] > _MOST_COLUMNS:
        raise ValueError(
            f"Images of more than {_MOST_COLUMNS} columns need triangulation = 'detector', "
            f"got {bad.shape[1]}."
        )
    if settings.triangulation == "detector":
        if len(bad) != n_rows:
            raise ValueError("A triangulation of the detector needs all rows of it.")
        outside = _interpolate_at_once(planes, bad, settings.interp_length)
        interpolated = bad & ~outside
    else:
        interpolated, outside = np.zeros_like(bad), np.zeros_like(bad)
        for first, last in INTERPOLATION.within(first_row, first_row + len(bad), n_rows):
            rows = slice(first - first_row, last - first_row)
            if not bad[rows].any():
                continue
            start, stop = (row - first_row for row in INTERPOLATION.rows_for(first, last, n_rows))
            fill_holes(
                planes,
                start,
                bad[start:stop],
                settings.interp_length,
                rows.start - start,
                rows.stop - start,
                outside[start:stop],
            )
            interpolated[rows] = bad[rows] & ~outside[rows]
    planes[:, outside] = settings.fill_value
    return interpolated, outside


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
