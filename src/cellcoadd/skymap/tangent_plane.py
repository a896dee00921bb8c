"""The gnomonic projection between the pixels of a tract and directions in space.

The same map as a tract's ``sky_projection``, as linear algebra: direction = x * A + y * B + C up to
its length. It is fast for many positions, makes a tract without touching Starlink AST, and lets the
overlap of sky polygons with boxes be decided by the signs of scalar products.
"""

from __future__ import annotations

__all__ = ["TangentPlane", "directions_from_sky", "sky_from_directions"]

import dataclasses
import functools
import math

import astropy.wcs
import numpy as np
import numpy.typing as npt
from lsst.images import Box
from lsst.sphgeom import ConvexPolygon, UnitVector3d


def directions_from_sky(*, ra: npt.ArrayLike, dec: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the unit vectors (..., 3) of sky positions in degrees."""
    lon, lat = np.broadcast_arrays(
        np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
    )
    cos_lat = np.cos(lat)
    return np.stack([cos_lat * np.cos(lon), cos_lat * np.sin(lon), np.sin(lat)], axis=-1)


def sky_from_directions(
    directions: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return right ascension (0..360) and declination in degrees of vectors (..., 3)."""
    x, y, z = np.moveaxis(directions, -1, 0)
    ra = np.degrees(np.arctan2(y, x)) % 360.0
    return ra, np.degrees(np.arctan2(z, np.hypot(x, y)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TangentPlane:
    """A TAN projection with square pixels.

    Parameters
    ----------
    ra, dec
        Tangent point in degrees.
    pixel_scale
        Size of a pixel at the tangent point in radians.
    rotation
        Position angle of the y axis in degrees, from north to east.
    x, y
        Position of the tangent point in pixels, 0-based.

    Notes
    -----
    Calabretta & Greisen 2002, section 5.1.3. By their default of LONPOLE, which the Rubin sky maps
    use, a tract at declination +90 exactly is turned by half a circle.
    """

    ra: float
    dec: float
    pixel_scale: float
    rotation: float
    x: float = 0
    y: float = 0

    @functools.cached_property
    def _axes(self) -> npt.NDArray[np.float64]:
        """Rows: unit vectors along increasing x and y, and to the tangent point."""
        lon, lat = math.radians(self.ra), math.radians(self.dec)
        east = np.array([-math.sin(lon), math.cos(lon), 0.0])
        north = np.array(
            [-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)]
        )
        centre = np.array(
            [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
        )
        cosine, sine = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        turn = -1.0 if self.dec >= 90.0 else 1.0
        return np.array(
            [turn * (sine * north - cosine * east), turn * (sine * east + cosine * north), centre]
        )

    def homogeneous(self, directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (p, q, w) with x = p / w and y = q / w; w <= 0 is behind the plane.

        Parameters
        ----------
        directions
            Unit vectors, shape (..., 3).
        """
        along = directions @ self._axes.T
        along_x, along_y, w = along[..., 0], along[..., 1], along[..., 2]
        p = along_x / self.pixel_scale + self.x * w
        q = along_y / self.pixel_scale + self.y * w
        return np.stack([p, q, w], axis=-1)

    def line(self, normals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (a, b, c) of the great circles with these unit normals, as lines in the plane.

        ``a x + b y + c`` is positive on the side of the normal; near the tangent point it is the
        distance from the great circle in pixels.
        """
        a, b, c = np.moveaxis(normals @ self._axes.T, -1, 0)
        return np.stack([a, b, c / self.pixel_scale - a * self.x - b * self.y], axis=-1)

    def sky_to_pixel(
        self, *, ra: npt.ArrayLike, dec: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return x and y of sky positions in degrees; NaN for what is behind the plane."""
        return self.pixels(directions_from_sky(ra=ra, dec=dec))

    def pixels(
        self, directions: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return x and y of unit vectors (..., 3); NaN for what is behind the plane."""
        projected = self.homogeneous(directions)
        w = projected[..., 2]
        in_front = np.where(w > 0, w, np.nan)
        return projected[..., 0] / in_front, projected[..., 1] / in_front

    def directions(self, *, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the unit vectors (..., 3) of pixel positions."""
        dx = (np.asarray(x, dtype=np.float64) - self.x) * self.pixel_scale
        dy = (np.asarray(y, dtype=np.float64) - self.y) * self.pixel_scale
        dx, dy = np.broadcast_arrays(dx, dy)
        vectors: npt.NDArray[np.float64] = np.stack([dx, dy, np.ones_like(dx)], -1) @ self._axes
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    def corners(self, box: Box, *, shrunk_by: float = 0.0) -> npt.NDArray[np.float64]:
        """Return the unit vectors (4, 3) of the outer corners of a box's pixels.

        Lower left, lower right, upper right, upper left; moved inwards by ``shrunk_by`` pixels.
        """
        low_x, high_x = box.x.min - 0.5 + shrunk_by, box.x.max + 0.5 - shrunk_by
        low_y, high_y = box.y.min - 0.5 + shrunk_by, box.y.max + 0.5 - shrunk_by
        return self.directions(x=[low_x, high_x, high_x, low_x], y=[low_y, low_y, high_y, high_y])

    def polygon(self, box: Box, *, shrunk_by: float = 0.0) -> ConvexPolygon:
        """Return the region of the sky that the pixels of a box cover."""
        corners = self.corners(box, shrunk_by=shrunk_by)
        return ConvexPolygon([UnitVector3d(*map(float, corner)) for corner in corners])

    def to_fits_wcs(self) -> astropy.wcs.WCS:
        """Return the projection as a FITS WCS, whose pixels are counted from 1."""
        scale = math.degrees(self.pixel_scale)
        cosine, sine = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        wcs = astropy.wcs.WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.crpix = [self.x + 1.0, self.y + 1.0]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.cd = scale * np.array([[-cosine, sine], [sine, cosine]])
        wcs.wcs.radesys = "ICRS"
        wcs.wcs.lonpole = 0.0 if self.dec >= 90.0 else 180.0
        wcs.wcs.set()
        return wcs
