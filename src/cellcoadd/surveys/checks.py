"""What an image must be to be warped, whatever survey it is from.

Readers call `check_usable` and `check_plausible` on all that they read, and the warping task calls
them again on what it takes out of a repository: nothing that passes makes a later step fail or give
nonsense in silence, but for damage to pixels that are read later.
"""

from __future__ import annotations

__all__ = ["check_plausible", "check_projection", "check_usable", "middle_rows"]

import logging
import math
from typing import Any

import numpy as np
from lsst.images import Box, MaskedImage, SkyProjection

from ..errors import UnusableInputError
from ..masks.impossible import FULL_WELL_SIGMAS, impossible_pixels
from ..masks.planes import bits_of, plane_array
from ..products.calibrated_image import CalibratedImage
from ..products.calibrated_image.deferred_pixels import DeferredPixels
from ._base import pixel_scale_arcsec
from .plausibility import NoiseRatio, block_factor, noise_ratio, typical_variance
from .plausible_values import check_flux_of_count, checked_size

_ROUND_TRIP_PX = 0.01  # far below what moves a star's light, far above what a good WCS does
_GRID = 17  # positions a side at which the WCS is tried: what folds does so near a corner
_SCALES_ARCSEC = 0.001, 100.0  # of pixels: finer than any telescope, coarser than any camera
_WITHOUT_VALUE = ("BAD", "NO_DATA")
_ROWS = 16
_UNUSUAL_RATIOS = 0.5, 2.0  # of measured to stated variance
_REFUSED_RATIOS = 0.1, 10.0
_MEAN_VARIANCES = 0.01, 100.0  # of stated ones to the median; a bright nebula has more than its sky
_LARGEST_BLOCK_FACTOR = 1.5
"""Of white noise it is 1 within a fifth; faint sources gave up to 1.15 in real images."""
_CENTRED_PX = 1.0

LARGEST_STAMP_PX = 2001
"""Of images of PSFs, a side: 32 MB. Stars of real cameras are drawn with 25 to 500."""

_log = logging.getLogger(__name__)


def check_usable(image: CalibratedImage, source: str) -> None:
    """Refuse an image that cannot be warped.

    Parameters
    ----------
    image
        The image.
    source
        What the user knows it as: a file or a dataset.

    Raises
    ------
    UnusableInputError
        If a number is out of its range (`plausible_values`); if no unmasked pixel has a finite
        value and a finite positive variance; if the stated mean variance is not positive; if the
        WCS gives no positions or does not find its way back; if the point-spread function cannot be
        drawn in the middle of the image, or has
        its own middle more than a pixel off.
    """
    checked_size(image.bbox.shape, source)
    check_flux_of_count(image.nanojansky_per_count, source)
    _check_pixels(image, source)
    if image.mean_variance is not None and not (
        math.isfinite(image.mean_variance) and image.mean_variance > 0
    ):
        raise UnusableInputError(
            source, f"its mean variance must be positive, it is {image.mean_variance}."
        )
    check_projection(image.sky_projection, image.bbox, source)
    _check_psf(image, source)


def check_plausible(
    image: CalibratedImage, source: str, *, sample: MaskedImage | None = None
) -> None:
    """Refuse a file's image whose pixels do not scatter as its variance says.

    Parameters
    ----------
    image
        The image. One that was made in memory is its maker's business: it may be free of noise.
    source
        What the user knows it as: a file or a dataset.
    sample
        Its `middle_rows`, if they were read already.

    Raises
    ------
    UnusableInputError
        If the ratio of the variances is outside of 0.1 to 10, or all pixels are the same; if the
        mean variance that is stated, of which the weight is made, is more than a factor of 100
        from the variances.

    Notes
    -----
    A ratio outside of 0.5 to 2 is told in the log, and so is noise that is correlated between
    pixels where the image does not say how.
    """
    ratio = noise_ratio(image.masked_image[middle_rows(image.bbox)] if sample is None else sample)
    if _is_odd(ratio):  # perhaps only the sample is
        ratio = noise_ratio(image.masked_image[...])
        if ratio is not None and _is_odd(ratio):
            raise UnusableInputError(source, _oddity(ratio))
    _check_mean_variance(image, source, sample)
    _check_correlation(image, source, sample)
    if ratio is not None and not (
        ratio.most >= _UNUSUAL_RATIOS[0] and ratio.least <= _UNUSUAL_RATIOS[1]
    ):
        _log.warning("%s: %s", source, _oddity(ratio))


def _check_mean_variance(image: CalibratedImage, source: str, sample: MaskedImage | None) -> None:
    """Refuse an image whose weight would be another one than its pixels have."""
    stated, (least, most) = image.mean_variance, _MEAN_VARIANCES
    if stated is None:
        return
    few = image.masked_image[middle_rows(image.bbox)] if sample is None else sample
    ratio = stated / typical_variance(few.variance.array)
    if not least <= ratio <= most:
        ratio = stated / typical_variance(image.masked_image[...].variance.array)
    if not least <= ratio <= most:
        raise UnusableInputError(
            source,
            f"its stated mean variance is {stated:.3g}, {ratio:.3g} times the median of its "
            f"variance plane; it must be {least} to {most} times that, since it is its weight: "
            "are both in one unit?",
        )


def _check_correlation(image: CalibratedImage, source: str, sample: MaskedImage | None) -> None:
    """Log it if neighbouring pixels have noise in common that nobody has stated."""
    if image.noise_correlation is not None:
        return
    few = image.masked_image[middle_rows(image.bbox)] if sample is None else sample
    factor = block_factor(few)
    if factor is None or factor > _LARGEST_BLOCK_FACTOR:
        pixels = image.masked_image
        # Pixels of a file are read for this alone, and not kept.
        whole = pixels.read(image.bbox) if isinstance(pixels, DeferredPixels) else pixels
        factor = block_factor(whole)
    if factor is not None and factor > _LARGEST_BLOCK_FACTOR:
        _log.warning(
            "%s: means of 4 x 4 pixels of its sky have %.2g times the variance that independent "
            "pixels would give them. Unless a nebula fills it, its noise is correlated, and errors "
            "of fluxes come out too small: `noise_correlation: measure` in the camera's definition "
            "takes that into account, or CalibratedImage.noise_correlation.",
            source,
            factor,
        )


def check_projection(projection: SkyProjection[Any], bbox: Box, source: str) -> None:
    """Refuse a WCS that gives no positions on the sky, or others on the way back.

    It is tried on a grid of positions from edge to edge of the box.

    Raises
    ------
    UnusableInputError
        If a position is not finite or comes back more than 0.01 pixel off, as where a distortion
        folds; or if a pixel measures less than 0.001 or more than 100 arcsec.
    """
    x, y = np.meshgrid(
        np.linspace(bbox.x.min - 0.5, bbox.x.max + 0.5, _GRID),
        np.linspace(bbox.y.min - 0.5, bbox.y.max + 0.5, _GRID),
    )
    try:
        sky = projection.pixel_to_sky(x=x, y=y)
        back = projection.sky_to_pixel(sky)
    except Exception as error:  # AST has a tree of errors of its own; any of them means the same
        raise UnusableInputError(source, f"its WCS cannot be evaluated ({error}).") from error
    if not (np.isfinite(sky.ra.deg).all() and np.isfinite(sky.dec.deg).all()):
        raise UnusableInputError(source, "its WCS gives no position on the sky for some pixels.")
    miss = float(np.maximum(np.abs(back.x - x), np.abs(back.y - y)).max())
    if not miss <= _ROUND_TRIP_PX:
        raise UnusableInputError(
            source,
            f"its WCS does not find the way back from the sky: it misses by {miss:.3g} pixels, "
            f"{_ROUND_TRIP_PX} are allowed.",
        )
    scale, (finest, coarsest) = pixel_scale_arcsec(projection, bbox), _SCALES_ARCSEC
    if not finest <= scale <= coarsest:
        raise UnusableInputError(
            source,
            f"a pixel measures {scale:.3g} arcsec by its WCS, it must be {finest} to {coarsest}: "
            "is its matrix in degrees?",
        )


def _check_pixels(image: CalibratedImage, source: str) -> None:
    if image.bbox.area == 0:
        raise UnusableInputError(source, "it has no pixels.")
    # Nearly always a few rows tell that all is well.
    if _reason_against(image.masked_image[middle_rows(image.bbox)]) is None:
        return
    if (reason := _reason_against(image.masked_image[...])) is not None:
        raise UnusableInputError(source, reason)


def _is_odd(ratio: NoiseRatio | None) -> bool:
    """Whether the scatter of the pixels belongs to another variance; True if there are too few."""
    return ratio is None or ratio.most < _REFUSED_RATIOS[0] or ratio.least > _REFUSED_RATIOS[1]


def _oddity(ratio: NoiseRatio) -> str:
    if ratio.most == 0.0:
        return "its pixels are all the same: it is no image of the sky."
    measured = ratio.least if ratio.least > 1.0 else ratio.most
    return (
        f"the variance of its sky is {measured:.3g} times what its variance plane says; outside of "
        f"{_UNUSUAL_RATIOS[0]} to {_UNUSUAL_RATIOS[1]} that is unusual, outside of "
        f"{_REFUSED_RATIOS[0]} to {_REFUSED_RATIOS[1]} it is refused: are its weights in the unit "
        "of its pixels?"
    )


def middle_rows(bbox: Box) -> Box:
    """Return the few rows in the middle of an image that tell what its pixels are like."""
    start = bbox.y.start + max(bbox.y.size - _ROWS, 0) // 2
    return Box.factory[start : min(start + _ROWS, bbox.y.stop), bbox.x.start : bbox.x.stop]


def _reason_against(planes: MaskedImage) -> str | None:
    """Say what is the matter with all pixels; None if one of them is good."""
    variance = planes.variance.array
    usable = np.isfinite(variance) & (variance > 0)
    if not usable.any():
        return (
            "no pixel has a variance that is positive and finite: there is nothing to coadd in it."
        )
    usable &= np.isfinite(planes.image.array)
    if not usable.any():
        return "no pixel with a positive variance has a finite value."
    bits = plane_array(planes.mask)
    usable &= (bits & bits_of(planes.mask.schema, _WITHOUT_VALUE)) == 0
    if not usable.any():
        beyond = impossible_pixels(planes.image.array, variance)
        if beyond is not None and beyond.mean() > 0.5:
            return (
                f"its pixels are more than {FULL_WELL_SIGMAS:g} times the standard deviation that "
                "their variance says: it is none of them."
            )
        return f"every pixel is flagged {' or '.join(_WITHOUT_VALUE)} or has no variance."
    return None


def _check_psf(image: CalibratedImage, source: str) -> None:
    x = 0.5 * (image.bbox.x.min + image.bbox.x.max)
    y = 0.5 * (image.bbox.y.min + image.bbox.y.max)
    try:
        side = max(image.psf.kernel_bbox.shape)
        if side > LARGEST_STAMP_PX:
            raise ValueError(
                f"its images have {side} pixels a side, {LARGEST_STAMP_PX} are allowed"
            )
        kernel = image.psf.compute_kernel_image(x=x, y=y)
    except Exception as error:  # each kind of PSF fails in its own way
        raise UnusableInputError(source, f"its PSF cannot be drawn ({error}).") from error
    bbox, pixels = kernel.bbox, kernel.array
    total = float(pixels.sum())
    if not (math.isfinite(total) and total > 0):
        raise UnusableInputError(
            source, f"its PSF must have a positive finite sum, it has {total}."
        )
    # The wings of a model are noise; where it is brighter than half of its peak, it is not.
    core = np.where(pixels >= 0.5 * pixels.max(), pixels, 0.0).astype(np.float64)
    off = math.hypot(
        float((core.sum(axis=0) * bbox.x.arange).sum() / core.sum()),
        float((core.sum(axis=1) * bbox.y.arange).sum() / core.sum()),
    )
    if off > _CENTRED_PX:
        raise UnusableInputError(
            source,
            f"the middle of its PSF is {off:.2f} pixels from where it is drawn, {_CENTRED_PX} are "
            "allowed: is its image padded or cut on one side?",
        )
