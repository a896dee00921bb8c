"""Whether pixels are what their variance says, and whether they can be pixels of a detector at all.

Pixels come in; the ratio of the measured to the stated variance goes out, or a mask in which pixels
that no detector can hold are BAD. `checks` refuses images by it. Why and where the limits are:
docs/decisions/0021.
"""

from __future__ import annotations

__all__ = ["FULL_WELL_SIGMAS", "NoiseRatio", "flag_impossible", "noise_ratio"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from lsst.images import Mask, MaskedImage

from ..masks.planes import bits_of, plane_array

FULL_WELL_SIGMAS = 1e7
"""No pixel is so many times its standard deviation: a full well of 10^6 electrons over a read noise
of one electron is a tenth of it."""

_NOT_SKY = (
    "BAD", "SAT", "CR", "NO_DATA", "INTRP", "EDGE", "SUSPECT", "CROSSTALK", "STREAK", "UNMASKEDNAN",
    "VIGNETTED",
)  # fmt: skip
_ENOUGH = 256  # pixels to measure a variance by: to 20 %, in a range of a factor of two
_MOST = 1_000_000  # pixels that are looked at
_QUARTER = 0.31863936396  # of normal deviates are smaller in absolute value
_MIDDLE = (1.0, 99.0)  # percentiles, without outliers


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseRatio:
    """Measured variance of the pixels over the one that is stated.

    Parameters
    ----------
    least, most
        Between these it is: what correlation between neighbours takes away from the first, and
        what sources and slopes of the sky add to the second.
    """

    least: float
    most: float


def noise_ratio(planes: MaskedImage) -> NoiseRatio | None:
    """Compare the scatter of an image's pixels with its variance; None if there are too few.

    Notes
    -----
    The least is measured by second differences along rows, of which stars and slopes leave the
    quietest quarter alone; the most also by the spread of all pixels between the percentiles 1
    and 99. Noise that is correlated spreads no less, and sources change from pixel to pixel less
    than they spread: an image is odd if both say so.
    """
    rows = slice(None, None, max(1, planes.image.array.size // _MOST))
    image, stated = planes.image.array[rows], planes.variance.array[rows]
    bits = plane_array(planes.mask)[rows]
    not_sky = bits_of(planes.mask.schema, _NOT_SKY, ignore_missing=True)
    good = np.isfinite(image) & np.isfinite(stated) & (stated > 0) & ((bits & not_sky) == 0)
    if np.count_nonzero(good) < _ENOUGH:
        return None
    values = np.where(good, image, np.nan).astype(np.float64)
    variances = np.where(good, stated, np.nan).astype(np.float64)
    differences = 2.0 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]
    differences /= np.sqrt(4.0 * variances[:, 1:-1] + variances[:, :-2] + variances[:, 2:])
    differences = np.abs(differences[np.isfinite(differences)])
    if differences.size < _ENOUGH:
        return None
    by_differences = (float(np.quantile(differences, 0.25)) / _QUARTER) ** 2
    kept = values[good]
    low, high = np.percentile(kept, _MIDDLE)
    kept = kept[(kept >= low) & (kept <= high)]
    by_spread = float(kept.var()) / float(np.median(variances[good]))
    return NoiseRatio(least=by_differences, most=max(by_differences, by_spread))


def flag_impossible(
    image: npt.NDArray[np.floating], variance: npt.NDArray[np.floating], mask: Mask
) -> Mask:
    """Flag pixels beyond any full well as BAD.

    Parameters
    ----------
    image, variance : (rows, columns)
        In any unit: what is compared is their ratio.
    mask
        With our planes.

    Returns
    -------
    Mask
        The mask itself if there are none, otherwise a copy.
    """
    peak = max(float(np.fmax.reduce(image, axis=None)), -float(np.fmin.reduce(image, axis=None)))
    least = float(np.fmin.reduce(variance, axis=None))
    if not least > 0:
        least = float(np.min(variance, initial=np.inf, where=variance > 0))
    if peak <= FULL_WELL_SIGMAS * math.sqrt(least):
        return mask
    with np.errstate(invalid="ignore"):
        limit = FULL_WELL_SIGMAS * np.sqrt(np.where(variance > 0, variance, np.inf))
        beyond = np.isfinite(image) & (np.abs(image) > limit)
    if not beyond.any():
        return mask
    flagged = mask.copy()
    plane_array(flagged)[beyond] |= bits_of(mask.schema, ["BAD"])
    return flagged
