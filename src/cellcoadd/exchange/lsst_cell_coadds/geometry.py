"""Where the cells of a file are: the grid, the patch, the tract.

Table 1 gives the grid of the inner regions (``GRMIN``, ``GRCELL``, ``GRSHAPE``), the size of the
outer regions (``OCELL``) and the column and row of the patch. The rest follows from how all Rubin
sky maps are built:

* Patch p of an axis begins at pixel p n c, where c is the inner size of a cell and n the number of
  cells that the patch has for itself; with b more cells on each side its grid has S = n + 2 b cells
  and begins at c (p n - b). So b = (p S - GRMIN / c) / (2 p + 1).
* The tangent point is in the middle of the tract: its pixel k, counted from 0, is (N - 1) // 2 of a
  tract of N pixels, and N is a multiple of n c. So the tract has N = 2 k + 1 or 2 k + 2 pixels.
"""

from __future__ import annotations

__all__ = ["Geometry", "read_geometry"]

import dataclasses

import astropy.wcs
import numpy as np
from lsst.images import YX, Box, SkyProjection, TractFrame
from lsst.images.cells import CellGrid, PatchDefinition

from ...cell_grid import BorderedCellGrid
from ...products.identifiers import PatchIdentifiers
from .names import CELLS
from .tables import Tables

_TANGENT_ROUNDING = 1e-6  # pixels; headers have some 14 digits of a number below a million
_AXES = ((1, "PATCH_X"), (2, "PATCH_Y"))  # x and y in FITS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Geometry:
    """The place of a coadd.

    Parameters
    ----------
    identifiers
        Sky map, tract and patch.
    patch
        Geometry of the patch.
    grid
        Its cells.
    sky_projection
        Tract pixels to sky and back.
    """

    identifiers: PatchIdentifiers
    patch: PatchDefinition
    grid: BorderedCellGrid
    sky_projection: SkyProjection[TractFrame]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Axis:
    """One axis of the patch in its tract: sizes in pixels."""

    tract_size: int
    patch_size: int
    patch_start: int


def read_geometry(tables: Tables, *, patch: PatchDefinition | None) -> Geometry:
    """Read the place of the cells.

    Parameters
    ----------
    tables
        The file.
    patch
        The patch; None: that of the Rubin sky map that the file fits.

    Raises
    ------
    UnusableInputError
        If something is missing, or contradicts the rest.
    ValueError
        If the patch is not that of the file.
    """
    grid = _read_grid(tables)
    index = YX(y=tables.card(CELLS, "PATCH_Y", int), x=tables.card(CELLS, "PATCH_X", int))
    wcs = _read_wcs(tables)
    axes = [_read_axis(tables, grid, wcs, fits_axis=n, index_card=card) for n, card in _AXES]
    tract_box = grid.outer_bbox
    if axes[0] is not None and axes[1] is not None:
        x, y = axes[0], axes[1]
        tract_box = Box.from_shape((y.tract_size, x.tract_size), start=(0, 0))
        found = PatchDefinition(
            id=x.tract_size // x.patch_size * index.y + index.x,
            index=index,
            inner_bbox=Box.from_shape(
                (y.patch_size, x.patch_size), start=(y.patch_start, x.patch_start)
            ),
            cells=grid.inner,
        )
        patch = patch or found
    if patch is None:
        raise tables.refused(
            "the cards GRMIN, GRSHAPE, PATCH_X, PATCH_Y of HDU 1 and CRPIX of HDU 0 do not fit any "
            "patch of a Rubin sky map: say which patch it is (patch=...)."
        )
    if patch.cells != grid.inner or patch.index != index:
        raise ValueError(f"The file has patch {index} with cells {grid.inner}, not {patch}.")
    skymap, tract = tables.card(CELLS, "SKYMAP", str), tables.card(CELLS, "TRACT", int)
    frame = TractFrame(skymap=skymap, tract=tract, bbox=tract_box)
    return Geometry(
        identifiers=PatchIdentifiers(skymap=skymap, tract=tract, patch=patch.id),
        patch=patch,
        grid=grid,
        sky_projection=SkyProjection.from_fits_wcs(wcs, frame, pixel_bounds=None),
    )


def _read_grid(tables: Tables) -> BorderedCellGrid:
    def pair(name: str) -> YX[int]:
        return YX(y=tables.card(CELLS, f"{name}2", int), x=tables.card(CELLS, f"{name}1", int))

    cell, shape, start, outer = pair("GRCELL"), pair("GRSHAPE"), pair("GRMIN"), pair("OCELL")
    extra = YX(y=outer.y - cell.y, x=outer.x - cell.x)
    if min(*cell, *shape) < 1 or extra.x != extra.y or extra.x < 0 or extra.x % 2:
        raise tables.refused(
            f"HDU 1: {shape} cells of {cell} px (GRSHAPE, GRCELL) with outer regions of {outer} px "
            "(OCELL): the border must be the same on all sides."
        )
    box = Box.from_shape((shape.y * cell.y, shape.x * cell.x), start=start)
    grid = BorderedCellGrid(inner=CellGrid(bbox=box, cell_shape=cell), border=extra.x // 2)
    corners = {n: pair(f"INBBOX{n}") for n in (1, 2)}
    limits = grid.outer_bbox
    if not all(limits.contains(x=corner.x, y=corner.y) for corner in corners.values()):
        raise tables.refused(
            f"HDU 1: the box INBBOX from {corners[1]} to {corners[2]} leaves the cells (GRMIN, "
            f"GRCELL, GRSHAPE, OCELL), which cover {limits}."
        )
    return grid


def _read_wcs(tables: Tables) -> astropy.wcs.WCS:
    header = tables.header(0)
    for keyword in ("CTYPE", "CRPIX", "CRVAL"):
        for axis in (1, 2):
            if f"{keyword}{axis}" not in header:
                raise tables.refused(f"HDU 0 lacks the header card {keyword}{axis} of its WCS.")
    try:
        # Without the sizes of the HDU's own data, of which there are none.
        wcs = astropy.wcs.WCS(header.copy(strip=True), fix=False)
    except (TypeError, ValueError) as error:
        raise tables.refused(f"HDU 0: its WCS cannot be read ({error}).") from error
    if list(wcs.wcs.ctype) != ["RA---TAN", "DEC--TAN"] or not np.isfinite(wcs.wcs.crpix).all():
        raise tables.refused(f"HDU 0: not the tangent plane of a tract ({wcs.wcs.ctype}).")
    if str(wcs.wcs.radesys).strip() not in ("", "ICRS"):
        raise tables.refused(f"HDU 0: a tract is in ICRS, not in {wcs.wcs.radesys} (RADESYS).")
    return wcs


def _read_axis(
    tables: Tables, grid: BorderedCellGrid, wcs: astropy.wcs.WCS, *, fits_axis: int, index_card: str
) -> _Axis | None:
    """Solve for the sizes of patch and tract along an axis; None if no sky map has these."""
    index = tables.card(CELLS, index_card, int)
    interval = grid.bbox.x if fits_axis == 1 else grid.bbox.y
    cell = grid.inner_cell_shape.x if fits_axis == 1 else grid.inner_cell_shape.y
    cells = interval.size // cell
    border, remainder = divmod(index * cells * cell - interval.start, (2 * index + 1) * cell)
    size = (cells - 2 * border) * cell
    if index < 0 or remainder or border < 0 or size <= 0:
        return None
    tangent = float(wcs.wcs.crpix[fits_axis - 1]) - 1.0
    middle = round(tangent)
    if abs(tangent - middle) > _TANGENT_ROUNDING:
        return None
    for tract_size in (2 * middle + 1, 2 * middle + 2):
        if tract_size % size == 0 and index < tract_size // size:
            return _Axis(tract_size=tract_size, patch_size=size, patch_start=index * size)
    return None
