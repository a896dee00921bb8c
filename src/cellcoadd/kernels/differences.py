"""Differences of a visit from the static sky in units of their noise, counted and collected."""

from __future__ import annotations

__all__ = ["HISTOGRAM_BINS", "HISTOGRAM_WIDTH", "measure_differences"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel

HISTOGRAM_BINS = 4096
"""Bins of a histogram of differences, half of them below 0."""

HISTOGRAM_WIDTH = 1.0 / 64.0
"""Width of a bin in units of the stated noise."""


@kernel
def measure_differences(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    sky: npt.NDArray[np.float32],
    sky_variance: npt.NDArray[np.float32],
    empty_below: float,
    floor: float,
    histogram: npt.NDArray[np.int64],
    pixels: npt.NDArray[np.int64],
    ratios: npt.NDArray[np.float32],
) -> int:
    """Collect large differences, count those of pixels without a source.

    Parameters
    ----------
    image, variance : float32 (rows, columns)
        A visit; NaN where it has no data.
    sky, sky_variance : float32 (rows, columns)
        The static sky.
    empty_below
        Pixels where the sky is below so many standard deviations of the visit are empty.
    floor
        Least difference over its noise, of either sign, that is collected.
    histogram : int64 (`HISTOGRAM_BINS`,)
        The differences of empty pixels over their noise are added; outermost bins hold all beyond.
    pixels : int64 (rows * columns,)
        Written: flat indices of pixels with large differences, in order.
    ratios : float32 (rows * columns,)
        Written: their differences over the noise.

    Returns
    -------
    count
        How many there are.
    """
    rows, columns = image.shape
    count = 0
    middle, last = HISTOGRAM_BINS // 2, HISTOGRAM_BINS - 1
    for row in range(rows):
        for column in range(columns):
            noise = np.float64(variance[row, column]) + np.float64(sky_variance[row, column])
            difference = np.float64(image[row, column]) - np.float64(sky[row, column])
            if not (np.isfinite(difference) and np.isfinite(noise) and noise > 0.0):
                continue
            value = difference / math.sqrt(noise)
            if abs(value) > floor:
                pixels[count] = row * columns + column
                ratios[count] = value
                count += 1
            if sky[row, column] < empty_below * math.sqrt(variance[row, column]):
                place = min(max(value / HISTOGRAM_WIDTH + middle, 0.0), np.float64(last))
                histogram[int(place)] += 1
    return count
