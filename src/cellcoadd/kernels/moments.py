"""Shapes and sizes of PSF stamps: second moments, adaptive and plain, and the effective area."""

from __future__ import annotations

__all__ = ["adaptive_moments", "effective_area", "second_moments"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel

_FIRST_GUESS = 1.5  # px^2, of both variances of the weight
_MAX_ITERATIONS = 100
_ELLIPTICITY_TOLERANCE = 1e-5
_SIZE_TOLERANCE = 1e-4
_LARGEST_EXPONENT = 14.0  # of the weight exp(-E/2) of whole pixels
_LARGEST_EXPONENT_FINE = 9.0  # of the worst corner of a sub-sampled pixel
_NARROW = 0.25  # px^2: weights narrower than this are sampled within the pixels


@kernel
def effective_area(stamp: npt.NDArray[np.floating]) -> float:
    """Return (sum P)^2 / sum P^2 in pixels: the background area of an optimally weighted flux."""
    total, squares = 0.0, 0.0
    for row in range(stamp.shape[0]):
        for column in range(stamp.shape[1]):
            value = float(stamp[row, column])
            total += value
            squares += value * value
    return total * total / squares


@kernel
def second_moments(stamp: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    """Second moments <x^2>, <y^2>, <xy> of all of a stamp about its own centroid, in px^2.

    Notes
    -----
    Exactly additive: the moments of a weighted mean of concentric PSFs of unit sum are the mean of
    their moments. Noise and the stamp's edge enter in full; for shapes use `adaptive_moments`.
    """
    total, x, y, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    x_middle, y_middle = stamp.shape[1] // 2, stamp.shape[0] // 2
    for row in range(stamp.shape[0]):
        for column in range(stamp.shape[1]):
            value = float(stamp[row, column])
            u, v = column - x_middle, row - y_middle
            total += value
            x += value * u
            y += value * v
            xx += value * u * u
            yy += value * v * v
            xy += value * u * v
    x /= total
    y /= total
    return xx / total - x * x, yy / total - y * y, xy / total - x * y


@kernel
def adaptive_moments(stamp: npt.NDArray[np.floating]) -> tuple[float, float, float, bool]:
    """Second moments of a stamp under the elliptical Gaussian weight that matches it.

    Parameters
    ----------
    stamp : floating (ny, nx)
        A PSF centred on pixel ``[ny // 2, nx // 2]``, where the weight is kept.

    Returns
    -------
    xx, yy, xy
        Covariance of the weight in px^2: for a Gaussian, its own. NaN if there is none.
    converged
        Whether the iteration ended with a positive definite covariance.

    Notes
    -----
    Bernstein & Jarvis 2002 (AJ 123, 583), section 3, with the iteration of Hirata & Seljak 2003:
    under the weight W a Gaussian C has the moments M = (C^-1 + W^-1)^-1, so W <- (M^-1 - W^-1)^-1.
    First guess, limits and tolerances are those of the Rubin pipelines, so that sizes compare.
    """
    weight = (_FIRST_GUESS, _FIRST_GUESS, 0.0)
    inverse = _invert(weight)
    previous = inverse
    fine = False
    old_e1, old_e2, old_xx = 1e6, 1e6, 1e6
    count = 0
    while count < _MAX_ITERATIONS:
        determinant = weight[0] * weight[1] - weight[2] * weight[2]
        narrow = weight[0] < _NARROW or weight[1] < _NARROW or determinant < _NARROW * _NARROW
        in_use = inverse
        if narrow and not fine:
            # The pass that switches to fine sampling is made with the weight before, not counted.
            fine = True
            if count > 0:
                in_use, old_xx, count = previous, 1e6, count - 1
        radius = 4.0 * math.sqrt(max(weight[0], weight[1]))
        total, xx, yy, xy = _weighted_sums(stamp, in_use, radius, fine)
        if not (total > 0.0 and xx > 0.0 and yy > 0.0 and xx * yy > xy * xy):
            break
        moments = (xx / total, yy / total, xy / total)
        size = moments[0] + moments[1]
        e1, e2 = (moments[0] - moments[1]) / size, 2.0 * moments[2] / size
        if (
            count > 0
            and abs(e1 - old_e1) < _ELLIPTICITY_TOLERANCE
            and abs(e2 - old_e2) < _ELLIPTICITY_TOLERANCE
            and abs(moments[0] / old_xx - 1.0) < _SIZE_TOLERANCE
        ):
            return weight[0], weight[1], weight[2], True
        old_e1, old_e2, old_xx = e1, e2, moments[0]
        measured = _invert(moments)
        target = (
            measured[0] - in_use[0], measured[1] - in_use[1], measured[2] - in_use[2]
        )  # fmt: skip
        if not (target[0] > 0.0 and target[0] * target[1] > target[2] * target[2]):
            break
        weight = _invert(target)
        previous = in_use
        inverse = target
        count += 1
    return math.nan, math.nan, math.nan, False


@kernel
def _invert(matrix: tuple[float, float, float]) -> tuple[float, float, float]:
    """Inverse of a symmetric matrix (xx, yy, xy)."""
    determinant = matrix[0] * matrix[1] - matrix[2] * matrix[2]
    return matrix[1] / determinant, matrix[0] / determinant, -matrix[2] / determinant


@kernel
def _weighted_sums(
    stamp: npt.NDArray[np.floating],
    inverse: tuple[float, float, float],
    radius: float,
    fine: bool,
) -> tuple[float, float, float, float]:
    """Sums of P w, P w x^2, P w y^2 and P w x y in the box of this half-width."""
    ny, nx = stamp.shape
    x_middle, y_middle = nx // 2, ny // 2
    x_first, x_last = max(0, int(x_middle - radius)), min(nx - 1, int(x_middle + radius))
    y_first, y_last = max(0, int(y_middle - radius)), min(ny - 1, int(y_middle + radius))
    total, xx, yy, xy = 0.0, 0.0, 0.0, 0.0
    for row in range(y_first, y_last + 1):
        y = float(row - y_middle)
        for column in range(x_first, x_last + 1):
            x = float(column - x_middle)
            value = float(stamp[row, column])
            if not fine:
                exponent = _exponent(inverse, x, y)
                if exponent <= _LARGEST_EXPONENT:
                    weighted = value * math.exp(-0.5 * exponent)
                    total += weighted
                    xx += weighted * x * x
                    yy += weighted * y * y
                    xy += weighted * x * y
                continue
            farthest = max(
                _exponent(inverse, x - 0.375, y - 0.375),
                _exponent(inverse, x + 0.375, y - 0.375),
                _exponent(inverse, x - 0.375, y + 0.375),
                _exponent(inverse, x + 0.375, y + 0.375),
            )
            if farthest > _LARGEST_EXPONENT_FINE:
                continue
            for j in range(4):
                v = y - 0.375 + 0.25 * j
                for i in range(4):
                    u = x - 0.375 + 0.25 * i
                    weighted = value / 16.0 * math.exp(-0.5 * _exponent(inverse, u, v))
                    total += weighted
                    xx += weighted * u * u
                    yy += weighted * v * v
                    xy += weighted * u * v
    return total, xx, yy, xy


@kernel
def _exponent(inverse: tuple[float, float, float], x: float, y: float) -> float:
    return x * x * inverse[0] + y * y * inverse[1] + 2.0 * x * y * inverse[2]
