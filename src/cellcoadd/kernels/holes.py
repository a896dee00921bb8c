"""Replace bad pixels by a smooth surface through the good ones around, in several planes alike.

The surface is that of Clough and Tocher (`clough_tocher`) on the Delaunay triangulation of the good
pixels (`triangulate`), with the gradients that make it bend least (`gradients`).
"""

from __future__ import annotations

__all__ = ["fill_holes"]

import numpy as np
import numpy.typing as npt

from .._jit import kernel
from .clough_tocher import NET_SIZE, bend_surface, surface_at
from .gradients import join_pixels, node_gradients
from .triangulate import NO_PIXEL, triangulate_holes

_SWEEPS = 4  # each makes what is missing ten times smaller; some 1e-4 of the gradients is left


@kernel
def fill_holes(
    planes: npt.NDArray[np.float32],
    y_start: int,
    x_start: int,
    bad: npt.NDArray[np.bool_],
    reach: int,
    low: int,
    high: int,
    left: int,
    right: int,
    outside: npt.NDArray[np.bool_],
) -> None:
    """Replace the bad pixels of a region, in place.

    Parameters
    ----------
    planes : float32 (n, all rows, all columns)
        Image, noise realizations, ...: finite at good pixels.
    y_start, x_start
        The row and the column of the planes that ``bad`` begins at.
    bad : bool (rows, columns)
        Which pixels to replace, in the part of the planes that is looked at. At most 32768 rows and
        columns.
    reach
        Good pixels within this many pixels of a bad one, in x and in y, shape the surface. At
        least 1.
    low, high, left, right
        The rows low..high - 1 and the columns left..right - 1 of ``bad`` are changed.
    outside : bool (rows, columns)
        Written in these: bad pixels outside of the hull of all good ones, which stay as they are.
    """
    columns = bad.shape[1]
    outside[low:high, left:right] = bad[low:high, left:right]
    triangles, opposite = triangulate_holes(bad)
    network = join_pixels(bad, reach, triangles, opposite)
    n_planes, n_nodes = len(planes), len(network.pixels)
    values = np.empty((n_nodes, n_planes))
    for node in range(n_nodes):
        row, column = network.pixels[node] // columns, network.pixels[node] % columns
        for k in range(n_planes):
            values[node, k] = planes[k, y_start + row, x_start + column]
    gradients = node_gradients(network, values, _SWEEPS)
    x = (triangles % columns).astype(np.int64)
    y = (triangles // columns).astype(np.int64)
    nets, weights = np.empty((n_planes, NET_SIZE)), np.empty(3)
    beyond, corner_values, corner_gradients = np.empty((3, 2)), np.empty(3), np.empty((3, 2))
    for i in range(len(triangles)):
        bent = False
        for row in range(max(y[i].min(), low), min(y[i].max() + 1, high)):
            first, stop = _columns_in(x[i], y[i], row)
            for column in range(max(first, left), min(stop, right)):
                if not outside[row, column]:
                    continue
                if not bent:
                    _find_corners_beyond(opposite[i], columns, beyond)
                    for plane in range(n_planes):
                        for k in range(3):
                            node = network.node_of[triangles[i, k]]
                            corner_values[k] = values[node, plane]
                            corner_gradients[k, 0] = gradients[node, 0, plane]
                            corner_gradients[k, 1] = gradients[node, 1, plane]
                        bend_surface(
                            x[i], y[i], beyond, corner_values, corner_gradients, nets[plane]
                        )
                    bent = True
                _weigh_corners(x[i], y[i], column, row, weights)
                for plane in range(n_planes):
                    planes[plane, y_start + row, x_start + column] = surface_at(
                        nets[plane], weights
                    )
                outside[row, column] = False


@kernel
def _find_corners_beyond(
    opposite: npt.NDArray[np.int32], columns: int, beyond: npt.NDArray[np.float64]
) -> None:
    """Write where the third corners of the neighbours of a triangle are, NaN if there is none."""
    for k in range(3):
        beyond[k] = np.nan
        if opposite[k] != NO_PIXEL:
            beyond[k, 0], beyond[k, 1] = opposite[k] % columns, opposite[k] // columns


@kernel
def _weigh_corners(
    x: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    column: int,
    row: int,
    weights: npt.NDArray[np.float64],
) -> None:
    """Write a pixel's position as weights of the corners of its triangle."""
    total = 0
    for m in range(3):
        k, end = (m + 1) % 3, (m + 2) % 3
        area = (x[k] - column) * (y[end] - row) - (y[k] - row) * (x[end] - column)
        weights[m] = area
        total += area
    for m in range(3):
        weights[m] /= total


@kernel
def _columns_in(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], row: int) -> tuple[int, int]:
    """Return the columns of a row that lie in a triangle, the stop of which is not in it."""
    start, stop = x.min(), x.max() + 1
    for k in range(3):
        end = (k + 1) % 3
        dx, dy = x[end] - x[k], y[end] - y[k]
        # On the left of the side: dx (row - y) >= dy (column - x).
        if dy > 0:
            stop = min(stop, x[k] + dx * (row - y[k]) // dy + 1)
        elif dy < 0:
            start = max(start, x[k] - dx * (row - y[k]) // -dy)
    return int(start), int(stop)
