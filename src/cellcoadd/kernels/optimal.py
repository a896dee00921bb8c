"""Weights that interpolate images of stars best: the kernels ``optimal6``, ``8`` and ``10``.

Lanczos kernels treat all frequencies alike; the image of a telescope has none beyond those of its
stars. In come the number of taps and the size of the sharpest stars that the kernel is made for;
out come, for each fraction of a pixel, the weights that reproduce such stars with the least error.
"""

from __future__ import annotations

__all__ = ["LARGEST_STAR_FWHM", "LEAST_STAR_FWHM", "STAR_FWHM", "optimal_weights"]

import functools
import math
from collections.abc import Iterator

STAR_FWHM = 3.0
"""Full width at half maximum of the sharpest stars that a kernel is made for, in pixels."""

LEAST_STAR_FWHM, LARGEST_STAR_FWHM = 1.5, 6.0
"""Between them kernels can be made: smaller stars are lost between the pixels, and for larger ones
the equations have no solution in double precision."""

_STARS = ((1.0, 1.0), (4.0 / 3.0, 3.0))
"""Sizes of the stars of the design, as multiples of the sharpest one's, and what each counts.

The larger stars, three times as heavy, halve the errors of fluxes at no cost in sizes.
"""

_FLOOR = 1e-7
"""Power of white noise beside that of the sharpest star at frequency 0: its own at Nyquist's for a
FWHM of 3 pixels. It keeps the equations solvable."""

_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


def optimal_weights(
    fraction: float, half_width: int, star_fwhm: float
) -> tuple[list[float], list[float]]:
    """Return the weights around a position, and their derivatives with respect to the position.

    Parameters
    ----------
    fraction
        Of a pixel by which the position is right of the pixel at offset 0; 0 to 1.
    half_width
        Half of the number of taps.
    star_fwhm
        Size of the sharpest stars that the kernel is made for, in pixels.

    Returns
    -------
    weights, slopes
        As many numbers as taps each, of the pixels at the offsets 1 - half_width to half_width.

    Notes
    -----
    The weights w_n for a position x minimise the integral over all frequencies k of
    S(k) |sum_n w_n exp(ik(n - x)) - 1|^2 under sum w_n = 1 and sum n w_n = x, which copies
    constants and slopes exactly. S is the sum of the power spectra of Gaussian stars of two sizes
    and of white noise of the floor: with r(d), its Fourier transform, the normal equations are
    sum_m r(n - m) w_m + a + b n = r(n - x).
    """
    offsets = range(1 - half_width, half_width + 1)
    right = [_correlation(offset - fraction, star_fwhm) for offset in offsets]
    change = [-_correlation_slope(offset - fraction, star_fwhm) for offset in offsets]
    inverse = _inverse_of_system(half_width, star_fwhm)[: 2 * half_width]
    return (
        [math.sumprod(row, [*right, 1.0, fraction]) for row in inverse],
        [math.sumprod(row, [*change, 0.0, 1.0]) for row in inverse],
    )


@functools.cache
def _inverse_of_system(half_width: int, star_fwhm: float) -> list[list[float]]:
    """The inverse of the matrix of the normal equations; rows of the taps, then the constraints."""
    offsets = range(1 - half_width, half_width + 1)
    system = [[*(_correlation(n - m, star_fwhm) for m in offsets), 1.0, float(n)] for n in offsets]
    system += [[1.0] * len(offsets) + [0.0, 0.0], [*map(float, offsets), 0.0, 0.0]]
    return _inverse(system)


def _inverse(matrix: list[list[float]]) -> list[list[float]]:
    """Invert a matrix by elimination with row pivots.

    It is done here, in the order written, because the bits of a library's result, and with them
    those of every coadd, depend on the processor.
    """
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(rows[i][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(size):
            if i != column:
                factor = rows[i][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[size:] for row in rows]


def _correlation(distance: float, star_fwhm: float) -> float:
    """The Fourier transform r(d) of the spectrum S, over 2 pi."""
    angle = math.pi * distance
    bells = sum(bell for bell, _ in _bells(distance, star_fwhm))
    return bells + _FLOOR * (math.sin(angle) / angle if angle else 1.0)


def _correlation_slope(distance: float, star_fwhm: float) -> float:
    """Its derivative with respect to the distance."""
    angle = math.pi * distance
    rise = math.pi * (math.cos(angle) - math.sin(angle) / angle) / angle if angle else 0.0
    falls = sum(0.5 * distance / sigma**2 * bell for bell, sigma in _bells(distance, star_fwhm))
    return _FLOOR * rise - falls


def _bells(distance: float, star_fwhm: float) -> Iterator[tuple[float, float]]:
    """The terms of r(d) of the stars, and the stars' sizes sigma."""
    for size, weight in _STARS:
        sigma = size * star_fwhm / _FWHM_PER_SIGMA
        bell = math.exp(-((0.5 * distance / sigma) ** 2))
        yield weight / (2.0 * math.sqrt(math.pi) * sigma) * bell, sigma
