"""How a patch is cut for the comparison: a tile a cell, and strips of tiles that fit into memory.

Tiles are the inner regions of the cells; those at the edge of the patch reach to its outer edge, so
that every pixel of a patch is in one tile.
"""

from __future__ import annotations

__all__ = ["Strip", "TileGrid", "strips_of"]

import dataclasses
import itertools

from lsst.images import Box

from ..cell_grid import BorderedCellGrid, Index2D
from .psf_matching import REACH

_MEMORY = 400_000_000  # bytes for the planes of all visits in a strip
_OF_VISIT = 9  # bytes a pixel: image, variance, whether it is evidence
_OF_SKY = 16  # bytes a pixel of what is made of them


@dataclasses.dataclass(frozen=True, kw_only=True)
class TileGrid:
    """The tiles of a patch.

    Parameters
    ----------
    grid
        Its cells.
    """

    grid: BorderedCellGrid

    @property
    def bbox(self) -> Box:
        """All pixels of the patch."""
        return self.grid.outer_bbox

    def box_of(self, index: Index2D) -> Box:
        """Return the pixels of a tile."""
        inner, outer, shape = self.grid.inner_bbox_of(index), self.bbox, self.grid.shape
        y = slice(
            outer.y.start if index.y == 0 else inner.y.start,
            outer.y.stop if index.y == shape.y - 1 else inner.y.stop,
        )
        x = slice(
            outer.x.start if index.x == 0 else inner.x.start,
            outer.x.stop if index.x == shape.x - 1 else inner.x.stop,
        )
        return Box.factory[y, x]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strip:
    """Rows of tiles that are compared together.

    Parameters
    ----------
    tiles
        The tiles, row by row.
    bbox
        Their pixels.
    needed
        Pixels of the visits that they need, with all of the cells that the tiles are of.
    """

    tiles: tuple[Index2D, ...]
    bbox: Box
    needed: Box


def strips_of(tiles: TileGrid, *, n_visits: int) -> list[Strip]:
    """Cut a patch into strips.

    Parameters
    ----------
    tiles
        The patch.
    n_visits
        How many visits are compared. With hundreds, one row of tiles takes more than the memory
        that strips are made for.
    """
    grid, outer = tiles.grid, tiles.bbox
    bytes_of_row = (_OF_VISIT * n_visits + _OF_SKY) * outer.x.size * grid.inner_cell_shape.y
    rows = max(_MEMORY // bytes_of_row, 1)
    edges = [*range(0, grid.shape.y, rows), grid.shape.y]
    return [_strip(tiles, first, stop) for first, stop in itertools.pairwise(edges)]


def _strip(tiles: TileGrid, first: int, stop: int) -> Strip:
    grid, outer = tiles.grid, tiles.bbox
    low = tiles.box_of(Index2D(x=0, y=first)).y.start
    high = tiles.box_of(Index2D(x=0, y=stop - 1)).y.stop
    margin = max(REACH, grid.border)
    return Strip(
        tiles=tuple(Index2D(x=x, y=y) for y in range(first, stop) for x in range(grid.shape.x)),
        bbox=Box.factory[low:high, outer.x.start : outer.x.stop],
        needed=Box.factory[
            max(low - margin, outer.y.start) : min(high + margin, outer.y.stop),
            outer.x.start : outer.x.stop,
        ],
    )
