"""The one resampler: all planes of a detector onto a tract's pixels in one pass.

In come the planes of a detector and, on a coarse grid of target pixels, their exact positions in
the detector (`positions`); out come the same planes on the target's pixels. A pixel is the sum over
the source pixels under a kernel (`warping_kernel`), whose weights sum to 1, times the ratio of the
pixel areas, so that flux is conserved; variances take the squared weights. A kernel of half-width a
has 2a x 2a pixels: the 6 x 6 of Lanczos-3 unless another one is asked for.

The same pixel has the same bits in whatever region, and beside whatever planes, it is computed.
"""

from __future__ import annotations

__all__ = ["resample"]

import numpy as np
import numpy.typing as npt

from .._jit import cubic_weights, kernel, weighted_sum
from .positions import nodes_around, row_positions, source_range
from .source_block import NOT_FINITE, block_size, block_stride, load_block
from .warping_kernel import BINS, lanes_of

_lanes_of = kernel(lanes_of)

_BLOCK = 128
"""Target pixels are worked on in squares of this side; their source pixels fit the L2 cache."""


@kernel
def resample(
    values: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    bad: npt.NDArray[np.uint16],
    first_row: int,
    ny: int,
    node_x: npt.NDArray[np.float64],
    node_y: npt.NDArray[np.float64],
    x_start: int,
    y_start: int,
    spacing: int,
    weight_table: npt.NDArray[np.float32],
    half_width: int,
    full_mask_bits: int,
    no_data_bit: int,
    out_values: npt.NDArray[np.float32],
    out_variances: npt.NDArray[np.float32],
    out_mask: npt.NDArray[np.int32],
    out_fractions: npt.NDArray[np.float32],
    out_coverage: npt.NDArray[np.bool_],
) -> None:
    """Resample all planes of a detector. Arrays are in C order.

    Parameters
    ----------
    values : float32 (n_values, n_rows, nx)
        Planes that are summed with the weights: image, noise realizations, ...
    variances : float32 (n_variances, n_rows, nx)
        Planes that are summed with the squared weights. Either number of planes may be 0.
    mask : int32 (n_rows, nx)
        Planes in bits 0..30.
    bad : uint16 (n_rows, nx)
        Bit k is set where a pixel counts for masked fraction k, which is 1 there and 0 elsewhere.
        Interpolated bilinearly and without the area ratio, so that fractions stay in 0..1.
    first_row, ny
        The source has rows 0..ny-1, of which the planes hold those from first_row on, all that are
        needed: of these rows the first one and the last one that the target's nodes reach, by
        `positions.source_range` with a margin of ``half_width``.
    node_x, node_y : float64 (node rows, node columns)
        Positions in the source (its first pixel is centred on (0, 0)) of the target columns
        ``node_indices(x_start, x_start + w, spacing)`` and rows likewise. A position that is not
        finite makes the pixels around it fall outside.
    x_start, y_start
        Absolute (tract) indices of the first target column and row.
    spacing
        Distance of the nodes in target pixels.
    weight_table, half_width
        Of the kernel, `warping_kernel.WarpingKernel`; half_width is 1 to 5.
    full_mask_bits
        Bits of the mask planes (EDGE) that spread over the whole of the kernel; all planes
        spread over the 2 x 2 around the position.
    no_data_bit
        Bit of the mask plane NO_DATA.
    out_values, out_variances : float32 (n_values, h, w), (n_variances, h, w)
        Written: NaN and +inf where there are no data.
    out_mask : int32 (h, w)
        Written: OR of the bits; ``no_data_bit`` alone where there are no data. There are none where
        the kernel's pixels leave the source, where one of them is not finite in any plane of values
        or variances, and where one of the 2 x 2 carries ``no_data_bit``. Pixels of weight 0 (at
        whole pixel positions) do not count.
    out_fractions : float32 (n_fractions, h, w)
        Written: NaN where the 2 x 2 pixels leave the source. n_fractions may be 0, and is 16 at
        most.
    out_coverage : bool (h, w)
        Written: whether the kernel's pixels are inside the source, whatever its mask.

    Notes
    -----
    Footprint, area and mask follow the Rubin pipelines' warper, except that this leaves pixels that
    are not finite unflagged and multiplies masked fractions by the area ratio.
    """
    height, width = out_mask.shape
    nx = mask.shape[1]
    lanes = _lanes_of(half_width)
    n_values, n_variances = values.shape[0], variances.shape[0]
    planes = np.zeros((n_values + n_variances, 0), dtype=np.float32)
    bits = np.zeros((4, 0), dtype=np.int32)
    flags = np.zeros((2, 0), dtype=np.uint16)
    n_work = min(_BLOCK, width)
    x, y, area = np.empty(n_work), np.empty(n_work), np.empty(n_work)
    start = np.zeros(n_work, dtype=np.intp)
    bins, t = np.zeros(n_work, dtype=np.int32), np.zeros(n_work, dtype=np.float32)
    weights_x = np.empty(n_work * lanes, dtype=np.float32)
    weights_y = np.empty(n_work * lanes, dtype=np.float32)
    squares_x = np.empty(n_work * lanes, dtype=np.float32)
    squares_y = np.empty(n_work * lanes, dtype=np.float32)

    for top in range(0, height, _BLOCK):
        last_row = min(top + _BLOCK, height)
        for column in range(0, width, _BLOCK):
            n = min(_BLOCK, width - column)
            here = slice(column, column + n)
            j0, j1 = nodes_around(y_start, top, last_row - top, spacing)
            k0, k1 = nodes_around(x_start, column, n, spacing)
            x_low, x_high = source_range(node_x[j0:j1, k0:k1], nx, half_width)
            y_low, y_high = source_range(node_y[j0:j1, k0:k1], ny, half_width)
            stride = block_stride(x_high - x_low)
            size = block_size(y_high - y_low, stride, lanes)
            if bits.shape[1] < size:
                planes = np.zeros((n_values + n_variances, size), dtype=np.float32)
                bits = np.zeros((4, size), dtype=np.int32)
                flags = np.zeros((2, size), dtype=np.uint16)
            flagged, any_bad = load_block(
                values, variances, mask, bad, half_width, full_mask_bits, x_low, x_high,
                y_low - first_row, y_high - first_row, planes, bits, flags,
            )  # fmt: skip
            for row in range(top, last_row):
                row_positions(node_x, node_y, row, column, n, x_start, y_start, spacing, x, y, area)
                covered = out_coverage[row, here]
                missing = n
                n_covered = _find_coverage(x, y, nx, ny, half_width, covered)
                start[:] = 0
                if n_covered:
                    _find_taps(x, covered, half_width, x_low, 1, start, bins, t)
                    _compute_weights(weight_table, lanes, bins, t, weights_x, squares_x)
                    _find_taps(y, covered, half_width, y_low, stride, start, bins, t)
                    _compute_weights(weight_table, lanes, bins, t, weights_y, squares_y)
                    for k in range(n_values):
                        _sum_taps(
                            planes[k], start, stride, half_width, weights_x, weights_y, area, 1,
                            out_values[k, row, here],
                        )  # fmt: skip
                    for k in range(n_variances):
                        _sum_taps(
                            planes[n_values + k], start, stride, half_width, squares_x, squares_y,
                            area, 2, out_variances[k, row, here],
                        )  # fmt: skip
                    if flagged or n_covered < n:
                        missing = _combine_mask(
                            bits, flagged, start, stride, half_width, x, y, weights_x, weights_y,
                            covered, no_data_bit, out_mask[row, here],
                        )  # fmt: skip
                    else:
                        missing = 0
                        out_mask[row, here] = 0
                else:
                    out_mask[row, here] = no_data_bit
                if out_fractions.shape[0]:
                    out_fractions[:, row, here] = 0.0
                    if any_bad or n_covered < n:
                        _interpolate_fractions(
                            bad, first_row, ny, flags, any_bad, start, stride, half_width, x, y,
                            covered, out_fractions[:, row, here],
                        )  # fmt: skip
                if missing:
                    _write_no_data(row, column, n, no_data_bit, out_values, out_variances, out_mask)


@kernel
def _find_coverage(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    nx: int,
    ny: int,
    half_width: int,
    covered: npt.NDArray[np.bool_],
) -> int:
    """Write whether the kernel is inside the source (false for NaN); return how often it is."""
    below = half_width - 1
    count = 0
    for i in range(covered.size):
        inside_x = (x[i] >= below) & (x[i] < nx - half_width)
        inside_y = (y[i] >= below) & (y[i] < ny - half_width)
        covered[i] = inside_x & inside_y
        count += inside_x & inside_y
    return count


@kernel
def _find_taps(
    at: npt.NDArray[np.float64],
    covered: npt.NDArray[np.bool_],
    half_width: int,
    low: int,
    step: int,
    start: npt.NDArray[np.intp],
    bins: npt.NDArray[np.int32],
    t: npt.NDArray[np.float32],
) -> None:
    """Add to ``start`` where a kernel's pixels along one axis begin, and find the weights' cubics.

    Where not covered, ``start`` becomes meaningless but stays inside of the block.
    """
    below = half_width - 1
    for i in range(covered.size):
        position = at[i] if covered[i] else float(low + below)
        whole = np.int32(position)  # not negative: rounded down
        start[i] += (whole - below - low) * step
        scaled = (position - whole) * BINS
        b = np.int32(scaled)
        bins[i] = b
        t[i] = scaled - b


@kernel
def _compute_weights(
    table: npt.NDArray[np.float32],
    lanes: int,
    bins: npt.NDArray[np.int32],
    t: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    squares: npt.NDArray[np.float32],
) -> None:
    """Write the weights along one axis, ``lanes`` a pixel, and their squares."""
    for i in range(bins.size):
        start, o = bins[i] * 4 * lanes, i * lanes
        _ = table[start + 4 * lanes - 1] + weights[o + lanes - 1]
        cubic_weights(table, start, lanes, t[i], weights, o)
        if lanes > 8:
            cubic_weights(table, start + 8, lanes, t[i], weights, o + 8)
    for i in range(bins.size * lanes):
        squares[i] = weights[i] * weights[i]


@kernel
def _sum_taps(
    plane: npt.NDArray[np.float32],
    start: npt.NDArray[np.intp],
    stride: int,
    half_width: int,
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
    area: npt.NDArray[np.float64],
    power: int,
    out: npt.NDArray[np.float32],
) -> None:
    """Write weighted sum times area**power (1 or 2) of one plane for a run of pixels."""
    lanes = _lanes_of(half_width)
    for i in range(out.size):
        # For the bounds-checked mode, as weighted_sum() does not check: the last elements read.
        _ = plane[start[i] + (2 * half_width - 1) * stride + lanes - 1]
        _ = weights_x[i * lanes + lanes - 1] + weights_y[i * lanes + lanes - 1]
        total = weighted_sum(plane, start[i], stride, half_width, weights_x, weights_y, i * lanes)
        factor = area[i] if power == 1 else area[i] * area[i]
        out[i] = total * factor


@kernel
def _combine_mask(
    bits: npt.NDArray[np.int32],
    flagged: bool,
    start: npt.NDArray[np.intp],
    stride: int,
    half_width: int,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
    covered: npt.NDArray[np.bool_],
    no_data_bit: int,
    out: npt.NDArray[np.int32],
) -> int:
    """Write the OR of the mask over the pixels that count; return how many have no data."""
    none, no_data = np.int32(0), np.int32(no_data_bit)
    unusable = np.int32(NOT_FINITE) | no_data
    spread = bits[3]
    lanes = _lanes_of(half_width)
    missing = 0
    for i in range(out.size):
        found = spread[start[i]] if flagged and covered[i] else none
        if found != none and (x[i] == int(x[i]) or y[i] == int(y[i])):
            found = _or_of_weighted(
                bits, start[i], stride, half_width, weights_x, weights_y, i * lanes
            )
        lost = not covered[i] or (found & unusable) != none
        out[i] = no_data if lost else found
        missing += lost
    return missing


@kernel
def _or_of_weighted(
    bits: npt.NDArray[np.int32],
    start: int,
    stride: int,
    half_width: int,
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
    o: int,
) -> np.int32:
    """OR as in bits[3], but only over pixels of non-zero weight: for whole pixel positions."""
    found = np.int32(0)
    below = half_width - 1
    for j in range(2 * half_width):
        for k in range(2 * half_width):
            if weights_y[o + j] != 0.0 and weights_x[o + k] != 0.0:
                p = start + j * stride + k
                found |= bits[1, p]
                if below <= j <= below + 1 and below <= k <= below + 1:
                    found |= bits[0, p]
    return found


@kernel
def _write_no_data(
    row: int,
    column: int,
    n: int,
    no_data_bit: int,
    out_values: npt.NDArray[np.float32],
    out_variances: npt.NDArray[np.float32],
    out_mask: npt.NDArray[np.int32],
) -> None:
    """Put NaN and inf into those of n pixels of a row that have no data."""
    for i in range(column, column + n):
        if out_mask[row, i] == no_data_bit:
            out_values[:, row, i] = np.nan
            out_variances[:, row, i] = np.inf


@kernel
def _interpolate_fractions(
    bad: npt.NDArray[np.uint16],
    first_row: int,
    ny: int,
    flags: npt.NDArray[np.uint16],
    any_bad: bool,
    start: npt.NDArray[np.intp],
    stride: int,
    half_width: int,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    covered: npt.NDArray[np.bool_],
    out: npt.NDArray[np.float32],
) -> None:
    """Interpolate a run of pixels' flags bilinearly; NaN where the 2 x 2 pixels leave the source.

    ``out`` is (n_fractions, n), and 0 before.
    """
    nx, below = bad.shape[1], half_width - 1
    copy, spread = flags[0], flags[1]
    for i in range(covered.size):
        if covered[i]:
            p = start[i] + below * stride + below
            if not any_bad or spread[p] == 0:
                continue
            low_left, low_right = copy[p], copy[p + 1]
            high_left, high_right = copy[p + stride], copy[p + stride + 1]
        elif x[i] >= 0.0 and x[i] < nx - 1 and y[i] >= 0.0 and y[i] < ny - 1:
            column, row = int(x[i]), int(y[i]) - first_row
            low_left, low_right = bad[row, column], bad[row, column + 1]
            high_left, high_right = bad[row + 1, column], bad[row + 1, column + 1]
        else:
            out[:, i] = np.nan
            continue
        right, up = x[i] - int(x[i]), y[i] - int(y[i])
        for k in range(out.shape[0]):
            out[k, i] = (
                (1.0 - right) * (1.0 - up) * ((low_left >> k) & 1)
                + right * (1.0 - up) * ((low_right >> k) & 1)
                + (1.0 - right) * up * ((high_left >> k) & 1)
                + right * up * ((high_right >> k) & 1)
            )
