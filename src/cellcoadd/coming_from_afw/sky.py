"""Positions on the sky as lsst.afw and lsst.geom name them: projections, positions, angles."""

from __future__ import annotations

__all__ = ["Angle", "SkyWcs", "SpherePoint"]

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from lsst.images import XY, SkyProjection

from .views import View

_ARCSEC_PER_DEGREE = 3600.0


class Angle(float):
    """An angle, a number in radians.

    Examples
    --------
    >>> angle = Angle(math.pi)
    >>> angle.asDegrees(), angle.asArcseconds(), angle > Angle(3.0)
    (180.0, 648000.0, True)
    """

    def asRadians(self) -> float:
        """Return the number of radians."""
        return float(self)

    def asDegrees(self) -> float:
        """Return the number of degrees."""
        return math.degrees(self)

    def asArcminutes(self) -> float:
        """Return the number of arcminutes."""
        return 60.0 * math.degrees(self)

    def asArcseconds(self) -> float:
        """Return the number of arcseconds."""
        return _ARCSEC_PER_DEGREE * math.degrees(self)


class SpherePoint(View[SkyCoord]):
    """One position on the sky, of astropy's ``SkyCoord``."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "getVector": "`position.ours.cartesian`, of astropy's SkyCoord",
        "getPosition": "`position.ours.ra` and `position.ours.dec`, of astropy's SkyCoord",
        "bearingTo": "`position.ours.position_angle(other.ours)`, of astropy's SkyCoord",
        "offset": "`position.ours.directional_offset_by(...)`, of astropy's SkyCoord",
    }

    @property
    def ra(self) -> Angle:
        """Right ascension."""
        return Angle(self.ours.icrs.ra.rad)

    @property
    def dec(self) -> Angle:
        """Declination."""
        return Angle(self.ours.icrs.dec.rad)

    @property
    def longitude(self) -> Angle:
        """Right ascension."""
        return self.ra

    @property
    def latitude(self) -> Angle:
        """Declination."""
        return self.dec

    def separation(self, other: SpherePoint) -> Angle:
        """Return the angle between two positions."""
        return Angle(self.ours.separation(other.ours).rad)

    def __getitem__(self, axis: int) -> Angle:
        return (self.ra, self.dec)[axis]


class SkyWcs(View[SkyProjection[Any]]):
    """Pixels to sky and back: a ``SkyProjection`` of lsst.images."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "getFitsMetadata": "`wcs.ours.as_fits_wcs(bbox)`",
        "getFrameDict": "`wcs.ours.pixel_to_sky_transform`",
        "getTransform": "`wcs.ours.pixel_to_sky_transform`",
        "getPixelOrigin": "`wcs.ours.as_fits_wcs(bbox).wcs.crpix`, counted from 1",
        "getSkyOrigin": "`wcs.ours.as_fits_wcs(bbox).wcs.crval`",
        "getCdMatrix": "`wcs.ours.as_fits_wcs(bbox).pixel_scale_matrix`",
    }

    def pixelToSky(self, x: Any, y: float | None = None) -> SpherePoint:
        """Return where a pixel is on the sky: of two numbers, or of a point (x, y).

        Raises
        ------
        TypeError
            If it is not one position; `pixelToSkyArray` takes many.
        """
        column, row = x if y is None else (x, y)
        if np.ndim(column) or np.ndim(row):
            raise TypeError("pixelToSky takes one position; pixelToSkyArray(x, y) takes many.")
        return SpherePoint(self.ours.pixel_to_sky(x=float(column), y=float(row)))

    def skyToPixel(self, sky: SpherePoint) -> XY[float]:
        """Return the pixel at a position on the sky, as (x, y)."""
        found = self.ours.sky_to_pixel(sky.ours)
        return XY(x=float(found.x), y=float(found.y))

    def pixelToSkyArray(
        self, x: npt.ArrayLike, y: npt.ArrayLike, *, degrees: bool = False
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return right ascensions and declinations of many pixels, in radians or degrees."""
        unit = u.deg if degrees else u.rad
        sky = self.ours.pixel_to_sky(x=np.asarray(x, float), y=np.asarray(y, float)).icrs
        return sky.ra.to_value(unit), sky.dec.to_value(unit)

    def skyToPixelArray(
        self, ra: npt.ArrayLike, dec: npt.ArrayLike, *, degrees: bool = False
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return columns and rows of many positions, given in radians or degrees."""
        found = self.ours.sky_to_pixel(SkyCoord(ra, dec, unit=u.deg if degrees else u.rad))
        return np.asarray(found.x), np.asarray(found.y)

    def getPixelScale(self, pixel: Sequence[float]) -> Angle:
        """Return the side of a square as large as a pixel (x, y) is on the sky."""
        x, y = pixel
        corners = self.ours.pixel_to_sky(x=np.array([x, x + 1.0, x]), y=np.array([y, y, y + 1.0]))
        across, up = corners[0].separation(corners[1:]).rad
        turned = corners[0].position_angle(corners[1]) - corners[0].position_angle(corners[2])
        return Angle(math.sqrt(across * up * abs(math.sin(turned.rad))))
