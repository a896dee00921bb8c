"""A patch: the unit of processing in a tract, with its grid of cells."""

from __future__ import annotations

__all__ = ["Patch"]

import dataclasses
import functools

from lsst.images import YX, Box, SkyProjection, TractFrame
from lsst.images.cells import PatchDefinition
from lsst.sphgeom import ConvexPolygon

from ..cell_grid import BorderedCellGrid, Index2D
from .tangent_plane import TangentPlane


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patch:
    """A patch of a tract.

    Parameters
    ----------
    skymap
        Name of the sky map.
    tract
        Id of the tract.
    id
        Id of the patch in its tract, counted row by row: ``nx * y + x``.
    index
        Column and row of the patch in its tract.
    inner_bbox
        The pixels that are this patch's own; inner boxes tile the tract.
    grid
        The cells, also those that are shared with the neighbours.
    plane
        The tract's projection as linear algebra.
    sky_projection
        The tract's projection as lsst.images has it; the two agree.

    Notes
    -----
    Boxes are in the pixels of the tract. The outer boxes of the outermost patches stick out of the
    tract, so their coordinates can be negative.
    """

    skymap: str
    tract: int
    id: int
    index: Index2D
    inner_bbox: Box
    grid: BorderedCellGrid
    plane: TangentPlane = dataclasses.field(repr=False)
    sky_projection: SkyProjection[TractFrame] = dataclasses.field(repr=False)

    @property
    def outer_bbox(self) -> Box:
        """All the pixels of the patch: those of the outer regions of all its cells."""
        return self.grid.outer_bbox

    @functools.cached_property
    def region(self) -> ConvexPolygon:
        """The sky that the outer box covers."""
        return self.plane.polygon(self.outer_bbox)

    @functools.cached_property
    def inner_region(self) -> ConvexPolygon:
        """The sky that the inner box covers."""
        return self.plane.polygon(self.inner_bbox)

    @property
    def definition(self) -> PatchDefinition:
        """The patch as stitched coadds carry it.

        Its ``outer_bbox`` is that of the cells' inner regions. Where cells have a border this is
        smaller than the patch's own `outer_bbox`, by the border on every side.
        """
        return PatchDefinition(
            id=self.id,
            index=YX(y=self.index.y, x=self.index.x),
            inner_bbox=self.inner_bbox,
            cells=self.grid.inner,
        )

    def cell_region(self, index: Index2D, *, outer: bool = False) -> ConvexPolygon:
        """Return the sky that the inner (or outer) region of a cell covers.

        Raises
        ------
        MissingCellError
            If the patch has no such cell.
        """
        box = self.grid.outer_bbox_of(index) if outer else self.grid.inner_bbox_of(index)
        return self.plane.polygon(box)
