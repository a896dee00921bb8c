"""The part of a detector that a block of target pixels needs, made ready for the resampler.

A block's source pixels are copied into work arrays that stay in the processor's cache, with 0 for
what is not finite and with the mask bits already spread over the kernel, so that the resampler has
no cases to tell apart.
"""

from __future__ import annotations

__all__ = ["NOT_FINITE", "NOT_FINITE_ABOVE", "block_size", "block_stride", "load_block"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel

NOT_FINITE_ABOVE = 1e30
"""Source pixels beyond this magnitude count as not finite: float32 sums of them could overflow."""

NOT_FINITE = -(2**31)
"""Marks pixels that are not finite: the one bit of an int32 that no mask plane has."""


@kernel
def block_stride(width: int) -> int:
    """Distance of the rows of a work array: an odd number of cache lines of 16 numbers.

    At a power of two apart they would evict one another.
    """
    return (width // 32 * 2 + 3) * 16


@kernel
def block_size(n_rows: int, stride: int, lanes: int) -> int:
    """Elements of a work array: its rows, and some more: they are read in whole registers."""
    return n_rows * stride + lanes


@kernel
def load_block(
    values: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    bad: npt.NDArray[np.uint16],
    half_width: int,
    full_mask_bits: int,
    x_low: int,
    x_high: int,
    y_low: int,
    y_high: int,
    planes: npt.NDArray[np.float32],
    bits: npt.NDArray[np.int32],
    flags: npt.NDArray[np.uint16],
) -> tuple[bool, bool]:
    """Copy source columns x_low..x_high-1, rows y_low..y_high-1 into work arrays.

    Parameters
    ----------
    values, variances, mask, bad, half_width, full_mask_bits
        As in `resample.resample`.
    x_low, x_high, y_low, y_high
        The part to copy.
    planes : float32 (n_values + n_variances, n), n at least the block_size
        Written, but not between the rows: it must hold finite numbers there.
    bits : int32 (4, n)
        Written: [0] the mask; [1] its full mask bits, and `NOT_FINITE` for pixels that are not
        finite in any plane; [3] for the lower left of the pixels of a kernel, the OR of [1] over
        these and of [0] over the middle 2 x 2; [2] is work space. Only if ``flagged``.
    flags : uint16 (2, n)
        Written: [0] a copy of ``bad``; [1] for the lower left of 2 x 2 pixels, the OR of [0] over
        them. Only if ``any_bad``.

    Returns
    -------
    flagged, any_bad
        Whether there are any bits in the mask or pixels that are not finite, and whether there are
        any in ``bad``; if not, all of ``bits``, or of ``flags``, are to be taken for 0.
    """
    width, n_rows = x_high - x_low, y_high - y_low
    stride = block_stride(width)
    n_values = values.shape[0]
    full = np.int32(full_mask_bits)
    union, bad_union = np.int32(0), np.uint16(0)
    for j in range(n_rows):
        y, here = y_low + j, slice(j * stride, j * stride + width)
        bad_union |= _copy_flags(bad[y, x_low:x_high], flags[0, here])
        marks = bits[1, here]
        union |= _copy_bits(mask[y, x_low:x_high], full, bits[0, here], marks)
        for k in range(n_values):
            _copy_finite(values[k, y, x_low:x_high], planes[k, here], marks)
        for k in range(variances.shape[0]):
            _copy_finite(variances[k, y, x_low:x_high], planes[n_values + k, here], marks)
        union |= _union(marks)
    n = n_rows * stride
    if bad_union:
        low, high, spread_flags = flags[0], flags[0, stride:], flags[1]
        for p in range(n - stride - 1):
            spread_flags[p] = low[p] | low[p + 1] | high[p] | high[p + 1]
    if union == 0:
        return False, bad_union != 0
    n_taps, below = 2 * half_width, half_width - 1
    _or_of_run(bits[1], 1, n_taps, n - (n_taps - 1), bits[2])
    n -= (n_taps - 1) * stride
    _or_of_run(bits[2], stride, n_taps, n, bits[3])
    middle = below * stride + below
    low_left, low_right = bits[0, middle:], bits[0, middle + 1 :]
    high_left, high_right = bits[0, middle + stride :], bits[0, middle + stride + 1 :]
    spread = bits[3]
    for p in range(n):
        spread[p] |= low_left[p] | low_right[p] | high_left[p] | high_right[p]
    return True, bad_union != 0


@kernel
def _copy_flags(bad: npt.NDArray[np.uint16], out: npt.NDArray[np.uint16]) -> np.uint16:
    union = np.uint16(0)
    for i in range(bad.size):
        out[i] = bad[i]
        union |= bad[i]
    return union


@kernel
def _copy_bits(
    mask: npt.NDArray[np.int32],
    full: np.int32,
    out: npt.NDArray[np.int32],
    marks: npt.NDArray[np.int32],
) -> np.int32:
    union = np.int32(0)
    for i in range(mask.size):
        out[i] = mask[i]
        marks[i] = mask[i] & full
        union |= mask[i]
    return union


@kernel
def _copy_finite(
    plane: npt.NDArray[np.float32], out: npt.NDArray[np.float32], marks: npt.NDArray[np.int32]
) -> None:
    limit, zero = np.float32(NOT_FINITE_ABOVE), np.float32(0.0)
    mark, no_mark = np.int32(NOT_FINITE), np.int32(0)
    for i in range(plane.size):
        finite = abs(plane[i]) <= limit
        out[i] = plane[i] if finite else zero
        marks[i] |= no_mark if finite else mark


@kernel
def _union(bits: npt.NDArray[np.int32]) -> np.int32:
    union = np.int32(0)
    for i in range(bits.size):
        union |= bits[i]
    return union


@kernel
def _or_of_run(
    bits: npt.NDArray[np.int32], step: int, count: int, n: int, out: npt.NDArray[np.int32]
) -> None:
    """Write to each of n elements its OR with those that follow at multiples of a step.

    ``count``, with the element itself, is 2 or more. Six are taken at once; of fewer, the last one
    again and again.
    """
    last = count - 1
    b0, b1, b2 = bits, bits[step:], bits[min(2, last) * step :]
    b3, b4, b5 = (
        bits[min(3, last) * step :],
        bits[min(4, last) * step :],
        bits[min(5, last) * step :],
    )
    for p in range(n):
        out[p] = b0[p] | b1[p] | b2[p] | b3[p] | b4[p] | b5[p]
    for number in range(6, count):
        further = bits[number * step :]
        for p in range(n):
            out[p] |= further[p]
