"""Stitch a cell-based coadd: inner regions put together as Rubin's public `CellCoadd`."""

from __future__ import annotations

__all__ = ["stitch_cells", "stitch_image", "stitch_mask", "stitch_plane"]

from collections.abc import Sequence

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, MaskPlane, MaskSchema
from lsst.images.cells import CellCoadd, CellField, CellGridBounds, CellPointSpreadFunction

from ...cell_grid import BorderedCellGrid, Index2D, shared_box
from ...masks.planes import DP2_NAMES, PlaneSchema, bits_of
from .content import CellCoaddContent


def stitch_cells(coadd: CellCoaddContent) -> CellCoadd:
    """Return the inner regions of a coadd's cells as one image.

    The box is the hull of the filled cells. Inside of it, cells without input have image 0,
    variance +inf, mask NO_DATA, and NaN for masked fractions and aperture corrections. Mask planes
    carry the names of Rubin's DP2.
    """
    bbox, stack = coadd.bbox, coadd.stack
    cells = _cells_on_grid(coadd, bbox)

    def put_together(plane: npt.NDArray[np.float32], *, empty: float) -> npt.NDArray[np.float32]:
        return stitch_plane(coadd.grid, stack.indices, plane, bbox, empty=empty)

    mask = stitch_mask(coadd.grid, stack.indices, stack.mask, bbox, schema=stack.schema)
    return CellCoadd(
        Image(put_together(stack.image, empty=0.0), bbox=bbox, unit=coadd.unit),
        mask=Mask(mask.array, schema=_dp2_schema(stack.schema), bbox=bbox),
        variance=Image(put_together(stack.variance, empty=np.inf), bbox=bbox, unit=coadd.unit**2),
        mask_fractions={
            name: Image(put_together(plane, empty=np.nan), bbox=bbox)
            for name, plane in stack.mask_fractions.items()
        },
        noise_realizations=[
            Image(put_together(plane, empty=0.0), bbox=bbox, unit=coadd.unit)
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


def stitch_image(
    grid: BorderedCellGrid,
    indices: Sequence[Index2D],
    plane: npt.NDArray[np.float32],
    bbox: Box,
    *,
    name: str,
    unit: u.UnitBase = u.nJy,
) -> Image:
    """Put the inner regions of images or variances together.

    Parameters
    ----------
    grid, indices, plane, bbox
        As for `stitch_plane`.
    name
        ``image``, NaN where no filled cell is, or ``variance``, +inf there.
    unit
        Of the image; a variance is in its square.
    """
    empty, of_plane = {"image": (np.nan, unit), "variance": (np.inf, unit**2)}[name]
    return Image(stitch_plane(grid, indices, plane, bbox, empty=empty), bbox=bbox, unit=of_plane)


def stitch_mask(
    grid: BorderedCellGrid,
    indices: Sequence[Index2D],
    plane: npt.NDArray[np.int32],
    bbox: Box,
    *,
    schema: MaskSchema,
) -> Mask:
    """Put the inner regions of masks together; NO_DATA where no filled cell is."""
    no_data = bits_of(schema, ["NO_DATA"])
    bits = stitch_plane(grid, indices, plane, bbox, empty=no_data)
    return Mask(bits[:, :, np.newaxis], schema=schema, bbox=bbox)


def _dp2_schema(schema: MaskSchema) -> MaskSchema:
    planes = [
        None
        if plane is None
        else MaskPlane(DP2_NAMES.get(plane.name, plane.name), plane.description)
        for plane in schema
    ]
    return PlaneSchema(planes, dtype=schema.dtype)


def stitch_plane[T: np.generic](
    grid: BorderedCellGrid,
    indices: Sequence[Index2D],
    plane: npt.NDArray[T],
    bbox: Box,
    *,
    empty: float,
) -> npt.NDArray[T]:
    """Put the inner regions of a plane together.

    Parameters
    ----------
    grid
        The cells.
    indices
        Those that are filled.
    plane : (len(indices), height, width)
        Outer regions.
    bbox
        The pixels of the result.
    empty
        Value of pixels that no filled cell has.
    """
    border, inner = grid.border, grid.inner_cell_shape
    result = np.full(tuple(bbox.shape), empty, dtype=plane.dtype)
    for row, index in enumerate(indices):
        region = grid.inner_bbox_of(index)
        shared = shared_box(region, bbox)
        if shared is None:
            continue
        target, source = shared.slice_within(bbox), shared.slice_within(region)
        pixels = plane[row, border : border + inner.y, border : border + inner.x]
        result[target.y, target.x] = pixels[source.y, source.x]
    return result


def _cells_on_grid(coadd: CellCoaddContent, bbox: Box) -> CellGridBounds:
    """The grid's cells in a box, and which of them are empty."""
    whole = CellGridBounds(grid=coadd.grid.inner, bbox=coadd.grid.inner.bbox)[bbox]
    filled = {index.to_cell_ij() for index in coadd.stack.indices}
    missing = frozenset(index for index in whole.cell_indices() if index not in filled)
    return CellGridBounds(grid=whole.grid, bbox=whole.bbox, missing=missing)


def _on_grid(
    coadd: CellCoaddContent, values: npt.NDArray[np.floating], cells: CellGridBounds
) -> npt.NDArray[np.float64]:
    """Values of the filled cells by row and column of the grid, NaN in empty ones."""
    size = cells.subgrid_size
    result = np.full((size.i, size.j, *values.shape[1:]), np.nan)
    for row, index in enumerate(coadd.stack.indices):
        place = index.to_cell_ij() - cells.subgrid_start
        result[place.i, place.j] = values[row]
    return result


def _correction_field(
    coadd: CellCoaddContent, values: npt.NDArray[np.float64], cells: CellGridBounds
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
