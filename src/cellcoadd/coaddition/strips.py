"""Assemble a patch strip by strip, where the sums of all its cells would take too much memory.

With many visits hardly two cells have the same inputs, and each has sums of its own. A strip is
some rows of cells; its inputs are read or warped for its rows alone. Cells do not depend on one
another, so the coadd is the same, to the bit, as that of the whole patch at once.
"""

from __future__ import annotations

__all__ = ["Strip", "assemble_in_strips", "strips_of"]

import dataclasses
import itertools
import logging
import math
from collections.abc import Callable, Collection, Iterable

import numpy as np
from lsst.images import Box
from lsst.images.cells import CellIJ

from ..cell_grid import BorderedCellGrid, Index2D
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import (
    contribution_dtype,
    renumbered,
    sorted_rows,
    union_of_inputs,
)
from ..products.cell_coadd.stack import CellStack
from ..skymap import Patch
from .assemble import CellAssembly, VisitOnPatch, assemble_cell_coadd, make_coadd
from .cell_room import CellRoom
from .empty_patch import explain_empty_patch
from .join_stacks import join_stacks
from .settings import CoaddSettings

_LOG = logging.getLogger(__name__)

_MEMORY = 810_000_000  # bytes for a strip, and the finished cells of those before it ...
_OF_PLANE = 32_000_000  # ... less these for each further plane of detectors
_LEAST = 2  # rows of a strip, whatever the memory: neighbours both make what they share
_PARTED = 10.0  # visits after which 1/e of the sums that cells could share are shared still
_BYTES = 30  # a pixel of the sums of image and variance ...
_BYTES_OF_NOISE = 8  # ... of each noise realization ...
_BYTES_OF_BAD = 4  # ... and of bad pixels: zeros until a visit has one, in the same page at least
_BYTES_OF_FRACTION = 8
_BYTES_OF_VISIT = 13  # a pixel of a visit's image, variance, mask and owner ...
_BYTES_OF_PLANE = 4  # ... and of each noise realization and masked fraction
_KEPT = 12  # bytes a pixel of the finished cells, masked fractions packed
_KEPT_OF_NOISE = 4  # and of each noise realization


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
    stored: bool = False,
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
    stored
        Whether warps are at hand: then strips cost nothing, and patches of few visits are cut as
        those of many.

    Returns
    -------
    strips
        A single one of the whole patch where that takes little memory. Weights that are measured on
        warps need whole ones.
    """
    grid = patch.grid
    if settings.do_calculate_weight_from_warp:
        return [Strip(cells=cells, bbox=None)]
    if whole or cells:
        return [Strip(cells=cells, bbox=grid.outer_bbox)]
    n_noise = settings.num_noise_realizations
    pixels = grid.shape.x * grid.outer_cell_shape.y * grid.outer_cell_shape.x
    # Sums that all cells share are one for each of the patch's pixels. The detectors of every visit
    # part the inputs of some cells from those of others, until each has sums of its own.
    alone = 1.0 if stored else 1.0 - math.exp(-n_visits / _PARTED)
    of_bad = _BYTES_OF_BAD + _BYTES_OF_FRACTION * n_fractions
    of_sums = _BYTES + _BYTES_OF_NOISE * n_noise + alone * of_bad
    least = grid.outer_bbox.area / (pixels * grid.shape.y)
    sums = pixels * of_sums * (least + (1.0 - least) * alone)
    of_visit = _BYTES_OF_VISIT + _BYTES_OF_PLANE * (n_noise + n_fractions)
    edges = _edges(
        _MEMORY - _OF_PLANE * (n_noise + n_fractions - 1),
        grid.shape.y,
        used=round(sums + of_visit * grid.outer_bbox.area / grid.shape.y),
        kept=pixels * (_KEPT + _KEPT_OF_NOISE * n_noise),
    )
    if len(edges) == 2:
        return [Strip(cells=cells, bbox=grid.outer_bbox)]
    return [_rows(grid, first, stop) for first, stop in itertools.pairwise(edges)]


def _edges(memory: int, n_rows: int, *, used: int, kept: int) -> list[int]:
    """Return where strips begin, and the number of rows of cells behind the last one.

    They are as few as the memory allows, and of these those that need the least: the more cells are
    finished, the fewer rows a strip has.

    Parameters
    ----------
    memory
        Bytes for a strip, and for the finished cells of those before it.
    n_rows
        Rows of cells of the patch.
    used, kept
        Bytes of a row while it is made, and of its finished cells.
    """

    def edges_within(limit: int) -> list[int]:
        edges = [0]
        while edges[-1] < n_rows:
            rows = (limit - kept * edges[-1]) // used
            edges.append(min(edges[-1] + max(rows, _LEAST), n_rows))
        return edges

    fewest = len(edges_within(memory))
    needed = {
        used * rows + kept * done for done in range(n_rows) for rows in range(1, n_rows - done + 1)
    }
    return next(edges for limit in sorted(needed) if len(edges := edges_within(limit)) <= fewest)


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
    tell: Callable[[str], None] = _LOG.warning,
) -> MultipleCellCoadd | None:
    """Add up the warps of a patch cell by cell; None if no cell has an input.

    Parameters
    ----------
    visits_in
        Returns the warps, sorted, with at least their pixels in a box, or whole ones. It is called
        once a strip.
    patch, settings, tell
        As for `assemble_cell_coadd`.
    strips
        See `strips_of`.

    Raises
    ------
    ValueError
        For the reasons of `assemble_cell_coadd`.
    """
    first, *others = strips
    if not others:
        visits = visits_in(first.bbox)
        return assemble_cell_coadd(visits, patch, settings=settings, cells=first.cells, tell=tell)
    assemblies: list[CellAssembly] = []
    stacks: list[CellStack] = []
    room: CellRoom | None = None
    for strip in (first, *others):
        assembly = CellAssembly(patch, settings, cells=strip.cells, quiet=bool(assemblies))
        for visit in visits_in(strip.bbox):
            assembly.add(visit)
            del visit  # before the next one comes, and before the cells are made
        assemblies.append(assembly)
        _check_fractions(assemblies)
        room = assembly.new_room() if room is None else room
        stacks += _finished(assembly, room)
    bands = sorted({assembly.band for assembly in assemblies if assembly.band is not None})
    if len(bands) > 1:
        raise ValueError(f"One coadd is of one band, the visits are of {bands}.")
    if not stacks or room is None:
        touching = [assembly.contributions() for assembly in assemblies if assembly.inputs]
        table = np.concatenate(touching) if touching else np.empty(0, contribution_dtype())
        tell(explain_empty_patch(patch, table, settings))
        return None
    inputs, numbers = union_of_inputs([assembly.inputs for assembly in assemblies])
    rows = [
        renumbered(assembly.contributions(), new)
        for assembly, new in zip(assemblies, numbers, strict=True)
        if assembly.inputs
    ]
    return make_coadd(
        patch,
        band=bands[0],
        stack=join_stacks(stacks, pixels=room.taken),
        inputs=inputs,
        contributions=sorted_rows(np.concatenate(rows)),
    )


def _finished(assembly: CellAssembly, room: CellRoom | None) -> list[CellStack]:
    """Return the cells, if there are any, with their masked fractions packed."""
    stack = assembly.finish_stack(room)
    if stack is None:
        return []
    return [dataclasses.replace(stack, mask_fractions=stack.packed_fractions())]


def _check_fractions(assemblies: Iterable[CellAssembly]) -> None:
    """Raise if warps of one strip have other masked fractions than those of another."""
    names = {assembly.fraction_names for assembly in assemblies} - {None}
    if len(names) > 1:
        raise ValueError(
            f"Warps carry different masked fractions, {' and '.join(sorted(map(str, names)))}: "
            "warp all with the same settings."
        )
