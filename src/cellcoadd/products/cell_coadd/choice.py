"""Which filled cells somebody asks for: by a box, by name, or all."""

from __future__ import annotations

__all__ = ["check_choice", "choose_filled", "hull_of_cells"]

from collections.abc import Collection, Sequence

from lsst.images import Box
from lsst.images.cells import CellIJ

from ...cell_grid import BorderedCellGrid, Index2D, shared_box, to_index2d
from ...errors import MissingCellError


def choose_filled(
    grid: BorderedCellGrid,
    filled: Sequence[Index2D],
    *,
    bbox: Box | None = None,
    cells: Collection[Index2D | CellIJ] | None = None,
) -> list[Index2D]:
    """Return the filled cells that are asked for, sorted.

    Parameters
    ----------
    grid
        All cells.
    filled
        Those that have an input, at least one.
    bbox
        Only cells whose inner region shares a pixel with this box.
    cells
        Only these cells.

    Raises
    ------
    MissingCellError
        If there are none, or one that is named is not among them.
    TypeError
        If the box is none, or cells are not named by their indices.
    """
    named = check_choice(bbox=bbox, cells=cells)
    chosen = [
        index
        for index in sorted(filled)
        if bbox is None or shared_box(grid.inner_bbox_of(index), bbox) is not None
    ]
    if not chosen:
        raise MissingCellError(
            f"No filled cell has a pixel in {bbox}; they cover {hull_of_cells(grid, filled)}."
        )
    if named is None:
        return chosen
    missing = sorted(named - set(chosen))
    if missing or not named:
        place = "" if bbox is None else f" in {bbox}"
        raise MissingCellError(
            f"{', '.join(map(str, missing)) or 'No cell'} asked for: there are {len(chosen)} "
            f"filled cells{place}, from {chosen[0]} to {chosen[-1]}."
        )
    return sorted(named)


def check_choice(
    *, bbox: Box | None, cells: Collection[Index2D | CellIJ] | None
) -> set[Index2D] | None:
    """Return the cells that are named, in our terms; None if all are meant.

    Raises
    ------
    TypeError
        If the box is none, or cells are not named by their indices.
    """
    if bbox is not None and not isinstance(bbox, Box):
        raise TypeError(
            f"A part is named by a Box of pixels of the tract, got {bbox!r}; single cells are in "
            "the mapping 'cells'."
        )
    if cells is None:
        return None
    if isinstance(cells, Index2D | CellIJ) or not isinstance(cells, Collection):
        raise TypeError(f"Cells are named by a list of their indices, got {cells!r}.")
    indices = {index: to_index2d(index) for index in cells}
    for index, ours in indices.items():
        if ours is None:
            raise TypeError(
                f"A cell is named by Index2D(x=..., y=...) or by CellIJ(i=row, j=column), got "
                f"{index!r}."
            )
    return {ours for ours in indices.values() if ours is not None}


def hull_of_cells(grid: BorderedCellGrid, indices: Sequence[Index2D]) -> Box:
    """Return the smallest box that holds the inner regions of some cells."""
    xs, ys = [index.x for index in indices], [index.y for index in indices]
    first = grid.inner_bbox_of(Index2D(x=min(xs), y=min(ys)))
    last = grid.inner_bbox_of(Index2D(x=max(xs), y=max(ys)))
    return Box.factory[first.y.start : last.y.stop, first.x.start : last.x.stop]
