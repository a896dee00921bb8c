"""Which filled cells somebody asks for: by a box, by name, or all."""

from __future__ import annotations

__all__ = ["choose_filled", "hull_of_cells"]

from collections.abc import Collection, Sequence

from lsst.images import Box

from ..cell_grid import BorderedCellGrid, Index2D, shared_box
from ..errors import MissingCellError


def choose_filled(
    grid: BorderedCellGrid,
    filled: Sequence[Index2D],
    *,
    bbox: Box | None = None,
    cells: Collection[Index2D] | None = None,
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
    """
    chosen = [
        index
        for index in sorted(filled)
        if bbox is None or shared_box(grid.inner_bbox_of(index), bbox) is not None
    ]
    if not chosen:
        raise MissingCellError(
            f"No filled cell has a pixel in {bbox}; they cover {hull_of_cells(grid, filled)}."
        )
    if cells is None:
        return chosen
    missing = sorted(set(cells) - set(chosen))
    if missing or not cells:
        raise MissingCellError(
            f"{', '.join(map(str, missing)) or 'No cell'} asked for: there are {len(chosen)} "
            f"filled cells, from {chosen[0]} to {chosen[-1]}."
        )
    return sorted(set(cells))


def hull_of_cells(grid: BorderedCellGrid, indices: Sequence[Index2D]) -> Box:
    """Return the smallest box that holds the inner regions of some cells."""
    xs, ys = [index.x for index in indices], [index.y for index in indices]
    first = grid.inner_bbox_of(Index2D(x=min(xs), y=min(ys)))
    last = grid.inner_bbox_of(Index2D(x=max(xs), y=max(ys)))
    return Box.factory[first.y.start : last.y.stop, first.x.start : last.x.stop]
