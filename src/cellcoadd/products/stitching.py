"""Stitch a cell-based coadd: inner regions put together as Rubin's public `CellCoadd`."""

from __future__ import annotations

__all__ = ["stitch_cells"]

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, MaskPlane, MaskSchema
from lsst.images.cells import CellCoadd, CellField, CellGridBounds, CellPointSpreadFunction

from .mask_planes import DP2_NAMES, bits_of

if TYPE_CHECKING:
    from .cell_coadd import MultipleCellCoadd


def stitch_cells(coadd: MultipleCellCoadd) -> CellCoadd:
    """Return the inner regions of a coadd's cells as one image.

    The box is the hull of the filled cells. Inside of it, cells without input have image 0,
    variance +inf, mask NO_DATA, and NaN for masked fractions and aperture corrections. Mask planes
    carry the names of Rubin's DP2.
    """
    bbox = coadd.bbox
    stack = coadd.stack
    unit = u.nJy
    schema = _dp2_schema(stack.schema)
    no_data = bits_of(stack.schema, ["NO_DATA"])
    cells = _cells_on_grid(coadd, bbox)
    mask = _stitch_plane(coadd, stack.mask, bbox, empty=no_data)
    return CellCoadd(
        Image(_stitch_plane(coadd, stack.image, bbox, empty=0.0), bbox=bbox, unit=unit),
        mask=Mask(mask[:, :, np.newaxis], schema=schema, bbox=bbox),
        variance=Image(
            _stitch_plane(coadd, stack.variance, bbox, empty=np.inf), bbox=bbox, unit=unit**2
        ),
        mask_fractions={
            name: Image(_stitch_plane(coadd, plane, bbox, empty=np.nan), bbox=bbox)
            for name, plane in stack.mask_fractions.items()
        },
        noise_realizations=[
            Image(_stitch_plane(coadd, plane, bbox, empty=0.0), bbox=bbox, unit=unit)
            for plane in stack.noise
        ],
        sky_projection=coadd.sky_projection,
        band=coadd.band,
        psf=CellPointSpreadFunction(_on_grid(coadd, stack.psf, cells), cells),
        aperture_corrections={
            name: _correction_field(coadd, values, cells)
            for name, values in stack.aperture_corrections.items()
        },
        patch=coadd.patch,
        provenance=coadd.provenance,
    )


def _dp2_schema(schema: MaskSchema) -> MaskSchema:
    planes = [
        None
        if plane is None
        else MaskPlane(DP2_NAMES.get(plane.name, plane.name), plane.description)
        for plane in schema
    ]
    return MaskSchema(planes, dtype=schema.dtype)


def _stitch_plane[T: np.generic](
    coadd: MultipleCellCoadd, plane: npt.NDArray[T], bbox: Box, *, empty: float
) -> npt.NDArray[T]:
    grid = coadd.grid
    border, inner = grid.border, grid.inner_cell_shape
    result = np.full(tuple(bbox.shape), empty, dtype=plane.dtype)
    for row, index in enumerate(coadd.stack.indices):
        target = grid.inner_bbox_of(index).slice_within(bbox)
        result[target.y, target.x] = plane[
            row, border : border + inner.y, border : border + inner.x
        ]
    return result


def _cells_on_grid(coadd: MultipleCellCoadd, bbox: Box) -> CellGridBounds:
    """The grid's cells in a box, and which of them are empty."""
    whole = CellGridBounds(grid=coadd.grid.inner, bbox=coadd.grid.inner.bbox)[bbox]
    filled = {index.to_cell_ij() for index in coadd.stack.indices}
    missing = frozenset(index for index in whole.cell_indices() if index not in filled)
    return CellGridBounds(grid=whole.grid, bbox=whole.bbox, missing=missing)


def _on_grid(
    coadd: MultipleCellCoadd, values: npt.NDArray[np.floating], cells: CellGridBounds
) -> npt.NDArray[np.float64]:
    """Values of the filled cells by row and column of the grid, NaN in empty ones."""
    size = cells.subgrid_size
    result = np.full((size.i, size.j, *values.shape[1:]), np.nan)
    for row, index in enumerate(coadd.stack.indices):
        place = index.to_cell_ij() - cells.subgrid_start
        result[place.i, place.j] = values[row]
    return result


def _correction_field(
    coadd: MultipleCellCoadd, values: npt.NDArray[np.float64], cells: CellGridBounds
) -> CellField:
    """Aperture corrections by cell; one that has none counts as missing."""
    array = _on_grid(coadd, values, cells)
    missing = {
        index
        for index in cells.cell_indices()
        if np.isnan(array[(index - cells.subgrid_start).as_tuple()])
    }
    bounds = CellGridBounds(grid=cells.grid, bbox=cells.bbox, missing=cells.missing | missing)
    return CellField(bounds, array)
