"""Put the planes of one detector into those of its visit, in one pass over them."""

from __future__ import annotations

__all__ = ["merge_planes"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel


@kernel
def merge_planes(
    values: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    fractions: npt.NDArray[np.float32],
    coverage: npt.NDArray[np.bool_],
    no_data_bit: int,
    kept_bits: int,
    changed_bits: npt.NDArray[np.int32],
    new_bits: npt.NDArray[np.int32],
    number: int,
    no_owner: int,
    out_values: npt.NDArray[np.float32],
    out_variances: npt.NDArray[np.float32],
    out_mask: npt.NDArray[np.int32],
    out_fractions: npt.NDArray[np.float32],
    out_owner: npt.NDArray[np.uint8],
) -> None:
    """Write a detector's good pixels over what is there, and its fractions where nothing is.

    Parameters
    ----------
    values, variances, mask, fractions, coverage
        Of the detector, as `resample.resample` writes them.
    no_data_bit
        Of the detector's mask: pixels with it are not good.
    kept_bits
        Bits that mean the same in both masks.
    changed_bits, new_bits : int32 (n,)
        Bits of the detector's mask with another place in the visit's, and that place.
    number, no_owner
        Number of the detector, and that of pixels which no detector covers yet.
    out_values, out_variances, out_mask, out_fractions : (..., h, w)
        The same planes of the visit, changed in place. A finite fraction goes where the detector's
        pixel is good, and where no detector covers the pixel.
    out_owner : uint8 (h, w)
        Changed: the detector's number where its pixel is good, and where it alone covers it.
    """
    height, width = mask.shape
    good = np.empty(width, np.bool_)
    free = np.empty(width, np.bool_)
    no_data, kept = np.int32(no_data_bit), np.int32(kept_bits)
    for row in range(height):
        _mark_pixels(mask[row], no_data, out_owner[row], no_owner, good, free)
        for k in range(values.shape[0]):
            _copy_where(good, values[k, row], out_values[k, row])
        for k in range(variances.shape[0]):
            _copy_where(good, variances[k, row], out_variances[k, row])
        for k in range(fractions.shape[0]):
            _copy_finite(free, fractions[k, row], out_fractions[k, row])
        _copy_bits(good, mask[row], kept, changed_bits, new_bits, out_mask[row])
        _claim(good, free, coverage[row], number, out_owner[row])


@kernel
def _mark_pixels(
    mask: npt.NDArray[np.int32],
    no_data: np.int32,
    owner: npt.NDArray[np.uint8],
    no_owner: int,
    good: npt.NDArray[np.bool_],
    free: npt.NDArray[np.bool_],
) -> None:
    """Write which pixels are good, and which are good or nobody's."""
    nobody = np.uint8(no_owner)
    for i in range(mask.size):
        good[i] = (mask[i] & no_data) == 0
        free[i] = good[i] | (owner[i] == nobody)


@kernel
def _copy_where(
    chosen: npt.NDArray[np.bool_], plane: npt.NDArray[np.float32], out: npt.NDArray[np.float32]
) -> None:
    for i in range(plane.size):
        out[i] = plane[i] if chosen[i] else out[i]


@kernel
def _copy_finite(
    chosen: npt.NDArray[np.bool_], plane: npt.NDArray[np.float32], out: npt.NDArray[np.float32]
) -> None:
    for i in range(plane.size):
        out[i] = plane[i] if chosen[i] & np.isfinite(plane[i]) else out[i]


@kernel
def _copy_bits(
    chosen: npt.NDArray[np.bool_],
    mask: npt.NDArray[np.int32],
    kept: np.int32,
    changed_bits: npt.NDArray[np.int32],
    new_bits: npt.NDArray[np.int32],
    out: npt.NDArray[np.int32],
) -> None:
    union = np.int32(0)
    for i in range(mask.size):
        out[i] = mask[i] & kept if chosen[i] else out[i]
        union |= mask[i] if chosen[i] else np.int32(0)
    for k in range(changed_bits.size):
        old, new = changed_bits[k], new_bits[k]
        if union & old == 0:
            continue
        for i in range(mask.size):
            if chosen[i] and mask[i] & old:
                out[i] |= new


@kernel
def _claim(
    good: npt.NDArray[np.bool_],
    free: npt.NDArray[np.bool_],
    coverage: npt.NDArray[np.bool_],
    number: int,
    owner: npt.NDArray[np.uint8],
) -> None:
    mine = np.uint8(number)
    for i in range(owner.size):
        owner[i] = mine if good[i] | (free[i] & coverage[i]) else owner[i]
