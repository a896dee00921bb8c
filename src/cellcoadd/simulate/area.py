"""Which detectors see an area of the sky: a survey needs only these."""

from __future__ import annotations

__all__ = ["touches_area"]

import math

import numpy as np
import numpy.typing as npt

from .pointing import DetectorPointing, tangent_plane

type _Floats = npt.NDArray[np.float64]

_ARCMIN_PER_RADIAN = math.degrees(1.0) * 60.0


def touches_area(
    pointing: DetectorPointing, *, ra: float, dec: float, size_arcmin: tuple[float, float]
) -> bool:
    """Return whether a detector sees any of a rectangle on the sky.

    Parameters
    ----------
    pointing
        Where the detector looks.
    ra, dec
        Centre of the rectangle in degrees.
    size_arcmin
        Its width from east to west and its height from south to north in the plane that touches
        the sky at the centre.

    Notes
    -----
    Both are convex in that plane, and two convex polygons are apart if, and only if, a side of one
    has all of the other on its far side. A detector's sides are taken as straight: what distortion
    bends them by is below a pixel in the cameras of this package.
    """
    box = pointing.camera.bbox
    x_low, x_high = box.x.min - 0.5, box.x.max + 0.5
    y_low, y_high = box.y.min - 0.5, box.y.max + 0.5
    sky = pointing.to_sky(x=[x_low, x_high, x_high, x_low], y=[y_low, y_low, y_high, y_high])
    east, north = tangent_plane(ra=sky[0], dec=sky[1], ra0=ra, dec0=dec)
    detector = np.stack([east, north], axis=-1) * _ARCMIN_PER_RADIAN
    if not np.isfinite(detector).all():
        return False
    half_width, half_height = 0.5 * size_arcmin[0], 0.5 * size_arcmin[1]
    area = np.array(
        [
            [-half_width, -half_height], [half_width, -half_height],
            [half_width, half_height], [-half_width, half_height],
        ]
    )  # fmt: skip
    return not (_parted_by_a_side_of(area, detector) or _parted_by_a_side_of(detector, area))


def _parted_by_a_side_of(polygon: _Floats, other: _Floats) -> bool:
    """Return whether a side of a convex polygon (n, 2) keeps another polygon (m, 2) out."""
    sides = np.roll(polygon, -1, axis=0) - polygon
    normals = np.stack([sides[:, 1], -sides[:, 0]])
    own, others = polygon @ normals, other @ normals
    apart = (own.max(axis=0) <= others.min(axis=0)) | (own.min(axis=0) >= others.max(axis=0))
    return bool(apart.any())
