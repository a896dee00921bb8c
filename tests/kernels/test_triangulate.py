"""Triangles of good pixels around holes: the laws of Delaunay, in exact integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from cellcoadd.kernels.triangulate import NO_PIXEL, near_pixels, triangulate_holes

type Mask = npt.NDArray[np.bool_]


def random_mask(seed: int, fraction: float, shape: tuple[int, int] = (17, 23)) -> Mask:
    """Bad pixels anywhere; two good neighbours, without which there are no triangles."""
    bad = np.random.default_rng(seed).random(shape) < fraction
    bad[8, 10:12] = False
    return bad


def points(pixels: npt.NDArray[np.int32], mask: Mask) -> npt.NDArray[np.int64]:
    """Pixels by number as x and y."""
    columns = mask.shape[1]
    return np.stack([pixels % columns, pixels // columns], axis=-1).astype(np.int64)


def good_points(mask: Mask) -> npt.NDArray[np.int64]:
    y, x = np.nonzero(~mask)
    return np.stack([x, y], axis=-1)


def doubled_areas(corners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def in_circle(corners: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> Mask:
    """Whether others lie strictly inside of the circle through the corners of a triangle."""
    d = corners[np.newaxis] - others[:, np.newaxis]
    squares = (d**2).sum(axis=-1)
    cross = d[:, [1, 2, 0], 0] * d[:, [2, 0, 1], 1] - d[:, [1, 2, 0], 1] * d[:, [2, 0, 1], 0]
    inside: Mask = (squares * cross).sum(axis=-1) > 0
    return inside


def squares_area(bad: Mask) -> float:
    """Area of the squares of four good pixels and of the halves with three."""
    good = ~bad
    corners = (good[:-1, :-1].astype(int) + good[1:, :-1]) + good[:-1, 1:] + good[1:, 1:]
    return float((corners == 4).sum() + 0.5 * (corners == 3).sum())


masks = given(seed=st.integers(0, 10**6), fraction=st.sampled_from([0.02, 0.2, 0.5, 0.8, 0.95]))


@settings(deadline=None, max_examples=40)
@masks
def test_triangles_and_squares_fill_the_hull(seed: int, fraction: float) -> None:
    """Without overlap: areas add up, and all are anticlockwise."""
    bad = random_mask(seed, fraction)
    triangles, _ = triangulate_holes(bad)
    areas = doubled_areas(points(triangles, bad))
    assert (areas > 0).all()
    good = good_points(bad)
    on_a_line = np.linalg.matrix_rank(good - good[0]) < 2
    hull = 0.0 if on_a_line else ConvexHull(good).volume
    assert areas.sum() / 2 + squares_area(bad) == pytest.approx(hull, abs=1e-9)


@settings(deadline=None, max_examples=40)
@masks
def test_no_good_pixel_is_inside_of_the_circle_of_a_triangle(seed: int, fraction: float) -> None:
    """Delaunay's condition, exact in integers."""
    bad = random_mask(seed, fraction)
    triangles, _ = triangulate_holes(bad)
    good = good_points(bad)
    assert not any(in_circle(corners, good).any() for corners in points(triangles, bad))
    assert not bad.ravel()[triangles].any()


@settings(deadline=None, max_examples=40)
@masks
def test_opposite_corners_are_those_of_the_neighbours(seed: int, fraction: float) -> None:
    """Beyond a side there is a triangle, of a hole or of a square, or the hull ends."""
    bad = random_mask(seed, fraction)
    triangles, opposite = triangulate_holes(bad)
    third = {
        (int(triangle[(k + 1) % 3]), int(triangle[(k + 2) % 3])): int(triangle[k])
        for triangle in triangles
        for k in range(3)
    }
    assert len(third) == 3 * len(triangles)  # no side belongs to two triangles
    good = good_points(bad)
    for triangle, beyond in zip(triangles, opposite, strict=True):
        for k in range(3):
            start, end = int(triangle[(k + 1) % 3]), int(triangle[(k + 2) % 3])
            a, b = points(np.array([start, end], np.int32), bad)
            left = (b - a)[0] * (good - a)[:, 1] - (b - a)[1] * (good - a)[:, 0]
            if beyond[k] == NO_PIXEL:
                assert (left >= 0).all()
            elif (end, start) in third:
                assert beyond[k] == third[end, start]
            else:
                corner = points(beyond[k : k + 1], bad)[0]
                assert np.abs(corner - a).max() <= 1
                assert np.abs(corner - b).max() <= 1
                assert not bad.ravel()[beyond[k]]


def test_a_hole_has_the_same_triangles_wherever_it_is() -> None:
    """Of all that are possible, whatever else is in the image: also in another order of search."""
    hole = np.random.default_rng(5).random((9, 11)) < 0.6
    found = []
    for up, right, others in ((3, 4, False), (20, 33, True), (11, 5, True)):
        bad = np.zeros((40, 60), np.bool_)
        if others:
            bad[:2], bad[35:, 50:] = True, True
        bad[up : up + 9, right : right + 11] = hole
        triangles, _ = triangulate_holes(bad)
        corners = points(triangles, bad) - [right, up]
        near = (corners >= -1).all(axis=(1, 2)) & (corners <= [11, 9]).all(axis=(1, 2))
        found.append({frozenset(map(tuple, triangle)) for triangle in corners[near].tolist()})
    assert len(found[0]) > 50
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("bad", [np.zeros((5, 6), np.bool_), np.ones((5, 6), np.bool_)])
def test_without_holes_or_without_good_pixels_there_are_none(bad: Mask) -> None:
    """Nothing to fill; nothing to fill it with."""
    triangles, opposite = triangulate_holes(bad)
    assert triangles.shape == opposite.shape == (0, 3)


@pytest.mark.parametrize("reach", [1, 3])
def test_near_pixels_are_a_square_around_each_bad_one(reach: int) -> None:
    """Cut off at the edges."""
    bad = np.zeros((12, 15), np.bool_)
    bad[1, 2] = bad[8, 9] = True
    expected = np.zeros_like(bad)
    for y, x in ((1, 2), (8, 9)):
        expected[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = True
    np.testing.assert_array_equal(near_pixels(bad, reach), expected)


def test_the_triangles_of_a_single_bad_pixel_by_hand() -> None:
    """Its four neighbours lie on one circle; of the two diagonals the tie-break takes one."""
    bad = np.zeros((5, 5), np.bool_)
    bad[2, 2] = True
    found = {frozenset(map(int, triangle)) for triangle in triangulate_holes(bad)[0]}
    north, south, west, east = 17, 7, 11, 13
    for corner in (west, east):
        assert frozenset({north, south, corner}) in found
        assert frozenset({west, east, north if corner == west else south}) not in found
