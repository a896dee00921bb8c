"""The conventions that hold everywhere in the package, stated and defined once.

Pixels
    Positions are 0-based: pixel (0, 0) has its centre at (0.0, 0.0) and covers -0.5..0.5.
    Arrays are ``[y, x]``; an image whose ``bbox.start`` is ``(y0, x0)`` holds pixel (x, y) at
    ``array[y - y0, x - x0]``. In signatures x and y are keyword-only.
Fluxes
    Pixels are in nJy, variances in nJy^2. An AB magnitude is ``31.4 - 2.5 log10(flux)``. Where no
    zero point is known, both are in counts, and a product's ``unit`` says so.
Angles
    Degrees, ICRS, outside the kernels.
Order
    Cells and patches are counted row by row, x fastest: ``id = nx * y + x``.
"""

from __future__ import annotations

__all__ = [
    "AB_ZERO_POINT_NJY",
    "FWHM_PER_SIGMA",
    "MAX_NOISE_REALIZATIONS",
    "fwhm_of_moments",
    "nanojansky_per_count",
    "round_half_up",
]

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

AB_ZERO_POINT_NJY = 31.4
"""AB magnitude of a source of 1 nJy (3631 Jy at magnitude 0, rounded as the Rubin pipelines do)."""

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian of unit standard deviation, 2.3548."""

MAX_NOISE_REALIZATIONS = 3
"""Most noise realizations of a warp or a coadd: tasks have one output for each."""


def fwhm_of_moments[Number: (float, npt.NDArray[np.float64])](
    xx: Number, yy: Number, xy: Number
) -> Number:
    """Return 2.3548 sigma, with sigma^4 the determinant of second moments, in their pixels."""
    width: Number = FWHM_PER_SIGMA * (xx * yy - xy * xy) ** 0.25
    return width


def nanojansky_per_count(zero_point: float) -> float:
    """Return the flux in nJy of one count in an image with this AB zero point (magnitudes).

    Examples
    --------
    >>> nanojansky_per_count(27.0)
    57.544
    """
    return float(10.0 ** (0.4 * (AB_ZERO_POINT_NJY - zero_point)))


def round_half_up(value: float) -> int:
    """Return the index of the pixel that contains a position: ``floor(value + 0.5)``.

    Examples
    --------
    >>> [round_half_up(x) for x in (-0.5, 0.49, 0.5)]
    [0, 0, 1]
    """
    return math.floor(value + 0.5)
