"""Cells: their indices and their boxes, inner and outer.

A patch is divided into cells that tile it without overlap (the *inner* regions). Each is grown by
a border on all sides (the *outer* region), so that a source near an inner edge can be measured in
one cell with one point-spread function. This module is at the very bottom: sky maps, products and
stages all speak of cells in its terms.
"""

from __future__ import annotations

__all__ = ["BorderedCellGrid", "Index2D", "shared_box", "to_index2d"]

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from lsst.images import XY, YX, Box
from lsst.images.cells import CellGrid, CellIJ

from .errors import MissingCellError


def shared_box(a: Box, b: Box) -> Box | None:
    """Return the pixels that two boxes share, None if there are none."""
    y = slice(max(a.y.start, b.y.start), min(a.y.stop, b.y.stop))
    x = slice(max(a.x.start, b.x.start), min(a.x.stop, b.x.stop))
    return Box.factory[y, x] if y.start < y.stop and x.start < x.stop else None


class Index2D(NamedTuple):
    """Column (x) and row (y) of a patch in its tract or of a cell in its patch.

    A pair with names, x first, as the class of this name of the Rubin pipelines is. Ordered row by
    row, x fastest, like the sequential ids.

    Examples
    --------
    >>> index = Index2D(x=3, y=1)
    >>> index < Index2D(x=0, y=2)
    True
    >>> index.to_cell_ij()
    CellIJ(i=1, j=3)
    >>> index[0], index == (3, 1)
    (3, True)
    """

    x: int
    y: int

    @classmethod
    def from_cell_ij(cls, index: CellIJ) -> Index2D:
        """Convert from the index type of lsst.images."""
        return cls(x=index.j, y=index.i)

    def to_cell_ij(self) -> CellIJ:
        """Convert to the index type of lsst.images."""
        return CellIJ(i=self.y, j=self.x)

    # All four: those of a tuple would compare x first.
    def __lt__(self, other: tuple[int, ...]) -> bool:
        return self[::-1] < other[::-1]

    def __le__(self, other: tuple[int, ...]) -> bool:
        return self[::-1] <= other[::-1]

    def __gt__(self, other: tuple[int, ...]) -> bool:
        return self[::-1] > other[::-1]

    def __ge__(self, other: tuple[int, ...]) -> bool:
        return self[::-1] >= other[::-1]


def to_index2d(index: object) -> Index2D | None:
    """Return the index of a cell, ours or that of lsst.images, as ours; None if it is neither."""
    if isinstance(index, CellIJ):
        return Index2D.from_cell_ij(index)
    return index if isinstance(index, Index2D) else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class BorderedCellGrid:
    """The cells of a patch, each with an inner region and a border around it.

    Parameters
    ----------
    inner
        The grid of inner regions; its box is the patch's outer box without the cells' borders.
    border
        Width in pixels by which each cell's outer region exceeds its inner region on every side.

    Notes
    -----
    For ``hsc_rings_cells_v1`` a patch has 22 x 22 cells of 150 + 2 * 50 pixels.

    Examples
    --------
    >>> inner = CellGrid(bbox=Box.factory[0:300, 0:600], cell_shape=YX(y=150, x=150))
    >>> grid = BorderedCellGrid(inner=inner, border=50)
    >>> grid.shape
    Index2D(x=4, y=2)
    >>> index = grid.index_of(x=160, y=20)
    >>> index
    Index2D(x=1, y=0)
    >>> print(grid.inner_bbox_of(index), grid.outer_bbox_of(index))
    [y=0:150, x=150:300] [y=-50:200, x=100:350]
    """

    inner: CellGrid
    border: int

    def __post_init__(self) -> None:
        if self.border < 0:
            raise ValueError(f"The cell border must not be negative, got {self.border}.")

    @property
    def shape(self) -> Index2D:
        """Number of cells in x and in y."""
        size = self.inner.grid_size
        return Index2D(x=size.j, y=size.i)

    @property
    def bbox(self) -> Box:
        """Pixels of all the inner regions."""
        return self.inner.bbox

    @property
    def outer_bbox(self) -> Box:
        """Pixels of all the outer regions: the patch's outer box."""
        return self.inner.bbox.dilated_by(self.border)

    @property
    def inner_cell_shape(self) -> YX[int]:
        """Height and width of an inner region in pixels."""
        return self.inner.cell_shape

    @property
    def outer_cell_shape(self) -> YX[int]:
        """Height and width of an outer region in pixels."""
        shape = self.inner.cell_shape
        return YX(y=shape.y + 2 * self.border, x=shape.x + 2 * self.border)

    def __len__(self) -> int:
        return self.shape.x * self.shape.y

    def __iter__(self) -> Iterator[Index2D]:
        """All indices, row by row, x fastest."""
        for y in range(self.shape.y):
            for x in range(self.shape.x):
                yield Index2D(x=x, y=y)

    def __contains__(self, index: object) -> bool:
        return (
            isinstance(index, Index2D)
            and 0 <= index.x < self.shape.x
            and 0 <= index.y < self.shape.y
        )

    def sequential_id(self, index: Index2D) -> int:
        """Return the id ``nx * y + x`` of a cell."""
        self._check(index)
        return self.shape.x * index.y + index.x

    def inner_bbox_of(self, index: Index2D) -> Box:
        """Return the inner region of a cell.

        Raises
        ------
        MissingCellError
            If the cell is not in the grid.
        """
        self._check(index)
        return self.inner.bbox_of(index.to_cell_ij())

    def outer_bbox_of(self, index: Index2D) -> Box:
        """Return the outer region of a cell."""
        return self.inner_bbox_of(index).dilated_by(self.border)

    def centre_of(self, index: Index2D) -> YX[int]:
        """Return the pixel in the middle of a cell; of the two middle ones, the upper."""
        box = self.inner_bbox_of(index)
        return YX(y=box.y.start + box.y.size // 2, x=box.x.start + box.x.size // 2)

    def index_of(self, *, x: int, y: int) -> Index2D:
        """Return the cell whose inner region contains a pixel.

        Raises
        ------
        MissingCellError
            If no inner region contains it.
        """
        if not self.inner.bbox.contains(x=x, y=y):
            raise MissingCellError(
                f"No cell has pixel x={x}, y={y} in its inner region; the cells cover {self.bbox}."
            )
        return Index2D.from_cell_ij(self.inner.index_of(x=x, y=y))

    def indices_of(self, *, x: npt.ArrayLike, y: npt.ArrayLike) -> XY[npt.NDArray[np.int64]]:
        """Return the cells whose inner regions contain many positions.

        Parameters
        ----------
        x, y
            Positions in pixels of the tract, of shapes that broadcast; a pixel reaches from half a
            pixel below its centre up to, but not including, half a pixel above.

        Returns
        -------
        XY
            Columns and rows of the cells. Both are -1 for a position that is in no inner region,
            or not finite.
        """
        shape, start, box = self.inner.cell_shape, self.bbox.start, self.bbox
        column, row = np.broadcast_arrays(
            np.floor(np.asarray(x, np.float64) + 0.5), np.floor(np.asarray(y, np.float64) + 0.5)
        )
        inside = (column >= box.x.start) & (column < box.x.stop)
        inside &= (row >= box.y.start) & (row < box.y.stop)
        # Infinite positions are replaced first: numpy warns when it divides them.
        column = np.where(inside, column, start.x).astype(np.int64)
        row = np.where(inside, row, start.y).astype(np.int64)
        return XY(
            x=np.where(inside, (column - start.x) // shape.x, -1),
            y=np.where(inside, (row - start.y) // shape.y, -1),
        )

    def corners_of(
        self, *, x: npt.ArrayLike, y: npt.ArrayLike, start: YX[int]
    ) -> YX[npt.NDArray[np.int64]]:
        """Return where the inner regions of cells begin in an array.

        Parameters
        ----------
        x, y
            Columns and rows of the cells.
        start
            The pixel of the tract at which the array begins.

        Returns
        -------
        YX
            Their lower left pixels, counted from there; negative before it.
        """
        corner, shape = self.bbox.start, self.inner.cell_shape
        return YX(
            y=corner.y - start.y + shape.y * np.asarray(y, np.int64),
            x=corner.x - start.x + shape.x * np.asarray(x, np.int64),
        )

    def middles_of(self, *, x: npt.ArrayLike, y: npt.ArrayLike) -> XY[npt.NDArray[np.float64]]:
        """Return the exact middles of the inner regions of many cells.

        Parameters
        ----------
        x, y
            Columns and rows of the cells, of shapes that broadcast.

        Returns
        -------
        XY
            Positions in pixels of the tract; between two pixels where a cell's width is even.

        Raises
        ------
        MissingCellError
            If one of the cells is not in the grid.
        """
        shape, start, size = self.inner.cell_shape, self.bbox.start, self.shape
        column, row = np.broadcast_arrays(np.asarray(x), np.asarray(y))
        foreign = (column < 0) | (column >= size.x) | (row < 0) | (row >= size.y)
        if foreign.any():
            self._check(Index2D(x=int(column[foreign][0]), y=int(row[foreign][0])))
        return XY(
            x=start.x + shape.x * column + 0.5 * (shape.x - 1),
            y=start.y + shape.y * row + 0.5 * (shape.y - 1),
        )

    def overlapping(self, box: Box) -> Iterator[Index2D]:
        """Yield the cells whose outer region shares a pixel with a box, row by row."""
        start, shape, size, border = self.bbox.start, self.inner.cell_shape, self.shape, self.border
        y_first = max((box.y.min - border - start.y) // shape.y, 0)
        y_last = min((box.y.max + border - start.y) // shape.y, size.y - 1)
        x_first = max((box.x.min - border - start.x) // shape.x, 0)
        x_last = min((box.x.max + border - start.x) // shape.x, size.x - 1)
        for y in range(y_first, y_last + 1):
            for x in range(x_first, x_last + 1):
                yield Index2D(x=x, y=y)

    def _check(self, index: Index2D) -> None:
        if index not in self:
            raise MissingCellError(
                f"{index} is not in the grid of {self.shape.x} x {self.shape.y} cells."
            )
