"""DECam images of the Community Pipeline with the files of the DECam Legacy Survey.

A path of an ``ooi`` image comes in; the image in ADU less its sky, with variance, mask, WCS, PSFEx
model and zero point goes out. Which files belong to it is found in `decam_files`.
"""

from __future__ import annotations

__all__ = ["QUALITY_CODES", "DecamReader", "read_decam_image"]

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.time import Time, TimeDelta
from astropy.wcs import WCS, FITSFixedWarning
from lsst.images import Box, DetectorFrame, Image, Mask, MaskedImage, SkyProjection
from scipy.interpolate import RectBivariateSpline

from ..conventions import FWHM_PER_SIGMA, nanojansky_per_count
from ..errors import UnusableInputError
from ..masks.planes import bits_of, mask_schema, plane_array
from ..products.calibrated_image import CalibratedImage, ImageQuality
from ..products.calibrated_image.observation_details import ObservationDetails
from ..products.identifiers import ObservationIdentifiers
from ..psfs.models import PsfexPointSpreadFunction
from ._base import SurveyHeader, SurveyImage, pixel_scale_arcsec
from .checks import check_projection, check_usable
from .decam_files import DecamFiles, looks_like_decam
from .fits_files import open_fits, read_pixels
from .psf_files import psfex_from_values, table_values

QUALITY_CODES: Mapping[int, tuple[str, ...]] = {
    1: ("BAD",),  # bad pixel of the detector
    2: ("NO_DATA",),  # no value
    3: ("SAT",),  # saturated
    4: ("SAT",),  # bleed trail
    5: ("CR",),  # cosmic ray
    6: ("BAD",),  # low weight
    7: ("BAD", "SUSPECT"),  # differs from the other exposures of the field
    8: ("BAD", "STREAK"),  # satellite
}
"""Our mask planes for the codes of data quality (codes, not bits: one a pixel).

Each has at least one plane that keeps the pixel out of a coadd, since the pipeline gives all of
them no weight. A code that is not listed becomes BAD.
"""

_NIGHT_OFFSET = TimeDelta(0.5, format="jd")  # noon UTC is in the morning at Cerro Tololo


class DecamReader:
    """Reads DECam images; see `surveys.readers`."""

    name = "decam"

    def recognizes(self, path: Path) -> bool:
        """Return whether a file is named like an image of the DECam Community Pipeline."""
        return looks_like_decam(path)

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but the pixels."""
        return _describe(path, root=None).header

    def read(self, path: Path) -> SurveyImage:
        """Read one image with all that belongs to it."""
        return read_decam_image(path)


def read_decam_image(path: Path, *, root: Path | None = None) -> SurveyImage:
    """Read one DECam image with all that belongs to it.

    Parameters
    ----------
    path
        The ``ooi`` image of one CCD, below a folder ``images``.
    root
        The folder that has ``calib/`` and the table of CCDs; None: the one above ``images``.

    Returns
    -------
    SurveyImage
        Pixels are ADU of the whole exposure less the spline sky; the variance is the inverse of the
        weight map, and infinite where that is zero. The mean variance is the median over the
        unflagged pixels, since the weight map includes the noise of the sources' own light.

    Raises
    ------
    UnusableInputError
        If a file is missing or broken, or the image is not in the table of CCDs.
    """
    found = _describe(path, root=root)
    box = found.header.bbox
    shape = (box.y.size, box.x.size)
    image, variance, codes = _read_planes(found.files, shape)
    image -= _evaluate_sky(found, box)
    good = (codes == 0) & np.isfinite(variance)
    calibrated = CalibratedImage(
        observation=found.header.observation,
        masked_image=MaskedImage(
            Image(image.astype(np.float32), bbox=box),
            mask=_mask_from_codes(codes, box),
            variance=Image(variance.astype(np.float32), bbox=box),
            sky_projection=found.header.sky_projection,
        ),
        psf=_read_psf(found, box),
        nanojansky_per_count=nanojansky_per_count(_zero_point(found)),
        mean_variance=float(np.median(variance[good])) if good.any() else None,
        quality=ImageQuality(
            psf_sigma=_number(found.row, "fwhm", scale=1.0 / FWHM_PER_SIGMA),
            pixel_scale_arcsec=pixel_scale_arcsec(found.header.sky_projection, box),
        ),
    )
    check_usable(calibrated, str(path))
    return SurveyImage(calibrated_image=calibrated, header=found.header)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Described:
    """An image before its pixels are read."""

    header: SurveyHeader
    files: DecamFiles
    row: Mapping[str, Any]

    @property
    def visit(self) -> int:
        return self.header.observation.visit

    @property
    def ccd_name(self) -> str:
        return self.header.detector_name


def _describe(path: Path, *, root: Path | None) -> _Described:
    with open_fits(path) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2]
        if len(images) != 1:
            raise UnusableInputError(
                str(path), f"it must hold the image of one CCD, it holds {len(images)}."
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
        wcs = _read_wcs(images[0].header, path)
    visit = int(header["EXPNUM"])
    files = DecamFiles.of(path, ccd_name=ccd_name, root=root)
    row = files.ccd_row(visit=visit, ccd_name=ccd_name)
    details = _details(header, row, visit, path)
    box = Box.factory[0 : shape[0], 0 : shape[1]]
    _shift_to_gaia(wcs, row)
    frame = DetectorFrame(
        instrument=details.identifiers.instrument,
        visit=visit,
        detector=details.identifiers.detector,
        bbox=box,
    )
    projection = SkyProjection.from_fits_wcs(wcs, frame, pixel_bounds=box)
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
    )


def _read_wcs(header: fits.Header, path: Path) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header)
    if not wcs.has_celestial:
        raise UnusableInputError(str(path), "its header has no WCS.")
    return wcs


def _shift_to_gaia(wcs: WCS, row: Mapping[str, Any]) -> None:
    """Move the WCS by the mean offset that the survey measured between the CCD and Gaia.

    It is 0.02 to 0.07 arcsec and differs from exposure to exposure: left in, it would widen the
    PSF of the coadd.
    """
    ra, dec = (_number(row, key, scale=1.0 / 3600.0) for key in ("ccdraoff", "ccddecoff"))
    crval = wcs.wcs.crval
    wcs.wcs.crval = [
        crval[0] + (ra or 0.0) / math.cos(math.radians(crval[1])),
        crval[1] + (dec or 0.0),
    ]


def _details(
    header: fits.Header, row: Mapping[str, Any], visit: int, path: Path
) -> ObservationDetails:
    try:
        begin = Time(str(header["DATE-OBS"]), scale="utc").tai
    except ValueError as error:
        raise UnusableInputError(
            str(path), f"its DATE-OBS {header['DATE-OBS']!r} is not a date."
        ) from error
    exposure_time = _number(row, "exptime")
    kind = str(header.get("OBSTYPE") or "").strip().lower()
    return ObservationDetails(
        identifiers=ObservationIdentifiers(
            instrument="DECam",
            visit=visit,
            detector=int(header["CCDNUM"]),
            physical_filter=str(header["FILTER"]).strip(),
            band=str(row.get("filter") or header["FILTER"]).strip()[0],
            day_obs=int((begin.utc - _NIGHT_OFFSET).strftime("%Y%m%d")),
        ),
        name=_text(header, "OBSID"),
        begin=begin,
        end=begin + TimeDelta(exposure_time or 0.0, format="sec"),
        exposure_time_s=exposure_time,
        ra_deg=_number(row, "ra_bore"),
        dec_deg=_number(row, "dec_bore"),
        airmass=_number(row, "airmass"),
        zenith_angle_deg=_number(header, "ZD"),
        azimuth_deg=_number(header, "AZ"),
        target=_text(header, "OBJECT"),
        science_program=_text(header, "PROPID"),
        observation_type="science" if kind == "object" else kind or None,
    )


def _read_planes(
    files: DecamFiles, shape: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return image, variance (infinite where there is no weight) and codes."""
    planes = []
    for path in (files.image, files.weight, files.quality):
        with open_fits(path) as hdus:
            extension = next((i for i, hdu in enumerate(hdus) if len(hdu.shape) == 2), 0)
            planes.append(read_pixels(hdus, extension, path, shape=shape))
    image, weight = planes[0].astype(np.float64), planes[1].astype(np.float64)
    variance = np.full(shape, np.inf)
    np.divide(1.0, weight, out=variance, where=np.isfinite(weight) & (weight > 0))
    return image, variance, planes[2].astype(np.int64)


def _mask_from_codes(codes: npt.NDArray[np.int64], box: Box) -> Mask:
    mask = Mask(0, schema=mask_schema(), bbox=box)
    bits = plane_array(mask)
    for code in np.unique(codes):
        if code != 0:
            planes = QUALITY_CODES.get(int(code), ("BAD",))
            bits[codes == code] = bits_of(mask.schema, planes)
    return mask


def _evaluate_sky(found: _Described, box: Box) -> npt.NDArray[np.float64]:
    """Return the spline sky at the pixels of the image."""
    path, values = _read_derived(found, found.files.sky_candidates)
    try:
        order = int(values.get("order", 3))
        x_grid, y_grid = (np.asarray(values[key], dtype=np.float64) for key in ("xgrid", "ygrid"))
        grid = np.asarray(values["gridvals"], dtype=np.float64)
        spline = RectBivariateSpline(
            x_grid,
            y_grid,
            grid.T,
            kx=min(order, x_grid.size - 1),
            ky=min(order, y_grid.size - 1),
        )
        sky = spline(box.x.arange + float(values["x0"]), box.y.arange + float(values["y0"])).T
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableInputError(str(path), f"it holds no spline sky ({error}).") from error
    result: npt.NDArray[np.float64] = sky
    return result


def _read_psf(found: _Described, box: Box) -> PsfexPointSpreadFunction:
    path, values = _read_derived(found, found.files.psf_candidates)
    return psfex_from_values(values, bounds=box, source=str(path))


def _read_derived(found: _Described, candidates: Sequence[Path]) -> tuple[Path, dict[str, Any]]:
    """Return the first file that exists and the values of the image's row in it."""
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UnusableInputError(
            str(found.header.source),
            f"one of these files must exist: {', '.join(map(str, candidates))}.",
        )
    with open_fits(path) as hdus:
        table = hdus[1]
        for row in range(len(table.data)):
            values = table_values(table, row)
            if (
                int(values.get("expnum", found.visit)) == found.visit
                and str(values.get("ccdname", found.ccd_name)).strip() == found.ccd_name
            ):
                return path, values
    raise UnusableInputError(
        str(path), f"it has no row for exposure {found.visit}, CCD {found.ccd_name}."
    )


def _zero_point(found: _Described) -> float:
    """Return the AB magnitude of one count of the whole exposure."""
    zero_point, exposure_time = (_number(found.row, key) for key in ("ccdzpt", "exptime"))
    if zero_point is None or exposure_time is None or exposure_time <= 0 or zero_point <= 0:
        raise UnusableInputError(
            str(found.header.source),
            f"the table of CCDs has no zero point for it (ccdzpt {zero_point}, "
            f"exptime {exposure_time}).",
        )
    return zero_point + 2.5 * math.log10(exposure_time)


def _number(values: Mapping[str, Any], key: str, *, scale: float = 1.0) -> float | None:
    """Return a number of a header or table row; None where there is none."""
    try:
        value = float(values[key]) * scale
    except (KeyError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _text(header: fits.Header, key: str) -> str | None:
    return str(header.get(key) or "").strip() or None
