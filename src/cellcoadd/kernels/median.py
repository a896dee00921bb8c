"""The median of the positive values of a plane, without a copy of them."""

from __future__ import annotations

__all__ = ["median_of_positive"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel

_INFINITY = 0x7F800000  # in the bits of a number of single precision
_LOW_BITS = 15
_BINS = 1 << (31 - _LOW_BITS)


@kernel
def median_of_positive(
    bits: npt.NDArray[np.int32],
    image: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    bad_bits: int,
) -> tuple[int, int]:
    """Return the bits of the two values in the middle, which are one if their number is odd.

    Positive numbers are in the order of their bits, so that these can be counted: first by the
    upper ones, then, of those with the right ones, by the lower ones.

    Parameters
    ----------
    bits : int32 (rows, columns)
        Bits of the plane's values, of single precision.
    image : float32 (rows, columns)
        Pixels where it is not finite do not count, nor do values that are not positive and finite.
    mask : int32 (rows, columns)
        The planes of the pixels.
    bad_bits
        Pixels with one of these bits do not count.

    Returns
    -------
    low, high
        Their bits, that is their numbers among all positive values; 0 and 0 if no pixel counts.
    """
    rows, columns = bits.shape
    bad = np.int32(bad_bits)
    counts = np.zeros(_BINS, np.int64)
    total = 0
    for row in range(rows):
        for column in range(columns):
            value = bits[row, column]
            good = (value > 0) & (value < _INFINITY) & np.isfinite(image[row, column])
            if good and mask[row, column] & bad == np.int32(0):
                counts[value >> _LOW_BITS] += 1
                total += 1
    if total == 0:
        return 0, 0
    low, low_rank = _find(counts, (total - 1) // 2)
    high, high_rank = _find(counts, total // 2)
    low_counts, high_counts = np.zeros(1 << _LOW_BITS, np.int64), np.zeros(1 << _LOW_BITS, np.int64)
    rest = (1 << _LOW_BITS) - 1
    for row in range(rows):
        for column in range(columns):
            value = bits[row, column]
            upper = value >> _LOW_BITS
            if value <= 0 or (upper != low and upper != high):
                continue
            if np.isfinite(image[row, column]) and mask[row, column] & bad == np.int32(0):
                if upper == low:
                    low_counts[value & rest] += 1
                if upper == high:
                    high_counts[value & rest] += 1
    return (
        (low << _LOW_BITS) | _find(low_counts, low_rank)[0],
        (high << _LOW_BITS) | _find(high_counts, high_rank)[0],
    )


@kernel
def _find(counts: npt.NDArray[np.int64], rank: int) -> tuple[int, int]:
    """Return the bin that holds the value of a rank, and its rank within the bin."""
    number = 0
    while rank >= counts[number]:
        rank -= counts[number]
        number += 1
    return number, rank
