"""Which patches and cells a footprint on the sky overlaps.

In comes a convex polygon, such as the outline of a detector or of a visit; out come ids. Great
circles are straight lines in a tract's plane, so polygon and boxes are both convex there, and they
are apart if, and only if, a side of one has all of the other on its far side. This is exact for
footprints of any size: one that contains a patch, or that crosses it with all its corners outside.
The polygon is first cut to the tract, because the rule holds within one hemisphere only.
"""

from __future__ import annotations

__all__ = ["overlapping_cells", "overlapping_patches"]

from typing import Literal

import numpy as np
import numpy.typing as npt
from lsst.sphgeom import ConvexPolygon

from ..cell_grid import Index2D
from .patch import Patch
from .sky_map import SkyMap
from .tangent_plane import TangentPlane

SLIVER = 1e-6
"""Width in pixels up to which an overlap counts as a touch: well above the rounding errors of
positions (1e-10 pixels), well below anything that could matter."""


def overlapping_patches(
    skymap: SkyMap, polygon: ConvexPolygon, *, region: Literal["outer", "inner"] = "outer"
) -> list[tuple[int, list[int]]]:
    """Return the patches that a polygon overlaps, tract by tract.

    Parameters
    ----------
    skymap
        The sky map.
    polygon
        The footprint.
    region
        Which of a patch's boxes to compare with.

    Returns
    -------
    list of (tract id, patch ids)
        In increasing order; tracts without such a patch are left out.
    """
    settings = skymap.settings
    corners = _vertices(polygon)
    circle = polygon.getBoundingCircle()
    centre = np.array(list(circle.getCenter()))
    border = settings.patch_border if region == "outer" else 0
    found = []
    for tract_id in skymap.tract_ids_near(centre, radius=circle.getOpeningAngle().asRadians()):
        tract = skymap[tract_id]
        shape = tract.patch_shape
        rows, columns = _overlapping_boxes(
            tract.plane,
            corners,
            x=_intervals(0, settings.patch_inner_size, shape.x, border),
            y=_intervals(0, settings.patch_inner_size, shape.y, border),
        )
        if len(rows):
            found.append((tract_id, (shape.x * rows + columns).tolist()))
    return found


def overlapping_cells(
    patch: Patch, polygon: ConvexPolygon, *, region: Literal["outer", "inner"] = "outer"
) -> list[Index2D]:
    """Return the cells of a patch that a polygon overlaps, row by row.

    Parameters
    ----------
    patch
        The patch.
    polygon
        The footprint.
    region
        Which of a cell's boxes to compare with.
    """
    grid = patch.grid
    border = grid.border if region == "outer" else 0
    rows, columns = _overlapping_boxes(
        patch.plane,
        _vertices(polygon),
        x=_intervals(grid.bbox.x.start, grid.inner_cell_shape.x, grid.shape.x, border),
        y=_intervals(grid.bbox.y.start, grid.inner_cell_shape.y, grid.shape.y, border),
    )
    return [Index2D(x=int(x), y=int(y)) for y, x in zip(rows, columns, strict=True)]


def _vertices(polygon: ConvexPolygon) -> npt.NDArray[np.float64]:
    """Return the vertices (n, 3), counterclockwise seen from outside."""
    return np.array([list(vertex) for vertex in polygon.getVertices()])


def _intervals(start: int, step: int, count: int, border: int) -> npt.NDArray[np.float64]:
    """Return the edges (2, count) of boxes in a row: lower ones, upper ones."""
    lower = start - 0.5 + step * np.arange(count)
    return np.stack([lower - border, lower + step + border])


def _overlapping_boxes(
    plane: TangentPlane,
    vertices: npt.NDArray[np.float64],
    *,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return rows and columns of the boxes of a grid that share an area with a polygon.

    Parameters
    ----------
    plane
        The projection of the boxes' pixels.
    vertices
        Unit vectors (n, 3) to the polygon's vertices, counterclockwise seen from outside.
    x, y
        Edges (2, columns) and (2, rows) of the boxes.
    """
    outline = _clipped(plane.homogeneous(vertices), x=x, y=y)
    if not outline:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    p, q, w = np.array(outline).T
    column_meets = (x[1] - (p / w).min() > SLIVER) & ((p / w).max() - x[0] > SLIVER)
    row_meets = (y[1] - (q / w).min() > SLIVER) & ((q / w).max() - y[0] > SLIVER)
    normals = np.cross(vertices, np.roll(vertices, -1, axis=0))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    a, b, c = plane.line(normals).T[:, :, np.newaxis]
    # The corner of a box that is farthest inside of a side is found for x and y separately.
    inside_x = np.maximum(a * x[0], a * x[1]) + c
    inside_y = np.maximum(b * y[0], b * y[1])
    meets = np.all(inside_x[:, np.newaxis, :] + inside_y[:, :, np.newaxis] > SLIVER, axis=0)
    rows, columns = np.nonzero(meets & row_meets[:, np.newaxis] & column_meets)
    return rows, columns


def _clipped(
    vertices: npt.NDArray[np.float64], *, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """Return the vertices of what a polygon shares with the rectangle around a grid of boxes.

    Sutherland & Hodgman 1974 in homogeneous coordinates (p, q, w), so that vertices behind the
    plane need no special care: the rectangle's four sides together exclude all that has w <= 0.
    """
    sides = np.array(
        [
            [1.0, 0.0, -x[0].min()],
            [-1.0, 0.0, x[1].max()],
            [0.0, 1.0, -y[0].min()],
            [0.0, -1.0, y[1].max()],
        ]
    )
    kept = list(vertices)
    for side in sides:
        inside = [float(side @ vertex) for vertex in kept]
        before, kept = kept, []
        for i, vertex in enumerate(before):
            here, previous = inside[i], inside[i - 1]
            if (here > 0) != (previous > 0):
                kept.append(before[i - 1] + (vertex - before[i - 1]) * previous / (previous - here))
            if here > 0:
                kept.append(vertex)
    return kept
