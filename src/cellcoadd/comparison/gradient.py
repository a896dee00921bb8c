"""The quick method: pixels that are off the median by more than its gradient explains.

Stars that are a little wider or narrower in one visit differ most where the median is steep. The
same as the outlier detection of JWST's stcal and of drizzle before it.
"""

from __future__ import annotations

__all__ = ["outliers_of_gradient", "steepest_step"]

import numpy as np
import numpy.typing as npt
from scipy import ndimage

type _Plane = npt.NDArray[np.float32]


def outliers_of_gradient(
    image: _Plane,
    variance: _Plane,
    median: _Plane,
    step: _Plane,
    *,
    snr: tuple[float, float],
    scale: tuple[float, float],
) -> npt.NDArray[np.bool_]:
    """Return which pixels are outliers: |d - median| > scale * step + snr * sigma.

    Parameters
    ----------
    image, variance : float32 (rows, columns)
        A visit; NaN where it has no data.
    median : float32 (rows, columns)
        Of all visits.
    step : float32 (rows, columns)
        See `steepest_step`.
    snr, scale
        Both for all pixels, then for those that touch an outlier.
    """
    off = np.abs(image - median)
    sigma = np.sqrt(variance)
    first, second = (
        off > np.float32(factor) * step + np.float32(number) * sigma
        for number, factor in zip(snr, scale, strict=True)
    )
    near = ndimage.binary_dilation(first, np.ones((3, 3), np.bool_))
    found: npt.NDArray[np.bool_] = first | (second & near)
    return found


def steepest_step(plane: _Plane) -> _Plane:
    """Return the largest difference of each pixel from the four beside it; NaN counts as none."""
    result = np.zeros(plane.shape, np.float32)
    for axis in (0, 1):
        steps = np.nan_to_num(np.abs(np.diff(plane, axis=axis)), copy=False, nan=0.0)
        low = [slice(None), slice(None)]
        high = [slice(None), slice(None)]
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        for place in (tuple(low), tuple(high)):
            np.maximum(result[place], steps, out=result[place])
    return result
