"""The surface over holes: gradients that bend least, cubic triangles, and scipy's where unique."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy.interpolate import CloughTocher2DInterpolator
from scipy.spatial import Delaunay

from cellcoadd.kernels.clough_tocher import NET_SIZE, bend_surface, surface_at
from cellcoadd.kernels.gradients import join_pixels, node_gradients
from cellcoadd.kernels.holes import fill_holes
from cellcoadd.kernels.triangulate import triangulate_holes

type Mask = npt.NDArray[np.bool_]
type Plane = npt.NDArray[np.float64]


def some_holes() -> Mask:
    """A bad column, a blob, single pixels, and one at the edge."""
    bad = np.zeros((21, 26), np.bool_)
    bad[:, 5] = bad[8:13, 12:17] = bad[3, 20] = bad[4, 21] = bad[15:17, 25] = True
    return bad


def pairs_of(bad: Mask, reach: int) -> Iterator[tuple[int, int]]:
    """Joined pixels by the definition: eight neighbours, and long sides of triangles."""
    rows, columns = bad.shape
    near = np.zeros_like(bad)
    for y, x in np.argwhere(bad):
        near[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = True
    node = near & ~bad
    for y, x in np.argwhere(node):
        for up, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            if y + up < rows and 0 <= x + right < columns and node[y + up, x + right]:
                yield y * columns + x, (y + up) * columns + x + right
    sides = set()
    for triangle in triangulate_holes(bad)[0].tolist():
        for a, b in itertools.combinations(sorted(triangle), 2):
            if max(abs(a % columns - b % columns), abs(a // columns - b // columns)) > 1:
                sides.add((a, b))
    yield from sides


def exact_gradients(bad: Mask, reach: int, values: Plane) -> dict[int, Plane]:
    """Those of the least bending, all at once."""
    columns, pairs = bad.shape[1], list(pairs_of(bad, reach))
    numbers = {pixel: k for k, pixel in enumerate(sorted({p for pair in pairs for p in pair}))}
    matrix, right = np.zeros((2 * len(numbers),) * 2), np.zeros(2 * len(numbers))
    for one, two in pairs:
        for a, b in ((one, two), (two, one)):
            step = np.array([b % columns - a % columns, b // columns - a // columns], float)
            factor = np.hypot(*step) ** -3
            here, there = slice(2 * numbers[a], 2 * numbers[a] + 2), 2 * numbers[b]
            matrix[here, here] += 2 * factor * np.outer(step, step)
            matrix[here, there : there + 2] += factor * np.outer(step, step)
            right[here] += 3 * factor * (values.ravel()[b] - values.ravel()[a]) * step
    solution = np.linalg.solve(matrix, right).reshape(-1, 2)
    return {pixel: solution[k] for pixel, k in numbers.items()}


def gradients_of(bad: Mask, reach: int, values: Plane, sweeps: int) -> dict[int, Plane]:
    network = join_pixels(bad, reach, *triangulate_holes(bad))
    at_nodes = values.ravel()[network.pixels][:, np.newaxis]
    found = node_gradients(network, at_nodes, sweeps)
    return dict(zip(network.pixels.tolist(), found[:-1, :, 0], strict=True))


@pytest.mark.parametrize("reach", [1, 4])
def test_gradients_are_those_of_the_least_bending(reach: int) -> None:
    """With many sweeps to rounding, with four to 2e-4 of the rms."""
    bad = some_holes()
    values = np.random.default_rng(4).normal(size=bad.shape)
    expected = exact_gradients(bad, reach, values)
    scale = np.sqrt(np.mean([gradient**2 for gradient in expected.values()]))
    for sweeps, tolerance in ((40, 1e-9), (4, 2e-4)):
        found = gradients_of(bad, reach, values, sweeps)
        assert set(found) >= set(expected)
        errors = [found[pixel] - gradient for pixel, gradient in expected.items()]
        assert np.sqrt(np.mean(np.square(errors))) < tolerance * scale


def test_gradients_of_a_slope_are_right_from_the_start() -> None:
    """Without any sweep."""
    bad = some_holes()
    y, x = np.mgrid[: bad.shape[0], : bad.shape[1]]
    for gradient in gradients_of(bad, 3, 2.0 * x - 0.5 * y, 0).values():
        np.testing.assert_allclose(gradient, [2.0, -0.5], atol=1e-12)


def test_a_slope_is_met_exactly_where_there_are_two_columns() -> None:
    """Sides that lead one column back and two rows up are long ones, too."""
    y, x = np.mgrid[:9, :2]
    slope = (2.0 * x - 0.5 * y).astype(np.float32)
    bad = np.zeros(slope.shape, np.bool_)
    bad[3, 0] = bad[5, 1] = bad[6, 1] = True
    planes, outside = np.where(bad, np.float32(np.nan), slope)[np.newaxis], np.zeros_like(bad)
    fill_holes(planes, 0, 0, bad, 4, 0, 9, 0, 2, outside)
    assert (np.isnan(planes[0]) == outside).all()
    np.testing.assert_allclose(planes[0][~outside], slope[~outside], atol=1e-5)
    assert not outside.all()


def triangle_net(
    corners: Plane, beyond: Plane, values: Plane, gradients: Plane
) -> npt.NDArray[np.float64]:
    net = np.empty(NET_SIZE)
    x, y = corners.astype(np.int64).T.copy()
    bend_surface(x, y, beyond, values, gradients, net)
    return net


CORNERS = np.array([[2.0, 1.0], [9.0, 3.0], [4.0, 8.0]])
BEYOND = np.array([[11.0, 9.0], [np.nan, np.nan], [7.0, -2.0]])  # beyond the side opposite of each


def test_a_quadratic_surface_is_met_exactly() -> None:
    """Its slope across each side is linear along it, as that of the element."""
    rng = np.random.default_rng(8)
    c = rng.normal(size=6)

    def surface(p: Plane) -> Plane:
        x, y = p[..., 0], p[..., 1]
        value: Plane = c[0] + c[1] * x + c[2] * y + c[3] * x * x + c[4] * x * y + c[5] * y * y
        return value

    x, y = CORNERS.T
    slopes = np.stack([c[1] + 2 * c[3] * x + c[4] * y, c[2] + c[4] * x + 2 * c[5] * y], axis=1)
    net = triangle_net(CORNERS, BEYOND, surface(CORNERS), slopes)
    for weights in rng.dirichlet(np.ones(3), 50):
        expected = float(surface(weights @ CORNERS))
        assert surface_at(net, weights) == pytest.approx(expected, abs=1e-11)


def test_neighbours_fit_with_their_slopes() -> None:
    """On both sides of a common side: values, and slopes across it."""
    rng = np.random.default_rng(9)
    values, gradients = rng.normal(size=4), rng.normal(size=(4, 2))
    points = np.vstack([CORNERS, BEYOND[:1]])  # corners 1 and 2 are common
    none = np.full(2, np.nan)
    one, two = [0, 1, 2], [3, 2, 1]
    nets = [
        triangle_net(
            points[ids], np.vstack([points[other], none, none]), values[ids], gradients[ids]
        )
        for ids, other in ((one, 3), (two, 0))
    ]
    across, h = np.array([0.6, 0.8]), 1e-5
    for part in (0.1, 0.37, 0.8):
        middle = (1 - part) * points[1] + part * points[2]
        heights = []
        for net, ids, sign in ((nets[0], one, 1), (nets[1], two, -1)):
            inwards = sign * across * np.sign(np.dot(across, points[0] - middle))
            for step in (0.0, h, 2 * h):
                system = np.vstack([points[ids].T, np.ones(3)])
                weights = np.linalg.solve(system, [*(middle + step * inwards), 1.0])
                heights.append(surface_at(net, np.maximum(weights, 0.0)))
        assert heights[0] == pytest.approx(heights[3], abs=1e-12)
        slope = (-3 * heights[0] + 4 * heights[1] - heights[2]) / (2 * h)
        opposite = (-3 * heights[3] + 4 * heights[4] - heights[5]) / (2 * h)
        assert slope == pytest.approx(-opposite, abs=1e-6)


def unique_triangulation(good: npt.NDArray[np.int64]) -> bool:
    """Whether no four neighbouring corners lie on a circle, and no three on the hull's edge."""
    found = Delaunay(good)
    for triangle, neighbours in zip(found.simplices, found.neighbors, strict=True):
        a, b, c = good[triangle].tolist()
        if (b[0] - a[0]) * (c[1] - a[1]) == (b[1] - a[1]) * (c[0] - a[0]):
            return False
        for neighbour in neighbours:
            if neighbour < 0:
                continue
            (other,) = set(found.simplices[neighbour]) - set(triangle)
            rows = good[triangle] - good[other]
            if round(np.linalg.det(np.column_stack([rows, (rows**2).sum(axis=1)]))) == 0:
                return False
    return True


def sparse_masks() -> Iterator[Mask]:
    """A few good pixels, two of them neighbours, with one triangulation only."""
    for seed in range(400):
        bad = np.random.default_rng(seed).random((19, 23)) > 0.035
        bad[9, 11:13] = False
        if unique_triangulation(np.argwhere(~bad)):
            yield bad


@pytest.mark.parametrize("bad", list(itertools.islice(sparse_masks(), 8)), ids=lambda _: "mask")
def test_where_the_triangulation_is_unique_the_surface_is_that_of_scipy(bad: Mask) -> None:
    """An independent implementation; gradients to the accuracy of four sweeps."""
    values = np.random.default_rng(3).normal(size=bad.shape)
    good = np.argwhere(~bad)
    surface = CloughTocher2DInterpolator(good, values[~bad], tol=1e-12, maxiter=10000)
    expected = surface(np.argwhere(bad))
    planes, outside = values[np.newaxis].astype(np.float32), np.zeros_like(bad)
    fill_holes(planes, 0, 0, bad, 30, 0, 19, 0, 23, outside)
    np.testing.assert_array_equal(outside[bad], np.isnan(expected))
    difference = (planes[0][bad] - expected)[~np.isnan(expected)]
    assert len(difference) > 50
    assert np.sqrt(np.mean(difference**2)) < 2e-3


def test_only_the_region_changes() -> None:
    """The rest of the planes, and of what lies outside, is looked at only."""
    bad = some_holes()
    values = np.random.default_rng(2).normal(size=(2, 30, 40)).astype(np.float32)
    whole, part = values.copy(), values.copy()
    outside = np.zeros((2, *bad.shape), np.bool_)
    fill_holes(whole, 3, 7, bad, 4, 0, 21, 0, 26, outside[0])
    fill_holes(part, 3, 7, bad, 4, 6, 14, 10, 20, outside[1])
    region = np.zeros((30, 40), np.bool_)
    region[9:17, 17:27] = True
    np.testing.assert_array_equal(part[:, region], whole[:, region])
    np.testing.assert_array_equal(part[:, ~region], values[:, ~region])
    changed = np.zeros((30, 40), np.bool_)
    changed[3:24, 7:33] = bad & ~outside[0]
    np.testing.assert_array_equal((whole != values).all(axis=0), changed)
