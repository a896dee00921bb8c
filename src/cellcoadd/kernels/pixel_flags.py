"""What is the matter with each pixel of a detector, and what its mask says when it is filled."""

from __future__ import annotations

__all__ = ["MAX_BAD_PLANES", "count_impossible", "find_holes", "flag_pixels", "mark_holes"]

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


@kernel
def find_holes(
    mask: npt.NDArray[np.int32],
    invalid: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.uint16],
    no_data_bit: int,
    holes: npt.NDArray[np.bool_],
) -> None:
    """Write which pixels are to be interpolated.

    Parameters
    ----------
    mask, invalid, bad
        As in `flag_pixels`.
    no_data_bit
        Bit of the mask plane NO_DATA.
    holes : bool (rows, columns)
        Written: whether a pixel is invalid, in a plane that makes it bad, or without data.
    """
    no_data, one = np.int32(no_data_bit), np.uint16(1)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            missing = (mask[row, column] & no_data) != np.int32(0)
            holes[row, column] = invalid[row, column] | (bad[row, column] > one) | missing


@kernel
def mark_holes(
    mask: npt.NDArray[np.int32],
    holes: npt.NDArray[np.bool_],
    invalid: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.uint16],
    outside: npt.NDArray[np.bool_],
    no_data_bit: int,
    interpolated_bit: int,
    unexplained_bits: int,
    out: npt.NDArray[np.int32],
) -> None:
    """Write the mask of a detector whose holes are interpolated.

    Parameters
    ----------
    mask, holes, invalid, bad, no_data_bit
        As in `find_holes`.
    outside : bool (rows, columns)
        Holes that could not be interpolated: they get ``no_data_bit``.
    interpolated_bit
        What all other holes get, but those without data.
    unexplained_bits
        What invalid pixels get that the mask says nothing about.
    out : int32 (rows, columns)
        Written.
    """
    no_data, interpolated = np.int32(no_data_bit), np.int32(interpolated_bit)
    unexplained, one, zero = np.int32(unexplained_bits), np.uint16(1), np.int32(0)
    for row in range(mask.shape[0]):
        out[row] = mask[row]
        for column in range(mask.shape[1]):
            if not holes[row, column] or (mask[row, column] & no_data) != zero:
                continue
            out[row, column] |= no_data if outside[row, column] else interpolated
            if invalid[row, column] and bad[row, column] <= one:
                out[row, column] |= unexplained


@kernel
def count_impossible(
    owner: npt.NDArray[np.uint8],
    variance: npt.NDArray[np.float32],
    n_owners: int,
    no_owner: int,
) -> tuple[int, int]:
    """Count what no resampled image has.

    Parameters
    ----------
    owner : uint8 (rows, columns)
        Number of the detector that each pixel is from.
    variance : float32 (rows, columns)
        The variance.
    n_owners
        How many detectors there are.
    no_owner
        What ``owner`` is where there is none.

    Returns
    -------
    n_strangers, n_variances
        Pixels of a detector that there is not, and pixels of detectors whose variance is 0 or less.
    """
    zero, n_strangers, n_variances = np.float32(0.0), 0, 0
    for row in range(owner.shape[0]):
        for column in range(owner.shape[1]):
            taken = owner[row, column] != no_owner
            n_strangers += taken & (owner[row, column] >= n_owners)
            n_variances += taken & (variance[row, column] <= zero)
    return n_strangers, n_variances
