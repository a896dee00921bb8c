"""Why a patch has no filled cell, and what would help: in words, for who expected a coadd."""

from __future__ import annotations

__all__ = ["explain_empty_patch"]

import numpy as np
import numpy.typing as npt

from ..products.cell_coadd.inputs import RefusalReason
from ..skymap import Patch
from .settings import CoaddSettings

_WORDS = {
    RefusalReason.OVERLAP: "cover too little of the cell",
    RefusalReason.CENTER: "do not cover its centre",
    RefusalReason.WEIGHT: "have no positive finite weight",
    RefusalReason.MASKED: "are masked too much",
    RefusalReason.PSF: "have a PSF that cannot be drawn there",
}


def explain_empty_patch(
    patch: Patch, contributions: npt.NDArray[np.void], settings: CoaddSettings
) -> str:
    """Return a sentence or two on why no cell of a patch has an input.

    Parameters
    ----------
    patch
        The patch.
    contributions
        What every detector would have given to every cell that it touches, and why it does not: see
        `inputs.contribution_dtype`.
    settings
        By which it was decided.
    """
    where = f"tract {patch.tract}, patch {patch.id} of {patch.skymap}"
    if not len(contributions):
        return (
            f"No cell of {where} is filled: no image touches one. All lie beside the cells, or "
            "were refused before; see what was left out."
        )
    shape = patch.grid.outer_cell_shape
    if settings.overlap_region == "inner":
        shape = patch.grid.inner_cell_shape
    largest = float(contributions["overlap_fraction"].max())
    counts = {reason: int((contributions["reason"] == reason).sum()) for reason in RefusalReason}
    refused = ", ".join(f"{count} {_WORDS[r]}" for r, count in counts.items() if count)
    text = (
        f"No cell of {where} is filled. Of {len(contributions)} pairs of a cell and a detector "
        f"that touch {refused}. A cell has {shape.x} x {shape.y} pixels ({settings.overlap_region} "
        f"region), and a detector covers at most {largest:.1%} of one, "
        f"min_overlap_fraction = {settings.min_overlap_fraction:g} asks for "
        f"{settings.min_overlap_fraction:.0%}."
    )
    if largest >= settings.min_overlap_fraction:
        return text
    help_by = ["a sky map with smaller cells (cell_inner_size, cell_border)"]
    if settings.overlap_region == "outer":
        help_by.append("overlap_region = inner, at the cost of exact PSFs near borders")
    help_by.append(f"min_overlap_fraction of at most {np.floor(largest * 100) / 100:g}, likewise")
    return f"{text} What helps: {'; '.join(help_by)}."
