"""The variance of a cell's inputs, from the warps that a repository holds."""

from __future__ import annotations

__all__ = ["weighted_warp_variance"]

import dataclasses

import numpy as np
from lsst.daf.butler import Butler
from lsst.images import Image

from ..products.cell_coadd.cell import SingleCellCoadd
from ..products.cell_coadd.inputs import RefusalReason
from ..products.identifiers import PatchIdentifiers

_VARIANCE = "deepCoadd_directWarp.variance"


def weighted_warp_variance(
    butler: Butler, cell: SingleCellCoadd, patch: PatchIdentifiers
) -> Image | None:
    """Return sum_i w_i v_i / N over the N inputs of a cell.

    Parameters
    ----------
    butler
        With the collections of the warps.
    cell
        The cell.
    patch
        The patch that it is in.

    Returns
    -------
    weighted
        A pure number for each pixel of the outer region, 1 where each warp has the mean variance of
        its detector. None if a warp is missing, or if two detectors of a visit share the cell:
        their pixels in the warp have different weights.
    """
    rows = cell.contributions
    rows = rows[rows["reason"] == RefusalReason.ACCEPTED]
    if len({(entry.instrument, entry.visit) for entry in cell.inputs}) < len(rows):
        return None
    box = cell.outer.bbox
    where = dataclasses.asdict(patch)
    total = np.zeros(tuple(box.shape))
    for entry, weight in zip(cell.inputs, rows["weight"], strict=True):
        try:
            variance: Image = butler.get(
                _VARIANCE,
                {**where, "instrument": entry.instrument, "visit": entry.visit},
                parameters={"bbox": box},
            )
        except (OSError, LookupError):
            return None
        total += weight * variance.array
    return Image(total / len(rows), bbox=box)
