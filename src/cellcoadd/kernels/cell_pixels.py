"""Counts and means over the pixels that one detector has in each of many cells."""

from __future__ import annotations

__all__ = ["count_owners", "count_pixels", "find_rejected", "mean_of_pixels", "sky_variances"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel
from .sparse_rows import has_any


@kernel
def count_owners(
    owner: npt.NDArray[np.uint8],
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    height: int,
    width: int,
    counts: npt.NDArray[np.int64],
) -> None:
    """Count the pixels of each detector in boxes of one size.

    Parameters
    ----------
    owner : uint8 (h, w)
        Number of the detector that each pixel is from.
    y, x : int64 (n,)
        Lower left pixels of the boxes, which may reach beyond the plane.
    height, width
        Their size.
    counts : int64 (n, n_detectors)
        Written. Numbers from n_detectors on are not counted.
    """
    numbers = np.empty(256, np.int64)
    for box in range(y.size):
        numbers[:] = 0
        bottom, top, first, last = _part_of_box(owner, y[box], x[box], height, width)
        for row in range(bottom, top):
            owners = owner[row, first:last]
            if owners.size and _are_all(owners, owners[0]):
                numbers[owners[0]] += owners.size
            else:
                for i in range(owners.size):
                    numbers[owners[i]] += 1
        counts[box] = numbers[: counts.shape[1]]


@kernel
def find_rejected(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    bad_bits: int,
    rejected: npt.NDArray[np.bool_],
) -> None:
    """Write which pixels have any of some bits, or an image or variance that is not finite."""
    bad, none = np.int32(bad_bits), np.int32(0)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            finite = np.isfinite(image[row, column]) & np.isfinite(variance[row, column])
            rejected[row, column] = (mask[row, column] & bad != none) | (not finite)


@kernel
def count_pixels(
    owner: npt.NDArray[np.uint8],
    rejected: npt.NDArray[np.bool_],
    numbers: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    height: int,
    width: int,
    n_own: npt.NDArray[np.int64],
    n_good: npt.NDArray[np.int64],
) -> None:
    """Count the pixels of one detector in each of many boxes.

    Parameters
    ----------
    owner : uint8 (h, w)
        Number of the detector that each pixel is from.
    rejected : bool (h, w)
        Pixels that are not good.
    numbers, y, x : int64 (n,)
        Detector and lower left pixel of each box, which may reach beyond the planes.
    height, width
        Their size.
    n_own, n_good : int64 (n,)
        Written: the detector's pixels, and those of them that are good.
    """
    for box in range(numbers.size):
        mine = np.uint8(numbers[box])
        own, good = 0, 0
        bottom, top, first, last = _part_of_box(owner, y[box], x[box], height, width)
        for row in range(bottom, top):
            for column in range(first, last):
                here = owner[row, column] == mine
                own += here
                good += here & (not rejected[row, column])
        n_own[box], n_good[box] = own, good


@kernel
def mean_of_pixels(
    owner: npt.NDArray[np.uint8],
    plane: npt.NDArray[np.float32],
    numbers: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    height: int,
    width: int,
    means: npt.NDArray[np.float64],
) -> None:
    """Write the mean of the finite pixels of one detector in each of many boxes; NaN without any.

    Parameters
    ----------
    owner, numbers, y, x, height, width
        As for `count_pixels`.
    plane : float32 (h, w)
        The values.
    means : float64 (n,)
        Written.
    """
    for box in range(numbers.size):
        mine = np.uint8(numbers[box])
        bottom, top, first, last = _part_of_box(owner, y[box], x[box], height, width)
        # Column by column, which the processor does for several at once.
        n_columns = max(last - first, 0)
        counts, totals = np.zeros(n_columns, np.int32), np.zeros(n_columns)
        for row in range(bottom, top):
            values, owners = plane[row, first:last], owner[row, first:last]
            if not has_any(values) and _are_all(owners, mine):
                counts += np.int32(1)
                continue
            for i in range(n_columns):
                known = (owners[i] == mine) & np.isfinite(values[i])
                counts[i] += known
                totals[i] += values[i] if known else np.float32(0.0)
        count, total = 0, 0.0
        for i in range(n_columns):
            count += counts[i]
            total += totals[i]
        means[box] = total / count if count else math.nan


@kernel
def sky_variances(
    owner: npt.NDArray[np.uint8],
    variance: npt.NDArray[np.float32],
    rejected: npt.NDArray[np.bool_],
    numbers: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    height: int,
    width: int,
    stride: int,
    factor: float,
    out: npt.NDArray[np.float64],
) -> None:
    """Mean variance of a detector's pixels without sources in each of many boxes.

    Parameters
    ----------
    owner, rejected, numbers, y, x, height, width
        As for `count_pixels`.
    variance : float32 (h, w)
        The variance; where it is not finite it is not known.
    stride
        Every so many pixels in x and y are looked at to find the median.
    factor
        Pixels of more variance than the median times this have sources.
    out : float64 (n,)
        Written: the mean over the good pixels without sources; over all whose variance is known
        without sources, where none is good; NaN where none is known.
    """
    sample = np.empty(height * width, dtype=np.float32)
    for box in range(numbers.size):
        mine = np.uint8(numbers[box])
        bottom, top, first, last = _part_of_box(owner, y[box], x[box], height, width)
        out[box] = math.nan
        # First good pixels by the stride, then all good ones, then all whose variance is known.
        for attempt in range(3):
            step = stride if attempt == 0 else 1
            n = 0
            for row in range(bottom + (y[box] - bottom) % step, top, step):
                for column in range(first + (x[box] - first) % step, last, step):
                    good = owner[row, column] == mine and not rejected[row, column]
                    if (good or attempt == 2) and math.isfinite(variance[row, column]):
                        sample[n] = variance[row, column]
                        n += 1
            if n == 0:
                continue
            limit = factor * float(np.median(sample[:n]))
            count, total = 0, 0.0
            for row in range(bottom, top):
                for column in range(first, last):
                    good = owner[row, column] == mine and not rejected[row, column]
                    value = variance[row, column]
                    if (good or attempt == 2) and value <= limit:
                        count += 1
                        total += value
            out[box] = total / count
            break


@kernel
def _part_of_box(
    plane: npt.NDArray[np.uint8], y: int, x: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """Return the rows (first, one past the last) and columns of a box that a plane has."""
    return max(y, 0), min(y + height, plane.shape[0]), max(x, 0), min(x + width, plane.shape[1])


@kernel
def _are_all(owners: npt.NDArray[np.uint8], number: np.uint8) -> bool:
    """Return whether all pixels are of one detector."""
    others = False
    for i in range(owners.size):
        others |= owners[i] != number
    return not others
