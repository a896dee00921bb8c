"""Cells of a patch: indices, boxes, neighbours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import YX, Box
from lsst.images.cells import CellGrid, CellIJ

from cellcoadd.cell_grid import BorderedCellGrid, Index2D
from cellcoadd.errors import MissingCellError


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


def test_only_an_index_is_in_a_grid() -> None:
    """A plain pair says not which is x."""
    assert (1, 1) not in make_grid()


def test_negative_border_is_refused() -> None:
    """Outer regions hold the inner ones."""
    with pytest.raises(ValueError, match="got -1"):
        make_grid(-1)
