"""Choose what goes into each cell, and say why the rest does not.

The choice for one warp needs its tables and its mask, no other pixels and no other warp, but for
one rule: an input whose inner region is masked too much is used only if all the inputs of the cell
are. Such an input is a fallback here; `stack` drops it as soon as a better one arrives.
"""

from __future__ import annotations

__all__ = ["CellChoice", "choose_cells"]

import dataclasses
import math
from collections.abc import Container, Sequence

import numpy as np
import numpy.typing as npt

from ..cell_grid import BorderedCellGrid, Index2D
from ..kernels.cell_pixels import count_pixels
from ..products.cell_coadd.inputs import RefusalReason, sorted_rows
from ..products.warp import Warp
from .settings import CoaddSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellChoice:
    """The decision about one detector in one cell.

    Parameters
    ----------
    index
        The cell.
    input_row
        Row of the detector in the warp's inputs.
    reason
        ``ACCEPTED``, ``MASKED`` for a fallback, or why it is refused.
    weight
        Its weight, nJy^-2.
    overlaps_center, overlap_fraction, unmasked_fraction
        What the decision was made from.
    stamp
        Row of the point-spread function in the warp's stamps, -1 if there is none.
    """

    index: Index2D
    input_row: int
    reason: RefusalReason
    weight: float
    overlaps_center: bool
    overlap_fraction: float
    unmasked_fraction: float
    stamp: int

    @property
    def usable(self) -> bool:
        """Whether it can be added up, as a good input or as a fallback."""
        return self.reason in (RefusalReason.ACCEPTED, RefusalReason.MASKED)


def choose_cells(
    warp: Warp,
    *,
    rejected: npt.NDArray[np.bool_],
    weights: Sequence[float],
    settings: CoaddSettings,
    cells: Container[Index2D] | None = None,
) -> list[CellChoice]:
    """Decide about every detector of a warp in every cell that it touches.

    Parameters
    ----------
    warp
        One visit.
    rejected : bool, of the shape of the warp
        Pixels that a mask keeps out of the sums.
    weights
        Weight of each of the warp's inputs.
    settings
        Overlap and masked fraction that are asked for.
    cells
        The cells to decide about; None: all.

    Returns
    -------
    choices
        One a (cell, detector) that share a pixel, cells row by row, then detectors.
    """
    rows = warp.cell_inputs
    rows = sorted_rows(rows)
    if cells is not None:
        rows = rows[[_index_of(row) in cells for row in rows]]
    return [
        _choose(warp.grid, row, pixels=pixels, weights=weights, settings=settings)
        for row, pixels in zip(rows, _pixel_counts(warp, rows, rejected), strict=True)
    ]


def _index_of(row: np.void) -> Index2D:
    return Index2D(x=int(row["cell_x"]), y=int(row["cell_y"]))


def _choose(
    grid: BorderedCellGrid,
    row: np.void,
    *,
    pixels: tuple[int, int],
    weights: Sequence[float],
    settings: CoaddSettings,
) -> CellChoice:
    n_own, n_good = pixels
    index = _index_of(row)
    number = int(row["input"])
    inner, outer = grid.inner_cell_shape, grid.outer_cell_shape
    if settings.overlap_region == "outer":
        overlap = int(row["n_outer"]) / (outer.y * outer.x)
    else:
        overlap = int(row["n_inner"]) / (inner.y * inner.x)
    weight = float(weights[number])
    if overlap <= 0.0 or overlap < settings.min_overlap_fraction:
        reason = RefusalReason.OVERLAP
    elif not row["overlaps_center"]:
        reason = RefusalReason.CENTER
    elif row["stamp"] < 0:
        reason = RefusalReason.PSF
    elif not (math.isfinite(weight) and weight > 0.0):
        reason = RefusalReason.WEIGHT
    elif (n_own - n_good) / n_own > settings.max_maskfrac:
        # A share of pixels that equals the limit is the same number, as 1 less the rest is not.
        reason = RefusalReason.MASKED
    else:
        reason = RefusalReason.ACCEPTED
    return CellChoice(
        index=index,
        input_row=number,
        reason=reason,
        weight=weight,
        overlaps_center=bool(row["overlaps_center"]),
        overlap_fraction=overlap,
        unmasked_fraction=n_good / n_own,
        stamp=int(row["stamp"]),
    )


def _pixel_counts(
    warp: Warp, rows: npt.NDArray[np.void], rejected: npt.NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Each detector's pixels in the inner region, at least 1, and those that no mask keeps out."""
    shape = warp.grid.inner_cell_shape
    corner = warp.grid.corners_of(x=rows["cell_x"], y=rows["cell_y"], start=warp.bbox.start)
    n_own, n_good = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    count_pixels(
        warp.owner,
        rejected,
        rows["input"].astype(np.int64),
        corner.y,
        corner.x,
        shape.y,
        shape.x,
        n_own,
        n_good,
    )
    return list(zip(np.maximum(n_own, 1).tolist(), n_good.tolist(), strict=True))
