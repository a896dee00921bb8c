"""What the header of an image says, by the definition of its camera: identity, times, WCS, flux."""

from __future__ import annotations

__all__ = [
    "check_requirements",
    "describe_observation",
    "nanojansky_per_unit",
    "read_wcs",
    "recorded",
    "saturation_level",
]

import math
from collections.abc import Mapping, Sequence

import astropy.units as u
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.time import Time, TimeDelta
from astropy.wcs import WCS
from lsst.images import Box

from ...conventions import nanojansky_per_count
from ...errors import UnusableInputError
from ...files.fits_wcs import icrs_wcs
from ...products.calibrated_image.observation_details import ObservationDetails
from ...products.identifiers import ObservationIdentifiers
from ..plausible_values import (
    check_flux_of_count,
    checked_exposure_time,
    checked_magnitude,
    utc_time,
)
from .definition import UNITS, CameraDefinition, Identity
from .values import Headers, Value

_FRAME_KEYWORDS = ("RADESYS", "RADECSYS", "EQUINOX")
_STERADIANS_PER_ARCSEC2 = (math.pi / 180.0 / 3600.0) ** 2
_LARGEST_VISIT = (1 << 63) - 1


def check_requirements(require: Sequence[Mapping[str, Sequence[str]]], headers: Headers) -> None:
    """Refuse an image whose header says that something is wrong with it.

    Parameters
    ----------
    require
        Of each, the first keyword that the image has must have one of the values; one that starts
        with it will do for a text.
    headers
        Those of the image.

    Raises
    ------
    UnusableInputError
        If one of them has another value.
    """
    for rule in require:
        for keyword, values in rule.items():
            stated = headers.get(keyword)
            if stated is None or not str(stated).strip():
                continue
            text = str(stated).strip().lower()
            if not any(text == value.lower() or _starts(text, value) for value in values):
                raise UnusableInputError(
                    str(headers.path),
                    f"its {keyword} is {stated!r}, it must be {' or '.join(values)}: the camera's "
                    "definition says so in `require`.",
                )
            break


def _band(identity: Identity, headers: Headers, filter_name: str) -> str:
    if isinstance(identity.bands, Value):
        return str(identity.bands.of(headers))
    return identity.bands.get(filter_name, filter_name)


def _starts(text: str, value: str) -> bool:
    return value.isalpha() and text.startswith(value.lower())


def describe_observation(identity: Identity, headers: Headers) -> ObservationDetails:
    """Return which exposure an image is and what is known of it.

    Raises
    ------
    UnusableInputError
        If the header does not say what the definition needs.
    """
    source = str(headers.path)
    begin = _time(identity, headers)
    seconds = identity.exposure_time
    exposure_time = None if seconds is None else seconds.positive_of(headers)
    checked_exposure_time(exposure_time, source)
    if identity.visit is None:
        visit = int(begin.utc.strftime("%Y%m%d%H%M%S"))
    else:
        visit = identity.visit.integer_of(headers)
        if visit > _LARGEST_VISIT:
            raise UnusableInputError(source, f"its visit {visit} is too large a number.")
    filter_name = str(identity.physical_filter.of(headers))
    return ObservationDetails(
        identifiers=ObservationIdentifiers(
            instrument=str(identity.instrument.of(headers)),
            visit=visit,
            detector=identity.detector.integer_of(headers),
            physical_filter=filter_name,
            band=_band(identity, headers, filter_name),
            day_obs=int(begin.utc.strftime("%Y%m%d")),
        ),
        begin=begin,
        end=begin + TimeDelta(exposure_time or 0.0, format="sec"),
        exposure_time_s=exposure_time,
        airmass=recorded(identity.airmass, headers),
        hour_angle_deg=recorded(identity.hour_angle, headers, degrees_per_unit=15.0),
        latitude_deg=recorded(identity.latitude, headers, degrees_per_unit=1.0),
    )


def recorded(
    value: Value | None, headers: Headers, *, degrees_per_unit: float | None = None
) -> float | None:
    """Return a number that is recorded and no pixel depends on; None where the header has none.

    Parameters
    ----------
    value
        Where it is; None: nowhere.
    headers
        Those of the image.
    degrees_per_unit
        Whether it may be an angle such as 01:38:16, and what 1:00:00 is in degrees.

    Raises
    ------
    UnusableInputError
        If it is there, and is no number.
    """
    if value is None or (value.keyword is not None and headers.get(value.keyword) is None):
        return None
    stated = value.of(headers)
    if degrees_per_unit is not None and isinstance(stated, str) and ":" in stated:
        try:
            return degrees_per_unit * float(Angle(stated, unit=u.deg).deg)
        except ValueError as error:
            raise UnusableInputError(
                str(headers.path), f"{stated!r}, for {value.key}, must be an angle ({error})."
            ) from error
    return value.number_of(headers)


def _time(identity: Identity, headers: Headers) -> Time:
    value, is_mjd = identity.time, identity.time_is_mjd
    return utc_time(
        value.positive_of(headers) if is_mjd else value.of(headers),
        str(headers.path),
        value.keyword or "its time",
        is_mjd=is_mjd,
    )


def read_wcs(headers: Headers, *, bbox: Box) -> WCS:
    """Return the WCS of an image, in ICRS.

    Parameters
    ----------
    headers
        The frame may stand in the header of the whole file.
    bbox
        The pixels of the image.

    Raises
    ------
    UnusableInputError
        If there is none, it is broken, or it is of a frame that cannot be brought to ICRS.
    """
    header = headers.headers[0].copy()
    _rename_old_matrix(header)
    if not any(keyword in header for keyword in _FRAME_KEYWORDS):
        for keyword in _FRAME_KEYWORDS:
            if (value := headers.get(keyword)) is not None:
                header[keyword] = value
    return icrs_wcs(header, bbox=bbox, source=str(headers.path))


def _rename_old_matrix(header: fits.Header) -> None:
    """Give the matrix of old files (PC001002) the names of the standard (PC1_2)."""
    for i in (1, 2):
        for j in (1, 2):
            old, new = f"PC{i:03d}{j:03d}", f"PC{i}_{j}"
            if old in header and new not in header and f"CD{i}_{j}" not in header:
                header[new] = header[old]
            header.remove(old, ignore_missing=True)


def nanojansky_per_unit(
    camera: CameraDefinition, headers: Headers, *, pixel_scale_arcsec: float
) -> float:
    """Return the flux in nJy of a pixel that has the value 1; 1 where there is no zero point.

    Raises
    ------
    UnusableInputError
        If the header has no zero point, exposure time or pixel area that can be believed.
    """
    flux, source = camera.flux, str(headers.path)
    factor = UNITS[flux.unit]
    if factor is not None:
        if flux.unit != "MJy/sr":
            return factor
        area = pixel_scale_arcsec**2 * _STERADIANS_PER_ARCSEC2
        if flux.pixel_area is not None:
            stated = flux.pixel_area.positive_of(headers)
            if not 0.5 < stated / area < 2.0:
                raise UnusableInputError(
                    source,
                    f"a pixel of its WCS has {area:.4g} sr, the camera's definition finds "
                    f"{stated:.4g} sr in pixel_area; leave that out to take the WCS.",
                )
            area = stated
        return factor * area
    if flux.zero_point is None:
        return 1.0
    magnitude = flux.zero_point.number_of(headers)
    checked_magnitude(
        magnitude,
        source,
        flux.zero_point.keyword or "as given",
        "give the magnitude itself in the camera's definition",
    )
    if flux.ab_offset:
        filter_name = str(camera.identity.physical_filter.of(headers))
        if filter_name not in flux.ab_offset and "" not in flux.ab_offset:
            raise UnusableInputError(
                source,
                f"zero_point.offset of the camera's definition says nothing of its filter "
                f"{filter_name!r}, but of {', '.join(flux.ab_offset)}.",
            )
        magnitude += flux.ab_offset.get(filter_name, flux.ab_offset.get("", 0.0))
    if flux.extinction is not None:
        assert camera.identity.airmass is not None, "checked when read"
        airmass = camera.identity.airmass.number_of(headers)
        magnitude -= abs(flux.extinction.number_of(headers)) * (airmass - 1.0)
    factor = nanojansky_per_count(magnitude)
    if flux.per_second != (flux.unit == "count/s"):
        seconds = _exposure_time(camera, headers)
        factor = factor / seconds if flux.per_second else factor * seconds
    check_flux_of_count(factor, source)
    return factor


def saturation_level(camera: CameraDefinition, headers: Headers) -> float:
    """Return from which value in the file on a pixel is saturated; infinite if none is.

    Raises
    ------
    UnusableInputError
        If the header does not say it.
    """
    saturation = camera.saturation
    if saturation is None:
        return math.inf
    level = saturation.level.positive_of(headers)
    if saturation.unit in ("image", camera.flux.unit):
        return level
    seconds = _exposure_time(camera, headers)
    return level / seconds if saturation.unit == "count" else level * seconds


def _exposure_time(camera: CameraDefinition, headers: Headers) -> float:
    assert camera.identity.exposure_time is not None, "checked when read"
    seconds = camera.identity.exposure_time.positive_of(headers)
    checked_exposure_time(seconds, str(headers.path))
    return seconds
