"""The one resampler: all planes of a detector onto a tract's pixels in one pass.

In come the planes of a detector and, on a coarse grid of target pixels, their exact positions in
the detector (`positions`); out come the same planes on the target's pixels. A pixel is the sum over
6 x 6 source pixels of Lanczos-3 weights (`lanczos`), normalised to sum 1, times the ratio of the
pixel areas, so that flux is conserved; variances take the squared weights.

The same pixel has the same bits in whatever region, and beside whatever planes, it is computed.
"""

from __future__ import annotations

__all__ = ["NOT_FINITE_ABOVE", "resample", "resample_stamp"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import cubic_weights, kernel, weighted_sum
from .lanczos import BINS, HALF_WIDTH, LANES, WEIGHT_TABLE, WEIGHT_TABLE_FLOAT32
from .positions import row_positions, source_range

NOT_FINITE_ABOVE = 1e30
"""Source pixels beyond this magnitude count as not finite: float32 sums of them could overflow."""

_TAPS = 2 * HALF_WIDTH
_BELOW = HALF_WIDTH - 1  # taps to the left of (below) the pixel at or below the position
_NOT_FINITE = -(2**31)  # the one bit of an int32 that no mask plane has
# Target pixels worked on together: their source pixels and weights stay in the L1 cache.
_TILE_COLUMNS = 64
_TILE_ROWS = 16


@kernel
def resample(
    values: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    fractions: npt.NDArray[np.float32],
    node_x: npt.NDArray[np.float64],
    node_y: npt.NDArray[np.float64],
    x_start: int,
    y_start: int,
    spacing: int,
    full_mask_bits: int,
    no_data_bit: int,
    out_values: npt.NDArray[np.float32],
    out_variances: npt.NDArray[np.float32],
    out_mask: npt.NDArray[np.int32],
    out_fractions: npt.NDArray[np.float32],
    out_coverage: npt.NDArray[np.bool_],
    out_noise_gain: npt.NDArray[np.float32],
) -> None:
    """Resample all planes of a detector. Arrays are in C order.

    Parameters
    ----------
    values : float32 (n_values, ny, nx)
        Planes that are summed with the weights: image, noise realizations, ...
    variances : float32 (n_variances, ny, nx)
        Planes that are summed with the squared weights. Either number of planes may be 0.
    mask : int32 (ny, nx)
        Planes in bits 0..30.
    fractions : float32 (n_fractions, ny, nx)
        Masked fractions, finite. Interpolated bilinearly and without the area ratio, so that they
        stay in 0..1. n_fractions may be 0.
    node_x, node_y : float64 (node rows, node columns)
        Positions in the source (``mask[0, 0]`` is centred on (0, 0)) of the target columns
        ``node_indices(x_start, x_start + w, spacing)`` and rows likewise. A position that is not
        finite makes the pixels around it fall outside.
    x_start, y_start
        Absolute (tract) indices of the first target column and row.
    spacing
        Distance of the nodes in target pixels.
    full_mask_bits
        Bits of the mask planes (EDGE) that spread over the whole of the 6 x 6 pixels; all planes
        spread over the 2 x 2 around the position.
    no_data_bit
        Bit of the mask plane NO_DATA.
    out_values, out_variances : float32 (n_values, h, w), (n_variances, h, w)
        Written: NaN and +inf where there are no data.
    out_mask : int32 (h, w)
        Written: OR of the bits; ``no_data_bit`` alone where there are no data. There are none where
        the 6 x 6 pixels leave the source, where one of them is not finite in any plane of values or
        variances, and where one of the 2 x 2 carries ``no_data_bit``. Pixels of weight 0 (at whole
        pixel positions) do not count.
    out_fractions : float32 (n_fractions, h, w)
        Written: NaN where the 2 x 2 pixels leave the source.
    out_coverage : bool (h, w)
        Written: whether the 6 x 6 pixels are inside the source, whatever its mask.
    out_noise_gain : float32 (h, w) or (0, 0)
        Written: sum of the squared weights, the variance of resampled white noise of variance 1;
        NaN outside of the coverage. Left out if the array is empty.

    Notes
    -----
    Footprint, area and mask follow the Rubin pipelines' warper, except that this leaves pixels that
    are not finite unflagged and multiplies masked fractions by the area ratio.
    """
    height, width = out_mask.shape
    ny, nx = mask.shape
    x_low, x_high = source_range(node_x, nx, HALF_WIDTH)
    y_low, y_high = source_range(node_y, ny, HALF_WIDTH)
    stride = _stride(x_high - x_low)
    planes, flags, grown = _prepare(
        values, variances, mask, full_mask_bits, x_low, x_high, y_low, y_high, stride
    )
    n_values = values.shape[0]

    x, y, area = np.empty(_TILE_COLUMNS), np.empty(_TILE_COLUMNS), np.empty(_TILE_COLUMNS)
    start = np.empty(_TILE_COLUMNS, dtype=np.intp)
    weights_x = np.empty(_TILE_COLUMNS * LANES, dtype=np.float32)
    weights_y = np.empty(_TILE_COLUMNS * LANES, dtype=np.float32)
    squares_x = np.empty(_TILE_COLUMNS * LANES, dtype=np.float32)
    squares_y = np.empty(_TILE_COLUMNS * LANES, dtype=np.float32)

    for first_row in range(0, height, _TILE_ROWS):
        for column in range(0, width, _TILE_COLUMNS):
            n = min(_TILE_COLUMNS, width - column)
            for row in range(first_row, min(first_row + _TILE_ROWS, height)):
                here = slice(column, column + n)
                row_positions(
                    node_x, node_y, row, column, n, x_start, y_start, spacing, x, y, area
                )
                for plane in range(fractions.shape[0]):
                    _bilinear(fractions[plane], x, y, out_fractions[plane, row, here])
                covered = out_coverage[row, here]
                if not _find_coverage(x, y, nx, ny, covered):
                    for i in range(column, column + n):
                        out_mask[row, i] = no_data_bit
                else:
                    _compute_weights(
                        x, y, covered, x_low, y_low, stride, start, weights_x, weights_y
                    )
                    for i in range(n * LANES):
                        squares_x[i] = weights_x[i] * weights_x[i]
                        squares_y[i] = weights_y[i] * weights_y[i]
                    for plane in range(n_values):
                        _sum_taps(
                            planes[plane], start, stride, weights_x, weights_y, area, 1,
                            out_values[plane, row, here],
                        )
                    for plane in range(variances.shape[0]):
                        _sum_taps(
                            planes[n_values + plane], start, stride, squares_x, squares_y, area, 2,
                            out_variances[plane, row, here],
                        )
                    _combine_mask(
                        mask, flags, grown, start, stride, x, y, weights_x, weights_y,
                        covered, no_data_bit, out_mask[row, here],
                    )
                    if out_noise_gain.size:
                        _sum_squares(squares_x, squares_y, area, out_noise_gain[row, here])
                for i in range(column, column + n):
                    if out_mask[row, i] == no_data_bit:
                        out_values[:, row, i] = np.nan
                        out_variances[:, row, i] = np.inf
                        if out_noise_gain.size and not out_coverage[row, i]:
                            out_noise_gain[row, i] = np.nan


@kernel
def resample_stamp(
    stamp: npt.NDArray[np.float64],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    """Resample a postage stamp (of a PSF) at exact positions; it is 0 outside of its pixels.

    Parameters
    ----------
    stamp : float64 (ny, nx)
        Finite.
    x, y : float64 (h, w)
        Position in the stamp of every output pixel; ``stamp[0, 0]`` is centred on (0, 0).
    out : float64 (h, w)
        Written. The kernel is the images', normalised to sum 1; the area ratio is the caller's.
    """
    ny, nx = stamp.shape
    weights_x, weights_y = np.empty(_TAPS), np.empty(_TAPS)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = 0.0
            at_x, at_y = x[row, column], y[row, column]
            # Also false for NaN.
            if not (-HALF_WIDTH <= at_x < nx + _BELOW and -HALF_WIDTH <= at_y < ny + _BELOW):
                continue
            whole_x, whole_y = math.floor(at_x), math.floor(at_y)
            _exact_weights(at_x - whole_x, weights_x)
            _exact_weights(at_y - whole_y, weights_y)
            total = 0.0
            for j in range(max(0, _BELOW - whole_y), min(_TAPS, ny + _BELOW - whole_y)):
                line = 0.0
                for k in range(max(0, _BELOW - whole_x), min(_TAPS, nx + _BELOW - whole_x)):
                    line += weights_x[k] * stamp[whole_y - _BELOW + j, whole_x - _BELOW + k]
                total += weights_y[j] * line
            out[row, column] = total


@kernel
def _exact_weights(fraction: float, out: npt.NDArray[np.float64]) -> None:
    """Six weights from the table in double precision."""
    scaled = fraction * BINS
    b = int(scaled)
    t = scaled - b
    for k in range(_TAPS):
        out[k] = (
            (WEIGHT_TABLE[b, 3, k] * t + WEIGHT_TABLE[b, 2, k]) * t + WEIGHT_TABLE[b, 1, k]
        ) * t + WEIGHT_TABLE[b, 0, k]


@kernel
def _stride(width: int) -> int:
    """Distance of the rows of a work plane: an odd number of cache lines of 16 numbers.

    Rows of detectors are often 2048 pixels; at a power of two apart they would evict one another.
    """
    return (width // 32 * 2 + 3) * 16


@kernel
def _prepare(
    values: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    full_mask_bits: int,
    x_low: int,
    x_high: int,
    y_low: int,
    y_high: int,
    stride: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Copy the part of the source that is needed, with 0 for what is not finite.

    Returns
    -------
    planes : float32 (n_values + n_variances, n)
        Each plane's rows one after the other, and some zeros, as rows are read in eights.
    flags, grown : int32 (n,)
        What spreads over 6 x 6 pixels: the full mask bits and `_NOT_FINITE` of each pixel, and the
        OR of these over the 6 x 6 pixels of which it is the lower left one.
    """
    width, n_rows = x_high - x_low, y_high - y_low
    n_values, n_variances = values.shape[0], variances.shape[0]
    planes = np.zeros((n_values + n_variances, n_rows * stride + LANES), dtype=np.float32)
    flags = np.zeros(n_rows * stride, dtype=np.int32)
    full = np.int32(full_mask_bits)
    flagged = False
    for j in range(n_rows):
        o = j * stride
        row = flags[o : o + width]
        _copy_bits(mask[y_low + j, x_low:x_high], full, row)
        for k in range(n_values):
            _copy_finite(values[k, y_low + j, x_low:x_high], planes[k, o : o + width], row)
        for k in range(n_variances):
            target = planes[n_values + k, o : o + width]
            _copy_finite(variances[k, y_low + j, x_low:x_high], target, row)
        flagged = _any_bit(row) or flagged
    if not flagged:
        return planes, flags, flags
    grown = np.zeros(n_rows * stride, dtype=np.int32)
    across = np.zeros(n_rows * stride, dtype=np.int32)
    for p in range(n_rows * stride - _TAPS + 1):
        two = flags[p] | flags[p + 1]
        four = flags[p + 2] | flags[p + 3]
        across[p] = two | four | flags[p + 4] | flags[p + 5]
    for p in range((n_rows - _TAPS + 1) * stride):
        two = across[p] | across[p + stride]
        four = across[p + 2 * stride] | across[p + 3 * stride]
        grown[p] = two | four | across[p + 4 * stride] | across[p + 5 * stride]
    return planes, flags, grown


@kernel
def _copy_bits(
    mask: npt.NDArray[np.int32], selected: np.int32, out: npt.NDArray[np.int32]
) -> None:
    for i in range(out.size):
        out[i] = mask[i] & selected


@kernel
def _copy_finite(
    plane: npt.NDArray[np.float32], out: npt.NDArray[np.float32], flags: npt.NDArray[np.int32]
) -> None:
    limit, zero = np.float32(NOT_FINITE_ABOVE), np.float32(0.0)
    bit, no_bit = np.int32(_NOT_FINITE), np.int32(0)
    for i in range(out.size):
        finite = abs(plane[i]) <= limit
        out[i] = plane[i] if finite else zero
        flags[i] |= no_bit if finite else bit


@kernel
def _any_bit(flags: npt.NDArray[np.int32]) -> bool:
    union = np.int32(0)
    for i in range(flags.size):
        union |= flags[i]
    return union != 0


@kernel
def _find_coverage(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    nx: int,
    ny: int,
    covered: npt.NDArray[np.bool_],
) -> bool:
    """Write whether the 6 x 6 pixels are inside the source (false for NaN); return if any are."""
    count = 0
    for i in range(covered.size):
        inside = (
            (x[i] >= _BELOW) & (x[i] < nx - HALF_WIDTH)
            & (y[i] >= _BELOW) & (y[i] < ny - HALF_WIDTH)
        )  # fmt: skip
        covered[i] = inside
        count += inside
    return count > 0


@kernel
def _compute_weights(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    covered: npt.NDArray[np.bool_],
    x_low: int,
    y_low: int,
    stride: int,
    start: npt.NDArray[np.intp],
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
) -> None:
    """Write the lower left of the 6 x 6 pixels and the weights; all 0 where not covered."""
    for i in range(covered.size):
        o = i * LANES
        if covered[i]:
            whole_x, whole_y = int(x[i]), int(y[i])  # not negative
            start[i] = (whole_y - _BELOW - y_low) * stride + (whole_x - _BELOW - x_low)
            scaled = (x[i] - whole_x) * BINS
            b = int(scaled)
            t = np.float32(scaled - b)
            cubic_weights(WEIGHT_TABLE_FLOAT32, b * 4 * LANES, t, weights_x, o)
            scaled = (y[i] - whole_y) * BINS
            b = int(scaled)
            t = np.float32(scaled - b)
            cubic_weights(WEIGHT_TABLE_FLOAT32, b * 4 * LANES, t, weights_y, o)
        else:
            start[i] = 0
            weights_x[o : o + LANES] = 0.0
            weights_y[o : o + LANES] = 0.0


@kernel
def _sum_taps(
    plane: npt.NDArray[np.float32],
    start: npt.NDArray[np.intp],
    stride: int,
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
    area: npt.NDArray[np.float64],
    power: int,
    out: npt.NDArray[np.float32],
) -> None:
    """Write weighted sum times area**power (1 or 2) of one plane for a run of pixels."""
    for i in range(out.size):
        # For the bounds-checked mode, as weighted_sum() does not check: the last elements read.
        _ = plane[start[i] + (_TAPS - 1) * stride + LANES - 1]
        _ = weights_x[i * LANES + LANES - 1] + weights_y[i * LANES + LANES - 1]
        total = weighted_sum(plane, start[i], stride, weights_x, weights_y, i * LANES)
        factor = area[i] if power == 1 else area[i] * area[i]
        out[i] = total * factor


@kernel
def _sum_squares(
    squares_x: npt.NDArray[np.float32],
    squares_y: npt.NDArray[np.float32],
    area: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Write the sum of the squared two-dimensional weights times the squared area."""
    for i in range(out.size):
        total_x, total_y = 0.0, 0.0
        for k in range(i * LANES, i * LANES + _TAPS):
            total_x += squares_x[k]
            total_y += squares_y[k]
        out[i] = total_x * total_y * (area[i] * area[i])


@kernel
def _combine_mask(
    mask: npt.NDArray[np.int32],
    flags: npt.NDArray[np.int32],
    grown: npt.NDArray[np.int32],
    start: npt.NDArray[np.intp],
    stride: int,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
    covered: npt.NDArray[np.bool_],
    no_data_bit: int,
    out: npt.NDArray[np.int32],
) -> None:
    """Write the OR of the mask over the pixels that count."""
    no_data = np.int32(no_data_bit)
    for i in range(out.size):
        if not covered[i]:
            out[i] = no_data
            continue
        whole_x, whole_y = int(x[i]), int(y[i])
        right, up = x[i] != whole_x, y[i] != whole_y
        bits = mask[whole_y, whole_x]
        if right:
            bits |= mask[whole_y, whole_x + 1]
        if up:
            bits |= mask[whole_y + 1, whole_x]
            if right:
                bits |= mask[whole_y + 1, whole_x + 1]
        if right and up:
            spread = grown[start[i]]
        else:
            spread = np.int32(0)
            for j in range(_TAPS):
                for k in range(_TAPS):
                    if weights_y[i * LANES + j] != 0.0 and weights_x[i * LANES + k] != 0.0:
                        spread |= flags[start[i] + j * stride + k]
        if (spread & _NOT_FINITE) or (bits & no_data):
            out[i] = no_data
        else:
            out[i] = bits | spread


@kernel
def _bilinear(
    plane: npt.NDArray[np.float32],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    out: npt.NDArray[np.float32],
) -> None:
    """Interpolate a plane bilinearly; NaN where the 2 x 2 pixels leave it."""
    ny, nx = plane.shape
    for i in range(out.size):
        if 0.0 <= x[i] < nx - 1 and 0.0 <= y[i] < ny - 1:
            whole_x, whole_y = int(x[i]), int(y[i])
            right, up = x[i] - whole_x, y[i] - whole_y
            low = (1.0 - right) * plane[whole_y, whole_x] + right * plane[whole_y, whole_x + 1]
            whole_y += 1
            high = (1.0 - right) * plane[whole_y, whole_x] + right * plane[whole_y, whole_x + 1]
            out[i] = (1.0 - up) * low + up * high
        else:
            out[i] = np.nan
