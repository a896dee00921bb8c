"""Our record of a coadd's inputs beside that of the Rubin pipelines."""

from __future__ import annotations

__all__ = ["compare_inputs", "compare_outlines"]

import numpy as np
import shapely
from lsst.images import Polygon

from ...products.cell_coadd.cell import SingleCellCoadd
from ...products.cell_coadd.inputs import RefusalReason
from ...products.warp import WarpInput
from ...warping.positions import POINTS_PER_SIDE, TractToDetector
from .cell_rules import CellRules
from .comparison import Tally
from .reference_coadds import CellInput, CoaddCase

MOMENTS = 5e-5
"""Of the mean moment: theirs are of the warp's PSF, on a linear map of the pixels."""

WEIGHT = 1e-6
FRACTION = 1e-12

OUTLINE = 1e-6
"""Pixels, as of all positions."""


def compare_inputs(
    tally: Tally,
    case: CoaddCase,
    cell: SingleCellCoadd,
    inputs: tuple[CellInput, ...],
    rules: CellRules,
) -> bool:
    """Compare the table of inputs; false if it is not of the same inputs."""
    rows = cell.contributions
    rows = rows[rows["reason"] == RefusalReason.ACCEPTED]
    # What is not finite counts as masked to us, and can be too much.
    # At equality ours accepts and theirs refuses; theirs is all that is here.
    limit = 1.0 - case.settings.max_maskfrac
    kept = [
        entry
        for entry, hidden in zip(inputs, rules.silent_inner, strict=True)
        if hidden == 0.0 or entry.unmasked_fraction - hidden >= limit - FRACTION
    ]
    tally.differ("inputs refused because what is not finite counts as masked",
                 len(inputs) - len(kept), count=len(inputs))  # fmt: skip
    ours = [(entry.visit, entry.detector) for entry in cell.inputs]
    same = ours == [(entry.visit, entry.detector) for entry in kept or inputs]
    tally.agree("inputs of a cell", float(not same), 0.0, len(inputs))
    if not same or len(kept) < len(inputs):
        return False
    for row, entry, hidden in zip(rows, inputs, rules.silent_inner, strict=True):
        tally.agree("weight (relative)", abs(float(row["weight"]) / entry.weight - 1.0), WEIGHT)
        difference = abs(float(row["overlap_fraction"]) - entry.overlap_fraction)
        tally.agree("overlap fraction", difference, FRACTION)
        centre = bool(row["overlaps_center"]) != entry.overlaps_center
        tally.agree("overlap of the centre", float(centre), 0.0)
        difference = abs(float(row["unmasked_fraction"]) + hidden - entry.unmasked_fraction)
        tally.agree("unmasked fraction", difference, FRACTION)
        rule = "unmasked fraction: what is not finite counts as masked"
        tally.differ(rule, hidden > 0, largest=hidden)
        beside = entry.moments_flag and _centre_is_beside(case, cell, entry)
        tally.differ(
            "PSF moments of an input whose detector ends within a pixel of the cell's centre: "
            "theirs are flagged", beside,
        )  # fmt: skip
        # For less they take the PSF somewhere else.
        if entry.overlap_fraction >= 0.5 and not beside:
            xx, yy, xy = entry.moments
            found = [float(row[f"psf_shape_{name}"]) for name in ("xx", "yy", "xy")]
            difference = float(np.abs(np.subtract(found, (xx, yy, xy))).max()) / (0.5 * (xx + yy))
            tally.agree("PSF moments of an input (of their mean)", difference, MOMENTS)
            flag = bool(row["psf_shape_flag"]) != entry.moments_flag
            tally.agree("PSF moments of an input: flag", float(flag), 0.0)
    return True


def _centre_is_beside(case: CoaddCase, cell: SingleCellCoadd, entry: CellInput) -> bool:
    """Whether the centre of a cell is not on a detector, by less than one of its pixels."""
    (visit,) = [visit for visit in case.visits if visit.warp.visit == entry.visit]
    source = visit.warp.inputs[visit.detectors.index(entry.detector)]
    centre = case.patch.grid.centre_of(cell.index)
    at = _transform_of(case, source).to_detector(
        x=np.array([float(centre.x)]), y=np.array([float(centre.y)])
    )
    box = source.bbox
    off = max(box.x.start - 0.5 - at.x[0], at.x[0] - (box.x.stop - 0.5),
              box.y.start - 0.5 - at.y[0], at.y[0] - (box.y.stop - 0.5))  # fmt: skip
    return bool(0.0 < off < 1.0)


def _transform_of(case: CoaddCase, source: WarpInput) -> TractToDetector:
    return TractToDetector(
        tract=case.patch.sky_projection,
        detector=source.sky_projection,
        source=str(source.observation),
    )


def compare_outlines(tally: Tally, case: CoaddCase) -> None:
    """Compare the outlines of the detectors on the patch.

    The difference is the area between two outlines, over the length of theirs. Theirs joins the
    corners by straight lines; so does ours for the comparison.
    """
    box = case.patch.outer_bbox
    patch = shapely.box(box.x.start - 0.5, box.y.start - 0.5, box.x.stop - 0.5, box.y.stop - 0.5)
    for visit in case.visits:
        for entry in visit.warp.inputs:
            outline = _transform_of(case, entry).footprint(entry.bbox)
            assert outline is not None, "theirs lands on the patch"
            theirs = _shape_of(entry.footprint)
            corners, ours = _shape_of(outline, every=POINTS_PER_SIDE), _shape_of(outline)
            apart = [
                shapely.intersection(shape, patch).symmetric_difference(theirs).area / theirs.length
                for shape in (corners, ours)
            ]
            tally.agree("outline of a detector (px)", apart[0], OUTLINE)
            tally.differ(
                "outline of a detector: ours has 8 points a side, theirs the corners only (px)",
                apart[1] > OUTLINE, largest=apart[1],
            )  # fmt: skip


def _shape_of(polygon: Polygon, *, every: int = 1) -> shapely.Polygon:
    return shapely.Polygon(np.column_stack([polygon.x_vertices, polygon.y_vertices])[::every])
