"""Our PSFs of the cells of a coadd beside those of the Rubin pipelines."""

from __future__ import annotations

__all__ = ["compare_cell_psf", "compare_moved_psfs", "with_whole_psfs"]

import dataclasses

import numpy as np
import numpy.typing as npt

from ...coaddition.assemble import assemble_cell_coadd
from ...kernels.moments import adaptive_moments, effective_area
from ...products.cell_coadd import MultipleCellCoadd
from .comparison import Tally
from .reference_cases import box_from_corners
from .reference_coadds import CoaddCase

STAMP = 1e-5
"""Of a PSF's peak."""

PSF_SUM = 5e-3
"""What the sum of a PSF may be off 1."""

SUM_LESS_THEIRS = 1e-6
"""Theirs are of single precision."""


def with_whole_psfs(case: CoaddCase) -> MultipleCellCoadd:
    """The coadd again, with PSF images that nothing is cut off."""
    size = max(visit.warp.stamps.shape[1] for visit in case.visits)
    settings = dataclasses.replace(case.settings, psf_dimensions=size)
    coadd = assemble_cell_coadd(case.on_patch(), case.patch, settings=settings)
    assert coadd is not None, "the same cells have an input"
    return coadd


def compare_cell_psf(
    tally: Tally,
    ours: npt.NDArray[np.float64],
    theirs: npt.NDArray[np.float32],
    *,
    whole: npt.NDArray[np.float64],
) -> None:
    """Compare the PSF of a cell with theirs, and its sum with 1: no program renormalises it.

    Parameters
    ----------
    tally
        Gets the differences.
    ours, theirs
        Images of one size.
    whole
        Ours with its wings.
    """
    worst = np.abs(ours - theirs).max() / theirs.max()
    tally.agree("PSF of a cell (of the peak)", float(worst), STAMP, theirs.size)
    expected = np.array(adaptive_moments(theirs)[:3])
    found = np.array(adaptive_moments(ours.astype(np.float32))[:3])
    difference = np.abs(found - expected).max() / expected[:2].mean()
    tally.agree("PSF of a cell: moments (of their mean)", float(difference), STAMP)
    ratio = effective_area(ours) / effective_area(theirs)
    tally.agree("PSF of a cell: area (relative)", abs(ratio - 1.0), STAMP)
    total = theirs.sum(dtype=np.float64)
    tally.agree("PSF of a cell: sum less theirs", abs(float(ours.sum() - total)), SUM_LESS_THEIRS)
    tally.agree(
        "PSF of a cell, no wings cut off: sum less 1", abs(float(whole.sum()) - 1.0), PSF_SUM
    )
    wings = abs(float(whole.sum() - ours.sum()))
    if wings <= PSF_SUM:
        tally.agree("PSF of a cell: sum less 1", abs(float(ours.sum()) - 1.0), PSF_SUM)
    tally.differ(
        "PSF of a cell: wings beyond the image, which cuts them off, as theirs does (of the sum)",
        wings > PSF_SUM, largest=wings,
    )  # fmt: skip


def compare_moved_psfs(tally: Tally, case: CoaddCase, coadd: MultipleCellCoadd) -> None:
    """Compare the PSF of the whole coadd at positions in several cells.

    Raises
    ------
    ValueError
        If a kernel image is not in the same box as theirs.
    """
    for point in case.psf_points:
        x, y = point["point"]
        kernel = coadd.psf.compute_kernel_image(x=x, y=y)
        if kernel.bbox != box_from_corners(point["kernel_image"]["bbox"]):
            raise ValueError(f"The PSF is in {kernel.bbox}, theirs in {point['kernel_image']}.")
        theirs = case.psf[point["kernel_image"]["key"]]
        worst = np.abs(kernel.array - theirs).max() / theirs.max()
        tally.agree("PSF of the coadd at a position (of the peak)", float(worst), STAMP)
        theirs = case.psf[point["image"]["key"]]
        image = coadd.psf.compute_stellar_image(x=x, y=y)
        worst = np.abs(image.array - theirs).max() / theirs.max()
        tally.differ(
            "PSF moved to a position: by sinc interpolation, theirs by Lanczos-5 (of the peak)",
            1, largest=float(worst),
        )  # fmt: skip
