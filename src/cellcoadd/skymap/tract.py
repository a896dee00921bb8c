"""A tract: a large tangent-plane image of the sky, tiled by patches."""

from __future__ import annotations

__all__ = ["Tract", "tract_box"]

import dataclasses
import functools
import math
from collections.abc import Iterator

from astropy.coordinates import SkyCoord
from lsst.images import YX, Box, SkyProjection, TractFrame
from lsst.images.cells import CellGrid
from lsst.sphgeom import ConvexPolygon, Region

from ..cell_grid import BorderedCellGrid, Index2D
from ..conventions import round_half_up
from ..errors import SkyMapError
from .patch import Patch
from .tangent_plane import TangentPlane, sky_from_directions
from .tract_settings import TractSettings

VERTEX_MARGIN = 0.001
"""Pixels by which a tract's vertices lie inside of its box, so that rounding keeps them there.

The value of the Rubin sky maps, whose regions of discrete tracts follow from it.
"""


@functools.lru_cache  # the thousands of tracts of a rings map have one box
def tract_box(settings: TractSettings, *, radius: float) -> Box:
    """Return the box of a tract in pixels that have the tangent point at (0, 0).

    Parameters
    ----------
    settings
        How the tracts are divided.
    radius
        Radius of the tract in degrees, without the overlap.

    Raises
    ------
    ValueError
        If radius and overlap together reach 90 degrees, which no tangent plane does.

    Notes
    -----
    It encloses the points that lie north, south, east and west of the tangent point at the radius
    plus the overlap, and is then grown to whole patches. In a rotated map these four points do not
    bound the circle, so its rim can leave the box: ask for more overlap there. (This is the rule of
    the Rubin sky maps, with which equal definitions must mean equal tracts.)
    """
    reach = radius + settings.tract_overlap
    if not 0 < reach < 90:
        raise ValueError(
            f"radius and tract_overlap must add up to 0..90 degrees, got {radius} and "
            f"{settings.tract_overlap}."
        )
    distance = math.tan(math.radians(reach)) / settings.pixel_scale_radians
    rotation = math.radians(settings.rotation)
    # Extent along x, and by symmetry along y, of the four points turned by the rotation.
    extent = distance * max(abs(math.cos(rotation)), abs(math.sin(rotation)))
    first, last = round_half_up(-extent), math.ceil(extent - 0.5)
    patches = -(-(last - first + 1) // settings.patch_inner_size)
    size = patches * settings.patch_inner_size
    start = first - (size - (last - first + 1)) // 2
    return Box.from_shape((size, size), start=(start, start))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tract:
    """A tract of a sky map.

    Parameters
    ----------
    skymap
        Name of the sky map.
    id
        Id of the tract.
    ra, dec
        Centre in degrees.
    bbox
        Pixels of the tract; the lower left one is (0, 0).
    inner_region
        The sky for which this tract is responsible.
    plane
        The projection as linear algebra.
    settings
        How the tract is divided.
    """

    skymap: str
    id: int
    ra: float
    dec: float
    bbox: Box
    inner_region: Region = dataclasses.field(repr=False)
    plane: TangentPlane = dataclasses.field(repr=False)
    settings: TractSettings = dataclasses.field(repr=False)

    @property
    def centre(self) -> SkyCoord:
        """The tangent point."""
        return SkyCoord(ra=self.ra, dec=self.dec, unit="deg", frame="icrs")

    @functools.cached_property
    def sky_projection(self) -> SkyProjection[TractFrame]:
        """The map between the tract's pixels and the sky."""
        frame = TractFrame(skymap=self.skymap, tract=self.id, bbox=self.bbox)
        return SkyProjection.from_fits_wcs(self.plane.to_fits_wcs(), frame, pixel_bounds=None)

    @functools.cached_property
    def region(self) -> ConvexPolygon:
        """The sky that the tract's box covers; `inner_region` is the part that is its own."""
        return self.plane.polygon(self.bbox)

    @property
    def vertices(self) -> SkyCoord:
        """Corners of the box, a hair inside: lower left, lower right, upper right, upper left."""
        ra, dec = sky_from_directions(self.plane.corners(self.bbox, shrunk_by=VERTEX_MARGIN))
        return SkyCoord(ra=ra, dec=dec, unit="deg", frame="icrs")

    @property
    def patch_shape(self) -> Index2D:
        """Number of patches in x and in y."""
        size = self.settings.patch_inner_size
        return Index2D(x=self.bbox.x.size // size, y=self.bbox.y.size // size)

    @property
    def patches(self) -> Iterator[Patch]:
        """All patches, row by row, x fastest."""
        return (self.patch(patch_id) for patch_id in range(self.patch_shape.x * self.patch_shape.y))

    def patch(self, which: int | Index2D) -> Patch:
        """Return the patch with an id or an index.

        Raises
        ------
        SkyMapError
            If the tract has no such patch.
        """
        shape = self.patch_shape
        if isinstance(which, Index2D):
            index = which
        else:
            index = Index2D(x=int(which) % shape.x, y=int(which) // shape.x)
        if not (0 <= index.x < shape.x and 0 <= index.y < shape.y):
            raise SkyMapError(
                f"Tract {self.id} of sky map {self.skymap!r} has {shape.x} x {shape.y} patches, "
                f"0..{shape.x * shape.y - 1}; there is no patch {which}."
            )
        settings = self.settings
        size = settings.patch_inner_size
        inner = Box.from_shape((size, size), start=(index.y * size, index.x * size))
        cells = CellGrid(
            bbox=inner.dilated_by(settings.patch_border_cells * settings.cell_inner_size),
            cell_shape=YX(y=settings.cell_inner_size, x=settings.cell_inner_size),
        )
        return Patch(
            skymap=self.skymap,
            tract=self.id,
            id=shape.x * index.y + index.x,
            index=index,
            inner_bbox=inner,
            grid=BorderedCellGrid(inner=cells, border=settings.cell_border),
            plane=self.plane,
            sky_projection=self.sky_projection,
        )

    def contains(self, *, ra: float, dec: float) -> bool:
        """Whether a pixel of the tract's box holds a position in degrees."""
        return self._pixel_of(ra=ra, dec=dec) is not None

    def find_patch(self, *, ra: float, dec: float) -> Patch:
        """Return the patch whose inner box holds a position in degrees.

        Raises
        ------
        SkyMapError
            If the position is not in the tract.
        """
        pixel = self._pixel_of(ra=ra, dec=dec)
        if pixel is None:
            raise SkyMapError(
                f"Tract {self.id} of sky map {self.skymap!r} does not contain ra={ra}, dec={dec}."
            )
        size = self.settings.patch_inner_size
        return self.patch(Index2D(x=pixel.x // size, y=pixel.y // size))

    def _pixel_of(self, *, ra: float, dec: float) -> YX[int] | None:
        x, y = self.plane.sky_to_pixel(ra=ra, dec=dec)
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        pixel = YX(y=round_half_up(float(y)), x=round_half_up(float(x)))
        return pixel if self.bbox.contains(x=pixel.x, y=pixel.y) else None
