"""What is the matter with each pixel of a detector, in one pass over its planes."""

from __future__ import annotations

__all__ = ["MAX_BAD_PLANES", "flag_pixels"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel

MAX_BAD_PLANES = 15
"""Planes that can be told apart in ``bad`` beside bit 0."""


@kernel
def flag_pixels(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    plane_bits: npt.NDArray[np.int32],
    count_invalid: bool,
    invalid: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.uint16],
) -> int:
    """Find the pixels that have no value or are flagged.

    Parameters
    ----------
    image, variance : float32 (rows, columns)
        Planes of a detector.
    mask : int32 (rows, columns)
        Its mask.
    plane_bits : int32 (n,)
        Bits of each plane that makes a pixel bad; n is `MAX_BAD_PLANES` at most.
    count_invalid
        Whether bit 0 of ``bad`` is for invalid pixels and all planes; it is 0 otherwise.
    invalid : bool (rows, columns)
        Written: whether the image is not finite, or the variance not positive and finite.
    bad : uint16 (rows, columns)
        Written: bit k + 1 where plane k is set, and bit 0.

    Returns
    -------
    count
        Number of invalid pixels.
    """
    rows, columns = mask.shape
    all_bits, zero = np.int32(0), np.float32(0.0)
    for k in range(plane_bits.size):
        all_bits |= plane_bits[k]
    first = np.uint16(1 if count_invalid else 0)
    count = 0
    for row in range(rows):
        found = np.int32(0)
        for column in range(columns):
            v = variance[row, column]
            valid = np.isfinite(image[row, column]) & np.isfinite(v) & (v > zero)
            invalid[row, column] = not valid
            bad[row, column] = np.uint16(0) if valid else first
            count += not valid
            found |= mask[row, column]
        if found & all_bits == np.int32(0):
            continue
        for column in range(columns):
            bits = mask[row, column] & all_bits
            if bits != np.int32(0):
                for k in range(plane_bits.size):
                    if bits & plane_bits[k]:
                        bad[row, column] |= np.uint16(2 << k)
                bad[row, column] |= first
    return count
