"""Pixels beyond any full well, which are BAD whatever a file says of them.

Pixels come in; a mask goes out in which those that no detector can hold are flagged. One of them,
resampled, would be spread over a cell. Why the limit is where it is: docs/decisions/0021 and 0034.
"""

from __future__ import annotations

__all__ = ["FULL_WELL_SIGMAS", "flag_impossible", "impossible_pixels"]

import math

import numpy as np
import numpy.typing as npt
from lsst.images import Mask

from .planes import bits_of, plane_array

FULL_WELL_SIGMAS = 1e7
"""No pixel is so many times its standard deviation: a full well of 10^6 electrons over a read noise
of one electron is a tenth of it."""


def impossible_pixels(
    image: npt.NDArray[np.floating],
    variance: npt.NDArray[np.floating],
    *,
    typical: float | None = None,
) -> npt.NDArray[np.bool_] | None:
    """Find the pixels that no detector can hold; None if there are none, as nearly always.

    Parameters
    ----------
    image, variance : (rows, columns)
        In any unit: what is compared is their ratio.
    typical
        Variance of the sky, where it is known. Where the variance is made of the image, that of a
        pixel of 10^13 is 10^13, too.
    """
    peak = max(float(np.fmax.reduce(image, axis=None)), -float(np.fmin.reduce(image, axis=None)))
    most = math.inf if typical is None or not typical > 0 else typical
    least = float(np.fmin.reduce(variance, axis=None))
    if not least > 0:
        least = float(np.min(variance, initial=np.inf, where=variance > 0))
    if peak <= FULL_WELL_SIGMAS * math.sqrt(min(least, most)):
        return None
    with np.errstate(invalid="ignore"):
        of_pixel = np.minimum(np.where(variance > 0, variance, np.inf), most)
        beyond: npt.NDArray[np.bool_] = np.isfinite(image) & (
            np.abs(image) > FULL_WELL_SIGMAS * np.sqrt(of_pixel)
        )
    return beyond if beyond.any() else None


def flag_impossible(
    image: npt.NDArray[np.floating],
    variance: npt.NDArray[np.floating],
    mask: Mask,
    *,
    typical: float | None = None,
) -> Mask:
    """Flag pixels beyond any full well as BAD.

    Parameters
    ----------
    image, variance, typical
        As for `impossible_pixels`.
    mask
        With our planes.

    Returns
    -------
    Mask
        The mask itself if there are none, otherwise a copy.
    """
    beyond = impossible_pixels(image, variance, typical=typical)
    if beyond is None:
        return mask
    flagged = mask.copy()
    plane_array(flagged)[beyond] |= bits_of(mask.schema, ["BAD"])
    return flagged
