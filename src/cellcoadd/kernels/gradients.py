"""Gradients of an image at good pixels around bad ones, such that curves between them bend least.

Every good pixel is joined to its eight neighbours, as far as they are good, and across holes along
the sides of triangles. On each such edge the image is the cubic with the values and slopes at both
ends; the gradients are those that make the sum over edges of the integral of the squared second
derivative smallest (Nielson 1983, Math. Comp. 40, 253). With differences D of the values, edges e
of length L and gradients g', at the other ends, that is at each pixel

    sum (2 g.e + g'.e - 3 D) e / L^3 = 0,

which is solved pixel after pixel, again and again. Both diagonals of a square count, so that no
direction is preferred.
"""

from __future__ import annotations

__all__ = ["Network", "join_pixels", "node_gradients"]

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._jit import kernel
from .triangulate import NO_PIXEL, near_pixels

_DIAGONAL = 0.125**0.5  # 1 / L^3 of the diagonal of a square


class Network(NamedTuple):
    """Good pixels near bad ones, and how they are joined.

    Parameters
    ----------
    node_of : int32 (pixels,)
        The node at each pixel; `NO_PIXEL` if there is none.
    pixels : int32 (nodes,)
        The pixel of each node, ascending.
    neighbours : int32 (nodes, 8)
        The nodes at the pixels E, W, N, S, NE, SW, SE and NW, where N is that of y + 1; the number
        of nodes if there is none.
    first : int32 (nodes + 1,)
        Node i is joined across holes by the edges first[i]..first[i + 1] - 1.
    ends : int32 (edges,)
        The node at their other end.
    steps : float64 (edges, 2)
        The edge, in x and y.
    factors : float64 (edges,)
        One over its cubed length.
    inverses : float64 (nodes, 3)
        The inverse of the sum of e e / L^3 over all edges of a node: xx, xy and yy; 0 if it has
        none.
    """

    node_of: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.int32]
    neighbours: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    steps: npt.NDArray[np.float64]
    factors: npt.NDArray[np.float64]
    inverses: npt.NDArray[np.float64]


@kernel
def join_pixels(
    bad: npt.NDArray[np.bool_],
    reach: int,
    triangles: npt.NDArray[np.int32],
    opposite: npt.NDArray[np.int32],
) -> Network:
    """Join good pixels near bad ones.

    Parameters
    ----------
    bad : bool (rows, columns)
        Bad pixels.
    reach
        Good pixels within this many pixels of a bad one, in x and in y, are nodes. At least 1.
    triangles, opposite : int32 (n, 3)
        As `triangulate.triangulate_holes` returns them.
    """
    rows, columns = bad.shape
    near = near_pixels(bad, reach)
    count = 0
    node_of = np.full(bad.size, NO_PIXEL, np.int32)
    for y in range(rows):
        for x in range(columns):
            if near[y, x] and not bad[y, x]:
                node_of[y * columns + x] = count
                count += 1
    pixels = np.empty(count, np.int32)
    neighbours = np.full((count, 8), count, np.int32)
    inverses = np.zeros((count, 3))  # the sums, at first
    for pixel in range(bad.size):
        node = node_of[pixel]
        if node == NO_PIXEL:
            continue
        pixels[node] = pixel
        x, y = pixel % columns, pixel // columns
        k = 0
        for step_x, step_y in ((1, 0), (0, 1), (1, 1), (1, -1)):
            for sign in (1, -1):
                to_x, to_y = x + sign * step_x, y + sign * step_y
                if 0 <= to_x < columns and 0 <= to_y < rows:
                    other = node_of[to_y * columns + to_x]
                    if other != NO_PIXEL:
                        neighbours[node, k] = other
                        factor = _DIAGONAL if k > 3 else 1.0
                        _add_square(inverses[node], step_x, step_y, factor)
                k += 1
    first, ends, steps, factors = _edges_across(triangles, opposite, node_of, count, columns)
    for node in range(count):
        for edge in range(first[node], first[node + 1]):
            _add_square(inverses[node], steps[edge, 0], steps[edge, 1], factors[edge])
        _invert(inverses[node])
    return Network(node_of, pixels, neighbours, first, ends, steps, factors, inverses)


@kernel
def _edges_across(
    triangles: npt.NDArray[np.int32],
    opposite: npt.NDArray[np.int32],
    node_of: npt.NDArray[np.int32],
    count: int,
    columns: int,
) -> tuple[
    npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]
]:
    """Return the edges that are longer than the diagonal of a square, sorted by node."""
    pairs, n_edges = np.empty((6 * len(triangles), 2), np.int32), 0
    for i in range(len(triangles)):
        for k in range(3):
            start, end = triangles[i, (k + 1) % 3], triangles[i, (k + 2) % 3]
            right, up = end % columns - start % columns, end // columns - start // columns
            if abs(right) > 1 or abs(up) > 1:
                pairs[n_edges, 0], pairs[n_edges, 1] = start, end
                n_edges += 1
                if opposite[i, k] == NO_PIXEL:  # no other triangle has it in the other direction
                    pairs[n_edges, 0], pairs[n_edges, 1] = end, start
                    n_edges += 1
    first = np.zeros(count + 1, np.int32)
    for k in range(n_edges):
        first[node_of[pairs[k, 0]] + 1] += 1
    for node in range(count):
        first[node + 1] += first[node]
    place = first[:count].copy()
    ends, steps, factors = np.empty(n_edges, np.int32), np.empty((n_edges, 2)), np.empty(n_edges)
    for k in range(n_edges):
        start, end = pairs[k]
        node = node_of[start]
        at = place[node]
        place[node] += 1
        ends[at] = node_of[end]
        steps[at, 0] = end % columns - start % columns
        steps[at, 1] = end // columns - start // columns
        factors[at] = (steps[at, 0] ** 2 + steps[at, 1] ** 2) ** -1.5
    return first, ends, steps, factors


@kernel
def _add_square(total: npt.NDArray[np.float64], x: float, y: float, factor: float) -> None:
    total[0] += factor * x * x
    total[1] += factor * x * y
    total[2] += factor * y * y


@kernel
def _invert(matrix: npt.NDArray[np.float64]) -> None:
    """Invert xx, xy, yy in place; a pixel whose edges lie on a line gets the gradient 0."""
    xx, xy, yy = matrix
    determinant = xx * yy - xy * xy
    if determinant > 1e-12 * xx * yy:
        matrix[0], matrix[1], matrix[2] = yy / determinant, -xy / determinant, xx / determinant
    else:
        matrix[:] = 0.0


@kernel
def node_gradients(
    network: Network, values: npt.NDArray[np.float64], sweeps: int
) -> npt.NDArray[np.float64]:
    """Find the gradients of some planes.

    Parameters
    ----------
    network
        How pixels are joined.
    values : float64 (nodes, planes)
        The planes at the nodes.
    sweeps
        How often the gradients are improved, there and back. They start from those that are right
        for a plane.

    Returns
    -------
    gradients : float64 (nodes + 1, 2, planes)
        In x and in y; those of the last element are 0.
    """
    count, n_planes = values.shape
    inverses = network.inverses
    gradients = np.zeros((count + 1, 2, n_planes))
    pulls = np.zeros((count, 2, n_planes))  # the sum of D e / L^3
    for node in range(count):
        _pull(network, values, node, pulls[node])
        for plane in range(n_planes):
            x, y = pulls[node, 0, plane], pulls[node, 1, plane]
            gradients[node, 0, plane] = inverses[node, 0] * x + inverses[node, 1] * y
            gradients[node, 1, plane] = inverses[node, 1] * x + inverses[node, 2] * y
    for sweep in range(2 * sweeps):
        _improve(network, pulls, sweep % 2 == 1, gradients)
    return gradients


@kernel
def _pull(
    network: Network,
    values: npt.NDArray[np.float64],
    node: int,
    pull: npt.NDArray[np.float64],
) -> None:
    """Sum up D e / L^3 over the edges of a node."""
    count, n_planes = values.shape
    for k in range(8):
        other = network.neighbours[node, k]
        if other == count:
            continue
        factor = -1.0 if k & 1 else 1.0
        factor *= _DIAGONAL if k > 3 else 1.0
        for plane in range(n_planes):
            difference = factor * (values[other, plane] - values[node, plane])
            if k not in (2, 3):
                pull[0, plane] += difference
            if k > 1:
                pull[1, plane] += difference if k < 6 else -difference
    for edge in range(network.first[node], network.first[node + 1]):
        other = network.ends[edge]
        for plane in range(n_planes):
            difference = network.factors[edge] * (values[other, plane] - values[node, plane])
            pull[0, plane] += difference * network.steps[edge, 0]
            pull[1, plane] += difference * network.steps[edge, 1]


@kernel
def _improve(
    network: Network,
    pulls: npt.NDArray[np.float64],
    back: bool,
    gradients: npt.NDArray[np.float64],
) -> None:
    """Make the gradient at each node what the gradients around want it to be, one by one.

    It is one loop without calls and views of arrays, which would cost as much as the sums.
    """
    g = gradients
    neighbours, inverses, first = network.neighbours, network.inverses, network.first
    ends, steps, factors = network.ends, network.steps, network.factors
    count, _, n_planes = pulls.shape
    for number in range(count):
        node = count - 1 - number if back else number
        e, w = neighbours[node, 0], neighbours[node, 1]
        n, s = neighbours[node, 2], neighbours[node, 3]
        ne, sw = neighbours[node, 4], neighbours[node, 5]
        se, nw = neighbours[node, 6], neighbours[node, 7]
        xx, xy, yy = inverses[node, 0], inverses[node, 1], inverses[node, 2]
        for p in range(n_planes):
            rising = _DIAGONAL * (g[ne, 0, p] + g[ne, 1, p] + (g[sw, 0, p] + g[sw, 1, p]))
            falling = _DIAGONAL * (g[se, 0, p] - g[se, 1, p] + (g[nw, 0, p] - g[nw, 1, p]))
            x = 3.0 * pulls[node, 0, p] - (g[e, 0, p] + g[w, 0, p]) - (rising + falling)
            y = 3.0 * pulls[node, 1, p] - (g[n, 1, p] + g[s, 1, p]) - (rising - falling)
            for edge in range(first[node], first[node + 1]):
                end = ends[edge]
                step_x, step_y = steps[edge, 0], steps[edge, 1]
                slope = factors[edge] * (g[end, 0, p] * step_x + g[end, 1, p] * step_y)
                x -= slope * step_x
                y -= slope * step_y
            g[node, 0, p] = 0.5 * (xx * x + xy * y)
            g[node, 1, p] = 0.5 * (xy * x + yy * y)
