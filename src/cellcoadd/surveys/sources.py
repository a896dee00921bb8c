"""Where the sources of an image are: for a sky without them, and for stars to measure a PSF by.

Pixels less a sky come in; a mask of all that is light of sources goes out, or the peaks of sources
with the significance of each.
"""

from __future__ import annotations

__all__ = ["Peaks", "believed_pixels", "find_peaks", "mask_sources"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from lsst.images import MaskSchema
from scipy import ndimage

from ..masks.planes import bits_of

type _Floats = npt.NDArray[np.float64]
type _Bools = npt.NDArray[np.bool_]

_NOT_BELIEVED = (
    "BAD", "SAT", "CR", "NO_DATA", "INTRP", "SUSPECT", "CROSSTALK", "STREAK", "UNMASKEDNAN",
    "CLIPPED", "VIGNETTED",
)  # fmt: skip
_SCALES_PX = (1.5, 5.0)  # cores of stars, and wings that no single pixel shows
_MASKED_SIGMAS = 3.0  # of the smoothed image: half a per cent of an empty sky is masked with it
_GROWTH = 2.0  # by so many scales: light goes on below the noise
_PEAK_SIGMAS = 5.0
_PEAK_SIDE = 3  # pixels at least: of these, a peak is the largest


def believed_pixels(
    image: npt.NDArray[np.floating],
    variance: npt.NDArray[np.floating],
    bits: npt.NDArray[np.int32],
    schema: MaskSchema,
) -> _Bools:
    """Return which pixels say something of the sky and of stars.

    Parameters
    ----------
    image, variance : (rows, columns)
        What is not finite, or of no positive variance, is no data.
    bits : (rows, columns)
        The mask, with our planes.
    schema
        Of the mask.

    Returns
    -------
    good : (rows, columns)
        Data that are neither bad nor saturated, hit, interpolated or the like.
    """
    against = bits_of(schema, _NOT_BELIEVED, ignore_missing=True)
    good: _Bools = np.isfinite(image) & np.isfinite(variance) & (variance > 0)
    good &= (bits & against) == 0
    return good


def mask_sources(residual: _Floats, noise: _Floats, good: _Bools) -> _Bools:
    """Return where there is light of sources, generously.

    Parameters
    ----------
    residual : (rows, columns)
        The image less its sky.
    noise : (rows, columns)
        Standard deviation of the sky's pixels.
    good : (rows, columns)
        Pixels that can be believed; what the others hold is not looked at.

    Returns
    -------
    sources : (rows, columns)
        Where the image, smoothed by a Gaussian of 1.5 or of 5 pixels, is 3 standard deviations
        above the sky, and all around that to twice this width.
    """
    pull = np.where(good, residual / noise, 0.0)
    share = good.astype(np.float64)
    found: _Bools = np.zeros(good.shape, np.bool_)
    for scale in _SCALES_PX:
        # Noise of a smoothed pixel, of which a part may be masked: sqrt(sum of squared weights).
        squares = ndimage.gaussian_filter(share, scale / math.sqrt(2.0)) / (4 * math.pi * scale**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            smoothed = ndimage.gaussian_filter(pull, scale) / np.sqrt(squares)
        seen = np.nan_to_num(smoothed, nan=0.0, posinf=0.0, neginf=0.0) > _MASKED_SIGMAS
        if seen.any():
            found |= ndimage.distance_transform_edt(~seen) <= _GROWTH * scale
    return found


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Peaks:
    """The brightest pixel of each source.

    Parameters
    ----------
    x, y : int (n,)
        Column and row, from the most significant to the least.
    significance : (n,)
        Signal over noise of a Gaussian that is laid over it.
    """

    x: npt.NDArray[np.intp]
    y: npt.NDArray[np.intp]
    significance: _Floats


def find_peaks(residual: _Floats, variance: _Floats, *, sigma: float) -> Peaks:
    """Find all sources that are brighter than five standard deviations.

    Parameters
    ----------
    residual : (rows, columns)
        The image less its sky, finite everywhere.
    variance : (rows, columns)
        Infinite where there are no data.
    sigma
        Of the Gaussian that is laid over sources, in pixels: the width of stars.
    """
    weight = np.where(np.isfinite(variance), 1.0 / variance, 0.0)
    signal = ndimage.gaussian_filter(residual * weight, sigma)
    # The square of a Gaussian is one that is narrower, over 4 pi sigma^2.
    noise = np.sqrt(
        np.maximum(ndimage.gaussian_filter(weight, sigma / math.sqrt(2.0)), 0.0)
        / (4.0 * math.pi * sigma**2)
    )
    significance = np.divide(signal, noise, out=np.zeros_like(signal), where=noise > 0)
    side = max(_PEAK_SIDE, 2 * round(sigma) + 1)
    is_peak = significance > _PEAK_SIGMAS
    is_peak &= significance == ndimage.maximum_filter(significance, size=side)
    y, x = np.nonzero(is_peak)
    order = np.argsort(-significance[y, x], kind="stable")
    return Peaks(x=x[order], y=y[order], significance=significance[y, x][order])
