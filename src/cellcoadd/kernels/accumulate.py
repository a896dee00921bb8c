"""Running sums over the inputs of some pixels, and what they say when all inputs are in.

`empty_sums`, then `add_input` for each input, then `finish_sums`. Sums are in double precision and
in the order of the inputs: the same inputs in the same order give the same bits, whatever pixels
are summed beside.
"""

from __future__ import annotations

__all__ = [
    "CellSums",
    "InputPlanes",
    "StackRules",
    "Zeros",
    "add_input",
    "empty_sums",
    "finish_sums",
]

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .._jit import kernel
from .sparse_rows import has_any


class Zeros(Protocol):
    """Makes an array of zeros, as `numpy.zeros` does."""

    def __call__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, /) -> npt.NDArray[Any]:
        """Return an array of some shape and type."""


class InputPlanes(NamedTuple):
    """What a visit has for the sums: planes (H, W) of the pixels that it covers."""

    image: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    owner: npt.NDArray[np.uint8]
    """Number of the input that each pixel is from."""
    noise: npt.NDArray[np.float32]
    """Noise realizations (n_noise, H, W), finite where the image is."""
    fractions: npt.NDArray[np.float32]
    """Masked fractions (n_fractions, H, W), 0..1."""


class StackRules(NamedTuple):
    """What the bits of masks mean for the sums."""

    kept_bits: int
    """The bits of the inputs' masks that count at all."""
    bad_bits: int
    """A pixel with any of these is left out, and so is one whose image or variance is not finite"""
    no_data_bit: int
    """What pixels have that are another input's. Set where no input was used."""
    inexact_psf_bit: int
    """Set where any input was left out."""
    weighed: npt.NDArray[np.int32]
    """Bit of each plane of which the left-out weight is summed (n_weighed,)."""
    thresholds: npt.NDArray[np.float64]
    """A plane's bit is set where the weight left out for it is more than this fraction of that
    weight and the weight used (n_weighed,)."""
    left_out_from: npt.NDArray[np.int32]
    """Where an input was left out that had any of the bits left_out_from[i] ... (n,)"""
    left_out_to: npt.NDArray[np.int32]
    """... the bits left_out_to[i] are set: BAD and SAT make REJECTED, say."""
    fraction_bits: npt.NDArray[np.int32]
    """What each masked fraction is about: -1 for all that makes a pixel bad, else bits
    (n_fractions,). Where the pixel is left out for that cause the fraction counts as 1; where it is
    left out for another and the fraction is not finite, as 0."""


class CellSums(NamedTuple):
    """Sums over the inputs; w is the weight of an input, d, v its image and variance.

    The inputs of a pixel are *used* or *left out*; the first six sums run over those used. What is
    not needed for the kind of error that is wanted has no elements. Single precision is for what
    is only compared with a threshold: sums take most of the memory of a coadd.
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
    """OR of the masks of those used and of the marks of those left out (h, w)."""
    n_used: npt.NDArray[np.int16]
    """Number of inputs used (h, w)."""
    weight_left_out: npt.NDArray[np.float32]
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
    zeros: Zeros = np.zeros,
) -> CellSums:
    """Return the sums over no input.

    Parameters
    ----------
    height, width
        Size of the region that is summed.
    n_noise, n_fractions
        Number of noise realizations and of masked fractions.
    n_weighed
        Number of mask planes of which the left-out weight is summed.
    error_from_scatter
        Whether the variance is to be made from the scatter of the inputs, not from theirs.
    zeros
        Makes arrays of 0 of some shape and type.
    """
    shape, none = (height, width), (0, 0)
    double, single = np.float64, np.float32
    return CellSums(
        weight=zeros(shape, double),
        image=zeros(shape, double),
        variance=zeros(none if error_from_scatter else shape, double),
        squared_weight=zeros(shape if error_from_scatter else none, double),
        scatter=zeros(shape if error_from_scatter else none, double),
        noise=zeros((n_noise, *shape), double),
        bits=zeros(shape, np.int32),
        n_used=zeros(shape, np.int16),
        weight_left_out=zeros((n_weighed, *shape), single),
        fraction=zeros((n_fractions, *shape), double),
        total_weight=zeros((1,), double),
    )


@kernel
def add_input(
    sums: CellSums,
    planes: InputPlanes,
    rules: StackRules,
    y: int,
    x: int,
    number: int,
    weight: float,
) -> None:
    """Add one input to the sums of a region.

    Parameters
    ----------
    sums
        Changed in place.
    planes
        Of the visit that the input belongs to.
    rules
        What is left out.
    y, x
        Pixel of the planes at which the region begins. It may reach beyond them: there the input
        has no data.
    number
        The input's number in ``owner``.
    weight
        Of the input; finite and positive.

    Notes
    -----
    The scatter is updated by West's recurrence (1979, CACM 22, 532), which does not lose digits
    where the mean is large.
    """
    height, width = sums.weight.shape
    rows, columns = planes.image.shape
    used, bits = np.empty(width, np.bool_), np.empty(width, np.int32)
    fraction = np.empty(width, np.float32)
    first, last = min(max(-x, 0), width), max(min(columns - x, width), 0)
    sums.total_weight[0] += weight
    for row in range(height):
        used[:] = False
        bits[:] = rules.no_data_bit
        j = y + row
        inside = 0 <= j < rows and first < last
        here, there = slice(first, last), slice(x + first, x + last)
        if inside:
            image, variance = planes.image[j, there], planes.variance[j, there]
            mine = used[here]
            _find_used(
                image, variance, planes.mask[j, there], planes.owner[j, there], number,
                rules.kept_bits, rules.bad_bits, rules.no_data_bit, mine, bits[here],
            )  # fmt: skip
            if sums.scatter.size > 0:
                _add_scatter(
                    mine, image, weight, sums.weight[row, here], sums.image[row, here],
                    sums.scatter[row, here], sums.squared_weight[row, here],
                )  # fmt: skip
            else:
                _add_where(mine, variance, weight * weight, sums.variance[row, here])
            _add_where(mine, image, weight, sums.image[row, here])
            for k in range(planes.noise.shape[0]):
                _add_where(mine, planes.noise[k, j, there], weight, sums.noise[k, row, here])
        n_used = _count_used(used, bits, weight, sums.weight[row], sums.bits[row], sums.n_used[row])
        if n_used < width:
            _mark_left_out(used, bits, weight, rules, sums.bits[row], sums.weight_left_out[:, row])
        for k in range(sums.fraction.shape[0]):
            # Most rows add nothing, and to read and write sums takes longer than to see that.
            if n_used == width and not has_any(planes.fractions[k, j, there]):
                continue
            fraction[:] = np.nan
            if inside:
                fraction[here] = planes.fractions[k, j, there]
            cause = rules.fraction_bits[k]
            _add_fraction(used, bits, fraction, cause, weight, sums.fraction[k, row])


@kernel
def _find_used(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    owner: npt.NDArray[np.uint8],
    number: int,
    kept_bits: int,
    bad_bits: int,
    no_data_bit: int,
    used: npt.NDArray[np.bool_],
    bits: npt.NDArray[np.int32],
) -> None:
    """Write the bits of the pixels of a row that count, and which pixels are used."""
    mine, kept, bad = np.uint8(number), np.int32(kept_bits), np.int32(bad_bits)
    no_data, none = np.int32(no_data_bit), np.int32(0)
    for i in range(image.size):
        own = owner[i] == mine
        found = mask[i] & kept if own else no_data
        bits[i] = found
        finite = np.isfinite(image[i]) & np.isfinite(variance[i])
        used[i] = own & finite & (found & bad == none)


@kernel
def _add_where(
    used: npt.NDArray[np.bool_],
    plane: npt.NDArray[np.float32],
    factor: float,
    out: npt.NDArray[np.float64],
) -> None:
    for i in range(plane.size):
        term = factor * np.float64(plane[i])
        out[i] += term if used[i] else 0.0


@kernel
def _add_scatter(
    used: npt.NDArray[np.bool_],
    image: npt.NDArray[np.float32],
    weight: float,
    weights: npt.NDArray[np.float64],
    images: npt.NDArray[np.float64],
    scatter: npt.NDArray[np.float64],
    squared_weight: npt.NDArray[np.float64],
) -> None:
    """Update scatter and squared weight; ``weights`` and ``images`` are without this input yet."""
    for i in range(image.size):
        if used[i]:
            if weights[i] > 0.0:
                step = float(image[i]) - images[i] / weights[i]
                scatter[i] += weight * step * step * (weights[i] / (weights[i] + weight))
            squared_weight[i] += weight * weight


@kernel
def _count_used(
    used: npt.NDArray[np.bool_],
    bits: npt.NDArray[np.int32],
    weight: float,
    weights: npt.NDArray[np.float64],
    out_bits: npt.NDArray[np.int32],
    n_used: npt.NDArray[np.int16],
) -> int:
    """Add up weights, bits and numbers of those used; return how many pixels they are."""
    none = np.int32(0)
    total = 0
    for i in range(used.size):
        weights[i] += weight if used[i] else 0.0
        out_bits[i] |= bits[i] if used[i] else none
        n_used[i] += used[i]
        total += used[i]
    return total


@kernel
def _mark_left_out(
    used: npt.NDArray[np.bool_],
    bits: npt.NDArray[np.int32],
    weight: float,
    rules: StackRules,
    out_bits: npt.NDArray[np.int32],
    weight_left_out: npt.NDArray[np.float32],
) -> None:
    """Set what follows from pixels being left out; ``weight_left_out`` is (n_weighed, w)."""
    bad, inexact = np.int32(rules.bad_bits), np.int32(rules.inexact_psf_bit)
    for i in range(used.size):
        if used[i]:
            continue
        out_bits[i] |= inexact
        for k in range(rules.left_out_from.size):
            if bits[i] & bad & rules.left_out_from[k]:
                out_bits[i] |= rules.left_out_to[k]
        for plane in range(rules.weighed.size):
            if bits[i] & rules.weighed[plane]:
                weight_left_out[plane, i] += weight


@kernel
def _add_fraction(
    used: npt.NDArray[np.bool_],
    bits: npt.NDArray[np.int32],
    fraction: npt.NDArray[np.float32],
    cause: np.int32,
    weight: float,
    out: npt.NDArray[np.float64],
) -> None:
    everything, none = cause == np.int32(-1), np.int32(0)
    for i in range(used.size):
        value = np.float64(fraction[i]) if np.isfinite(fraction[i]) else 0.0
        left_out = (not used[i]) & (everything | (bits[i] & cause != none))
        out[i] += weight * (1.0 if left_out else value)


@kernel
def finish_sums(
    sums: CellSums,
    rules: StackRules,
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    noise: npt.NDArray[np.float32],
    fractions: npt.NDArray[np.float32],
) -> None:
    """Turn the sums over all inputs into the planes of a region.

    Parameters
    ----------
    sums
        After the last input.
    rules
        As for `add_input`.
    image, variance : float32 (h, w)
        Written, NaN and +inf where no input was used. A variance that is not positive becomes +inf.
    mask : int32 (h, w)
        Written: OR over the inputs used, and what follows from those left out.
    noise : float32 (n_noise, h, w)
        Written: the weighted means.
    fractions : float32 (n_fractions, h, w)
        0 before. Rows that have any are written: sum(w f) / sum(w) over all inputs; NaN if there
        are none.

    Notes
    -----
    From the variances the variance is sum(w^2 v) / sum(w)^2. From the scatter of the inputs it is
    that of an error of the mean, for which at least two inputs are needed: with V1 = sum(w),
    V2 = sum(w^2) and the scatter s^2 = sum(w (d - mean)^2) / V1, the variance of
    one input is s^2 V1^2 / (V1^2 - V2) and that of the mean is V2 / V1^2 of it.
    """
    height = image.shape[0]
    no_data = np.int32(rules.no_data_bit)
    has_scatter = sums.scatter.size > 0
    total_weight = sums.total_weight[0]
    no_input = total_weight == 0.0
    for row in range(height):
        weight, n_used = sums.weight[row], sums.n_used[row]
        for i in range(n_used.size):
            bits = sums.bits[row, i]
            mask[row, i] = bits if n_used[i] > 0 else bits | no_data
        for plane in range(rules.weighed.size):
            bit, threshold = rules.weighed[plane], rules.thresholds[plane]
            left_out = sums.weight_left_out[plane, row]
            for i in range(n_used.size):
                if left_out[i] > threshold * (weight[i] + left_out[i]):
                    mask[row, i] |= bit
        for k in range(fractions.shape[0]):
            if no_input or has_any(sums.fraction[k, row]):
                for i in range(n_used.size):
                    fractions[k, row, i] = sums.fraction[k, row, i] / total_weight
        _divide(sums.image[row], weight, image[row])
        for k in range(noise.shape[0]):
            _divide(sums.noise[k, row], weight, noise[k, row])
        for i in range(n_used.size):
            square = weight[i] * weight[i]
            if n_used[i] == 0:
                error = np.inf
            elif not has_scatter:
                error = sums.variance[row, i] / square
            elif n_used[i] > 1:
                squares = sums.squared_weight[row, i]
                error = sums.scatter[row, i] / weight[i] * squares / (square - squares)
            else:
                error = np.inf
            variance[row, i] = error if error > 0.0 else np.inf


@kernel
def _divide(
    total: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write weighted means; without weight, 0 / 0, NaN."""
    for i in range(out.size):
        out[i] = total[i] / weight[i]
