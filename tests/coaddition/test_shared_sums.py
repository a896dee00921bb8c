"""Sums that cells share are, number by number, those of each cell alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import YX, Box
from lsst.images.cells import CellGrid

from cellcoadd.cell_grid import BorderedCellGrid, Index2D
from cellcoadd.coaddition.shared_sums import SharedSums
from cellcoadd.kernels.accumulate import (
    CellSums,
    InputPlanes,
    StackRules,
    Zeros,
    add_input,
    empty_sums,
)

SIDE = 3  # cells
NONE = np.empty(0, np.int32)
RULES = StackRules(
    kept_bits=-1, bad_bits=1, no_data_bit=2, inexact_psf_bit=4, weighed=NONE,
    thresholds=np.empty(0), left_out_from=NONE, left_out_to=NONE, fraction_bits=NONE,
)  # fmt: skip
CELLS = [Index2D(x=x, y=y) for y in range(SIDE) for x in range(SIDE)]


def grid_of(border: int) -> BorderedCellGrid:
    """Nine cells of 6 x 7 pixels and a border, which may be wider than half a cell."""
    inner = CellGrid(bbox=Box.factory[0 : 6 * SIDE, 0 : 7 * SIDE], cell_shape=YX(y=6, x=7))
    return BorderedCellGrid(inner=inner, border=border)


def new_sums(height: int, width: int, zeros: Zeros = np.zeros) -> CellSums:
    return empty_sums(
        height=height, width=width, n_noise=0, n_fractions=0, n_weighed=0,
        error_from_scatter=False, zeros=zeros,
    )  # fmt: skip


def visit(seed: int, shape: tuple[int, int]) -> InputPlanes:
    rng = np.random.default_rng(seed)
    nothing = np.empty((0, *shape), np.float32)
    return InputPlanes(
        image=rng.normal(size=shape).astype(np.float32),
        variance=rng.uniform(1.0, 2.0, shape).astype(np.float32),
        mask=rng.choice([0, 0, 0, 1], shape).astype(np.int32),
        owner=np.zeros(shape, np.uint8),
        noise=nothing,
        fractions=nothing,
    )


def planes_of(shared: SharedSums, grid: BorderedCellGrid) -> dict[Index2D, npt.NDArray[np.float64]]:
    """Image sums and numbers of inputs of each cell, put together of its pieces."""
    shape = grid.outer_cell_shape
    result: dict[Index2D, npt.NDArray[np.float64]] = {}
    for sums, cells in shared.finish():
        for cell, place in cells.items():
            whole = result.setdefault(cell, np.full((2, shape.y, shape.x), np.nan))
            assert np.isnan(whole[:, *place]).all(), "no pixel comes twice"
            whole[:, *place] = sums.image, sums.n_used
    return result


takers = st.lists(st.sets(st.sampled_from(CELLS), min_size=1), min_size=1, max_size=5)


@given(takers=takers, border=st.sampled_from([0, 2, 3, 5]), dropped=st.sampled_from([None, *CELLS]))
@settings(deadline=None, max_examples=60)
def test_every_cell_has_its_own_sums(
    takers: list[set[Index2D]], border: int, dropped: Index2D | None
) -> None:
    """Whichever inputs each cell takes, to the bit, and however the cells' borders overlap.

    After the first input a cell is emptied, as if it had taken a fallback.
    """
    grid = grid_of(border)
    whole = (grid.outer_bbox.y.size, grid.outer_bbox.x.size)
    shared = SharedSums(grid, new_sums)
    alone: dict[Index2D, CellSums] = {}
    for number, cells in enumerate(takers):
        planes, weight = visit(number, whole), 1.0 + 0.3 * number

        def add(sums: CellSums, y: int, x: int) -> None:
            add_input(sums, planes, RULES, y, x, 0, weight)  # noqa: B023

        shared.add(cells, add)
        for cell in cells:
            corner = grid.outer_bbox_of(cell).start
            y, x = corner.y - grid.outer_bbox.y.start, corner.x - grid.outer_bbox.x.start
            if cell not in alone:
                alone[cell] = new_sums(grid.outer_cell_shape.y, grid.outer_cell_shape.x)
            add(alone[cell], y, x)
        if number == 0 and dropped is not None:
            shared.drop(dropped)
            alone.pop(dropped, None)
    found = planes_of(shared, grid)
    assert set(found) == set(alone)
    for cell, sums in alone.items():
        np.testing.assert_array_equal(found[cell], [sums.image, sums.n_used])


def test_equal_inputs_are_added_once() -> None:
    """All cells take the same: as many additions as there are pixels, and a copy when they part."""
    grid = grid_of(2)
    counted = []
    shared = SharedSums(grid, new_sums)
    shared.add(CELLS, lambda sums, *_: counted.append(sums.weight.size))
    assert sum(counted) == grid.outer_bbox.area
    counted.clear()
    shared.add(CELLS[:1], lambda sums, *_: counted.append(sums.weight.size))
    assert sum(counted) == grid.outer_bbox_of(CELLS[0]).area
    assert sum(sums.weight.size for sums, _ in shared.finish()) == (
        grid.outer_bbox.area + grid.outer_bbox_of(CELLS[0]).area
        - sum(sums_of_one(grid))
    )  # fmt: skip


def sums_of_one(grid: BorderedCellGrid) -> list[int]:
    """Pixels of the first cell that are no other's: there nothing parts."""
    first = grid.outer_bbox_of(CELLS[0])
    covered = np.zeros(tuple(first.shape), np.bool_)
    for cell in CELLS[1:]:
        other = grid.outer_bbox_of(cell)
        if first.y.stop > other.y.start and first.x.stop > other.x.start:
            covered[
                max(other.y.start - first.y.start, 0) :, max(other.x.start - first.x.start, 0) :
            ] = True
    return [int((~covered).sum())]
