"""Running sums over the inputs of a cell, and what they say when all inputs are in.

`empty_sums`, then `add_input` for each input, then `finish_cell`. Sums are in double precision and
in the order of the inputs: the same inputs in the same order give the same bits.
"""

from __future__ import annotations

__all__ = ["CellSums", "add_input", "empty_sums", "finish_cell"]

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._jit import kernel


class CellSums(NamedTuple):
    """Sums over the inputs; w is the weight of an input, d, v its image and variance.

    The inputs of a pixel are *used* or *left out*; the first six sums run over those used. What is
    not needed for the kind of error that is wanted has no elements.
    """

    weight: npt.NDArray[np.float64]
    """Sum w (h, w)."""
    image: npt.NDArray[np.float64]
    """Sum w d (h, w)."""
    variance: npt.NDArray[np.float64]
    """Sum w^2 v (h, w); (0, 0) if the error is made from the scatter."""
    squared_weight: npt.NDArray[np.float64]
    """Sum w^2 (h, w); (0, 0) if the error is made from the variances."""
    scatter: npt.NDArray[np.float64]
    """Sum w (d - mean)^2 (h, w), the mean weighted; (0, 0) likewise."""
    noise: npt.NDArray[np.float64]
    """Sum w d of each noise realization (n_noise, h, w)."""
    bits: npt.NDArray[np.int32]
    """OR of the masks (h, w)."""
    n_used: npt.NDArray[np.int16]
    """Number of inputs used (h, w)."""
    n_left_out: npt.NDArray[np.int16]
    """Number of inputs left out (h, w)."""
    bits_left_out: npt.NDArray[np.int32]
    """OR of the bad bits of those left out (h, w)."""
    weight_left_out: npt.NDArray[np.float64]
    """Sum w of those left out that have a plane's bit (n_weighed, h, w)."""
    fraction: npt.NDArray[np.float64]
    """Sum w f of each masked fraction over all inputs (n_fractions, h, w)."""
    total_weight: npt.NDArray[np.float64]
    """Sum w over all inputs, a single number (1,)."""


def empty_sums(
    *,
    height: int,
    width: int,
    n_noise: int,
    n_fractions: int,
    n_weighed: int,
    error_from_scatter: bool,
) -> CellSums:
    """Return the sums over no input.

    Parameters
    ----------
    height, width
        Size of the cell.
    n_noise, n_fractions
        Number of noise realizations and of masked fractions.
    n_weighed
        Number of mask planes of which the left-out weight is summed.
    error_from_scatter
        Whether the variance is to be made from the scatter of the inputs, not from theirs.
    """
    shape, none = (height, width), (0, 0)
    return CellSums(
        weight=np.zeros(shape),
        image=np.zeros(shape),
        variance=np.zeros(none if error_from_scatter else shape),
        squared_weight=np.zeros(shape if error_from_scatter else none),
        scatter=np.zeros(shape if error_from_scatter else none),
        noise=np.zeros((n_noise, *shape)),
        bits=np.zeros(shape, dtype=np.int32),
        n_used=np.zeros(shape, dtype=np.int16),
        n_left_out=np.zeros(shape, dtype=np.int16),
        bits_left_out=np.zeros(shape, dtype=np.int32),
        weight_left_out=np.zeros((n_weighed, *shape)),
        fraction=np.zeros((n_fractions, *shape)),
        total_weight=np.zeros(1),
    )


@kernel
def add_input(
    sums: CellSums,
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    noise: npt.NDArray[np.float32],
    fractions: npt.NDArray[np.float32],
    weight: float,
    bad_bits: int,
    weighed: npt.NDArray[np.int32],
    fraction_bits: npt.NDArray[np.int32],
) -> None:
    """Add one input to the sums of a cell.

    Parameters
    ----------
    sums
        Changed in place.
    image, variance : float32 (h, w)
        Any strides, so that they may be cut-outs of a warp.
    mask : int32 (h, w)
        Its bits, less those that are not to be propagated.
    noise : float32 (n_noise, h, w)
        Finite where the image is.
    fractions : float32 (n_fractions, h, w)
        Masked fractions, 0..1.
    weight
        Of the input; finite and positive.
    bad_bits
        A pixel with any of these bits is left out, and so is one whose image or variance is not
        finite.
    weighed : int32 (n_weighed,)
        Bit of each plane of which the left-out weight is summed.
    fraction_bits : int32 (n_fractions,)
        What each masked fraction is about: -1 for all that makes a pixel bad, else bits. Where the
        pixel is left out for that cause the fraction counts as 1; where it is left out for another
        and the fraction is not finite, as 0.

    Notes
    -----
    The scatter is updated by West's recurrence (1979, CACM 22, 532), which does not lose digits
    where the mean is large.
    """
    bad = np.int32(bad_bits)
    has_scatter = sums.scatter.size > 0
    sums.total_weight[0] += weight
    height, width = image.shape
    for row in range(height):
        for column in range(width):
            bits = mask[row, column]
            value, value_variance = float(image[row, column]), float(variance[row, column])
            used = bits & bad == 0 and np.isfinite(value) and np.isfinite(value_variance)
            if used:
                old_weight = sums.weight[row, column]
                new_weight = old_weight + weight
                if not has_scatter:
                    sums.variance[row, column] += weight * weight * value_variance
                else:
                    if old_weight > 0.0:
                        step = value - sums.image[row, column] / old_weight
                        part = old_weight / new_weight
                        sums.scatter[row, column] += weight * step * step * part
                    sums.squared_weight[row, column] += weight * weight
                sums.weight[row, column] = new_weight
                sums.image[row, column] += weight * value
                for k in range(noise.shape[0]):
                    sums.noise[k, row, column] += weight * float(noise[k, row, column])
                sums.bits[row, column] |= bits
                sums.n_used[row, column] += 1
            else:
                sums.n_left_out[row, column] += 1
                sums.bits_left_out[row, column] |= bits & bad
                for plane in range(weighed.size):
                    if bits & weighed[plane]:
                        sums.weight_left_out[plane, row, column] += weight
            for k in range(fractions.shape[0]):
                fraction = float(fractions[k, row, column])
                if not used and (fraction_bits[k] == -1 or bits & fraction_bits[k]):
                    fraction = 1.0
                elif not np.isfinite(fraction):
                    fraction = 0.0
                sums.fraction[k, row, column] += weight * fraction


@kernel
def finish_cell(
    sums: CellSums,
    weighed: npt.NDArray[np.int32],
    thresholds: npt.NDArray[np.float64],
    left_out_from: npt.NDArray[np.int32],
    left_out_to: npt.NDArray[np.int32],
    no_data_bit: int,
    inexact_psf_bit: int,
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    noise: npt.NDArray[np.float32],
    fractions: npt.NDArray[np.float32],
) -> None:
    """Turn the sums over all inputs into a cell's planes.

    Parameters
    ----------
    sums
        After the last input.
    weighed : int32 (n_weighed,)
        As for `add_input`.
    thresholds : float64 (n_weighed,)
        A plane's bit is set where the weight left out for it is more than this fraction of that
        weight and the weight used.
    left_out_from, left_out_to : int32 (n,)
        Where an input was left out that had any of the bits ``left_out_from[i]``, the bits
        ``left_out_to[i]`` are set (BAD and SAT make REJECTED, say).
    no_data_bit
        Set where no input was used: image and noise are NaN there, the variance +inf.
    inexact_psf_bit
        Set where any input was left out.
    image, variance : float32 (h, w)
        Written. A variance that is not positive becomes +inf.
    mask : int32 (h, w)
        Written: OR over the inputs used, and the bits above.
    noise : float32 (n_noise, h, w)
        Written: the weighted means.
    fractions : float32 (n_fractions, h, w)
        Written: sum(w f) / sum(w) over all inputs; NaN if there are none.

    Notes
    -----
    From the variances the variance is sum(w^2 v) / sum(w)^2. From the scatter of the inputs it is
    that of an error of the mean, for which at least two inputs are needed: with V1 = sum(w),
    V2 = sum(w^2) and the scatter s^2 = sum(w (d - mean)^2) / V1, the variance of
    one input is s^2 V1^2 / (V1^2 - V2) and that of the mean is V2 / V1^2 of it.
    """
    height, width = image.shape
    total_weight = sums.total_weight[0]
    has_scatter = sums.scatter.size > 0
    for row in range(height):
        for column in range(width):
            weight = sums.weight[row, column]
            bits = sums.bits[row, column]
            for plane in range(weighed.size):
                left_out = sums.weight_left_out[plane, row, column]
                if left_out > thresholds[plane] * (weight + left_out):
                    bits |= weighed[plane]
            for k in range(left_out_from.size):
                if sums.bits_left_out[row, column] & left_out_from[k]:
                    bits |= left_out_to[k]
            if sums.n_left_out[row, column]:
                bits |= np.int32(inexact_psf_bit)
            for k in range(fractions.shape[0]):
                fractions[k, row, column] = sums.fraction[k, row, column] / total_weight
            if sums.n_used[row, column] == 0:
                mask[row, column] = bits | np.int32(no_data_bit)
                image[row, column] = np.nan
                variance[row, column] = np.inf
                for k in range(noise.shape[0]):
                    noise[k, row, column] = np.nan
                continue
            mask[row, column] = bits
            image[row, column] = sums.image[row, column] / weight
            for k in range(noise.shape[0]):
                noise[k, row, column] = sums.noise[k, row, column] / weight
            if not has_scatter:
                error = sums.variance[row, column] / (weight * weight)
            elif sums.n_used[row, column] > 1:
                squared_weight = sums.squared_weight[row, column]
                error = (
                    sums.scatter[row, column] / weight
                    * squared_weight / (weight * weight - squared_weight)
                )  # fmt: skip
            else:
                error = np.inf
            variance[row, column] = error if error > 0.0 else np.inf
