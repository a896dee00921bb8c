"""Which detector of which visit an afw exposure is, and when, where and why it was taken."""

from __future__ import annotations

__all__ = ["detector_of", "read_details"]

import dataclasses
import math
import re
from typing import Any

from astropy.io import fits
from astropy.time import Time, TimeDelta
from lsst.images import Box

from ...errors import UnusableInputError
from ...products.calibrated_image.observation_details import ObservationDetails
from ...products.identifiers import ObservationIdentifiers
from ..bands import band_of_filter
from .exposure_file import ExposureFile

_NIGHT_OFFSET = TimeDelta(0.5, format="jd")
_DATA_ID = "LSST BUTLER DATAID"
_HSC_DETECTORS = 200  # of HSC's exposure numbers, which have visit and detector in one
_HSC_NAME = re.compile(r"^HSCA(\d{6})00$")
_BROAD = re.compile(r"^HSC-([GRIZY])2?$")
_NARROW = re.compile(r"^(?:NB|N)0?(\d{3,4})$")
_HSC_ALIASES = {"r2": ("HSC-R2", "r"), "i2": ("HSC-I2", "i")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detector:
    """Which detector an image is of.

    Parameters
    ----------
    number, name
        As the camera calls it.
    bbox
        All of its pixels.
    """

    number: int
    name: str
    bbox: Box


def detector_of(exposure: ExposureFile) -> Detector:
    """Return the detector that an exposure is of.

    Raises
    ------
    UnusableInputError
        If the exposure is a coadd or a warp, neither a table nor a card says which detector it is
        of, or the detector has no pixels.
    """
    stored = exposure.own("DETECTOR")
    stated = _integer(exposure.header, f"{_DATA_ID} DETECTOR")
    if stated is None and _hsc_visit(exposure.header) is not None:
        stated = _integer(exposure.header, "DET-ID")
    _refuse_coadd(exposure, has_detector=stored is not None or stated is not None)
    if stored is None:
        if stated is None:
            raise UnusableInputError(
                exposure.source,
                f"neither a table (DETECTOR) nor a card ({_DATA_ID} DETECTOR) says which detector "
                "it is of: add the card.",
            )
        name = str(exposure.header.get("DETNAME", stated)).strip()
        return Detector(number=stated, name=name, bbox=exposure.bbox)
    rows = stored.table()
    number, box = rows.integer("id"), rows.box()
    if box is None or not box.contains(exposure.bbox):
        raise UnusableInputError(
            exposure.source,
            f"its pixels {exposure.bbox} must be on its detector, which has "
            f"{'none' if box is None else box}.",
        )
    if stated is not None and stated != number:
        raise UnusableInputError(
            exposure.source,
            f"its table says that it is of detector {number}, its card {_DATA_ID} DETECTOR that it "
            f"is of {stated}.",
        )
    return Detector(number=number, name=rows.text("name"), bbox=box)


def _refuse_coadd(exposure: ExposureFile, *, has_detector: bool) -> None:
    """Refuse what was added up already: ``deep_coadd`` of DP1, ``deepCoadd_calexp``."""
    psf, signs = exposure.own("PSF"), []
    # Images of detectors were seen that have a table of inputs, too.
    if not has_detector and exposure.own("COADD_INPUTS") is not None:
        signs.append("a table COADD_INPUTS")
    if psf is not None and psf.name in ("CoaddPsf", "WarpedPsf"):
        signs.append(f"a {psf.name}")
    signs += [
        f"a card {_DATA_ID} {key}"
        for key in ("TRACT", "PATCH")
        if f"{_DATA_ID} {key}" in exposure.header
    ]
    if signs:
        raise UnusableInputError(
            exposure.source,
            f"it is a coadd or a warp of the Rubin pipelines, not the image of a detector: it has "
            f"{', '.join(signs)}. Its pixels are those of many images already, which cannot be "
            "weighed again: give the images that it was made of (visit_image, calexp).",
        )


def read_details(exposure: ExposureFile, detector: Detector) -> ObservationDetails:
    """Return what cards and tables say of the visit.

    Raises
    ------
    UnusableInputError
        If they do not say which visit, instrument and filter it is, or when it was.
    """
    header = exposure.header
    middle = _middle(exposure)
    exposure_time = _number(header, "EXPTIME")
    half = TimeDelta(0.5 * (exposure_time or 0.0), format="sec")
    physical, band = _filter(exposure)
    day = _integer(header, f"{_DATA_ID} DAY_OBS")
    altitude = _number(header, "BORE-ALT")
    on_sky = str(header.get("ROTTYPE", "")).strip() == "SKY"
    return ObservationDetails(
        identifiers=ObservationIdentifiers(
            instrument=_instrument(exposure),
            visit=_visit(exposure, detector.number),
            detector=detector.number,
            physical_filter=physical,
            band=band,
            day_obs=int((middle - _NIGHT_OFFSET).strftime("%Y%m%d")) if day is None else day,
        ),
        name=_text(header, "OBSID") or _text(header, "EXP-ID"),
        begin=middle - half,
        end=middle + half,
        exposure_time_s=exposure_time,
        ra_deg=_number(header, "BORE-RA"),
        dec_deg=_number(header, "BORE-DEC"),
        rotation_deg=_number(header, "BORE-ROTANG") if on_sky else None,
        airmass=_number(header, "BORE-AIRMASS"),
        zenith_angle_deg=None if altitude is None else 90.0 - altitude,
        azimuth_deg=_number(header, "BORE-AZ"),
        latitude_deg=_number(header, "OBS-LAT"),
        target=_text(header, "OBJECT"),
        science_program=_text(header, "PROGRAM"),
        observation_type=_kind(header),
        observation_reason=_text(header, "REASON"),
    )


def _middle(exposure: ExposureFile) -> Time:
    """Return the middle of the exposure in TAI."""
    header = exposure.header
    try:
        if "DATE-AVG" in header and str(header.get("TIMESYS", "")).strip() == "TAI":
            return Time(str(header["DATE-AVG"]).strip(), scale="tai")
        if "TIME-MID" in header:  # UTC, whatever its comment says
            return Time(str(header["TIME-MID"]).strip().removesuffix("Z"), scale="utc").tai
    except ValueError as error:
        raise UnusableInputError(
            exposure.source, f"the date of its middle is none ({error})."
        ) from error
    raise UnusableInputError(
        exposure.source,
        "its header must have DATE-AVG with TIMESYS TAI, or TIME-MID: when it was taken is not "
        "known.",
    )


def _instrument(exposure: ExposureFile) -> str:
    header = exposure.header
    for key in (f"{_DATA_ID} INSTRUMENT", "INSTRUMENT", "INSTRUME"):
        if (text := _text(header, key)) is not None:
            return "HSC" if text == "Hyper Suprime-Cam" else text
    if str(header.get("EXP-ID", "")).startswith("HSC"):
        return "HSC"
    raise UnusableInputError(
        exposure.source, "its header does not say of which instrument it is: add INSTRUMENT."
    )


def _visit(exposure: ExposureFile, detector: int) -> int:
    """Return the number of the visit; of HSC also by that of the exposure."""
    header = exposure.header
    for key in (f"{_DATA_ID} VISIT", "IDNUM"):
        if (visit := _integer(header, key)) is not None and visit > 0:
            return visit
    packed = _integer(header, "EXPID")
    if packed is None and (visit := _hsc_visit(header)) is not None:
        return visit
    if packed is not None and _instrument(exposure) == "HSC":
        visit, rest = divmod(packed, _HSC_DETECTORS)
        if rest == detector and visit > 0:
            return visit
    raise UnusableInputError(
        exposure.source,
        f"its header does not say of which visit it is ({_DATA_ID} VISIT, IDNUM): add IDNUM.",
    )


def _hsc_visit(header: fits.Header) -> int | None:
    """Return the visit by HSC's own name of an exposure: HSCA90401000 is visit 904010."""
    found = _HSC_NAME.match(_text(header, "EXP-ID") or "")
    return None if found is None else int(found[1])


def _filter(exposure: ExposureFile) -> tuple[str, str]:
    """Return the name of the filter and of its band."""
    physical: str | None
    header = exposure.header
    stored = exposure.own("FILTER")
    if stored is not None and stored.name == "FilterLabel":
        rows = stored.table()
        band = rows.text("band") if rows.flag("band_exists") else None
        physical = rows.text("physical") if rows.flag("physical_exists") else None
    else:
        band = _text(header, f"{_DATA_ID} BAND")
        physical = _text(header, f"{_DATA_ID} PHYSICAL_FILTER") or _text(header, "FILTER")
    if physical in _HSC_ALIASES:
        return _HSC_ALIASES[physical]
    name = physical or band
    if name is None or name == "_unknown_":
        raise UnusableInputError(
            exposure.source, "it does not say which filter it was taken with: add a card FILTER."
        )
    return name, band or _band(name)


def _band(physical: str) -> str:
    broad, narrow = _BROAD.match(physical), _NARROW.match(physical)
    if broad is not None:
        return broad[1].lower()
    return f"N{narrow[1]}" if narrow is not None else band_of_filter(physical)


def _kind(header: fits.Header) -> str | None:
    """Return the kind of exposure; files of some cameras call science an object."""
    kind = (_text(header, "OBSTYPE") or "").lower()
    return "science" if kind == "object" else kind or None


def _integer(header: fits.Header, key: str) -> int | None:
    value = header.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(header: fits.Header, key: str) -> float | None:
    """Return a finite number, which may be written as text."""
    value: Any = header.get(key)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _text(header: fits.Header, key: str) -> str | None:
    value = header.get(key)
    return str(value).strip() or None if isinstance(value, str) else None
