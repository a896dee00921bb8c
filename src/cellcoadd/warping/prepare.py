"""Make one detector ready for resampling: background, noise, interpolation, calibration.

The same pixel of the sky comes out the same, bit for bit, in overlapping patches. So the whole
detector is prepared, whatever part of it a patch needs, where what becomes of a pixel depends on
others (`WarpSettings.need_whole_detectors`).
"""

from __future__ import annotations

__all__ = ["PreparedImage", "mean_variance_njy2", "prepare_image"]

import dataclasses

import numpy as np
import numpy.typing as npt

from ..errors import UnusableInputError
from ..kernels.clipped_mean import clipped_mean
from ..kernels.pixel_flags import flag_pixels
from ..products.calibrated_image import CalibratedImage
from ..products.mask_planes import bits_of, plane_array
from .backgrounds import exchange_background
from .interpolate import interpolate_bad_pixels
from .noise import draw_noise, median_variance, noise_generator
from .settings import WarpSettings

_NOT_MEASURED = ("BAD", "NO_DATA", "SAT", "CR")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PreparedImage:
    """Planes of one detector in nJy, stacked for the resampler.

    Parameters
    ----------
    source
        Where the planes come from: identity, WCS, PSF, and pixels with the wanted background.
    values : float32 (1 + realizations, rows, columns)
        The image and its noise realizations in nJy. Not finite: no data.
    variances : float32 (1 or 2, rows, columns)
        Variance of the image and, if there are realizations, of the noise, in nJy^2.
    mask : int32 (rows, columns)
        Mask, with INTRP where a pixel was interpolated.
    bad : uint16 (rows, columns)
        Bit 0 is set where a pixel was bad for any reason, bit k + 1 where plane k was set.
    n_fractions
        How many of these bits are resampled, 0 if none is asked for.
    """

    source: CalibratedImage
    values: npt.NDArray[np.float32]
    variances: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    bad: npt.NDArray[np.uint16]
    n_fractions: int


def prepare_image(image: CalibratedImage, *, settings: WarpSettings) -> PreparedImage:
    """Exchange the background, draw noise, interpolate bad pixels and calibrate one detector.

    Parameters
    ----------
    image
        The detector, or a window of it if the settings do not need the whole one.
    settings
        All choices.

    Raises
    ------
    UnusableInputError
        If no pixel of the detector has a finite value and a positive, finite variance, or the
        wanted background is not to be had.
    """
    image = exchange_background(image, settings=settings)
    masked_image = image.masked_image
    schema = masked_image.mask.schema
    interpolate = settings.do_pre_warp_interpolation
    scale = np.float32(image.nanojansky_per_count)
    # What is not changed below need not be copied.
    mask = np.ascontiguousarray(plane_array(masked_image.mask))
    mask = mask.copy() if interpolate else mask
    pixels = np.ascontiguousarray(masked_image.image.array, np.float32)
    variance = np.ascontiguousarray(masked_image.variance.array, np.float32)
    variance = variance.copy() if interpolate or scale != 1.0 else variance
    planes = settings.masked_fraction_planes
    plane_bits = np.array([bits_of(schema, [p], ignore_missing=True) for p in planes], np.int32)
    invalid, bad = np.empty(mask.shape, np.bool_), np.empty(mask.shape, np.uint16)
    n_noise = settings.number_of_noise_realizations
    # Without interpolation nothing counts as masked: an invalid pixel has no data at all.
    n_invalid = flag_pixels(pixels, variance, mask, plane_bits, interpolate, invalid, bad)
    if n_invalid == mask.size:
        raise UnusableInputError(
            str(image.observation), "no pixel has a finite value and a positive, finite variance"
        )
    if n_noise or interpolate or n_invalid or scale != 1.0:
        values = np.empty((1 + n_noise, *pixels.shape), np.float32)
        values[0] = pixels
    else:
        values = pixels[np.newaxis]
    no_data_bit = bits_of(schema, ["NO_DATA"])
    if n_noise or interpolate:
        bad_bits = bits_of(schema, settings.interpolation.bad_mask_planes, ignore_missing=True)
        flagged, missing = (mask & bad_bits) != 0, (mask & no_data_bit) != 0
        typical_variance = _typical_variance(variance, invalid=invalid, flagged=flagged | missing)
    if n_noise:
        noise_variance = (
            np.full(pixels.shape, typical_variance, np.float32)
            if settings.use_median_variance
            else np.where(invalid, np.float32(typical_variance), variance)
        )
    for realization in range(n_noise):
        generator = noise_generator(
            image.observation, realization=realization, seed_offset=settings.seed_offset
        )
        values[1 + realization] = draw_noise(noise_variance, generator)

    if interpolate:
        to_replace = (flagged | invalid) & ~missing
        # A pixel without data tells nothing about its neighbours either.
        unusable = to_replace | missing
        filled = interpolate_bad_pixels(
            values,
            unusable,
            interp_length=settings.interpolation.interp_length,
            fill_value=settings.interpolation.fill_value,
        )
        mask[to_replace & ~filled] |= bits_of(schema, ["INTRP"])
        mask[filled | missing] |= no_data_bit
        # Nobody has said what is wrong with these, so nobody can say that their value is good:
        # the kernel needs one, the coadd must leave it out.
        mask[invalid & ~flagged & ~missing] |= bits_of(schema, ["BAD", "UNMASKEDNAN"])
        variance[invalid] = typical_variance
    elif n_invalid:
        values[0, invalid] = np.nan

    variances = np.stack([variance, noise_variance]) if n_noise else variance[np.newaxis]
    if scale != 1.0:
        values *= scale
        variances *= scale * scale
    return PreparedImage(
        source=image,
        values=values,
        variances=variances,
        mask=mask,
        bad=bad,
        n_fractions=1 + len(planes) if settings.do_warp_masked_fraction else 0,
    )


def mean_variance_njy2(image: CalibratedImage) -> float:
    """Return the mean variance of a detector in nJy^2.

    It is what the survey states; else the mean over good pixels, clipped at 3 sigma twice,
    which keeps the Poisson noise of bright sources, where the variance follows the image, out of
    the weight.

    Raises
    ------
    UnusableInputError
        If it is neither stated nor measurable.
    """
    counts = image.mean_variance
    if counts is None:
        counts = _clipped_mean_variance(image)
    result = counts * image.nanojansky_per_count**2
    if not (np.isfinite(result) and result > 0):
        raise UnusableInputError(
            str(image.observation), f"the mean variance must be positive and finite, got {result}"
        )
    return float(result)


def _clipped_mean_variance(image: CalibratedImage) -> float:
    masked_image = image.masked_image
    bad = bits_of(masked_image.mask.schema, _NOT_MEASURED, ignore_missing=True)
    variance = masked_image.variance.array
    good = np.isfinite(variance) & (variance > 0) & ((plane_array(masked_image.mask) & bad) == 0)
    values = variance[good]
    if not values.size:
        raise UnusableInputError(
            str(image.observation),
            "its mean variance is not stated and cannot be measured: every pixel with a variance "
            f"is flagged {', '.join(_NOT_MEASURED)}",
        )
    return clipped_mean(values)


def _typical_variance(
    variance: npt.NDArray[np.float32],
    *,
    invalid: npt.NDArray[np.bool_],
    flagged: npt.NDArray[np.bool_],
) -> float:
    typical = median_variance(variance, ~(invalid | flagged))
    # Every good pixel flagged: the flagged ones are all there is to go by.
    return typical if np.isfinite(typical) else median_variance(variance, ~invalid)
