"""The PSF of a stitched coadd beside the images that the Rubin pipelines drew of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lsst.images.cells import CellGridBounds, CellPointSpreadFunction

from cellcoadd.psfs.cell_psf import CellPsf
from cellcoadd.validation.agreement.command import COADDS
from cellcoadd.validation.agreement.reference_cases import box_from_corners
from cellcoadd.validation.agreement.reference_coadds import CoaddCase, read_coadd_case

LANCZOS = 3e-14
"""Of the peak, between two programs that round differently.

Each of the two passes sums ten products (11 roundings of 1.1e-16 at most) with weights of some six
roundings, whose absolute values sum to 1.87 at most: 2 * 17 * 1.1e-16 * 1.87^2 = 1.3e-14 in each.
"""

SINC = 2.4e-3
"""Of the peak: what Lanczos-5 and the exact shift differ by for these PSFs, of sigma 1.9 to 2.4."""


@pytest.fixture(scope="module")
def case(reference_folder: Callable[[str], Path]) -> CoaddCase:
    return read_coadd_case(reference_folder("C1_default") / COADDS, "C1_default")


@pytest.fixture(scope="module")
def psf(case: CoaddCase) -> CellPsf:
    """Their cells' PSFs in the type in which their files hold them; four cells are missing."""
    grid = case.patch.grid
    size = next(iter(case.cells.values())).planes["psf"].shape
    array = np.full((grid.shape.y, grid.shape.x, *size), np.nan)
    for index, cell in case.cells.items():
        array[index.y, index.x] = cell.planes["psf"]
    missing = frozenset(index.to_cell_ij() for index in grid if index not in case.cells)
    bounds = CellGridBounds(grid=grid.inner, bbox=grid.bbox, missing=missing)
    return CellPsf.from_cell_point_spread_function(CellPointSpreadFunction(array, bounds))


def test_kernel_images_are_theirs_bit_for_bit(case: CoaddCase, psf: CellPsf) -> None:
    """Five positions, also half a pixel from a pixel's centre: the image of the cell there."""
    assert len(case.psf_points) == 5
    for point in case.psf_points:
        x, y = point["point"]
        kernel = psf.compute_kernel_image(x=x, y=y)
        assert kernel.bbox == box_from_corners(point["kernel_image"]["bbox"])
        np.testing.assert_array_equal(kernel.array, case.psf[point["kernel_image"]["key"]])


def test_stars_are_theirs_with_their_shift(case: CoaddCase, psf: CellPsf) -> None:
    """With the exact one they differ by the error of Lanczos-5; in a pixel's centre both agree."""
    exact = []
    for point in case.psf_points:
        x, y = point["point"]
        theirs = case.psf[point["image"]["key"]]
        star = psf.compute_stellar_image(x=x, y=y, resampling="lanczos5")
        assert star.bbox == box_from_corners(point["image"]["bbox"])
        assert np.abs(star.array - theirs).max() < LANCZOS * theirs.max()
        sinc = psf.compute_stellar_image(x=x, y=y)
        assert sinc.bbox == star.bbox
        exact.append(float(np.abs(sinc.array - theirs).max() / theirs.max()))
    assert exact[0] == 0.0
    assert min(exact[1:]) > 1e-3
    assert max(exact) < SINC
