"""Nodes and the positions between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.positions import (
    mark_blocks,
    node_indices,
    nodes_around,
    row_positions,
    source_range,
)


def test_nodes_of_a_patch_are_those_of_the_rubin_pipelines() -> None:
    """Columns -1, 9, 19, ..., W - 1 for a region that starts at a multiple of 10."""
    np.testing.assert_array_equal(node_indices(16000, 16400, 10), 16000 + np.arange(-1, 400, 10))


def test_spacing_one_asks_for_every_pixel_and_the_one_before() -> None:
    """The pixel before serves the area of the first."""
    np.testing.assert_array_equal(node_indices(-3, 2, 1), [-4, -3, -2, -1, 0, 1])


@given(
    start=st.integers(-500, 500), n=st.integers(1, 300), spacing=st.integers(1, 30),
    data=st.data(),
)  # fmt: skip
@settings(deadline=None)
def test_nodes_enclose_every_pixel_and_its_neighbour_before(
    start: int, n: int, spacing: int, data: st.DataObject
) -> None:
    """Both for the whole region and for a part of it; none is too many."""
    nodes = node_indices(start, start + n, spacing)
    assert np.all((nodes + 1) % spacing == 0)
    assert nodes[0] <= start - 1 < nodes[0] + spacing
    assert nodes[-2] < start + n - 1 <= nodes[-1]
    offset = data.draw(st.integers(0, n - 1))
    count = data.draw(st.integers(1, n - offset))
    first, stop = nodes_around(start, offset, count, spacing)
    part = node_indices(start + offset, start + offset + count, spacing)
    np.testing.assert_array_equal(nodes[first:stop], part)


@pytest.mark.parametrize(
    ("start", "stop", "spacing", "message"),
    [(0, 5, 0, "spacing of 0"), (5, 5, 10, "5..5")],
)
def test_nonsense_regions_are_refused(start: int, stop: int, spacing: int, message: str) -> None:
    """Instead of an empty or an endless list of nodes."""
    with pytest.raises(ValueError, match=message):
        node_indices(start, stop, spacing)


def test_positions_of_an_affine_map_are_exact() -> None:
    """Bilinear interpolation reproduces x = 2 c + r + 1, y = 3 r: area 6 everywhere."""
    columns, rows = np.meshgrid(
        node_indices(3, 40, 10).astype(float), node_indices(-7, 5, 10).astype(float)
    )
    x, y, area = np.empty(37), np.empty(37), np.empty(37)
    row_positions(2.0 * columns + rows + 1.0, 3.0 * rows, 4, 0, 37, 3, -7, 10, x, y, area)
    np.testing.assert_allclose(x, 2.0 * np.arange(3, 40) - 3 + 1, rtol=1e-15)
    np.testing.assert_allclose(y, -9.0, rtol=1e-15)
    np.testing.assert_allclose(area, 6.0, rtol=1e-14)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([[10.2, 20.7]], (7, 25)),
        ([[-50.0, 4.5]], (0, 9)),
        ([[95.0, 300.0]], (92, 100)),
        ([[-20.0, -10.0]], (0, 0)),
        ([[110.0, 120.0]], (0, 0)),
        ([[np.nan, np.inf]], (0, 0)),
        ([[np.nan, 50.0]], (47, 54)),
    ],
)
def test_source_range_covers_the_kernel_and_stays_inside(
    nodes: list[list[float]], expected: tuple[int, int]
) -> None:
    """Positions between the nodes need 3 pixels on either side, of the 100 that there are."""
    assert source_range(np.array(nodes), 100, 3) == expected


def blocks_touched(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    blocks = np.zeros((5, 4), np.bool_)
    mark_blocks(x, y, 3, 20, 30, blocks)
    return blocks


@settings(deadline=None, max_examples=30)
@given(angle=st.floats(0, 6.3), x=st.floats(-100, 200), y=st.floats(-100, 200))
def test_all_blocks_under_the_kernel_are_marked(angle: float, x: float, y: float) -> None:
    """And none that is far from all positions."""
    u, v = np.meshgrid(np.arange(0.0, 61.0, 10.0), np.arange(0.0, 41.0, 10.0))
    cosine, sine = np.cos(angle), np.sin(angle)
    node_x, node_y = x + cosine * u - sine * v, y + sine * u + cosine * v
    marked = blocks_touched(node_x, node_y)
    u, v = np.meshgrid(np.linspace(0.0, 60.0, 241), np.linspace(0.0, 40.0, 161))
    fine_x, fine_y = x + cosine * u - sine * v, y + sine * u + cosine * v
    needed, near = np.zeros_like(marked), np.zeros_like(marked)
    for reach, found in ((3, needed), (15, near)):
        for row in range(5):
            for column in range(4):
                inside_x = (fine_x >= 30 * column - reach) & (
                    fine_x < 30 * (column + 1) + reach - 1
                )
                inside_y = (fine_y >= 20 * row - reach) & (fine_y < 20 * (row + 1) + reach - 1)
                found[row, column] = (inside_x & inside_y).any()
    assert not (needed & ~marked).any()
    assert not (marked & ~near).any()


def test_positions_that_are_not_finite_mark_nothing() -> None:
    """Nor do those off the detector, however far."""
    x, y = np.meshgrid(np.arange(0.0, 60.0, 10.0), np.arange(0.0, 60.0, 10.0))
    assert blocks_touched(x, y).any()
    assert not blocks_touched(np.full_like(x, np.nan), y).any()
    assert not blocks_touched(x, np.full_like(y, np.inf)).any()
    assert not blocks_touched(x - 1e30, y).any()
    assert not blocks_touched(x, y + 1e30).any()
