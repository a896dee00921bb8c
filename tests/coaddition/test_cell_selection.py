"""Which detectors go into a cell, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.cell_selection import CellChoice, choose_cells
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.products.warp import NO_OWNER, Warp
from cellcoadd.testing.images import make_warp, small_patch

PATCH = small_patch()
SHAPE = tuple(PATCH.outer_bbox.shape)
MIDDLE = Index2D(x=2, y=2)
# Columns of the patch: the middle cell is 40 + 6 .. 60 + 6 inside, 40 .. 72 with its border.
INNER, OUTER = slice(46, 66), slice(40, 72)


def choose(
    warp: Warp,
    *,
    rejected: npt.NDArray[np.bool_] | None = None,
    weights: Sequence[float] | None = None,
    **settings: Any,
) -> dict[tuple[Index2D, int], CellChoice]:
    choices = choose_cells(
        warp,
        rejected=np.zeros(SHAPE, np.bool_) if rejected is None else rejected,
        weights=weights or [1.0] * len(warp.inputs),
        settings=CoaddSettings(**settings),
    )
    return {(choice.index, choice.input_row): choice for choice in choices}


def owners(*columns: tuple[slice, int]) -> npt.NDArray[np.int64]:
    owner = np.full(SHAPE, NO_OWNER)
    for where, number in columns:
        owner[:, where] = number
    return owner


def test_a_detector_that_covers_all_is_accepted_everywhere() -> None:
    """Row by row, x fastest."""
    choices = choose_cells(
        make_warp(PATCH), rejected=np.zeros(SHAPE, np.bool_), weights=[2.5],
        settings=CoaddSettings(),
    )  # fmt: skip
    assert [choice.index for choice in choices] == list(PATCH.grid)
    for choice in choices:
        assert choice.reason is RefusalReason.ACCEPTED
        assert choice.usable
        assert (choice.overlap_fraction, choice.unmasked_fraction) == (1.0, 1.0)
        assert (choice.weight, choice.overlaps_center) == (2.5, True)


def test_one_missing_pixel_of_the_border_is_enough_to_refuse() -> None:
    """Its PSF would not be that of the cell there; others look at the inner region only."""
    owner = owners((slice(0, 112), 0))
    owner[40, 40] = NO_OWNER
    warp = make_warp(PATCH, owner=owner)
    choice = choose(warp)[MIDDLE, 0]
    assert choice.reason is RefusalReason.OVERLAP
    assert choice.overlap_fraction == 1 - 1 / 32**2
    assert not choice.usable
    inner = choose(warp, overlap_region="inner")[MIDDLE, 0]
    assert inner.reason is RefusalReason.ACCEPTED
    assert inner.overlap_fraction == 1.0


def test_in_a_gap_between_two_detectors_neither_is_accepted() -> None:
    """The gap lies in the border of the middle cell; by its inner region the left would pass."""
    warp = make_warp(
        PATCH, owner=owners((slice(0, 67), 0), (slice(70, 112), 1)), mean_variances=(1.0, 1.0)
    )
    outer, inner = choose(warp), choose(warp, overlap_region="inner")
    assert outer[MIDDLE, 0].reason is RefusalReason.OVERLAP
    assert outer[MIDDLE, 1].reason is RefusalReason.OVERLAP
    assert inner[MIDDLE, 0].reason is RefusalReason.ACCEPTED
    assert inner[MIDDLE, 1].reason is RefusalReason.OVERLAP
    assert inner[MIDDLE, 1].overlap_fraction == 0.0


def test_with_half_an_overlap_the_centre_decides() -> None:
    """Of 32 columns the left detector has 18, the right one 14; the centre is column 56."""
    warp = make_warp(
        PATCH, owner=owners((slice(0, 58), 0), (slice(58, 112), 1)), mean_variances=(1.0, 1.0)
    )
    found = choose(warp, min_overlap_fraction=0.5)
    assert found[MIDDLE, 0].reason is RefusalReason.ACCEPTED
    assert found[MIDDLE, 0].overlap_fraction == 18 / 32
    assert found[MIDDLE, 1].reason is RefusalReason.OVERLAP
    # Half of it exactly on both sides: column 56 is the right one's.
    even = make_warp(
        PATCH, owner=owners((slice(0, 56), 0), (slice(56, 112), 1)), mean_variances=(1.0, 1.0)
    )
    found = choose(even, min_overlap_fraction=0.5)
    assert found[MIDDLE, 0].reason is RefusalReason.CENTER
    assert found[MIDDLE, 1].reason is RefusalReason.ACCEPTED


def test_without_a_least_overlap_the_centre_still_decides() -> None:
    """And a detector without a pixel in the region is never accepted."""
    warp = make_warp(
        PATCH, owner=owners((slice(40, 50), 0), (slice(50, 70), 1)), mean_variances=(1.0, 1.0)
    )
    found = choose(warp, min_overlap_fraction=0.0)
    assert found[MIDDLE, 0].reason is RefusalReason.CENTER
    assert found[MIDDLE, 1].reason is RefusalReason.ACCEPTED
    # The cell on the left shares columns 40..52 with its border only.
    inner = choose(warp, min_overlap_fraction=0.0, overlap_region="inner")
    assert inner[Index2D(x=1, y=2), 1].reason is RefusalReason.OVERLAP


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_a_weight_that_is_not_finite_and_positive_refuses(weight: float) -> None:
    """It would take over the sum or spoil it."""
    found = choose(make_warp(PATCH), weights=[weight])
    assert {choice.reason for choice in found.values()} == {RefusalReason.WEIGHT}


def test_masked_inputs_are_fallbacks_by_the_inner_region() -> None:
    """Half is allowed, a pixel more is not; the border's mask does not count."""
    rejected = np.ones(SHAPE, np.bool_)
    rejected[INNER, slice(46, 56)] = False
    warp = make_warp(PATCH)
    choice = choose(warp, rejected=rejected)[MIDDLE, 0]
    assert choice.reason is RefusalReason.ACCEPTED
    assert choice.unmasked_fraction == 0.5
    rejected[INNER.start, 46] = True
    choice = choose(warp, rejected=rejected)[MIDDLE, 0]
    assert choice.reason is RefusalReason.MASKED
    assert choice.usable
    assert choice.unmasked_fraction == 199 / 400
    assert choose(warp, rejected=rejected, max_maskfrac=0.51)[MIDDLE, 0].reason == (
        RefusalReason.ACCEPTED
    )


@pytest.mark.parametrize("percent", [*range(1, 51), 70, 85, 99])
def test_the_limit_itself_is_allowed_at_every_value(percent: int) -> None:
    """So many of 400 pixels are masked as the limit says, then one more."""
    rejected = np.zeros(SHAPE, np.bool_)
    inside = np.zeros((20, 20), np.bool_)
    inside.ravel()[: 4 * percent] = True
    rejected[INNER, INNER] = inside
    warp = make_warp(PATCH)
    limit = float(f"0.{percent:02d}")
    assert choose(warp, rejected=rejected, max_maskfrac=limit)[MIDDLE, 0].reason is (
        RefusalReason.ACCEPTED
    )
    inside.ravel()[4 * percent] = True
    rejected[INNER, INNER] = inside
    assert choose(warp, rejected=rejected, max_maskfrac=limit)[MIDDLE, 0].reason is (
        RefusalReason.MASKED
    )


def test_unmasked_part_is_of_the_detector_own_pixels() -> None:
    """Of its 10 x 20 pixels in the inner region, 20 are rejected."""
    rejected = np.zeros(SHAPE, np.bool_)
    rejected[INNER, 46] = True
    warp = make_warp(PATCH, owner=owners((slice(0, 56), 0)))
    choice = choose(warp, rejected=rejected)[MIDDLE, 0]
    assert choice.unmasked_fraction == 0.9


def test_a_detector_without_psf_is_refused() -> None:
    """A cell has one exact PSF or it is no cell."""
    warp = make_warp(PATCH)
    warp.cell_inputs["stamp"][12] = -1
    found = choose(warp)
    assert found[MIDDLE, 0].reason is RefusalReason.PSF
    assert not found[MIDDLE, 0].usable
    assert sum(choice.usable for choice in found.values()) == 24


def test_senseless_settings_are_refused() -> None:
    """Each message names the setting and the value."""
    for values, message in (
        ({"min_overlap_fraction": 1.5}, r"min_overlap_fraction must be in 0\.\.1, got 1\.5"),
        ({"max_maskfrac": -0.1}, "max_maskfrac"),
        ({"overlap_region": "middle"}, "'middle'"),
        ({"psf_dimensions": 34}, "odd, got 34"),
        ({"num_noise_realizations": 4}, "got 4"),
        ({"require_artifact_mask": True}, "do_use_artifact_mask"),
        ({"mask_propagation_thresholds": {"CRR": 0.1}}, "'CRR'"),
        ({"mask_propagation_thresholds": {"SAT": 2.0}}, r"0\.\.1, got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            CoaddSettings(**values)
