"""Cells of a patch: indices, boxes, neighbours."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import YX, Box
from lsst.images.cells import CellGrid, CellIJ

from cellcoadd.cell_grid import BorderedCellGrid, Index2D
from cellcoadd.conventions import round_half_up
from cellcoadd.errors import MissingCellError

ODD = CellGrid(bbox=Box.factory[0:15, 3:24], cell_shape=YX(y=5, x=7))


def make_grid(border: int = 6, *, y: int = -7, x: int = 100) -> BorderedCellGrid:
    """4 x 3 cells of 20 x 30 pixels, so that a mix-up of x and y shows."""
    box = Box.factory[y : y + 3 * 30, x : x + 4 * 20]
    return BorderedCellGrid(inner=CellGrid(bbox=box, cell_shape=YX(y=30, x=20)), border=border)


def overlap(a: Box, b: Box) -> bool:
    return (
        a.x.start < b.x.stop
        and b.x.start < a.x.stop
        and a.y.start < b.y.stop
        and b.y.start < a.y.stop
    )


def test_sizes_follow_from_the_inner_grid_and_the_border() -> None:
    """x and y differ in everything, so none can stand for the other."""
    grid = make_grid()
    assert grid.shape == Index2D(x=4, y=3)
    assert len(grid) == 12
    assert grid.inner_cell_shape == YX(y=30, x=20)
    assert grid.outer_cell_shape == YX(y=42, x=32)
    assert grid.bbox == Box.factory[-7:83, 100:180]
    assert grid.outer_bbox == Box.factory[-13:89, 94:186]
    assert grid.inner_bbox_of(Index2D(x=1, y=2)) == Box.factory[53:83, 120:140]
    assert grid.outer_bbox_of(Index2D(x=1, y=2)) == Box.factory[47:89, 114:146]


def test_cells_count_row_by_row_x_fastest() -> None:
    """The ids of the Rubin sky maps."""
    grid = make_grid()
    assert [grid.sequential_id(index) for index in grid] == list(range(12))
    assert list(grid) == sorted(grid)
    assert grid.sequential_id(Index2D(x=3, y=1)) == 7


def test_an_index_is_a_pair_with_names_x_first() -> None:
    """As in the Rubin pipelines, whose scripts subscript shapes; order and ids go row by row."""
    index = Index2D(x=3, y=1)
    assert (index[0], index[1]) == (3, 1) == index
    assert tuple(index) == (3, 1)
    assert hash(index) == hash((3, 1))
    assert make_grid().shape[0] == 4
    assert Index2D(3, 1) == index
    assert repr(index) == "Index2D(x=3, y=1)"
    again = pickle.loads(pickle.dumps(index))
    assert again == index
    assert isinstance(again, Index2D)
    below = Index2D(x=7, y=0)
    assert below < index
    assert below <= index
    assert index > below
    assert index >= below
    assert not index < index
    assert max(below, index) == index


def test_centre_is_the_upper_of_the_two_middle_pixels() -> None:
    """As in the Rubin pipelines, where the PSF of a cell is drawn at this pixel."""
    grid = make_grid()
    assert grid.centre_of(Index2D(x=0, y=0)) == YX(y=8, x=110)


def test_every_pixel_belongs_to_the_cell_that_says_so() -> None:
    """Inner regions tile the patch."""
    grid = make_grid()
    for y in range(grid.bbox.y.start, grid.bbox.y.stop, 7):
        for x in range(grid.bbox.x.start, grid.bbox.x.stop, 3):
            assert grid.inner_bbox_of(grid.index_of(x=x, y=y)).contains(x=x, y=y)


@settings(deadline=None, max_examples=60)
@given(
    y=st.integers(-60, 120), x=st.integers(50, 220), height=st.integers(1, 90),
    width=st.integers(1, 90), border=st.integers(0, 25),
)  # fmt: skip
def test_overlapping_cells_are_those_whose_outer_boxes_overlap(
    y: int, x: int, height: int, width: int, border: int
) -> None:
    """The quick division finds what looking at every cell finds."""
    grid = make_grid(border)
    box = Box.factory[y : y + height, x : x + width]
    expected = [index for index in grid if overlap(grid.outer_bbox_of(index), box)]
    assert list(grid.overlapping(box)) == expected


def test_index_types_of_lsst_images_convert_both_ways() -> None:
    """i is the row, j the column."""
    assert Index2D(x=3, y=1).to_cell_ij() == CellIJ(i=1, j=3)
    assert Index2D.from_cell_ij(CellIJ(i=1, j=3)) == Index2D(x=3, y=1)


@pytest.mark.parametrize("index", [Index2D(x=4, y=0), Index2D(x=0, y=3), Index2D(x=-1, y=0)])
def test_foreign_index_is_refused_by_name(index: Index2D) -> None:
    """The message says the index and the size of the grid."""
    grid = make_grid()
    assert index not in grid
    for method in (grid.inner_bbox_of, grid.outer_bbox_of, grid.centre_of, grid.sequential_id):
        with pytest.raises(MissingCellError, match=rf"{index.x}, y={index.y}.*4 x 3 cells"):
            method(index)


def test_pixel_outside_of_all_cells_is_refused() -> None:
    """A pixel of the border around the patch is in no inner region."""
    with pytest.raises(MissingCellError, match="x=99, y=0"):
        make_grid().index_of(x=99, y=0)


def one_by_one(grid: BorderedCellGrid, x: float, y: float) -> tuple[int, int]:
    """Column and row of a cell by the look-up of one pixel; -1 outside."""
    if not (np.isfinite(x) and np.isfinite(y)):
        return -1, -1
    try:
        index = grid.index_of(x=round_half_up(x), y=round_half_up(y))
    except MissingCellError:
        return -1, -1
    return index.x, index.y


positions = st.one_of(
    st.floats(-40.0, 200.0),
    st.integers(-80, 400).map(lambda value: value / 2),  # pixels' centres and edges
    st.sampled_from([np.nan, np.inf, -np.inf, -1.7976931348623157e308]),
)


@settings(deadline=None, max_examples=100)
@given(where=st.lists(st.tuples(positions, positions), min_size=1, max_size=30))
def test_many_positions_at_once_are_one_by_one(where: list[tuple[float, float]]) -> None:
    """The quick look-up of a catalogue gives the answers of the slow one."""
    grid = make_grid()
    x, y = np.array(where).T
    found = grid.indices_of(x=x, y=y)
    assert list(zip(found.x, found.y, strict=True)) == [one_by_one(grid, *each) for each in where]


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (99.5, -7.5, (0, 0)),
        (np.nextafter(99.5, 0.0), -7.0, (-1, -1)),
        (100.0, np.nextafter(-7.5, -8.0), (-1, -1)),
        (119.5, 22.5, (1, 1)),
        (np.nextafter(119.5, 0.0), np.nextafter(22.5, 0.0), (0, 0)),
        (np.nextafter(179.5, 0.0), np.nextafter(82.5, 0.0), (3, 2)),
        (179.5, 82.0, (-1, -1)),
        (179.0, 82.5, (-1, -1)),
    ],
)
def test_a_cell_reaches_half_a_pixel_beyond_its_pixels(
    x: float, y: float, expected: tuple[int, int]
) -> None:
    """Its lower and left edge are its own, its upper and right edge the neighbour's."""
    found = make_grid().indices_of(x=x, y=y)
    assert (int(found.x), int(found.y)) == expected


def test_positions_broadcast() -> None:
    """A column of x and a row of y are an image of cells."""
    found = make_grid().indices_of(x=np.array([100, 130, 500]), y=np.array([[0], [60]]))
    np.testing.assert_array_equal(found.x, [[0, 1, -1], [0, 1, -1]])
    np.testing.assert_array_equal(found.y, [[0, 0, -1], [2, 2, -1]])
    assert found.x.dtype == found.y.dtype == np.int64
    assert make_grid().indices_of(x=[], y=[]).x.shape == (0,)


def test_middles_are_those_of_the_boxes() -> None:
    """Of an even width they lie between two pixels; of an odd one on a pixel."""
    for grid in (make_grid(), BorderedCellGrid(inner=ODD, border=1)):
        indices = list(grid)
        middle = grid.middles_of(x=[index.x for index in indices], y=[index.y for index in indices])
        boxes = [grid.inner_bbox_of(index) for index in indices]
        np.testing.assert_array_equal(middle.x, [0.5 * (b.x.min + b.x.max) for b in boxes])
        np.testing.assert_array_equal(middle.y, [0.5 * (b.y.min + b.y.max) for b in boxes])
        back = grid.indices_of(x=middle.x, y=middle.y)
        pairs = zip(back.x, back.y, strict=True)
        assert [Index2D(x=int(x), y=int(y)) for x, y in pairs] == indices


def test_the_middle_of_a_foreign_cell_is_refused_by_name() -> None:
    """The -1 of a position outside of the grid must not become a place."""
    with pytest.raises(MissingCellError, match=r"x=-1, y=2.*4 x 3 cells"):
        make_grid().middles_of(x=[0, -1], y=2)


def test_only_an_index_is_in_a_grid() -> None:
    """A plain pair says not which is x."""
    assert (1, 1) not in make_grid()


def test_negative_border_is_refused() -> None:
    """Outer regions hold the inner ones."""
    with pytest.raises(ValueError, match="got -1"):
        make_grid(-1)
