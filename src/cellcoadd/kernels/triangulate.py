"""The Delaunay triangulation of the good pixels around bad ones, hole by hole.

A square of four good pixels, and the half of one with three, are triangles of the Delaunay
triangulation of all good pixels, whatever is elsewhere. What is left are holes, which are filled
from their edges inwards: the third corner of a triangle is the good pixel that sees its edge under
the largest angle.

Pixels lie on circles by fours in many ways, where the largest angle is not unique. The choice is
then that of pixels which are sheared by an infinitely small amount, and stretched by one that is
infinitely smaller still (a symbolic perturbation; Edelsbrunner & Muecke 1990, ACM Trans. Graph. 9,
66): no four of them lie on a circle. All decisions are made in integers, so that the triangles of a
hole depend on the good pixels around it only.
"""

from __future__ import annotations

__all__ = ["NO_PIXEL", "near_pixels", "triangulate_holes"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel

NO_PIXEL = -1
"""Stands for a pixel that there is not: a corner of no triangle."""


@kernel
def triangulate_holes(
    bad: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the triangles of the good pixels that no square of pixels holds.

    Parameters
    ----------
    bad : bool (rows, columns)
        The pixels that are not points of the triangulation. At most 32768 rows and columns,
        where products of areas and lengths are exact in 64 bits.

    Returns
    -------
    triangles : int32 (n, 3)
        Corners, anticlockwise with x to the right and y up, as ``y * columns + x``.
    opposite : int32 (n, 3)
        The third corner of the neighbour beyond the side opposite of each corner; `NO_PIXEL` at
        the hull of all good pixels.

    Notes
    -----
    They cover all bad pixels inside of the hull. There are none if no two good pixels are
    neighbours, in a row, in a column or diagonally.
    """
    columns = bad.shape[1]
    first, rim = _rim_pixels(bad)
    # A plane graph of V points has at most 2 V triangles and 3 V edges, each of two directions.
    triangles = np.empty((2 * rim.size, 3), np.int32)
    waiting = np.empty((16 * rim.size, 2), np.int32)
    capacity = 16
    while capacity < 12 * rim.size:
        capacity *= 2
    sides, corners = np.full(capacity, NO_PIXEL, np.int64), np.empty(capacity, np.int32)
    n_waiting = _find_edges_of_holes(bad, first, rim, waiting)
    count = 0
    while n_waiting:
        n_waiting -= 1
        start, end = int(waiting[n_waiting, 0]), int(waiting[n_waiting, 1])
        if sides[_place(sides, start, end)] != NO_PIXEL:
            continue
        corner = _find_corner(start, end, columns, first, rim)
        if corner == NO_PIXEL:
            continue
        triangle = triangles[count]
        triangle[0], triangle[1], triangle[2] = start, end, corner
        count += 1
        for k in range(3):
            start, end = int(triangle[(k + 1) % 3]), int(triangle[(k + 2) % 3])
            place = _place(sides, start, end)
            sides[place], corners[place] = _side(start, end), triangle[k]
            if (
                sides[_place(sides, end, start)] == NO_PIXEL
                and _corner_in_square(bad, end, start) == NO_PIXEL
            ):
                waiting[n_waiting, 0], waiting[n_waiting, 1] = end, start
                n_waiting += 1
    triangles = triangles[:count].copy()
    opposite = np.empty((count, 3), np.int32)
    for i in range(count):
        for k in range(3):
            start, end = int(triangles[i, (k + 2) % 3]), int(triangles[i, (k + 1) % 3])
            place = _place(sides, start, end)
            if sides[place] == NO_PIXEL:
                opposite[i, k] = _corner_in_square(bad, start, end)
            else:
                opposite[i, k] = corners[place]
    return triangles, opposite


@kernel
def near_pixels(bad: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """Return which pixels are within some pixels of a bad one, in x and in y; all bad ones are."""
    rows, columns = bad.shape
    across = np.zeros(bad.shape, np.bool_)
    for y in range(rows):
        for x in range(columns):
            if bad[y, x]:
                for other in range(max(x - reach, 0), min(x + reach + 1, columns)):
                    across[y, other] = True
    near = np.zeros(bad.shape, np.bool_)
    for y in range(rows):
        for other in range(max(y - reach, 0), min(y + reach + 1, rows)):
            for x in range(columns):
                near[y, x] |= across[other, x]
    return near


@kernel
def _rim_pixels(
    bad: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the good pixels with a bad one among their eight neighbours.

    The columns of those of row y are the second result's ``[first[y]:first[y + 1]]``.
    """
    rows, columns = bad.shape
    near = near_pixels(bad, 1)
    first, rim = np.empty(rows + 1, np.int32), np.empty(near.sum() - bad.sum(), np.int32)
    count = 0
    for y in range(rows):
        first[y] = count
        for x in range(columns):
            if near[y, x] and not bad[y, x]:
                rim[count] = x
                count += 1
    first[rows] = count
    return first, rim


@kernel
def _find_edges_of_holes(
    bad: npt.NDArray[np.bool_],
    first: npt.NDArray[np.int32],
    rim: npt.NDArray[np.int32],
    edges: npt.NDArray[np.int32],
) -> int:
    """Write the edges between neighbouring pixels with a hole on their left; return how many."""
    rows, columns = bad.shape
    count = 0
    for y in range(rows):
        for k in range(first[y], first[y + 1]):
            x = int(rim[k])
            start = y * columns + x
            for step_y in range(-1, 2):
                for step_x in range(-1, 2):
                    to_x, to_y = x + step_x, y + step_y
                    if (
                        (step_x == 0 and step_y == 0)
                        or not _is_good(bad, to_x, to_y)
                        or _along_edge_of_image(bad, x, y, step_x, step_y)
                    ):
                        continue
                    end = to_y * columns + to_x
                    if _corner_in_square(bad, start, end) == NO_PIXEL:
                        edges[count, 0], edges[count, 1] = start, end
                        count += 1
    return count


@kernel
def _is_good(bad: npt.NDArray[np.bool_], x: int, y: int) -> bool:
    return 0 <= y < bad.shape[0] and 0 <= x < bad.shape[1] and not bad[y, x]


@kernel
def _along_edge_of_image(
    bad: npt.NDArray[np.bool_], x: int, y: int, step_x: int, step_y: int
) -> bool:
    """Return whether there is nothing on the left of a step along the edge of the image."""
    rows, columns = bad.shape
    if step_y == 0:
        return y == (rows - 1 if step_x > 0 else 0)
    if step_x == 0:
        return x == (0 if step_y > 0 else columns - 1)
    return False


@kernel
def _corner_in_square(bad: npt.NDArray[np.bool_], start: int, end: int) -> int:
    """Return the third corner of the triangle on the left of an edge, if it is part of a square.

    It is `NO_PIXEL` if there is none, or if the edge is longer than the diagonal of a square.
    """
    columns = bad.shape[1]
    x, y = start % columns, start // columns
    step_x, step_y = end % columns - x, end // columns - y
    if abs(step_x) > 1 or abs(step_y) > 1:
        return NO_PIXEL
    if step_x != 0 and step_y != 0:
        left_x, left_y = x + (step_x - step_y) // 2, y + (step_x + step_y) // 2
        return left_y * columns + left_x if _is_good(bad, left_x, left_y) else NO_PIXEL
    near_x, near_y = x - step_y, y + step_x
    far_x, far_y = near_x + step_x, near_y + step_y
    near, far = _is_good(bad, near_x, near_y), _is_good(bad, far_x, far_y)
    if near and far:
        far = _sees_under_larger_angle(step_x, step_y, far_x - x, far_y - y, near_x - x, near_y - y)
    if not near and not far:
        return NO_PIXEL
    return int(far_y * columns + far_x if far else near_y * columns + near_x)


@kernel
def _sees_under_larger_angle(dx: int, dy: int, x: int, y: int, other_x: int, other_y: int) -> bool:
    """Return whether one pixel on the left of an edge sees it under a larger angle than another.

    The edge is from (0, 0) to (dx, dy). The cotangent of the angle is a scalar product over an
    area.
    """
    area, other_area = dx * y - dy * x, dx * other_y - dy * other_x
    to_x, to_y, other_to_x, other_to_y = x - dx, y - dy, other_x - dx, other_y - dy
    mine = (x * to_x + y * to_y) * other_area
    other = (other_x * other_to_x + other_y * other_to_y) * area
    if mine == other:  # on one circle: the scalar product of sheared pixels
        mine = (x * to_y + y * to_x) * other_area
        other = (other_x * other_to_y + other_y * other_to_x) * area
    if mine == other:  # and of stretched ones
        mine = (x * to_x - y * to_y) * other_area
        other = (other_x * other_to_x - other_y * other_to_y) * area
    return mine < other


@kernel
def _find_corner(
    start: int,
    end: int,
    columns: int,
    first: npt.NDArray[np.int32],
    rim: npt.NDArray[np.int32],
) -> int:
    """Return the rim pixel on the left of an edge that sees it under the largest angle.

    It is `NO_PIXEL` if there is none on the left. The search goes from the edge up and down, row by
    row, in the circle through the edge and the best pixel so far.
    """
    x, y = start % columns, start // columns
    dx, dy = end % columns - x, end // columns - y
    low, high = -y, first.size - 2 - y
    if dy == 0:
        low, high = (1, high) if dx > 0 else (low, -1)
    best_x, best_y = 0, 0  # which is no pixel on the left
    center_x = center_y = radius = 0.0
    below, above = dy // 2, dy // 2 + 1
    while below >= low or above <= high:
        if above > high or (below >= low and dy - 2 * below <= 2 * above - dy):
            row = below
            below -= 1
        else:
            row = above
            above += 1
        if not low <= row <= high:
            continue
        k, stop = int(first[y + row]), int(first[y + row + 1])
        # On the left of the edge: dx * row > dy * column.
        if dy > 0:
            stop = _count_up_to(rim, k, stop, x - (-dx * row) // dy - 1)
        elif dy < 0:
            k = _count_up_to(rim, k, stop, x + (-dx * row) // -dy)
        if k == stop:
            continue
        improved = False
        if best_x == 0 and best_y == 0:
            nearest = min(_count_up_to(rim, k, stop, x + dx // 2), stop - 1)
            best_x, best_y = int(rim[nearest]) - x, row
            center_x, center_y, radius = _circle(dx, dy, best_x, best_y)
            improved = True
        half = math.sqrt(max(radius**2 - (row - center_y) ** 2, 0.0)) + _slack(radius)
        k = _count_up_to(rim, k, stop, x + math.ceil(center_x - half) - 1)
        while k < stop and rim[k] - x <= center_x + half:
            column = int(rim[k]) - x
            if _sees_under_larger_angle(dx, dy, column, row, best_x, best_y):
                best_x, best_y, improved = column, row, True
            k += 1
        if improved:
            center_x, center_y, radius = _circle(dx, dy, best_x, best_y)
            low = max(low, math.ceil(center_y - radius - _slack(radius)))
            high = min(high, math.floor(center_y + radius + _slack(radius)))
    if best_x == 0 and best_y == 0:
        return NO_PIXEL
    return (y + best_y) * columns + x + best_x


@kernel
def _circle(dx: int, dy: int, x: int, y: int) -> tuple[float, float, float]:
    """Return centre and radius of the circle through (0, 0), (dx, dy) and (x, y)."""
    cotangent = (x * (x - dx) + y * (y - dy)) / (dx * y - dy * x)
    center_x, center_y = 0.5 * (dx - cotangent * dy), 0.5 * (dy + cotangent * dx)
    return center_x, center_y, math.sqrt(center_x**2 + center_y**2)


@kernel
def _slack(radius: float) -> float:
    """More than the rounding errors of a circle; what is in it is decided in integers."""
    return 1e-6 * (1.0 + radius)


@kernel
def _count_up_to(values: npt.NDArray[np.int32], start: int, stop: int, value: int) -> int:
    """Return the first index in start..stop whose value, of sorted ones, is greater."""
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] <= value:
            start = middle + 1
        else:
            stop = middle
    return start


@kernel
def _side(start: int, end: int) -> int:
    """The name of a directed edge in the table of sides."""
    return (start << 32) | end


@kernel
def _place(sides: npt.NDArray[np.int64], start: int, end: int) -> int:
    """Return where a directed edge is in the table of sides, or where there is room for it."""
    side = _side(start, end)
    mixed = start * 40503 + end * 50021
    place = (mixed ^ (mixed >> 15)) & (sides.size - 1)
    while sides[place] not in (side, NO_PIXEL):
        place = (place + 1) & (sides.size - 1)
    return place
