"""Rubin visit images as `lsst.images` writes them (DP2, our simulations; DP1: `surveys.afw`).

A `VisitImage`, in memory or in a file, comes in; a `CalibratedImage` goes out. Its models of the
background go with it: pixels stay as they are, with the one subtracted that was subtracted.
"""

from __future__ import annotations

__all__ = [
    "RubinReader",
    "calibrated_image_from_visit_image",
    "details_from_obs_info",
    "read_visit_image",
]

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astro_metadata_translator import ObservationInfo
from astropy.time import TimeDelta
from lsst.images import (
    Box,
    MaskedImage,
    SkyProjection,
    VisitImage,
    VisitImageSerializationModel,
)
from lsst.images.psfs import PointSpreadFunction
from lsst.images.serialization import ArchiveReadError, Reader

from ...errors import UnusableInputError
from ...files.computer_errors import raise_if_of_the_computer
from ...files.guard import file_guard
from ...files.unpacking import UnpackedFile
from ...products.calibrated_image import CalibratedImage
from ...products.calibrated_image.deferred_pixels import DeferredPixels
from ...products.calibrated_image.observation_details import ObservationDetails
from ...products.identifiers import ObservationIdentifiers
from ...products.observing_conditions import ObservingConditions
from .._base import SurveyHeader, SurveyImage
from ..checks import check_plausible, check_projection, check_usable, middle_rows
from ..fits_files import is_cut_off, primary_header
from .backgrounds import backgrounds_in_counts
from .files import PixelsOfFile, open_visit_image
from .pixels import masked_image_of
from .quality import quality_of_visit_image, stated_sky, variance_that_agrees

_NIGHT_OFFSET = TimeDelta(0.5, format="jd")  # Rubin's day changes at noon UTC


class RubinReader:
    """Reads files of `lsst.images.VisitImage`; see `surveys.readers`."""

    name = "rubin"

    def recognizes(self, path: Path) -> bool:
        """Return whether the primary header says that the file holds a visit image."""
        try:
            return "/visit_image-" in str(primary_header(path).get("DATAMODL", ""))
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise_if_of_the_computer(error, path)
            return False

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but the pixels and the PSF."""
        with _open(path) as reader:
            return _read_header(reader, path)

    def read(self, path: Path) -> SurveyImage:
        """Read one image."""
        return read_visit_image(path)


def read_visit_image(path: Path) -> SurveyImage:
    """Read a file that holds an `lsst.images.VisitImage`; its pixels are read when they are needed.

    Raises
    ------
    UnusableInputError
        If the file is missing, broken or holds something else, or the image is not usable.
    """
    unpacked = UnpackedFile(path)
    with _open(path, unpacked) as reader:
        header = _read_header(reader, path)
        sample = reader.read(bbox=middle_rows(header.bbox))
        image = None
        if not _has_varying_scale(sample):
            read = functools.partial(_read_pixels, path, PixelsOfFile(unpacked, reader))
            image = _without_pixels(sample, path, header.bbox, read)
        if image is None:
            image = calibrated_image_from_visit_image(reader.read(), source=str(path))
            check_plausible(image, str(path))
    return SurveyImage(calibrated_image=image, header=header)


def calibrated_image_from_visit_image(
    visit_image: VisitImage, *, source: str | None = None, bbox: Box | None = None
) -> CalibratedImage:
    """Convert a visit image; pixels are shared, not copied, where that is possible.

    Parameters
    ----------
    visit_image
        In any unit of flux, or in counts with a photometric scaling.
    source
        What the user knows it as; None: instrument, visit and detector.
    bbox
        The pixels of the image that this is a cut-out of; None: it is none.

    Returns
    -------
    CalibratedImage
        Pixels outside of the image's region of validity are flagged NO_DATA.

    Raises
    ------
    UnusableInputError
        If there is no way to nJy, no PSF that can be read, no date, or the image fails
        `check_usable`.

    Notes
    -----
    The mean variance of the summary statistics is by its documentation in counts^2 before
    calibration, but some pipelines state it for the calibrated pixels. Whichever of the two agrees
    with the median of some rows of the variance plane within a factor of two is used; if neither
    does, none is, and the variance is measured later.
    """
    frame = visit_image.sky_projection.pixel_frame
    source = source or f"{frame.instrument} visit {frame.visit} detector {frame.detector}"
    observation = _identifiers(visit_image.obs_info, visit_image.sky_projection, visit_image.band)
    if observation is None:
        raise UnusableInputError(source, "its metadata give no visit number or no date.")
    scale, field = _calibration(visit_image, source)
    image, variance = visit_image.image.array, visit_image.variance.array
    if field is not None:
        image, variance = image * field, variance * field**2
    calibrated = CalibratedImage(
        observation=observation,
        masked_image=masked_image_of(
            image,
            variance,
            visit_image,
            bounds=visit_image.bounds,
            source=source,
            is_whole=bbox is None,
        ),
        psf=_psf(visit_image, source),
        nanojansky_per_count=scale,
        mean_variance=_mean_variance(
            visit_image,
            variance,
            variance_is_in_counts=field is None and not visit_image.unit.is_equivalent(u.nJy),
        ),
        quality=quality_of_visit_image(visit_image, bbox or visit_image.bbox),
        aperture_corrections=dict(visit_image.aperture_corrections),
        backgrounds=backgrounds_in_counts(
            visit_image, nanojansky_per_count=scale, is_scaled=field is not None
        ),
        conditions=_conditions(visit_image, observation),
    )
    check_usable(calibrated, source)
    return calibrated


def details_from_obs_info(
    info: ObservationInfo, identifiers: ObservationIdentifiers
) -> ObservationDetails:
    """Return what the standard metadata of an observation say of it."""
    pointing = None if info.tracking_radec is None else info.tracking_radec.icrs
    on_sky = str(info.boresight_rotation_coord).lower() == "sky"
    rotation = info.boresight_rotation_angle if on_sky else None
    begin, end = info.datetime_begin, info.datetime_end
    exposure_time, altaz = info.exposure_time, info.altaz_begin
    return ObservationDetails(
        identifiers=identifiers,
        name=info.observation_id,
        begin=None if begin is None else begin.tai,
        end=None if end is None else end.tai,
        exposure_time_s=None if exposure_time is None else _finite(exposure_time.to_value(u.s)),
        ra_deg=None if pointing is None else _finite(pointing.ra.deg),
        dec_deg=None if pointing is None else _finite(pointing.dec.deg),
        rotation_deg=None if rotation is None else _finite(rotation.to_value(u.deg)),
        airmass=_finite(info.boresight_airmass),
        zenith_angle_deg=None if altaz is None else _finite(90.0 - altaz.alt.deg),
        azimuth_deg=None if altaz is None else _finite(altaz.az.deg),
        latitude_deg=None if info.location is None else _finite(info.location.lat.deg),
        target=info.object,
        science_program=info.science_program,
        observation_type=info.observation_type,
        observation_reason=info.observation_reason,
        sequence_number=info.observation_counter,
    )


def _conditions(
    visit_image: VisitImage, observation: ObservationIdentifiers
) -> ObservingConditions:
    stats = visit_image.summary_stats
    details = details_from_obs_info(visit_image.obs_info, observation)
    if details.zenith_angle_deg is None:
        details = dataclasses.replace(details, zenith_angle_deg=_finite(stats.zenithDistance))
    return details.conditions(**stated_sky(vars(stats)))


@contextlib.contextmanager
def _open(path: Path, unpacked: UnpackedFile | None = None) -> Iterator[Reader[VisitImage]]:
    if not path.is_file():
        raise UnusableInputError(str(path), "there is no such file.")
    where = path if unpacked is None else unpacked.path
    with _errors_named(path), open_visit_image(where) as reader:
        yield reader


@contextlib.contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    with file_guard(path, "it cannot be read as a VisitImage of lsst.images"):
        try:
            yield
        except Exception as error:
            if is_cut_off(error):
                raise UnusableInputError(str(path), "the file is cut off or damaged.") from error
            raise


def _read_header(reader: Reader[VisitImage], path: Path) -> SurveyHeader:
    tree = reader.get_tree()
    assert isinstance(tree, VisitImageSerializationModel), "checked when it was opened"
    projection = reader.get_component("sky_projection")
    identifiers = _identifiers(tree.obs_info, projection, tree.band)
    if identifiers is None:
        raise UnusableInputError(str(path), "its metadata give no visit number or no date.")
    check_projection(projection, tree.bbox, str(path))
    attributes = tree.detector.attributes
    return SurveyHeader(
        source=path,
        details=details_from_obs_info(tree.obs_info, identifiers),
        detector_name=attributes.name,
        detector_bbox=attributes.bbox,
        bbox=tree.bbox,
        sky_projection=projection,
    )


def _identifiers(
    info: ObservationInfo, projection: SkyProjection[Any], band: str
) -> ObservationIdentifiers | None:
    frame = projection.pixel_frame
    visit = frame.visit if frame.visit is not None else info.visit_id
    day = info.observing_day
    if day is None and info.datetime_begin is not None:
        day = int((info.datetime_begin.tai - _NIGHT_OFFSET).strftime("%Y%m%d"))
    if visit is None or day is None:
        return None
    return ObservationIdentifiers(
        instrument=frame.instrument,
        visit=visit,
        detector=frame.detector,
        physical_filter=str(info.physical_filter),
        band=band,
        day_obs=day,
    )


def _calibration(
    visit_image: VisitImage, source: str
) -> tuple[float, npt.NDArray[np.float32] | None]:
    """Return the nJy of one count and, where it varies over the image, what pixels are times."""
    unit, scaling = visit_image.unit, visit_image.photometric_scaling
    if unit.is_equivalent(u.nJy):
        return float(unit.to(u.nJy)), None
    if scaling is None or scaling.unit is None:
        raise UnusableInputError(
            source, f"its pixels are in {unit} and it has no photometric scaling to nJy."
        )
    if not (unit * scaling.unit).is_equivalent(u.nJy):
        raise UnusableInputError(
            source,
            f"its pixels in {unit} times its photometric scaling in {scaling.unit} are no flux.",
        )
    factor = float((unit * scaling.unit).to(u.nJy))
    if not scaling.is_constant:
        field = factor * scaling.render(visit_image.bbox, dtype=np.float32).array
        if not (np.isfinite(field).all() and (field > 0).all()):
            raise UnusableInputError(source, "its photometric scaling is not positive everywhere.")
        return 1.0, field.astype(np.float32, copy=False)
    scale = factor * _constant(scaling, visit_image.bbox)
    if not (math.isfinite(scale) and scale > 0):
        raise UnusableInputError(
            source, f"its photometric scaling must be positive, one count is {scale} nJy."
        )
    return scale, None


def _constant(field: Any, bbox: Box) -> float:
    """Return the value of a field in the middle of a box."""
    return float(field(x=0.5 * (bbox.x.min + bbox.x.max), y=0.5 * (bbox.y.min + bbox.y.max)))


def _has_varying_scale(visit_image: VisitImage) -> bool:
    """Whether pixels become fluxes by a factor that varies over the image."""
    scaling = visit_image.photometric_scaling
    return not (visit_image.unit.is_equivalent(u.nJy) or scaling is None or scaling.is_constant)


def _without_pixels(
    sample: VisitImage, path: Path, bbox: Box, read: Callable[[Box], MaskedImage]
) -> CalibratedImage | None:
    """Make the image of a sample of its rows, the pixels to be read later; None if that is unsafe.

    What is not pixels the sample has all.
    """
    try:
        image = calibrated_image_from_visit_image(sample, source=str(path), bbox=bbox)
    except UnusableInputError:  # perhaps only the sample is
        return None
    pixels = DeferredPixels(read, bbox=bbox, sky_projection=image.sky_projection)
    whole = dataclasses.replace(image, masked_image=pixels)
    check_plausible(whole, str(path), sample=image.masked_image[...])
    return whole


def _read_pixels(path: Path, pixels: PixelsOfFile, bbox: Box) -> MaskedImage:
    """Read the pixels in a box, in the image's own unit."""
    with _errors_named(path):
        planes = pixels.read(bbox)
    return masked_image_of(
        planes.image.array,
        planes.variance.array,
        planes,
        bounds=pixels.bounds,
        source=str(path),
        is_whole=False,
    )


def _psf(visit_image: VisitImage, source: str) -> PointSpreadFunction:
    try:
        return visit_image.psf
    except ArchiveReadError as error:
        raise UnusableInputError(source, f"its PSF cannot be read ({error}).") from error


def _mean_variance(
    visit_image: VisitImage, variance: npt.NDArray[Any], *, variance_is_in_counts: bool
) -> float | None:
    """Return the stated mean variance in the units of the variance plane; None if it is neither."""
    stated = visit_image.summary_stats.meanVar
    if not (math.isfinite(stated) and stated > 0):
        return None
    rows = middle_rows(Box.from_shape(variance.shape))
    candidates = [stated]
    scaling = visit_image.photometric_scaling
    if scaling is not None and scaling.unit is not None:
        count_njy = (scaling.unit / u.nJy).decompose().scale * _constant(scaling, visit_image.bbox)
        if variance_is_in_counts:
            candidates.append(stated / count_njy**2)
        else:
            pixel_njy = visit_image.unit.to(u.nJy) if visit_image.unit.is_equivalent(u.nJy) else 1.0
            candidates.append(stated * (count_njy / pixel_njy) ** 2)
    return variance_that_agrees(candidates, variance[rows.y.start : rows.y.stop])


def _finite(value: float | None) -> float | None:
    """Return the value; None for NaN, which stands for not measured."""
    return float(value) if value is not None and math.isfinite(value) else None
