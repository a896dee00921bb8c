"""Regions of the sky as a repository stores them: convex polygons that surely hold the pixels.

A repository finds the detectors that touch a patch by these polygons, so that one that is a little
too large costs a look at an image in vain, and one that is too small loses data.
"""

from __future__ import annotations

__all__ = ["detector_region", "hull"]

from collections.abc import Iterable
from typing import Any

import numpy as np
from lsst.images import Box, SkyProjection
from lsst.sphgeom import ConvexPolygon, LonLat, Region, UnitVector3d

PADDING_PIXELS = 4
"""Width by which a detector's polygon exceeds its pixels on every side: a kernel's half-width."""

_POINTS_PER_SIDE = 4
# Distortion bends the sides. Of a bulge with the sagitta s that four chords a side miss s/16; for
# the 2 pixels of a bad case in the corner of a wide-field camera this is far within the padding.


def detector_region(
    sky_projection: SkyProjection[Any], bbox: Box, *, padding: int = PADDING_PIXELS
) -> ConvexPolygon:
    """Return the convex hull on the sky of a box of pixels.

    Parameters
    ----------
    sky_projection
        Pixels to sky.
    bbox
        The pixels.
    padding
        Pixels by which to grow the box first.

    Raises
    ------
    ValueError
        If the edge of the box has no finite position on the sky.
    """
    x_min, x_max = bbox.x.min - 0.5 - padding, bbox.x.max + 0.5 + padding
    y_min, y_max = bbox.y.min - 0.5 - padding, bbox.y.max + 0.5 + padding
    along = np.arange(_POINTS_PER_SIDE) / _POINTS_PER_SIDE
    corners = np.array([(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])
    sides = np.roll(corners, -1, axis=0) - corners
    edge = corners[:, np.newaxis, :] + along[:, np.newaxis] * sides[:, np.newaxis, :]
    sky = sky_projection.pixel_to_sky(x=edge[..., 0].ravel(), y=edge[..., 1].ravel()).icrs
    longitudes, latitudes = np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        raise ValueError(f"the WCS gives no position on the sky for the edge of {bbox}.")
    return ConvexPolygon(
        [
            UnitVector3d(LonLat.fromDegrees(longitude, latitude))
            for longitude, latitude in zip(longitudes.tolist(), latitudes.tolist(), strict=True)
        ]
    )


def hull(regions: Iterable[Region]) -> ConvexPolygon:
    """Return the convex hull of convex polygons.

    Raises
    ------
    TypeError
        If a region is not a convex polygon.
    ValueError
        If there are none.
    """
    vertices: list[UnitVector3d] = []
    for region in regions:
        if not isinstance(region, ConvexPolygon):
            raise TypeError(f"A convex polygon is needed, got a {type(region).__name__}.")
        vertices.extend(region.getVertices())
    if not vertices:
        raise ValueError("There is no region to make the hull of.")
    return ConvexPolygon(vertices)
