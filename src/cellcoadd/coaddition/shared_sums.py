"""Sums of cells that overlap, computed once where cells have the same inputs.

Most pixels of a patch lie in the outer regions of several cells, and nearly everywhere these cells
take in the same inputs: their sums are the same, number by number. Outlines of the outer regions
cut the patch into pieces. For a piece there is one set of sums for all its cells; when an input
comes that only some of them take, the set is copied, and the two go on apart.
"""

from __future__ import annotations

__all__ = ["SharedSums"]

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

import numpy as np

from ..cell_grid import BorderedCellGrid, Index2D
from ..files.zeroed_memory import ZeroedMemory
from ..kernels.accumulate import CellSums, Zeros

_BLOCK = 4 * 2**20  # bytes of memory that are asked for at once

type _Piece = tuple[int, int]
"""Numbers of a stretch in y and of one in x."""


@dataclasses.dataclass
class _Group:
    """Cells of a piece that took in the same inputs."""

    cells: set[Index2D]
    sums: CellSums


@dataclasses.dataclass(frozen=True)
class _Stretch:
    """Pixels start..stop-1 along one axis, from the lower edge of the grid's outer region."""

    start: int
    stop: int

    def within(self, start: int) -> slice:
        """Return it as seen from a cell that begins at a pixel."""
        return slice(self.start - start, self.stop - start)


class SharedSums:
    """Running sums of all cells of a grid.

    Parameters
    ----------
    grid
        The cells.
    new_sums
        Makes the sums over no input for a region of some height and width, with a function that
        makes arrays of zeros.
    """

    def __init__(
        self, grid: BorderedCellGrid, new_sums: Callable[[int, int, Zeros], CellSums]
    ) -> None:
        self._new_sums = new_sums
        # Sums are finished row by row of pieces.
        self._memory: dict[int, ZeroedMemory] = {}
        self._pitch, self._outer = grid.inner_cell_shape, grid.outer_cell_shape
        self._y, self._cells_y = _stretches(grid.shape.y, self._pitch.y, self._outer.y)
        self._x, self._cells_x = _stretches(grid.shape.x, self._pitch.x, self._outer.x)
        self._pieces: dict[_Piece, list[_Group]] = defaultdict(list)

    def add(self, cells: Collection[Index2D], add: Callable[[CellSums, int, int], None]) -> None:
        """Add an input to some cells.

        Parameters
        ----------
        cells
            The cells that take it in.
        add
            Called with sums, and with the y and x at which their region begins, counted from the
            corner of the grid's outer region.
        """
        wanted: dict[_Piece, set[Index2D]] = defaultdict(set)
        for cell in cells:
            for piece in self._pieces_of(cell):
                wanted[piece].add(cell)
        for (row, column), takers in wanted.items():
            y, x = self._y[row], self._x[column]
            for sums in self._sums_of((row, column), takers):
                add(sums, y.start, x.start)

    def drop(self, cell: Index2D) -> None:
        """Forget all inputs of a cell."""
        for piece in self._pieces_of(cell):
            groups = self._pieces[piece]
            for group in groups:
                group.cells.discard(cell)
            groups[:] = [group for group in groups if group.cells]

    def finish(self) -> Iterator[tuple[CellSums, dict[Index2D, tuple[slice, slice]]]]:
        """Yield all sums, and where in the outer region of each of their cells they lie.

        Each is forgotten when the next one is asked for: sums are larger than what comes of them.
        """
        self._memory.clear()
        for row, column in sorted(self._pieces):
            y, x = self._y[row], self._x[column]
            for group in self._pieces.pop((row, column)):
                places = {
                    cell: (y.within(cell.y * self._pitch.y), x.within(cell.x * self._pitch.x))
                    for cell in sorted(group.cells)
                }
                yield group.sums, places

    def _sums_of(self, piece: _Piece, takers: set[Index2D]) -> Iterator[CellSums]:
        """Yield the sums of some cells of a piece, parted from those of the others."""
        groups, new = self._pieces[piece], set(takers)
        for group in groups[:]:
            common = group.cells & takers
            if not common:
                continue
            new -= common
            if common != group.cells:
                group.cells -= common
                shared, group = group.sums, _Group(common, self._sums_over_nothing(piece))
                for name in CellSums._fields:
                    np.copyto(getattr(group.sums, name), getattr(shared, name))
                groups.append(group)
            yield group.sums
        if new:
            groups.append(_Group(new, self._sums_over_nothing(piece)))
            yield groups[-1].sums

    def _sums_over_nothing(self, piece: _Piece) -> CellSums:
        row, column = piece
        y, x = self._y[row], self._x[column]
        memory = self._memory.setdefault(row, ZeroedMemory(_BLOCK))
        return self._new_sums(y.stop - y.start, x.stop - x.start, memory.zeros)

    def _pieces_of(self, cell: Index2D) -> Iterator[_Piece]:
        for row in self._cells_y[cell.y]:
            for column in self._cells_x[cell.x]:
                yield row, column


def _stretches(count: int, pitch: int, length: int) -> tuple[list[_Stretch], list[range]]:
    """Cut an axis where cells begin or end; return the stretches and those of each cell."""
    starts = np.arange(count) * pitch
    edges = np.unique(np.concatenate([starts, starts + length]))
    numbers = np.searchsorted(edges, [starts, starts + length])
    stretches = [
        _Stretch(start, stop)
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    return stretches, [range(*pair) for pair in numbers.T.tolist()]
