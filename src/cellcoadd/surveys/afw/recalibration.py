"""What a visit summary makes of an image that was calibrated before it.

A calibrated image, of whatever survey, and a visit summary come in; the image goes out with those
of WCS, PSF and photometric calibration that are wanted of the summary. Of pixels that are not in
memory a few rows are read.
"""

from __future__ import annotations

__all__ = ["recalibrated"]

import dataclasses
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, DetectorFrame, Image, MaskedImage, SkyProjection

from ...errors import UnusableInputError
from ...products.calibrated_image import CalibratedImage, ImageQuality
from ...products.calibrated_image.deferred_pixels import DeferredPixels
from ..checks import check_usable, middle_rows
from ..rubin.quality import quality_of_statistics
from .bounded_fields import read_corrections
from .photo_calib import Calibration, calibration_of
from .psf import read_psf
from .quality import mean_variance
from .sky_wcs import projection_of_text
from .visit_summary import VisitSummary


def recalibrated(
    image: CalibratedImage, summary: VisitSummary, *, psf: bool, wcs: bool, photo_calib: bool
) -> CalibratedImage:
    """Return an image as its visit's summary knows it.

    Parameters
    ----------
    image
        The image. Pixels that are in nJy already, or of no known zero point, keep their values: the
        calibration of a summary is of the counts that they were made of.
    summary
        The summary of its visit.
    psf
        Whether to take the PSF with its statistics, and the aperture corrections.
    wcs
        Whether to take the WCS.
    photo_calib
        Whether to take the photometric calibration.

    Returns
    -------
    CalibratedImage
        What the summary has of no detector at all is the image's own. The mean variance is the
        summary's, if it is one of these pixels.

    Raises
    ------
    UnusableInputError
        If the summary is of another visit, has no row of the detector, lacks for it what it has of
        others, or has what cannot be read or used; or if its calibration varies over an image that
        holds models of its background in counts.
    """
    who = image.observation
    detector = _detector_box(image)
    changes: dict[str, Any] = {}
    projection, calibration = image.sky_projection, None
    with summary.row(visit=who.visit, detector=who.detector) as row:
        statistics = row.statistics
        if wcs and (part := row.part("SKYWCS")) is not None:
            frame, text = projection.pixel_frame, part.table().data("wcs")
            projection = projection_of_text(text, frame, bbox=detector, source=row.source)
        if psf and (part := row.part("PSF")) is not None:
            changes["psf"] = read_psf(row.archive, part, bounds=detector)
        if psf and (part := row.part("AP_CORR_MAP")) is not None:
            changes["aperture_corrections"] = read_corrections(row.archive, part)
        if photo_calib and (part := row.part("PHOTOCALIB")) is not None and _is_in_counts(image):
            calibration = calibration_of(row.archive, part, bbox=image.bbox)
            changes["nanojansky_per_count"] = calibration.nanojansky_per_count
    field = None if calibration is None else calibration.field
    if field is not None and len(image.backgrounds) > 0:
        raise UnusableInputError(
            summary.source,
            f"its calibration varies over {who}, which holds models of its background in counts: "
            "give the image without them, or leave its own calibration "
            "(useVisitSummaryPhotoCalib=False).",
        )
    pixels = _pixels(image, projection, field)
    result = dataclasses.replace(image, masked_image=pixels, **changes)
    result = dataclasses.replace(
        result,
        quality=_quality(result, statistics if psf else {}, detector)
        if psf or wcs
        else image.quality,
        mean_variance=_mean_variance(result, statistics, calibration),
    )
    check_usable(result, summary.source)
    return result


def _detector_box(image: CalibratedImage) -> Box:
    """Return all pixels of the detector, as far as the image knows them."""
    frame = image.sky_projection.pixel_frame
    is_known = isinstance(frame, DetectorFrame) and frame.bbox.contains(image.bbox)
    return frame.bbox if is_known else image.bbox


def _is_in_counts(image: CalibratedImage) -> bool:
    return bool(image.flux_unit == u.nJy) and image.nanojansky_per_count != 1.0


def _pixels(
    image: CalibratedImage, projection: SkyProjection[Any], field: npt.NDArray[np.float32] | None
) -> MaskedImage | DeferredPixels:
    """Return the pixels with another WCS, times what is given for each."""
    pixels, bbox = image.masked_image, image.bbox

    def changed(planes: MaskedImage) -> MaskedImage:
        brightness, variance = planes.image, planes.variance
        if field is not None:
            place = planes.bbox.slice_within(bbox)
            scale = field[place.y, place.x]
            brightness = Image(brightness.array * scale, bbox=planes.bbox)
            variance = Image(variance.array * scale**2, bbox=planes.bbox)
        return MaskedImage(
            brightness,
            mask=planes.mask,
            variance=variance,
            sky_projection=projection,
            metadata=dict(planes.metadata.native),
        )

    if isinstance(pixels, DeferredPixels):
        return DeferredPixels(
            lambda box: changed(pixels.read(box)), bbox=bbox, sky_projection=projection
        )
    return changed(pixels)


def _quality(
    image: CalibratedImage, statistics: Mapping[str, float], detector: Box
) -> ImageQuality:
    """Return the statistics of the summary, and of the image what the summary does not have."""
    found = quality_of_statistics(
        statistics,
        image.sky_projection,
        detector,
        has_corrections=len(image.aperture_corrections) > 0,
    )
    measured = {
        field.name: value
        for field in dataclasses.fields(found)
        if (value := getattr(found, field.name)) is not None
    }
    return dataclasses.replace(image.quality, **measured)


def _mean_variance(
    image: CalibratedImage, statistics: Mapping[str, float], calibration: Calibration | None
) -> float | None:
    is_flux = calibration is not None and calibration.field is not None
    stated = mean_variance(
        statistics.get("meanVar"),
        image.masked_image[middle_rows(image.bbox)].variance.array,
        njy_per_count=image.nanojansky_per_count if calibration is None else calibration.typical,
        is_flux=is_flux,
    )
    return image.mean_variance if stated is None and not is_flux else stated
