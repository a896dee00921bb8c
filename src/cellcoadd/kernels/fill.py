"""Fill pixels without data from their neighbours in the row, in several planes alike.

The pixels of a row are taken for a random process of unknown mean, correlated like a sky seen
through a Gaussian PSF of sigma 1 pixel: exp(-d^2 / 4) at distance d. A missing pixel is the best
linear unbiased prediction from the nearest good pixels, two on each side (ordinary kriging; Rybicki
& Press 1992, ApJ 398, 169, section 4). Near a good pixel this continues its slope; far from all it
is their mean. The Rubin pipelines' coefficients are these, rounded to four decimals.
"""

from __future__ import annotations

__all__ = ["fill_no_data", "prediction_weights"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel

_WIDEST_AT_EDGE = 6
"""Pixels of a run at the image's edge that are predicted; those further out get the median.

At distance 6 the correlation with the nearest good pixel is 1e-4."""


@kernel
def fill_no_data(planes: npt.NDArray[np.float32], no_data: npt.NDArray[np.bool_]) -> None:
    """Replace the pixels without data, in place.

    Parameters
    ----------
    planes : float32 (n, h, w)
        Image, noise realizations, ...: all are filled with the same weights. Changed in place.
    no_data : bool (h, w)
        Which pixels to replace. The others must be finite.

    Notes
    -----
    A run of missing pixels at an edge of the image has good pixels on one side only. Its nearest 6
    are predicted: if it is not wider, from the two on that side; if it is, also from two beyond, to
    which, as to all the rest of the run, the fallback is given: the median of the plane's good
    pixels, but at least 0. So is a row without a good pixel.
    """
    n_planes, height, width = planes.shape
    fallback = np.zeros(n_planes)
    for plane in range(n_planes):
        fallback[plane] = _median_of_good(planes[plane], no_data)
    offsets, weights, found = np.empty(4), np.empty(4), np.empty(4, dtype=np.intp)
    for row in range(height):
        start = 0
        while start < width:
            if not no_data[row, start]:
                start += 1
                continue
            stop = start + 1
            while stop < width and no_data[row, stop]:
                stop += 1
            _fill_run(planes, no_data, row, start, stop, fallback, offsets, weights, found)
            start = stop


@kernel
def _fill_run(
    planes: npt.NDArray[np.float32],
    no_data: npt.NDArray[np.bool_],
    row: int,
    start: int,
    stop: int,
    fallback: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    found: npt.NDArray[np.intp],
) -> None:
    """Fill pixels start..stop-1 of a row in all planes. The last three arguments are work space."""
    n_planes, _, width = planes.shape
    first, last = start, stop  # the part that is predicted
    if stop - start > _WIDEST_AT_EDGE:
        if start == 0:
            first = stop - _WIDEST_AT_EDGE
        if stop == width:
            last = start + _WIDEST_AT_EDGE
        if start == 0 and stop == width:
            first = last = stop
    elif start == 0 and stop == width:
        first = last = stop
    for column in range(start, stop):
        if not first <= column < last:
            for plane in range(n_planes):
                planes[plane, row, column] = fallback[plane]
    for column in range(first, last):
        n = 0
        for side in range(4):
            neighbour = first - 2 + side if side < 2 else last + side - 2
            if start <= neighbour < stop or (first > start and neighbour < first):
                found[n] = -1  # given the fallback
            elif last < stop and neighbour >= last:
                found[n] = -1
            elif 0 <= neighbour < width and not no_data[row, neighbour]:
                found[n] = neighbour
            else:
                continue
            offsets[n] = neighbour - column
            n += 1
        prediction_weights(offsets[:n], weights[:n])
        for plane in range(n_planes):
            total = 0.0
            for k in range(n):
                value = fallback[plane]
                if found[k] >= 0:
                    value = float(planes[plane, row, found[k]])
                total += weights[k] * value
            planes[plane, row, column] = total


@kernel
def prediction_weights(offsets: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> None:
    """Weights of the best linear unbiased prediction at 0 from pixels at some distances.

    Parameters
    ----------
    offsets : float64 (n,)
        Positions of the pixels, all different; n is at least 1.
    weights : float64 (n,)
        Written; their sum is 1.

    Notes
    -----
    With C the correlations of the pixels and c those with the target, the weights are
    ``C^-1 (c + lambda 1)``, lambda such that they sum to 1. C is solved by Cholesky factors.
    """
    n = offsets.size
    factor = np.empty((n, n))
    ones = np.ones(n)
    for i in range(n):
        weights[i] = _correlation(offsets[i])
        for j in range(i + 1):
            total = _correlation(offsets[i] - offsets[j])
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = math.sqrt(total) if i == j else total / factor[j, j]
    _solve(factor, weights)
    _solve(factor, ones)
    multiplier = (1.0 - weights.sum()) / ones.sum()
    for i in range(n):
        weights[i] += multiplier * ones[i]


@kernel
def _correlation(distance: float) -> float:
    return math.exp(-0.25 * distance * distance)


@kernel
def _solve(factor: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> None:
    """Solve L L^T x = values in place."""
    n = values.size
    for i in range(n):
        for k in range(i):
            values[i] -= factor[i, k] * values[k]
        values[i] /= factor[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            values[i] -= factor[k, i] * values[k]
        values[i] /= factor[i, i]


@kernel
def _median_of_good(plane: npt.NDArray[np.float32], no_data: npt.NDArray[np.bool_]) -> float:
    """Median of the pixels with data, but at least 0; 0 if there are none."""
    good = np.empty(plane.size, dtype=np.float32)
    n = 0
    for row in range(plane.shape[0]):
        for column in range(plane.shape[1]):
            if not no_data[row, column]:
                good[n] = plane[row, column]
                n += 1
    if n == 0:
        return 0.0
    return max(0.0, float(np.median(good[:n])))
