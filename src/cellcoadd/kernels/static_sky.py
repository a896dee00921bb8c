"""What visits of a patch agree on, pixel by pixel: their mean without outliers, or their median."""

from __future__ import annotations

__all__ = ["clipped_sky", "median_sky"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel
from .clipped_mean import IQR_TO_SIGMA


@kernel
def clipped_sky(
    images: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float64],
    clip: float,
    iterations: int,
    sky: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    counts: npt.NDArray[np.uint16],
) -> None:
    """Write the weighted mean of the visits that agree.

    Parameters
    ----------
    images : float32 (visits, rows, columns)
        NaN where a visit has no data.
    variances : float32 (visits, rows, columns)
        Their variances.
    weights : float64 (visits,)
        Not negative.
    clip
        Half-width of what is kept, in standard deviations.
    iterations
        Number of clips. The first one is about the median, with a width from the interquartile
        range; each further one about the plain mean of those kept, with their standard deviation.
    sky, variance : float32 (rows, columns)
        Written: the mean and its variance; NaN where no visit has data.
    counts : uint16 (rows, columns)
        Written: number of visits with data.
    """
    n_visits, rows, columns = images.shape
    ordered = np.empty(n_visits, np.float64)
    for row in range(rows):
        for column in range(columns):
            count = _sorted_values(images, row, column, ordered)
            counts[row, column] = count
            if count == 0:
                sky[row, column] = np.nan
                variance[row, column] = np.nan
                continue
            centre = _quantile(ordered, count, 0.5)
            width = IQR_TO_SIGMA * (
                _quantile(ordered, count, 0.75) - _quantile(ordered, count, 0.25)
            )
            low, high = centre - clip * width, centre + clip * width
            for _ in range(iterations - 1):
                number, total, squares = 0, 0.0, 0.0
                for i in range(count):
                    if low <= ordered[i] <= high:
                        offset = ordered[i] - centre
                        number += 1
                        total += offset
                        squares += offset * offset
                if number < 2:
                    break
                mean = total / number
                width = math.sqrt(max(squares - number * mean * mean, 0.0) / (number - 1))
                low, high = centre + mean - clip * width, centre + mean + clip * width
            sum_weight, sum_value, sum_variance = 0.0, 0.0, 0.0
            for visit in range(n_visits):
                value = np.float64(images[visit, row, column])
                if low <= value <= high:
                    weight = weights[visit]
                    sum_weight += weight
                    sum_value += weight * value
                    sum_variance += weight * weight * variances[visit, row, column]
            if sum_weight > 0.0:
                sky[row, column] = sum_value / sum_weight
                variance[row, column] = sum_variance / (sum_weight * sum_weight)
            else:
                sky[row, column] = centre
                variance[row, column] = np.nan


@kernel
def median_sky(
    images: npt.NDArray[np.float32],
    sky: npt.NDArray[np.float32],
    counts: npt.NDArray[np.uint16],
) -> None:
    """Write the median of the visits with data, NaN where there is none, and their number.

    Parameters
    ----------
    images : float32 (visits, rows, columns)
        NaN where a visit has no data.
    sky : float32 (rows, columns)
        Written.
    counts : uint16 (rows, columns)
        Written.
    """
    n_visits, rows, columns = images.shape
    ordered = np.empty(n_visits, np.float64)
    for row in range(rows):
        for column in range(columns):
            count = _sorted_values(images, row, column, ordered)
            counts[row, column] = count
            sky[row, column] = _quantile(ordered, count, 0.5) if count else np.nan


@kernel
def _sorted_values(
    images: npt.NDArray[np.float32], row: int, column: int, ordered: npt.NDArray[np.float64]
) -> int:
    """Write the values of a pixel that are numbers in their order; return how many there are."""
    count = 0
    for visit in range(images.shape[0]):
        value = np.float64(images[visit, row, column])
        if not np.isfinite(value):
            continue
        place = count
        while place > 0 and ordered[place - 1] > value:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = value
        count += 1
    return count


@kernel
def _quantile(ordered: npt.NDArray[np.float64], count: int, part: float) -> float:
    """Return a quantile of the first values, linear between them."""
    place = part * (count - 1)
    low = int(place)
    high = min(low + 1, count - 1)
    value: float = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    return value
