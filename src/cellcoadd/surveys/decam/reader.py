"""DECam images of the Community Pipeline with the files of the DECam Legacy Survey.

A path of an ``ooi`` image comes in; the image in ADU less its sky, with variance, mask, WCS, PSFEx
model and zero point goes out. Which files belong to it is found in `files`, whether they
belong together by `surveys.processing`; pixels are read in `planes`, sky, PSF and zero point in
`calibration`.
"""

from __future__ import annotations

__all__ = ["QUALITY_CODES", "DecamReader", "read_decam_image"]

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import TimeDelta
from astropy.wcs import WCS
from lsst.images import Box, DetectorFrame, Image, MaskedImage

from ...conventions import FWHM_PER_SIGMA, nanojansky_per_count
from ...errors import UnusableInputError
from ...files.fits_wcs import icrs_wcs, projection_of_wcs
from ...masks.impossible import flag_impossible
from ...products.calibrated_image import CalibratedImage, ImageQuality
from ...products.calibrated_image.observation_details import ObservationDetails
from ...products.identifiers import ObservationIdentifiers
from .._base import SurveyHeader, SurveyImage, pixel_scale_arcsec
from ..bands import band_of_filter
from ..checks import check_plausible, check_projection, check_usable
from ..fits_files import open_fits
from ..mosaic_files import image_addresses
from ..plausible_values import checked_exposure_time, utc_time
from ..processing import Processing
from .calibration import evaluate_sky, number, read_psf, zero_point
from .cuts import check_astrometry, check_cuts
from .files import CcdRow, DecamFiles, images_folder, looks_like_decam
from .planes import QUALITY_CODES, read_planes

_NIGHT_OFFSET = TimeDelta(0.5, format="jd")  # noon UTC is in the morning at Cerro Tololo


class DecamReader:
    """Reads DECam images; see `surveys.readers`.

    Parameters
    ----------
    name
        The key in `READERS`.
    accept_cut
        Read also what the survey itself does not use, see `read_decam_image`.
    """

    def __init__(self, *, name: str = "decam", accept_cut: bool = False) -> None:
        self.name = name
        self._accept_cut = accept_cut

    def recognizes(self, path: Path) -> bool:
        """Return whether a file is named and lies as images of the Legacy Survey do."""
        return looks_like_decam(path) and images_folder(path) is not None

    def images_in(self, path: Path) -> Sequence[Path]:
        """Return the address of each CCD in a file."""
        return image_addresses(path)

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but the pixels."""
        return _describe(path, root=None, accept_cut=self._accept_cut).header

    def read(self, path: Path) -> SurveyImage:
        """Read one image with all that belongs to it."""
        return read_decam_image(path, accept_cut=self._accept_cut)


def read_decam_image(
    path: Path, *, root: Path | None = None, accept_cut: bool = False
) -> SurveyImage:
    """Read one DECam image with all that belongs to it.

    Parameters
    ----------
    path
        The ``ooi`` image of one CCD, below a folder ``images``.
    root
        The folder that has ``calib/`` and the table of CCDs; None: the one above ``images``.
    accept_cut
        Read the image also if the survey has cut it (``ccd_cuts``), or its astrometry has failed.

    Returns
    -------
    SurveyImage
        Pixels are ADU of the whole exposure less the spline sky; the variance is the inverse of the
        weight map, and infinite where that is zero or not to be believed. The mean variance is the
        median over the
        unflagged pixels, since the weight map includes the noise of the sources' own light.

    Raises
    ------
    UnusableInputError
        If a file is missing or broken or of another processing than the others, the image is not in
        the table of CCDs, or it has been cut and is not asked for.
    """
    found = _describe(path, root=root, accept_cut=accept_cut)
    files, box = found.files, found.header.bbox
    planes = read_planes(files, box, found.processing)
    ccd_name = found.header.detector_name
    sky = evaluate_sky(files, box, found.processing, ccd_name=ccd_name)
    image = planes.image - sky
    good = planes.good
    details, scale = found.header.details, nanojansky_per_count(zero_point(found.row, path))
    rms, seconds = number(found.row.values, "skyrms"), details.exposure_time_s
    calibrated = CalibratedImage(
        observation=found.header.observation,
        masked_image=MaskedImage(
            Image(image.astype(np.float32), bbox=box),
            mask=flag_impossible(image, planes.variance, planes.mask),
            variance=Image(planes.variance.astype(np.float32), bbox=box),
            sky_projection=found.header.sky_projection,
        ),
        psf=read_psf(files, box, found.processing, ccd_name=ccd_name),
        nanojansky_per_count=scale,
        mean_variance=float(np.median(planes.variance[good])) if good.any() else None,
        quality=ImageQuality(
            psf_sigma=_psf_sigma(found.row.values),
            pixel_scale_arcsec=pixel_scale_arcsec(found.header.sky_projection, box),
        ),
        conditions=details.conditions(
            sky_background_njy=scale * float(np.median(sky)),
            # The table has it per second.
            sky_noise_njy=None if rms is None or seconds is None else scale * rms * seconds,
        ),
    )
    check_usable(calibrated, str(path))
    check_plausible(calibrated, str(path))
    return SurveyImage(calibrated_image=calibrated, header=found.header)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Described:
    """An image before its pixels are read."""

    header: SurveyHeader
    files: DecamFiles
    row: CcdRow
    processing: Processing


def _describe(path: Path, *, root: Path | None, accept_cut: bool) -> _Described:
    with open_fits(path) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2]
        if len(images) != 1:
            raise UnusableInputError(
                str(path),
                f"it must hold the image of one CCD, it holds {len(images)}"
                + (f": name one, as in {path.name}[{images[0].name}]." if images else "."),
            )
        header = hdus[0].header.copy()
        header.update(images[0].header)
        shape = images[0].shape
        missing = [
            key
            for key in ("EXPNUM", "CCDNUM", "DATE-OBS", "FILTER")
            if header.get(key) in (None, "")
        ]
        if missing:
            raise UnusableInputError(str(path), f"its header lacks {', '.join(missing)}.")
        ccd_name = str(header.get("DETPOS") or images[0].name).strip()
        box = Box.factory[0 : shape[0], 0 : shape[1]]
        wcs = icrs_wcs(images[0].header, bbox=box, source=str(path))
    visit = _whole(header, "EXPNUM", path)
    files = DecamFiles.of(path, ccd_name=ccd_name, root=root)
    row = files.ccd_row(visit=visit, ccd_name=ccd_name)
    processing = Processing.of(header, path)
    processing.check(row.values, row.table)
    if not accept_cut:
        check_cuts(row.values, path, row.table)
        check_astrometry(header, path)
    details = _details(header, row.values, visit, path)
    _shift_to_gaia(wcs, row.values)
    frame = DetectorFrame(
        instrument=details.identifiers.instrument,
        visit=visit,
        detector=details.identifiers.detector,
        bbox=box,
    )
    projection = projection_of_wcs(wcs, frame, bbox=box, source=str(path))
    check_projection(projection, box, str(path))
    return _Described(
        header=SurveyHeader(
            source=path,
            details=details,
            detector_name=ccd_name,
            detector_bbox=box,
            bbox=box,
            sky_projection=projection,
        ),
        files=files,
        row=row,
        processing=processing,
    )


def _shift_to_gaia(wcs: WCS, row: Mapping[str, Any]) -> None:
    """Move the WCS by the mean offset that the survey measured between the CCD and Gaia.

    It is 0.02 to 0.07 arcsec and differs from exposure to exposure: left in, it would widen the
    PSF of the coadd.
    """
    ra, dec = (number(row, key, scale=1.0 / 3600.0) for key in ("ccdraoff", "ccddecoff"))
    crval = wcs.wcs.crval
    wcs.wcs.crval = [
        crval[0] + (ra or 0.0) / math.cos(math.radians(crval[1])),
        crval[1] + (dec or 0.0),
    ]


def _details(
    header: fits.Header, row: Mapping[str, Any], visit: int, path: Path
) -> ObservationDetails:
    begin = utc_time(header["DATE-OBS"], str(path), "its DATE-OBS")
    exposure_time = checked_exposure_time(number(row, "exptime"), str(path))
    kind = str(header.get("OBSTYPE") or "").strip().lower()
    return ObservationDetails(
        identifiers=ObservationIdentifiers(
            instrument="DECam",
            visit=visit,
            detector=_whole(header, "CCDNUM", path),
            physical_filter=str(header["FILTER"]).strip(),
            band=_band(header, row, path),
            day_obs=int((begin.utc - _NIGHT_OFFSET).strftime("%Y%m%d")),
        ),
        name=_text(header, "OBSID"),
        begin=begin,
        end=begin + TimeDelta(exposure_time or 0.0, format="sec"),
        exposure_time_s=exposure_time,
        ra_deg=number(row, "ra_bore"),
        dec_deg=number(row, "dec_bore"),
        airmass=number(row, "airmass"),
        zenith_angle_deg=number(header, "ZD"),
        azimuth_deg=number(header, "AZ"),
        latitude_deg=number(header, "OBS-LAT"),
        target=_text(header, "OBJECT"),
        science_program=_text(header, "PROPID"),
        observation_type="science" if kind == "object" else kind or None,
    )


def _psf_sigma(row: Mapping[str, Any]) -> float | None:
    """Return the width of the PSF; NaN where it was measured in vain, None without a column."""
    if "fwhm" not in row:
        return None
    width = number(row, "fwhm")
    return width * (1.0 / FWHM_PER_SIGMA) if width is not None and width > 0 else math.nan


def _band(header: fits.Header, row: Mapping[str, Any], path: Path) -> str:
    """Return the band, of which header and table must not say different things."""
    band = band_of_filter(str(header["FILTER"]))
    stated = str(row.get("filter") or band).strip()
    if stated.lower() != band.lower():
        raise UnusableInputError(
            str(path),
            f"its FILTER is {header['FILTER']!r}, of band {band}, but the table of CCDs says "
            f"{stated!r}: they must be of one image.",
        )
    return band


def _whole(header: fits.Header, key: str, path: Path) -> int:
    """Return a number of the header that counts something."""
    value = header[key]
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnusableInputError(
            str(path), f"its {key} must be a whole number that is not negative, it is {value!r}."
        )
    return value


def _text(header: fits.Header, key: str) -> str | None:
    return str(header.get(key) or "").strip() or None
