"""Which HEALPix pixels a cell is drawn on: all that it touches, or those centred in it.

Places of cells in a tract come in, pairs of a pixel and a cell go out. Two ways, for two needs:

box
    All pixels that overlap with the box in right ascension and declination around the inner region.
    There are no gaps, however coarse the map; but a cell reaches up to a pixel beyond its edges,
    and a pixel there has several cells. At an angle t between its sides and north, the box has the
    area of the cell times 1 + sin 2t: nearly 1 but in turned tracts and within some degrees of a
    pole. Turned by 45 degrees, it reaches the middles of its neighbours. Beside the pole itself,
    where it is a part of a ring, it can have three times the pixels that the cell touches.
centre
    All pixels that have their centres in the inner region, through the projection of the tract. A
    pixel has one cell, and a cell its own area; but a cell smaller than the pixels can be missed.

A cell of ``hsc_rings_cells_v1`` (25 arcsec) has 4.7 pixels at nside 8192 (26 arcsec) by the first
way. By the second it has 0.96, and of 100 cells 18 have none.
"""

from __future__ import annotations

__all__ = ["PixelAssignment", "boxes_of_cells", "pixels_of_cells"]

import enum

import hpgeom
import numpy as np
import numpy.typing as npt
from lsst.images import Box

from ..skymap import Tract
from ..skymap.healsparse_maps import MAX_NSIDE
from ..skymap.tangent_plane import sky_from_directions

_OVERLAP_FACTOR = 256
"""hpgeom tests for overlap with this many times finer pixels, and errs by up to one of them."""


class PixelAssignment(enum.StrEnum):
    """How pixels of the sky are given to cells."""

    BOX = "box"
    CENTRE = "centre"


def pixels_of_cells(
    tract: Tract,
    *,
    x: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    nside: int,
    assignment: PixelAssignment,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the HEALPix pixels of cells.

    Parameters
    ----------
    tract
        The tract of the cells.
    x, y
        Places of the cells in it, shape (cells,), each one once; at least one.
    nside
        Resolution of the pixels.
    assignment
        Which pixels a cell has.

    Returns
    -------
    pixels
        Numbers of pixels in nested order, ICRS, shape (pairs,).
    cells
        Which of the cells has the pixel, shape (pairs,).
    """
    if assignment is PixelAssignment.BOX:
        return _pixels_touching_boxes(tract, x, y, nside)
    return _pixels_centred_in_cells(tract, x, y, nside)


def boxes_of_cells(
    tract: Tract, *, x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the boxes in right ascension and declination around the inner regions of cells.

    Parameters
    ----------
    tract, x, y
        As for `pixels_of_cells`.

    Returns
    -------
    boxes
        First and last right ascension, smallest and largest declination in degrees, shape
        (cells, 4). A box across the meridian of right ascension 0 has the first right ascension
        larger than the last; the box of a cell that holds a pole has 0 and 360.

    Notes
    -----
    Right ascension runs one way along a great circle, so its extremes are those of the corners.
    Those of declination are too, but for the arch of a side towards the pole: s / 8 tan(dec) of its
    length s in radians, a hundredth only within 5 arcmin of a pole for cells of 25 arcsec.
    """
    size = tract.settings.cell_inner_size
    left, bottom = size * x - 0.5, size * y - 0.5
    right, top = left + size, bottom + size
    corners = tract.plane.directions(
        x=np.stack([left, right, right, left], axis=1),
        y=np.stack([bottom, bottom, top, top], axis=1),
    )
    ra, dec = sky_from_directions(corners)
    middle, _ = sky_from_directions(
        tract.plane.directions(x=0.5 * (left + right), y=0.5 * (bottom + top))
    )
    # From the middle to a corner: less than half a circle, unless the cell holds a pole.
    offset = (ra - middle[:, np.newaxis] + 180.0) % 360.0 - 180.0
    lowest, highest = _arches(corners)
    boxes = np.stack(
        [
            (middle + offset.min(axis=1)) % 360.0,
            (middle + offset.max(axis=1)) % 360.0,
            np.fmin(dec.min(axis=1), lowest),
            np.fmax(dec.max(axis=1), highest),
        ],
        axis=1,
    )
    for sign, which in ((-1.0, 2), (1.0, 3)):
        pole_x, pole_y = tract.plane.pixels(np.array([0.0, 0.0, sign]))  # NaN is in no cell
        holds = (left <= pole_x) & (pole_x <= right) & (bottom <= pole_y) & (pole_y <= top)
        boxes[holds, 0], boxes[holds, 1], boxes[holds, which] = 0.0, 360.0, 90.0 * sign
    return boxes


def _arches(
    corners: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the lowest and the highest declination between corners (cells, 4, 3).

    They are infinite where no side has an extreme of its declination between its ends.
    """
    following = np.roll(corners, -1, axis=1)
    normal = np.cross(corners, following)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    height = np.degrees(np.arctan2(np.hypot(normal[..., 0], normal[..., 1]), abs(normal[..., 2])))
    northernmost = np.array([0.0, 0.0, 1.0]) - normal[..., 2:] * normal
    # Positive where the northernmost point of the great circle is past a corner, before the next.
    past = np.sum(np.cross(corners, northernmost) * normal, axis=2)
    before = np.sum(np.cross(northernmost, following) * normal, axis=2)
    highest = np.where((past > 0) & (before > 0), height, -np.inf).max(axis=1)
    lowest = np.where((past < 0) & (before < 0), -height, np.inf).min(axis=1)
    return lowest, highest


def _pixels_touching_boxes(
    tract: Tract, x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], nside: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    factor = min(_OVERLAP_FACTOR, MAX_NSIDE // nside)
    by_cell = [
        hpgeom.query_box(nside, *box, inclusive=True, fact=factor)
        for box in boxes_of_cells(tract, x=x, y=y)
    ]
    cells = np.repeat(np.arange(len(by_cell)), [len(pixels) for pixels in by_cell])
    return np.concatenate(by_cell), cells


def _pixels_centred_in_cells(
    tract: Tract, x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], nside: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    size, start_x, start_y = tract.settings.cell_inner_size, x.min(), y.min()
    number = np.full((y.max() - start_y + 1, x.max() - start_x + 1), -1)
    number[y - start_y, x - start_x] = np.arange(len(x))
    rows, columns = number.shape
    around = Box.from_shape(
        (size * rows, size * columns), start=(size * int(start_y), size * int(start_x))
    )
    # The pixel more is for rounding. Sides are great circles, as the projection is gnomonic.
    corners = tract.plane.corners(around, shrunk_by=-1.0)
    pixels = hpgeom.query_polygon(nside, *sky_from_directions(corners))
    ra, dec = hpgeom.pixel_to_angle(nside, pixels)
    at_x, at_y = tract.plane.sky_to_pixel(ra=ra, dec=dec)
    # In whole tract pixels, as positions are looked up, so that a centre on the line between two
    # cells is in one of them.
    column = np.floor(at_x + 0.5).astype(np.int64) // size - start_x
    row = np.floor(at_y + 0.5).astype(np.int64) // size - start_y
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    pixels, cells = pixels[inside], number[row[inside], column[inside]]
    return pixels[cells >= 0], cells[cells >= 0]
