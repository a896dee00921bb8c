"""World coordinates of FITS headers: the one place where a header becomes a sky projection.

A header of whatever frame comes in; a `lsst.images.SkyProjection`, which is in ICRS, goes out. What
is not certain to be understood is refused, and two programs, astropy and Starlink AST, must agree.
"""

from __future__ import annotations

__all__ = ["check_round_trip", "icrs_wcs", "projection_of_wcs"]

import re
import warnings
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import (
    ICRS,
    BarycentricMeanEcliptic,
    BaseCoordinateFrame,
    CartesianRepresentation,
    SkyCoord,
    UnitSphericalRepresentation,
)
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import wcs_to_celestial_frame
from lsst.images import Box, SkyProjection

from ..errors import UnusableInputError
from .fits_units import BrokenFitsError
from .wcs_ranges import check_ranges

type _Floats = npt.NDArray[np.float64]

_AXES = {("RA--", "DEC-"), ("GLON", "GLAT"), ("ELON", "ELAT")}
_PROJECTIONS = re.compile(
    "^....-(AZP|SZP|TAN|STG|SIN|ARC|ZPN|ZEA|AIR|CYP|CEA|CAR|MER|SFL|PAR|MOL|AIT|COP|COE|COD|COO|BON"
    "|PCO|TSC|CSC|QSC|HPX|XPH|TPV|TAN-SIP)$"
)
_PV = re.compile(r"^PV[12]_\d+$")
_SIP = re.compile(r"^[AB]_\d+_\d+$")
_TABLES = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "CQDIS1", "CQDIS2", "DP1", "DP2")
_AGREE_ARCSEC = 1e-4
_ROUND_TRIP_PX = 0.01  # far below what moves a star's light
_GRID = 5  # positions a side at which readings are compared


def icrs_wcs(header: fits.Header, *, bbox: Box, source: str) -> WCS:
    """Read the WCS of a header and bring it to ICRS, with right ascension as its first axis.

    Parameters
    ----------
    header
        Of the image.
    bbox
        Its pixels, where the result is compared with what the header says.
    source
        What the user knows it as, for messages.

    Raises
    ------
    UnusableInputError
        If there is no WCS of two axes, a number in it cannot be meant (`wcs_ranges`), its frame or
        its projection is not one of those that are understood, or the header contradicts itself.

    Notes
    -----
    ICRS, FK5 of any equinox, Galactic and ecliptic coordinates (mean ones) are turned into each
    other by a rotation, which the WCS takes up exactly in its reference point and pole: Calabretta
    and Greisen (2002, A&A 395, 1077), section 2. FK4 is refused, since the aberration in it is no
    rotation. ``PV`` on ``TAN`` is the distortion of SCAMP: ``TPV``.
    """
    check_ranges(header, source)
    header = _with_tpv(header, source)
    if any(key in header for key in _TABLES):
        raise UnusableInputError(
            source,
            "its WCS has a distortion in tables, which cannot be used; fit SIP or TPV to it.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(header)
            wcs.wcs.set()
    except Exception as error:  # wcslib has a tree of errors of its own; any of them means the same
        raise UnusableInputError(
            source, f"its WCS cannot be read ({error}); look at CTYPE, CRVAL and CD of its header."
        ) from error
    if not wcs.has_celestial:
        raise UnusableInputError(
            source,
            "its header has no WCS: solve its astrometry first (CTYPE1, CRVAL1, CRPIX1, CD1_1).",
        )
    if wcs.naxis != 2:
        raise UnusableInputError(source, f"its WCS must have 2 axes, it has {wcs.naxis}.")
    _check_projection(header, source)
    frame = _frame(wcs, source)
    is_first = wcs.wcs.lng == 0
    if is_first and isinstance(frame, ICRS):
        return wcs
    result = _rotated(wcs, _rotation(frame, source))
    x, y = _grid(bbox)
    said = _on_sky(wcs, x, y, frame)
    miss = said.separation(_on_sky(result, x, y, ICRS())).to_value(u.arcsec)
    if not float(miss.max()) <= _AGREE_ARCSEC:
        raise UnusableInputError(
            source, f"its WCS cannot be brought to ICRS: it would be {miss.max():.3g} arcsec off."
        )
    return result


def projection_of_wcs(wcs: WCS, frame: Any, *, bbox: Box, source: str) -> SkyProjection[Any]:
    """Return the sky projection of a WCS that `icrs_wcs` read.

    Parameters
    ----------
    wcs
        In ICRS.
    frame
        The pixel frame of the projection.
    bbox
        The pixels of the image; the header counts from its first one.
    source
        What the user knows it as, for messages.

    Raises
    ------
    UnusableInputError
        If Starlink AST reads it otherwise than astropy, by more than 0.1 mas.
    """
    x, y = _grid(bbox)
    try:
        projection = SkyProjection.from_fits_wcs(
            wcs, frame, pixel_bounds=bbox, x0=bbox.x.start, y0=bbox.y.start
        )
        ours = projection.pixel_to_sky(x=x + bbox.x.start, y=y + bbox.y.start)
        miss = float(ours.separation(_on_sky(wcs, x, y, ICRS())).to_value(u.arcsec).max())
    except Exception as error:  # AST has a tree of errors of its own; any of them means the same
        raise UnusableInputError(source, f"its WCS cannot be evaluated ({error}).") from error
    if miss > _AGREE_ARCSEC:
        raise UnusableInputError(
            source,
            f"its WCS is read in two ways, by astropy and by Starlink AST, which differ by "
            f"{miss:.3g} arcsec; {_AGREE_ARCSEC} are allowed: are CRVAL, CD and PV in range?",
        )
    return projection


def check_round_trip(projection: SkyProjection[Any], bbox: Box) -> None:
    """Refuse a projection of a file that does not find its way back from the sky.

    What AST has read it may not be able to write: a distortion without a linear part, put into a
    FITS header, goes into memory that is not its own. Such a one does not find its way back.

    Parameters
    ----------
    projection
        As a product's file has it.
    bbox
        Where the product is.

    Raises
    ------
    BrokenFitsError
        If a position is not finite, or comes back more than 0.01 pixel off.
    """
    x, y = _grid(bbox)
    x, y = x + bbox.x.start, y + bbox.y.start
    try:
        sky = projection.pixel_to_sky_transform.apply_forward(x=x, y=y)
        back = projection.pixel_to_sky_transform.apply_inverse(x=sky.x, y=sky.y)
    except Exception as error:  # AST has a tree of errors of its own; any of them means the same
        raise BrokenFitsError(f"its WCS cannot be evaluated ({error}); it is broken.") from error
    miss = float(np.maximum(np.abs(back.x - x), np.abs(back.y - y)).max())
    if not miss <= _ROUND_TRIP_PX:
        raise BrokenFitsError(
            f"its WCS does not find the way back from the sky: it misses by {miss:.3g} pixels, "
            f"{_ROUND_TRIP_PX} are allowed; it is broken."
        )


def _with_tpv(header: fits.Header, source: str) -> fits.Header:
    """Return the header with the projection that its distortion means."""
    types = [str(header.get(f"CTYPE{axis}", "")).strip() for axis in (1, 2)]
    has_pv = any(_PV.match(key) for key in header)
    has_sip = any(_SIP.match(key) for key in header)
    if not has_pv or all(name.endswith("-SIP") for name in types):
        return header
    if not all(name[4:] in ("-TAN", "-TPV") for name in types):
        return header
    if has_sip:
        raise UnusableInputError(
            source,
            f"its WCS ({types[0]}) has two distortions, PV and SIP; it must have the one that it "
            "is made with.",
        )
    header = header.copy()
    for axis, name in enumerate(types, start=1):
        header[f"CTYPE{axis}"] = name[:4] + "-TPV"
    return header


def _check_projection(header: fits.Header, source: str) -> None:
    """Refuse projections that are read as others: programs take TNX for TAN in silence."""
    types = [str(header[f"CTYPE{axis}"]).strip() for axis in (1, 2)]
    if not all(_PROJECTIONS.match(name) for name in types):
        raise UnusableInputError(
            source,
            f"its projection {', '.join(types)} is not one of the FITS standard, TPV or TAN-SIP; "
            "fit one of these to it.",
        )


def _frame(wcs: WCS, source: str) -> BaseCoordinateFrame:
    """Return the frame of the sky that a WCS says."""
    lon, lat = (str(wcs.wcs.ctype[axis]) for axis in (wcs.wcs.lng, wcs.wcs.lat))
    if (lon[:4], lat[:4]) not in _AXES:
        raise UnusableInputError(
            source,
            f"its coordinates {lon}, {lat} must be right ascension and declination, Galactic or "
            "ecliptic.",
        )
    if lon.startswith("ELON"):
        equinox = wcs.wcs.equinox if np.isfinite(wcs.wcs.equinox) else 2000.0
        return BarycentricMeanEcliptic(equinox=Time(equinox, format="jyear"))
    try:
        frame: BaseCoordinateFrame = wcs_to_celestial_frame(wcs)
    except ValueError as error:
        raise UnusableInputError(
            source, f"its frame RADESYS {str(wcs.wcs.radesys)!r} is not known ({error})."
        ) from error
    return frame


def _rotation(frame: BaseCoordinateFrame, source: str) -> _Floats:
    """Return the matrix that turns directions of a frame into those of ICRS."""
    axes = frame.realize_frame(
        CartesianRepresentation(np.eye(3)).represent_as(UnitSphericalRepresentation)
    )
    matrix: _Floats = (
        SkyCoord(axes).icrs.represent_as(UnitSphericalRepresentation).to_cartesian().xyz.value
    )
    if not np.allclose(matrix.T @ matrix, np.eye(3), rtol=0.0, atol=1e-12):
        raise UnusableInputError(
            source,
            f"its frame is {frame.name.upper()}, which no rotation turns into ICRS; ICRS, FK5, "
            "Galactic and ecliptic coordinates can be used: rewrite its WCS in one of them.",
        )
    return matrix


def _rotated(wcs: WCS, rotation: _Floats) -> WCS:
    """Return the same WCS in a frame that is rotated, longitude first."""
    celestial = wcs.wcs.cel
    pole_lon, pole_colat, pole_phi = np.radians(celestial.euler[:3])
    # Native directions to celestial ones: the native pole, and where the celestial one is from it.
    to_sky = rotation @ (_about_z(pole_lon) @ _about_y(pole_colat) @ _about_z(np.pi - pole_phi))
    reference = to_sky @ _direction(np.radians(celestial.phi0), np.radians(celestial.theta0))
    pole = to_sky.T[:, 2]
    result = wcs.deepcopy()
    order = [wcs.wcs.lng, wcs.wcs.lat]
    kind = [str(wcs.wcs.ctype[axis])[4:] for axis in order]
    pv = wcs.wcs.get_pv()
    if wcs.wcs.has_cd():
        result.wcs.cd = wcs.wcs.cd[order]
    else:
        result.wcs.pc = wcs.wcs.get_pc()[order]
        result.wcs.cdelt = wcs.wcs.cdelt[order]
    result.wcs.ctype = [f"RA--{kind[0]}", f"DEC-{kind[1]}"]
    result.wcs.cunit = [wcs.wcs.cunit[axis] for axis in order]
    result.wcs.set_pv([(order.index(axis - 1) + 1, term, value) for axis, term, value in pv])
    result.wcs.crval = np.degrees(
        [
            np.arctan2(reference[1], reference[0]) % (2 * np.pi),
            np.arcsin(np.clip(reference[2], -1, 1)),
        ]
    )
    result.wcs.lonpole = float(np.degrees(np.arctan2(pole[1], pole[0])))
    result.wcs.latpole = float(np.degrees(np.arcsin(np.clip(pole[2], -1.0, 1.0))))
    result.wcs.radesys = "ICRS"
    result.wcs.equinox = np.nan
    result.wcs.set()
    return result


def _about_z(angle: float) -> _Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _about_y(angle: float) -> _Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def _direction(longitude: float, latitude: float) -> _Floats:
    return np.array(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )


def _longitude_latitude(direction: _Floats) -> tuple[float, float]:
    """Return the angles of a direction in degrees."""
    longitude = np.degrees(np.arctan2(direction[1], direction[0])) % 360.0
    latitude = np.degrees(np.arctan2(direction[2], np.hypot(direction[0], direction[1])))
    return float(longitude), float(latitude)


def _grid(bbox: Box) -> tuple[_Floats, _Floats]:
    """Return positions in a box, counted from its first pixel as 0."""
    x, y = np.meshgrid(
        np.linspace(-0.5, bbox.x.size - 0.5, _GRID), np.linspace(-0.5, bbox.y.size - 0.5, _GRID)
    )
    return x.ravel(), y.ravel()


def _on_sky(wcs: WCS, x: _Floats, y: _Floats, frame: BaseCoordinateFrame) -> SkyCoord:
    """Return positions in ICRS, by astropy."""
    world = wcs.all_pix2world(x, y, 0)
    lon, lat = world[wcs.wcs.lng], world[wcs.wcs.lat]
    return SkyCoord(lon, lat, unit="deg", frame=frame).icrs
