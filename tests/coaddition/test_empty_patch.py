"""A patch without a filled cell: said once, with the reason and what would help."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from cellcoadd import CoaddSettings, coadd_images
from cellcoadd.coaddition.assemble import VisitOnPatch
from cellcoadd.coaddition.stack import warn_of_psf_sums
from cellcoadd.coaddition.strips import Strip, assemble_in_strips
from cellcoadd.testing.images import make_coadd, make_detector, make_warp, small_patch

PATCH = small_patch()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("cellcoadd.coaddition") and record.levelno == logging.WARNING
    ]


def test_detectors_that_are_smaller_than_a_cell_are_said_to_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the size of a cell, the largest part that is covered, and the settings that help."""
    small = make_detector(PATCH, width=30, height=40)
    assert coadd_images([small], PATCH) is None
    (text,) = warnings_in(caplog)
    assert "No cell of tract 0, patch 24 of small is filled." in text
    assert "A cell has 32 x 32 pixels (outer region)" in text
    assert "min_overlap_fraction = 1 asks for 100%" in text
    assert "cell_inner_size" in text
    assert "overlap_region = inner" in text
    largest = float(text.partition("covers at most ")[2].partition("%")[0]) / 100
    assert 0.5 < largest < 1.0
    advice = float(text.partition("min_overlap_fraction of at most ")[2].partition(",")[0])
    assert advice <= largest
    settings = CoaddSettings(min_overlap_fraction=advice)
    assert coadd_images([small], PATCH, coadd_settings=settings) is not None


def test_images_beside_the_patch_are_said_to_be(caplog: pytest.LogCaptureFixture) -> None:
    """Not a matter of overlaps: none of them touches a cell."""
    assert coadd_images([make_detector(PATCH, x=5000.0)], PATCH) is None
    (text,) = warnings_in(caplog)
    assert "no image touches one" in text


def test_cells_without_a_good_weight_are_not_helped_by_smaller_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reason is counted, and no setting of overlaps is named."""
    warp = make_warp(PATCH, variance=np.inf)
    with pytest.raises(ValueError, match="No cell has an input"):
        make_coadd(warp, do_calculate_weight_from_warp=True)
    (text,) = warnings_in(caplog)
    assert "have no positive finite weight" in text
    assert "What helps" not in text


def test_a_patch_in_strips_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not once a strip, which nobody knows of."""
    visit = VisitOnPatch(warp=make_warp(PATCH, variance=np.inf))
    cells = list(PATCH.grid)
    strips = [
        Strip(cells=cells[:10], bbox=PATCH.grid.outer_bbox),
        Strip(cells=cells[10:], bbox=PATCH.grid.outer_bbox),
    ]
    settings = CoaddSettings(do_calculate_weight_from_warp=True)
    assert assemble_in_strips(lambda _: [visit], PATCH, strips, settings=settings) is None
    (text,) = warnings_in(caplog)
    assert "Of 25 pairs of a cell and a detector that touch 25 have no positive" in text


def test_psfs_that_sum_to_more_than_one_are_not_helped_by_larger_images(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is cut off of them: the input's own PSF is not what it should be."""
    coadd = make_coadd(make_warp(PATCH))
    coadd.stack.psf[3] *= 1.02
    warn_of_psf_sums(coadd.stack)
    (text,) = warnings_in(caplog)
    assert "1.02" in text
    assert "psf_dimensions" not in text
    assert "not normalized" in text
