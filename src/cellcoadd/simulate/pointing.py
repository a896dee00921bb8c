"""Where a detector looks: the gnomonic projection and the camera's distortion, both ways.

The formulas are written out here in numpy (Calabretta & Greisen 2002, equations 14, 15, 54, 55) and
place the sources. The images are given the same geometry as a FITS header that Starlink AST reads:
the two agree only if both are right.
"""

from __future__ import annotations

__all__ = ["DetectorPointing", "tangent_plane"]

import dataclasses
import math

import astropy.wcs
import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import XY, DetectorFrame, SkyProjection

from .camera import Camera

type _Floats = npt.NDArray[np.float64]

_ARCSEC_PER_RADIAN = math.degrees(1.0) * 3600.0


def tangent_plane(
    *, ra: npt.ArrayLike, dec: npt.ArrayLike, ra0: float, dec0: float
) -> tuple[_Floats, _Floats]:
    """Return where positions fall in the plane that touches the sky at another position.

    Parameters
    ----------
    ra, dec
        Positions in degrees.
    ra0, dec0
        The tangent point in degrees.

    Returns
    -------
    east, north
        Radians; NaN in the hemisphere behind the plane.
    """
    d_ra = np.radians(np.asarray(ra, float) - ra0)
    dec_rad, dec0_rad = np.radians(np.asarray(dec, float)), math.radians(dec0)
    sine, cosine = math.sin(dec0_rad), math.cos(dec0_rad)
    forward = np.sin(dec_rad) * sine + np.cos(dec_rad) * cosine * np.cos(d_ra)
    forward = np.where(forward > 0.0, forward, np.nan)
    east = np.cos(dec_rad) * np.sin(d_ra) / forward
    north = (np.sin(dec_rad) * cosine - np.cos(dec_rad) * sine * np.cos(d_ra)) / forward
    return east, north


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectorPointing:
    """One detector of a camera that points at the sky.

    Parameters
    ----------
    camera, detector
        The camera and the id of one of its detectors.
    ra, dec
        Position on the sky of the optical axis in degrees.
    rotation
        Position angle of the detectors' y axis, east of north, in degrees.
    """

    camera: Camera
    detector: int
    ra: float
    dec: float
    rotation: float

    def to_pixels(self, *, ra: npt.ArrayLike, dec: npt.ArrayLike) -> XY[_Floats]:
        """Return the pixel coordinates of positions on the sky (degrees).

        Positions in the hemisphere behind the camera are NaN.
        """
        east, north = tangent_plane(ra=ra, dec=dec, ra0=self.ra, dec0=self.dec)
        angle = math.radians(self.rotation)
        x = -east * math.cos(angle) + north * math.sin(angle)
        y = east * math.sin(angle) + north * math.cos(angle)
        shrink = self._undistorted_to_distorted(np.hypot(x, y))
        axis = self.camera.axis_of(self.detector)
        pixel = self.camera.radians_per_pixel
        return XY(x=axis.x + x * shrink / pixel, y=axis.y + y * shrink / pixel)

    def to_sky(self, *, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[_Floats, _Floats]:
        """Return right ascension and declination (degrees) of pixel positions."""
        axis = self.camera.axis_of(self.detector)
        pixel = self.camera.radians_per_pixel
        u = (np.asarray(x, float) - axis.x) * pixel
        v = (np.asarray(y, float) - axis.y) * pixel
        stretch = 1.0 + self.camera.distortion * (u * u + v * v)
        u, v = u * stretch, v * stretch
        angle, dec0 = math.radians(self.rotation), math.radians(self.dec)
        east = -u * math.cos(angle) + v * math.sin(angle)
        north = u * math.sin(angle) + v * math.cos(angle)
        forward = math.cos(dec0) - north * math.sin(dec0)
        ra = self.ra + np.degrees(np.arctan2(east, forward))
        up = math.sin(dec0) + north * math.cos(dec0)
        dec = np.degrees(np.arctan2(up, np.hypot(east, forward)))
        return np.mod(ra, 360.0), dec

    def jacobian(self, *, x: float, y: float) -> npt.NDArray[np.float64]:
        """Return d(west, north)/d(x, y) in arcseconds per pixel: float64 (2, 2).

        The sky axes are those of GalSim's shears: the first to the west, the second to the north.
        """
        ra, dec = self.to_sky(
            x=np.array([x + 0.5, x - 0.5, x, x]), y=np.array([y, y, y + 0.5, y - 0.5])
        )
        ra = np.mod(ra - self.ra + 180.0, 360.0) - 180.0
        west = -np.radians([ra[0] - ra[1], ra[2] - ra[3]]) * math.cos(math.radians(dec.mean()))
        north = np.radians([dec[0] - dec[1], dec[2] - dec[3]])
        return np.array([west, north]) * _ARCSEC_PER_RADIAN

    def relative_pixel_area(self, *, x: npt.ArrayLike, y: npt.ArrayLike) -> _Floats:
        """Return the solid angle of pixels, relative to a pixel on the optical axis."""
        axis = self.camera.axis_of(self.detector)
        pixel = self.camera.radians_per_pixel
        u = (np.asarray(x, float) - axis.x) * pixel
        v = (np.asarray(y, float) - axis.y) * pixel
        square = u * u + v * v
        stretch = 1.0 + self.camera.distortion * square
        # Tangential times radial magnification, then the gnomonic projection's cos^3.
        plane = stretch * (1.0 + 3.0 * self.camera.distortion * square)
        area: _Floats = plane / (1.0 + square * stretch * stretch) ** 1.5
        return area

    def fits_wcs(self) -> astropy.wcs.WCS:
        """Return the geometry as a FITS WCS in the image's pixel coordinates.

        TAN without distortion, else TAN-SIP or TPV as the camera's ``distortion_keywords`` say.
        """
        axis = self.camera.axis_of(self.detector)
        scale = self.camera.pixel_scale / 3600.0
        angle = math.radians(self.rotation)
        code, distortion = self._distortion_header()
        header = fits.Header()
        header["CTYPE1"], header["CTYPE2"] = f"RA---{code}", f"DEC--{code}"
        header["CUNIT1"], header["CUNIT2"] = "deg", "deg"
        header["CRVAL1"], header["CRVAL2"] = self.ra, self.dec
        header["CRPIX1"], header["CRPIX2"] = axis.x + 1.0, axis.y + 1.0
        header["CD1_1"], header["CD1_2"] = -scale * math.cos(angle), scale * math.sin(angle)
        header["CD2_1"], header["CD2_2"] = scale * math.sin(angle), scale * math.cos(angle)
        header["RADESYS"] = "ICRS"
        header.update(distortion)
        return astropy.wcs.WCS(header)

    def sky_projection(self, *, visit: int) -> SkyProjection[DetectorFrame]:
        """Return the geometry as lsst.images has it."""
        box = self.camera.bbox
        frame = DetectorFrame(
            instrument=self.camera.instrument, visit=visit, detector=self.detector, bbox=box
        )
        return SkyProjection.from_fits_wcs(self.fits_wcs(), frame, pixel_bounds=box)

    def _distortion_header(self) -> tuple[str, dict[str, float]]:
        """Return the code of the projection and the keywords of the distortion.

        u (1 + k (u^2 + v^2)) and the same for v: of pixels in SIP (Shupe et al. 2005), of degrees
        in the tangent plane in TPV (the FITS registry's convention), before or after the rotation
        that a radial polynomial does not feel. In TPV each axis names its own coordinate first.
        """
        if not self.camera.distortion:
            return "TAN", {}
        if self.camera.distortion_keywords == "SIP":
            cubic = self.camera.distortion * self.camera.radians_per_pixel**2
            terms = dict.fromkeys(("A_3_0", "A_1_2", "B_0_3", "B_2_1"), cubic)
            return "TAN-SIP", {"A_ORDER": 3, "B_ORDER": 3} | terms
        cubic = self.camera.distortion * math.radians(1.0) ** 2
        factors = {1: 1.0, 7: cubic, 9: cubic}  # x, x^3, x y^2
        return "TPV", {f"PV{axis}_{n}": value for axis in (1, 2) for n, value in factors.items()}

    def _undistorted_to_distorted(self, radius: _Floats) -> _Floats:
        """Return r'/r for undistorted radii r in radians, by Newton's method."""
        distortion = self.camera.distortion
        ratio = np.ones_like(radius)
        for _ in range(20):
            square = distortion * radius * radius
            ratio = ratio - (ratio + square * ratio**3 - 1.0) / (1.0 + 3.0 * square * ratio**2)
        return ratio
