"""rebuild_cells: some cells of a coadd anew, with other settings; the others stay as they are."""

from __future__ import annotations

__all__ = ["rebuild_cells"]

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from ..cell_grid import Index2D
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import (
    PHASE_POWER,
    renumbered,
    rows_of_cells,
    sorted_rows,
    union_of_inputs,
)
from ..products.cell_coadd.stack import CellStack
from ..products.flux_units import unit_label
from ..skymap import Patch
from .assemble import CellAssembly, VisitOnPatch
from .join_stacks import join_pair
from .odd_weights import warn_of_odd_weights
from .settings import CoaddSettings
from .stack import warn_of_psf_sums


def rebuild_cells(
    coadd: MultipleCellCoadd,
    visits: Iterable[VisitOnPatch],
    patch: Patch,
    *,
    settings: CoaddSettings,
    cells: Collection[Index2D],
) -> MultipleCellCoadd:
    """Return a coadd in which some cells were built anew.

    Parameters
    ----------
    coadd
        It is left as it is.
    visits
        The warps of its patch and band, as for `assemble_cell_coadd`.
    patch
        Its patch.
    settings
        For the cells that are built anew.
    cells
        These cells: each is, to the bit, as in a coadd that is built whole with these settings,
        and empty if it has no input with them. All others are those of ``coadd``.

    Raises
    ------
    ValueError
        If the warps are not of the coadd's patch, band and unit, if the settings give cells of
        another make (size of PSF images, noise realizations, masked fractions), if a detector is
        not the one that the coadd knows by its name, if no cell is left, or for the reasons of
        `assemble_cell_coadd`.
    """
    here = coadd.grid, coadd.identifiers.tract, coadd.identifiers.patch
    if here != (patch.grid, patch.tract, patch.id):
        raise ValueError(f"The coadd is of {coadd.identifiers}, not of {patch}.")
    assembly = CellAssembly(patch, settings, cells=cells)
    for visit in visits:
        assembly.add(visit)
    if assembly.band not in (None, coadd.band):
        raise ValueError(f"The coadd is of the band {coadd.band}, the warps are {assembly.band}.")
    if assembly.band is not None and assembly.unit != coadd.unit:
        raise ValueError(
            f"The coadd is in {unit_label(coadd.unit)}, the warps are in "
            f"{unit_label(assembly.unit)}."
        )
    anew = set(cells)
    kept = [row for row, index in enumerate(coadd.stack.indices) if index not in anew]
    for entry in coadd.inputs:
        if entry.mean_variance_njy2 is None:
            raise ValueError(
                f"The coadd does not know the mean variance of {entry.observation}: it comes from "
                "a format that does not keep it. Build all cells from the warps."
            )
    inputs, (numbers, new_numbers) = union_of_inputs([coadd.inputs, assembly.inputs])
    old_rows = rows_of_cells(coadd.contributions, [i for i in coadd.grid if i not in anew])
    rows = _joined_rows(
        renumbered(old_rows, numbers), renumbered(assembly.contributions(), new_numbers)
    )
    warn_of_odd_weights(patch.id, inputs, rows)
    return coadd.replaced(
        stack=_joined(coadd.stack.subset(kept), assembly.finish_stack()),
        inputs=inputs,
        contributions=rows,
    )


def _joined(kept: CellStack, anew: CellStack | None) -> CellStack:
    if anew is None:
        return kept
    warn_of_psf_sums(anew)
    return join_pair(kept, anew)


def _joined_rows(old: npt.NDArray[np.void], new: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    if not len(new):
        return old
    if set(new.dtype.names or ()) - set(old.dtype.names or ()) == {PHASE_POWER}:
        # A coadd of an earlier version.
        known = np.zeros(len(old), new.dtype)
        known[PHASE_POWER] = np.nan
        for name in old.dtype.names or ():
            known[name] = old[name]
        old = known
    if old.dtype != new.dtype:
        raise ValueError(
            f"The record of the coadd has the columns {old.dtype.names}, that of the new cells "
            f"{new.dtype.names}."
        )
    rows = np.concatenate([old, new])
    return sorted_rows(rows)
