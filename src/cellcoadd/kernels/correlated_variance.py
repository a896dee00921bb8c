"""What correlation between source pixels does to the variance of resampled ones.

The resampler sums variances with the squared weights, which is the variance of a sum of pixels that
are independent. Where neighbours are alike, the cross terms count as well: in comes their
correlation, out comes the factor by the fraction of a pixel, and variances are multiplied by it.
"""

from __future__ import annotations

__all__ = ["multiply_variances", "variance_ratios"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel as compiled
from .positions import row_positions
from .warping_kernel import WarpingKernel

_STEPS = 64
"""Intervals of the table in a pixel; bilinear between them, to 1e-3 of the factor's change."""

_LEAST = 0.01
"""Of a factor: a correlation that was rounded or measured must not make a pixel free of noise."""


def variance_ratios(
    correlation: npt.NDArray[np.float64], kernel: WarpingKernel
) -> npt.NDArray[np.float64]:
    """Return the variance of a resampled pixel over that of independent source pixels.

    Parameters
    ----------
    correlation : float64 (k, k)
        Correlation of the noise of two source pixels by their offset in y and x; k is odd, 1 in the
        middle, the same under point reflection.
    kernel
        That of the resampler.

    Returns
    -------
    float64 (65, 65)
        By the fraction of a pixel in y and x, 0 to 1 in steps of 1/64; at least 0.01.

    Notes
    -----
    With the weights w_k(u) and A(u, e) = sum_k w_k(u) w_(k+e)(u) on each axis, the variance is the
    sum over e of r(e) A(u_y, e_y) A(u_x, e_x), and that of independent pixels A(u_y, 0) A(u_x, 0).
    """
    taps = 2 * kernel.half_width
    half = min(correlation.shape[0] // 2, taps - 1)
    middle = correlation.shape[0] // 2
    inner = correlation[middle - half : middle + half + 1, middle - half : middle + half + 1]
    weights = np.array([kernel.weights(step / _STEPS) for step in range(_STEPS + 1)])
    # At whole pixels the resampler copies (`WarpingKernel.table`).
    weights[0], weights[-1] = np.eye(taps)[[kernel.half_width - 1, kernel.half_width]]
    shared = np.array(
        [
            (weights[:, max(-e, 0) : taps - max(e, 0)]
             * weights[:, max(e, 0) : taps - max(-e, 0)]).sum(axis=1)
            for e in range(-half, half + 1)
        ]
    )  # fmt: skip
    relative = shared / shared[half]
    total: npt.NDArray[np.float64] = np.einsum("yx,yu,xv->uv", inner, relative, relative)
    return np.ascontiguousarray(np.maximum(total, _LEAST))


@compiled
def multiply_variances(
    node_x: npt.NDArray[np.float64],
    node_y: npt.NDArray[np.float64],
    x_start: int,
    y_start: int,
    spacing: int,
    ratios: npt.NDArray[np.float64],
    variances: npt.NDArray[np.float32],
) -> None:
    """Multiply variances of target pixels by the factors of their places in the source.

    Parameters
    ----------
    node_x, node_y, x_start, y_start, spacing
        As for `resample.resample`.
    ratios : float64 (m + 1, m + 1)
        What `variance_ratios` returns.
    variances : float32 (n, h, w)
        Changed in place; where a position is not finite, nothing is.
    """
    n_planes, height, width = variances.shape
    steps = ratios.shape[0] - 1
    x, y, area = np.empty(width), np.empty(width), np.empty(width)
    for row in range(height):
        row_positions(node_x, node_y, row, 0, width, x_start, y_start, spacing, x, y, area)
        for column in range(width):
            at_x, at_y = x[column], y[column]
            if not (math.isfinite(at_x) and math.isfinite(at_y)):
                continue
            right = (at_x - math.floor(at_x)) * steps
            up = (at_y - math.floor(at_y)) * steps
            i, j = min(int(right), steps - 1), min(int(up), steps - 1)
            right -= i
            up -= j
            low = ratios[j, i] + right * (ratios[j, i + 1] - ratios[j, i])
            high = ratios[j + 1, i] + right * (ratios[j + 1, i + 1] - ratios[j + 1, i])
            ratio = np.float32(low + up * (high - low))
            for plane in range(n_planes):
                variances[plane, row, column] *= ratio
