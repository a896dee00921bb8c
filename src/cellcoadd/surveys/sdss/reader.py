"""Frames of the imaging survey of SDSS, as its archive has them up to data release 7.

A path of an ``fpC`` frame comes in; the frame less its softbias and sky, in DN, with variance,
mask, WCS, PSF and zero point goes out. Which files belong to it is found in `files`.
"""

from __future__ import annotations

__all__ = ["UNIQUE_ROWS", "SdssReader", "read_sdss_image"]

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.time import Time, TimeDelta
from lsst.images import Box, DetectorFrame, Image, Mask, MaskedImage

from ...conventions import nanojansky_per_count
from ...errors import UnusableInputError
from ...files.computer_errors import raise_if_of_the_computer
from ...files.fits_wcs import icrs_wcs, projection_of_wcs
from ...masks.impossible import impossible_pixels
from ...masks.planes import bits_of, mask_schema
from ...products.calibrated_image import CalibratedImage, ImageQuality
from ...products.calibrated_image.deferred_pixels import DeferredPixels
from ...products.calibrated_image.observation_details import ObservationDetails
from ...products.identifiers import ObservationIdentifiers
from .._base import SurveyHeader, SurveyImage, pixel_scale_arcsec
from ..checks import check_plausible, check_projection, check_usable
from ..fits_files import open_fits, read_pixels
from ..plausible_values import checked_exposure_time
from .files import FrameName, SdssFiles, looks_like_sdss
from .masks import read_sdss_mask
from .tables import FrameCalibration, check_keywords, read_calibration, same_reduction

UNIQUE_ROWS = slice(64, 1425)
"""Rows that no other frame of the run is to count: 128 rows are in two fields, pixel for pixel."""

_SOFTBIAS = 1000.0  # DN, where the header does not say
_EXPOSURE_TIME_S = 53.907456  # of every frame: a star drifts over the 2048 rows of the CCD
_ROWS_OF_CCD = 2048
_SECONDS_A_DAY = 86_400.0
_NIGHT_OFFSET = TimeDelta(
    19.0 / 24.0, format="jd"
)  # noon in the Mountain Standard Time of the site
_LATITUDE_DEG = 32.780361  # of Apache Point Observatory
_SOUTH_DEG = 180.0  # the telescope's azimuth is 0 there, and grows towards the east


class SdssReader:
    """Reads SDSS frames; see `surveys.readers`."""

    name = "sdss"

    def recognizes(self, path: Path) -> bool:
        """Return whether a file is named like a corrected frame."""
        return looks_like_sdss(path)

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but the pixels."""
        return _describe(path).header

    def read(self, path: Path) -> SurveyImage:
        """Read one frame with all that belongs to it."""
        return read_sdss_image(path)


def read_sdss_image(path: Path) -> SurveyImage:
    """Read one SDSS frame with all that belongs to it.

    Parameters
    ----------
    path
        The ``fpC`` frame, compressed by gzip or not.

    Returns
    -------
    SurveyImage
        Pixels are DN less softbias and sky; the variance, in DN^2, is that of the photons in each
        pixel and of the detector; it is infinite where there are no data. The mean variance is that
        of the sky. Arrays of a window are made when they are asked for, of the frame that was read
        whole.

    Raises
    ------
    UnusableInputError
        If a file is missing, broken or of another frame, or the survey says that a step failed.

    Notes
    -----
    Frames of neighbouring fields of a run share 128 rows (`UNIQUE_ROWS`).
    """
    found = _describe(path)
    box = found.header.bbox
    _decoded(found)  # whatever is broken is refused here
    calibration = found.calibration
    scale = pixel_scale_arcsec(found.header.sky_projection, box)
    sigma = calibration.psf_sigma_arcsec
    flux = nanojansky_per_count(
        calibration.counts_per_second_zero_point + 2.5 * math.log10(found.exposure_time_s)
    )
    sky_variance = _sky_variance(calibration)
    calibrated = CalibratedImage(
        observation=found.header.observation,
        masked_image=DeferredPixels(
            functools.partial(_window, found),
            bbox=box,
            sky_projection=found.header.sky_projection,
        ),
        psf=calibration.psf,
        nanojansky_per_count=flux,
        mean_variance=sky_variance,
        quality=ImageQuality(
            psf_sigma=None if sigma is None else sigma / scale,
            n_psf_star=calibration.n_psf_star,
            pixel_scale_arcsec=scale,
        ),
        conditions=found.header.details.conditions(
            sky_background_njy=flux * calibration.sky,
            sky_noise_njy=flux * math.sqrt(sky_variance),
        ),
    )
    check_usable(calibrated, str(path))
    check_plausible(calibrated, str(path))
    return SurveyImage(calibrated_image=calibrated, header=found.header)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Described:
    """A frame before its pixels are read."""

    header: SurveyHeader
    files: SdssFiles
    calibration: FrameCalibration
    softbias: float
    exposure_time_s: float


def _describe(path: Path) -> _Described:
    name = FrameName.of(path)
    with open_fits(path) as hdus:
        header, shape = hdus[0].header.copy(), hdus[0].shape
    if len(shape) != 2:
        raise UnusableInputError(str(path), f"it must hold one image, it has the shape {shape}.")
    files = SdssFiles.of(path)
    check_keywords(
        str(path), "it", header, {"RUN": name.run, "CAMCOL": name.camcol, "FILTER": name.band}
    )
    with open_fits(files.mask) as hdus:
        mask_header = hdus[0].header.copy()
    check_keywords(
        str(path),
        str(files.mask),
        mask_header,
        {"RUN": name.run, "CAMCOL": name.camcol, "FIELD": name.field},
    )
    same_reduction(files, files.mask, header, mask_header, ("PS_ID", "FRAME_ID"))
    box = Box.factory[0 : shape[0], 0 : shape[1]]
    calibration = read_calibration(files, header, bounds=box)
    exposure_time = _positive(header, "EXPTIME", _EXPOSURE_TIME_S, path)
    checked_exposure_time(exposure_time, str(path))
    details = _details(header, calibration, exposure_time, files, rows=shape[0])
    frame = DetectorFrame(
        instrument=details.identifiers.instrument,
        visit=name.visit,
        detector=name.detector,
        bbox=box,
    )
    wcs = icrs_wcs(header, bbox=box, source=str(path))
    projection = projection_of_wcs(wcs, frame, bbox=box, source=str(path))
    check_projection(projection, box, str(path))
    return _Described(
        header=SurveyHeader(
            source=path,
            details=details,
            detector_name=name.detector_name,
            detector_bbox=box,
            bbox=box,
            sky_projection=projection,
        ),
        files=files,
        calibration=calibration,
        softbias=_positive(header, "SOFTBIAS", _SOFTBIAS, path),
        exposure_time_s=exposure_time,
    )


def _details(
    header: fits.Header,
    calibration: FrameCalibration,
    exposure_time: float,
    files: SdssFiles,
    *,
    rows: int,
) -> ObservationDetails:
    """Return what is known of the frame, at the time of its middle row.

    The telescope's image drifts over the CCD: rows are read, and end their exposure, one after the
    other, each after the same time.
    """
    name = files.name
    first_row = _positive(header, "TAI", math.nan, files.image)
    read = first_row + 0.5 * (rows - 1) * exposure_time / _ROWS_OF_CCD
    end = Time(read / _SECONDS_A_DAY, format="mjd", scale="tai")
    altitude, azimuth = (_number(header, key) for key in ("ALT", "AZ"))
    return ObservationDetails(
        identifiers=ObservationIdentifiers(
            instrument="SDSS",
            visit=name.visit,
            detector=name.detector,
            physical_filter=name.band,
            band=name.band,
            day_obs=int((end.utc - _NIGHT_OFFSET).strftime("%Y%m%d")),
        ),
        name=f"{name.run:06d}-{name.field:04d}-{name.band}",
        begin=end - TimeDelta(exposure_time, format="sec"),
        end=end,
        exposure_time_s=exposure_time,
        ra_deg=_number(header, "RA"),
        dec_deg=_number(header, "DEC"),
        rotation_deg=_number(header, "SPA"),
        airmass=calibration.airmass,
        zenith_angle_deg=None if altitude is None else 90.0 - altitude,
        azimuth_deg=None if azimuth is None else (_SOUTH_DEG - azimuth) % 360.0,
        latitude_deg=_LATITUDE_DEG,
        target=str(header.get("OBJECT") or "").strip() or None,
        observation_type=str(header.get("FLAVOR") or "").strip().lower() or None,
        sequence_number=name.field,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Decoded:
    """A frame and its mask as their files have them, each (rows, columns)."""

    dn: npt.NDArray[Any]
    bits: npt.NDArray[np.int32]


def _decoded(found: _Described) -> _Decoded:
    stats = [path.stat() for path in (found.files.image, found.files.mask)]
    version = tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
    box = found.header.bbox
    return _decode(found.files.image, found.files.mask, (box.y.size, box.x.size), version)


@functools.lru_cache(maxsize=2)
def _decode(
    image: Path,
    mask: Path,
    shape: tuple[int, int],
    version: tuple[Any, ...],  # noqa: ARG001
) -> _Decoded:
    """Read a frame and its mask; of the last two, parts are taken without unpacking them again."""
    with open_fits(image) as hdus:
        dn = read_pixels(hdus, 0, image, shape=shape)
    bits = read_sdss_mask(mask, shape=shape)
    # The softbias keeps the darkest pixel far above 0, which is what is written where nothing is.
    data = np.isfinite(dn) & np.greater(dn, 0)
    bits[~data] |= bits_of(mask_schema(), ["NO_DATA"])
    return _Decoded(dn=dn, bits=bits)


def _sky_variance(calibration: FrameCalibration) -> float:
    return calibration.sky / calibration.gain + calibration.dark_variance


def _window(found: _Described, bbox: Box) -> MaskedImage:
    """Make the planes of a part of a frame, in arrays of their own."""
    try:
        whole = _decoded(found)
    except OSError as error:
        raise_if_of_the_computer(error, found.header.source)
        raise UnusableInputError(str(found.header.source), f"it is gone ({error}).") from error
    y, x = bbox.slice_within(found.header.bbox)
    calibration = found.calibration
    light = whole.dn[y, x].astype(np.float32) - np.float32(found.softbias)
    bits = whole.bits[y, x].copy()
    variance = np.maximum(light, 0) / np.float32(calibration.gain)
    variance += np.float32(calibration.dark_variance)
    beyond = impossible_pixels(light, variance, typical=_sky_variance(calibration))
    if beyond is not None:
        bits[beyond] |= bits_of(mask_schema(), ["BAD"])
    missing = ((bits & bits_of(mask_schema(), ["NO_DATA"])) != 0) | ~(variance > 0)
    variance[missing] = np.inf
    return MaskedImage(
        Image(light - np.float32(calibration.sky), bbox=bbox),
        mask=Mask(bits[:, :, np.newaxis], schema=mask_schema(), bbox=bbox),
        variance=Image(variance, bbox=bbox),
        sky_projection=found.header.sky_projection,
    )


def _number(header: fits.Header, key: str) -> float | None:
    """Return a number of the header; None where there is none."""
    try:
        value = float(header[key])
    except (KeyError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _positive(header: fits.Header, key: str, default: float, path: Path) -> float:
    """Return a positive number of the header, or the default where the header says nothing."""
    value = _number(header, key) if key in header else default
    if value is None or not value > 0:
        raise UnusableInputError(
            str(path), f"{key} in its header must be a positive number, it is {header.get(key)!r}."
        )
    return value
