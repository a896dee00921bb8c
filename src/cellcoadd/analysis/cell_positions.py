"""Where cells are: in their tract, and on the sky, with the box that holds the inner region."""

from __future__ import annotations

__all__ = ["CellPositions", "locate_cells"]

import dataclasses
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import XY, SkyProjection

from ..cell_grid import BorderedCellGrid

type _Floats = npt.NDArray[np.float64]

_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))  # around, in inner regions


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CellPositions:
    """Positions of cells, one entry a cell.

    Parameters
    ----------
    index
        Columns and rows of the cells in their patch.
    tract_index
        Columns and rows of the cells in their tract: 0 is the cell whose inner region begins at
        pixel 0 of the tract. One cell of two patches has one number.
    ra, dec
        Middles of the inner regions, degrees (ICRS).
    ra_min, ra_max, dec_min, dec_max
        Boxes of the corners of the inner regions, degrees. ``ra_min`` is the western side: it is
        larger than ``ra_max`` where a cell lies across 0 h. The box of a cell around a pole reaches
        from 0 to 360 degrees, and to the pole.
    pixel_scale
        Root of the area of the pixel in the middle, arcseconds.
    """

    index: XY[npt.NDArray[np.int64]]
    tract_index: XY[npt.NDArray[np.int64]]
    ra: _Floats
    dec: _Floats
    ra_min: _Floats
    ra_max: _Floats
    dec_min: _Floats
    dec_max: _Floats
    pixel_scale: _Floats


def locate_cells(
    grid: BorderedCellGrid, sky_projection: SkyProjection[Any], index: XY[npt.NDArray[np.int64]]
) -> CellPositions:
    """Return where cells of a grid are.

    Parameters
    ----------
    grid
        The cells of a patch.
    sky_projection
        Tract pixels to sky.
    index
        Columns and rows of the cells in the grid.
    """
    shape, start = grid.inner_cell_shape, grid.bbox.start
    middle = grid.middles_of(x=index.x, y=index.y)
    sky = sky_projection.pixel_to_sky(x=middle.x, y=middle.y)
    corners = [
        sky_projection.pixel_to_sky(x=middle.x + dx * shape.x, y=middle.y + dy * shape.y)
        for dx, dy in _CORNERS
    ]
    sides = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        ends = [
            sky_projection.pixel_to_sky(x=middle.x + sign * dx, y=middle.y + sign * dy)
            for sign in (-1.0, 1.0)
        ]
        sides.append(ends[0].separation(ends[1]).to_value(u.arcsec))
    ra, dec = np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)
    ra_min, ra_max, dec_min, dec_max = _boxes(
        ra,
        np.array([corner.ra.deg for corner in corners]),
        np.array([corner.dec.deg for corner in corners]),
    )
    return CellPositions(
        index=index,
        tract_index=XY(x=start.x // shape.x + index.x, y=start.y // shape.y + index.y),
        ra=ra,
        dec=dec,
        ra_min=ra_min,
        ra_max=ra_max,
        dec_min=dec_min,
        dec_max=dec_max,
        pixel_scale=np.sqrt(sides[0] * sides[1]),
    )


def _boxes(
    ra: _Floats, corner_ra: _Floats, corner_dec: _Floats
) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Boxes of corners (4, cells) that lie around the middles, in order."""
    offset = _wrapped(corner_ra - ra)
    low, high = (ra + offset.min(axis=0)) % 360.0, (ra + offset.max(axis=0)) % 360.0
    bottom, top = corner_dec.min(axis=0), corner_dec.max(axis=0)
    # Going around a cell turns by nothing, or by 360 degrees if the pole is in it.
    turn = _wrapped(np.roll(corner_ra, -1, axis=0) - corner_ra).sum(axis=0)
    polar = np.abs(turn) > 180.0
    return (
        np.where(polar, 0.0, low),
        np.where(polar, 360.0, high),
        np.where(polar & (bottom < 0.0), -90.0, bottom),
        np.where(polar & (top > 0.0), 90.0, top),
    )


def _wrapped(angle: _Floats) -> _Floats:
    """Degrees in -180..180."""
    return (angle + 180.0) % 360.0 - 180.0
