"""Assemble a patch strip by strip, where the sums of all its cells would take too much memory.

With many visits hardly two cells have the same inputs, and each has sums of its own. A strip is
some rows of cells; its inputs are read or warped for its rows alone. Cells do not depend on one
another, so the coadd is the same, to the bit, as that of the whole patch at once.
"""

from __future__ import annotations

__all__ = ["Strip", "assemble_in_strips", "strips_of"]

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection, Iterable

from lsst.images import Box
from lsst.images.cells import CellIJ

from ..cell_grid import BorderedCellGrid, Index2D, to_index2d
from ..products.cell_coadd import MultipleCellCoadd
from ..skymap import Patch
from .assemble import VisitOnPatch, assemble_cell_coadd
from .rebuild import rebuild_cells
from .settings import CoaddSettings

_MEMORY = 600e6  # bytes that the sums of a strip may take
_FEW_VISITS = 5  # make few different sets of inputs: a third of the sums is enough
_BYTES = 38  # a pixel of the sums without noise, with one masked fraction
_BYTES_OF_NOISE = 8
_BYTES_OF_FRACTION = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strip:
    """Rows of cells that are assembled together.

    Parameters
    ----------
    cells
        The cells to build; None: all of the patch.
    bbox
        Pixels of the patch that they need; None: warps are needed whole.
    """

    cells: Collection[Index2D | CellIJ] | None
    bbox: Box | None


def strips_of(
    patch: Patch,
    *,
    settings: CoaddSettings,
    n_visits: int,
    n_fractions: int = 1,
    cells: Collection[Index2D | CellIJ] | None = None,
    whole: bool = False,
) -> list[Strip]:
    """Decide how a patch is assembled.

    Parameters
    ----------
    patch, settings, cells
        As for `assemble_cell_coadd`. Some cells are assembled at once.
    n_visits, n_fractions
        How many visits and masked fractions there are.
    whole
        Whether it must be assembled at once, because its warps cannot be had in parts.

    Returns
    -------
    strips
        A single one of the whole patch where that takes little memory. Weights that are measured on
        warps need whole ones.
    """
    grid = patch.grid
    count = 1
    if not (whole or cells or n_visits <= _FEW_VISITS or settings.do_calculate_weight_from_warp):
        pixels = len(grid) * grid.outer_cell_shape.y * grid.outer_cell_shape.x
        bytes_of_pixel = (
            _BYTES
            + _BYTES_OF_NOISE * settings.num_noise_realizations
            + _BYTES_OF_FRACTION * (n_fractions - 1)
        )
        count = min(math.ceil(pixels * bytes_of_pixel / _MEMORY), grid.shape.y)
    if count == 1:
        return [Strip(cells=cells, bbox=None)]
    edges = [round(number * grid.shape.y / count) for number in range(count + 1)]
    return [_rows(grid, first, stop) for first, stop in itertools.pairwise(edges)]


def _rows(grid: BorderedCellGrid, first: int, stop: int) -> Strip:
    columns = grid.outer_bbox.x
    low = grid.outer_bbox_of(Index2D(x=0, y=first))
    high = grid.outer_bbox_of(Index2D(x=0, y=stop - 1))
    return Strip(
        cells=[Index2D(x=x, y=y) for y in range(first, stop) for x in range(grid.shape.x)],
        bbox=Box.factory[low.y.start : high.y.stop, columns.start : columns.stop],
    )


def assemble_in_strips(
    visits_in: Callable[[Box | None], Iterable[VisitOnPatch]],
    patch: Patch,
    strips: Iterable[Strip],
    *,
    settings: CoaddSettings,
) -> MultipleCellCoadd | None:
    """Add up the warps of a patch cell by cell; None if no cell has an input.

    Parameters
    ----------
    visits_in
        Returns the warps, sorted, with at least their pixels in a box, or whole ones. It is called
        once a strip.
    patch, settings
        As for `assemble_cell_coadd`.
    strips
        See `strips_of`.

    Raises
    ------
    ValueError
        For the reasons of `assemble_cell_coadd`.
    """
    coadd: MultipleCellCoadd | None = None
    for strip in strips:
        visits = visits_in(strip.bbox)
        if coadd is None:
            coadd = assemble_cell_coadd(visits, patch, settings=settings, cells=strip.cells)
        else:
            assert strip.cells is not None, "a strip among others has its own cells"
            cells = [index for index in map(to_index2d, strip.cells) if index is not None]
            coadd = rebuild_cells(coadd, visits, patch, settings=settings, cells=cells)
    return coadd
