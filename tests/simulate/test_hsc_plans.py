"""Surveys like Hyper Suprime-Cam's: what is stated of their camera, dithers, depths and defects."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from lsst.images import XY, VisitImage

from cellcoadd.simulate import SurveyPlan, simulate_visit_detector, survey_plan
from cellcoadd.simulate.artifacts import amplifier_noise, bad_columns
from cellcoadd.testing.input_counts import count_inputs

PATCH_61 = [0, 9, 21, 71, 119, 85, 80, 99, 0]
"""Cells of the real patch with 0, 1, ... 8 inputs (technote SITCOMTN-137)."""

MARGIN = 3.0  # pixels along a detector's sides that a warp with Lanczos-3 loses


@pytest.fixture(scope="module")
def patch_plan() -> SurveyPlan:
    return survey_plan("hsc-patch")


@pytest.fixture(scope="module")
def tract_plan() -> SurveyPlan:
    return survey_plan("hsc-tract")


def test_detectors_are_of_full_size_with_gaps_between_them(patch_plan: SurveyPlan) -> None:
    """2048 x 4176 pixels of 0.168"; a source in a gap is on neither of two neighbours.

    On the axis they are smaller by a part in 1700, so that four of them are less than 4/250 of a
    cell in some places and more in others.
    """
    camera = patch_plan.camera
    assert (camera.width, camera.height, camera.pixel_scale) == (2048, 4176, 0.1679)
    pointings = [patch_plan.pointing(19680, detector) for detector in (48, 49, 62)]
    here, right, above = pointings
    ra, dec = here.to_sky(x=[2047.5, 1000.0], y=[2000.0, 4175.5])
    gap_x = -0.5 - float(right.to_pixels(ra=ra[0], dec=dec[0]).x)
    gap_y = -0.5 - float(above.to_pixels(ra=ra[1], dec=dec[1]).y)
    assert (gap_x, gap_y) == pytest.approx((72.0, 315.0), abs=1e-6)
    # Detectors a fourteenth as large in the survey for tests; visits of 24 of them in all.
    small = survey_plan("hsc-tests")
    assert small.camera.width * small.camera.height * 14 < 2048 * 4176
    assert small.camera.pixel_scale == 0.1679
    assert len(small.exposures) == 24


def test_the_distortion_is_mild(tract_plan: SurveyPlan) -> None:
    """Pixels are larger away from the axis, by less than 3 per cent in area.

    So four columns are between 0.0159 of a cell and 0.017.
    """
    corners_x, corners_y = [-0.5, 2047.5, -0.5, 2047.5], [-0.5, -0.5, 4175.5, 4175.5]
    areas = [
        tract_plan.pointing(*where).relative_pixel_area(x=corners_x, y=corners_y)
        for where in tract_plan.exposures
    ]
    assert 1.01 < np.max(areas) < 1.03
    assert np.min(areas) > 1.0


def test_cells_of_the_patch_have_as_many_inputs_as_the_real_one(patch_plan: SurveyPlan) -> None:
    """One cell in twelve would have to change its number to make the two histograms the same.

    The numbers do not hang on what a warp loses along a detector's sides.
    """
    counts = count_inputs(patch_plan, margin=MARGIN)
    cells = np.bincount(counts.ravel(), minlength=9)
    np.testing.assert_array_equal(cells, [1, 9, 19, 45, 113, 84, 81, 112, 20])
    assert 0.5 * np.abs(cells - PATCH_61).sum() < 484 / 12
    for margin in (1.0, 5.0):
        np.testing.assert_array_equal(count_inputs(patch_plan, margin=margin), counts)
    assert len(patch_plan.exposures) == 48


def test_cells_of_the_tract_have_none_to_eight_inputs(tract_plan: SurveyPlan) -> None:
    """Nine patches, each of them filled to four fifths at least."""
    patches = [XY(x=x, y=y) for y in (4, 5, 6) for x in (5, 6, 7)]
    counts = {(p.x, p.y): count_inputs(tract_plan, patch=p, margin=MARGIN) for p in patches}
    together = np.bincount(np.concatenate([c.ravel() for c in counts.values()]), minlength=9)
    assert together.size == 9
    assert together.min() > 200
    assert all(np.count_nonzero(each) > 0.8 * each.size for each in counts.values())
    # Every detector that holds a cell of patch 61 is in the smaller survey already.
    inner = survey_plan("hsc-patch")
    np.testing.assert_array_equal(counts[6, 5], count_inputs(inner, margin=MARGIN))
    assert len(tract_plan.exposures) == 64
    assert set(inner.exposures) < set(tract_plan.exposures)


def test_there_are_deep_visits_and_shallow_ones(patch_plan: SurveyPlan) -> None:
    """Two groups of four, of a variance twice as large; the seeing differs everywhere."""
    for plan, number in ((patch_plan, 4), (survey_plan("hsc-tests"), 3)):
        variances = np.sort([visit.sky_sigma**2 for visit in plan.visits])
        assert variances.size == 2 * number
        deep, shallow = variances[:number], variances[number:]
        assert shallow.min() / deep.max() > 1.9
        assert max(deep.max() / deep.min(), shallow.max() / shallow.min()) < 1.15
        seeing = [visit.seeing for visit in plan.visits]
        assert len(set(seeing)) == len(seeing)
        assert 0.57 <= min(seeing) < max(seeing) <= 0.82


def test_cameras_turn_by_right_angles(patch_plan: SurveyPlan) -> None:
    """At another angle a column would cross a cell obliquely and blur the step at 4/250."""
    for plan in (patch_plan, survey_plan("hsc-tests")):
        turns = Counter(visit.rotation for visit in plan.visits)
        assert len(turns) >= 3
        assert all(turn % 90.0 == 0.0 for turn in turns)


def test_every_detector_has_a_band_of_four_bad_columns(tract_plan: SurveyPlan) -> None:
    """One each, not at the same place in all of them; in four of ten detectors a wider one too."""
    artifacts = tract_plan.artifacts
    assert artifacts is not None
    firsts, wide = [], 0
    for detector in tract_plan.camera.detectors:
        bad, _ = bad_columns(artifacts, width=2048, seed=tract_plan.seed, detector=detector)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bad, [0]]).astype(int)))
        bands = dict(zip(edges[::2].tolist(), (edges[1::2] - edges[::2]).tolist(), strict=True))
        narrow = [first for first, width in bands.items() if width == 4]
        assert narrow or max(bands.values()) > 4, "a wider band may cover it"
        firsts += narrow[:1]
        wide += any(width > 4 for width in bands.values())
    assert len(set(firsts)) > 0.9 * len(firsts) > 0.85 * len(tract_plan.camera.detectors)
    # Poisson with the mean 0.45: 36 per cent of 98 detectors have one, to three sigma.
    assert wide == pytest.approx(98 * (1.0 - math.exp(-0.45)), abs=3 * math.sqrt(98 * 0.36 * 0.64))


@pytest.fixture(scope="module")
def full_size(tract_plan: SurveyPlan) -> VisitImage:
    """One detector of the large survey."""
    return simulate_visit_detector(tract_plan, visit=19684, detector=48)


def test_defects_of_a_full_detector_are_marked(
    full_size: VisitImage, tract_plan: SurveyPlan
) -> None:
    """BAD whole columns; EDGE 8 pixels all around; stars and cosmic rays as drawn.

    A million pixels have 39 tracks of 19 pixels on average, along which a step of half a pixel
    lands on new ones: 0.08 per cent, to a third. Stars brighter than 18.4 fill pixels: one in two
    square arcminutes, and in this detector of 66 some thirty, each with hundreds of pixels marked.
    """
    assert full_size.bbox.shape == (4176, 2048)
    planes = {name: full_size.mask.get(name) for name in ("BAD", "SATURATED", "COSMIC_RAY")}
    fractions = {name: float(plane.mean()) for name, plane in planes.items()}
    artifacts = tract_plan.artifacts
    assert artifacts is not None
    bad, _ = bad_columns(artifacts, width=2048, seed=tract_plan.seed, detector=48)
    assert fractions["BAD"] == bad.sum() / 2048 >= 4 / 2048
    assert 0.0006 < fractions["COSMIC_RAY"] < 0.0011
    assert 1e-3 < fractions["SATURATED"] < 1e-2
    trails = planes["SATURATED"].sum(axis=0).max(), planes["SATURATED"].sum(axis=1).max()
    assert trails[0] > 2 * trails[1]
    edge = full_size.mask.get("DETECTION_EDGE")
    assert edge.sum() == 4176 * 2048 - (4176 - 16) * (2048 - 16)
    assert not edge[8:-8, 8:-8].any()


def test_the_variance_plane_has_a_step_from_amplifier_to_amplifier(
    full_size: VisitImage, tract_plan: SurveyPlan
) -> None:
    """Each strip of 512 columns has the noise that is drawn for it, in variance and in pixels."""
    artifacts = tract_plan.artifacts
    assert artifacts is not None
    relative = amplifier_noise(artifacts, width=2048, seed=tract_plan.seed, detector=48)
    variance = full_size.variance.array
    good = full_size.mask.array.max(axis=2) == 0
    for start in range(0, 2048, 512):
        strip = np.s_[:, start : start + 512]
        expected = float((25.4 * relative[start]) ** 2)
        # Sources only add, and most pixels have next to none of their light.
        assert float(np.percentile(variance[strip], 5)) == pytest.approx(expected, rel=1e-3)
        deviation = full_size.image.array[strip][good[strip]]
        # Half the distance of the quartiles of a Gaussian is 0.6745 of its standard deviation.
        low, high = np.percentile(deviation, [25.0, 75.0])
        assert (high - low) / 1.349 == pytest.approx(expected**0.5, rel=0.05)
    assert np.unique(relative).size == 4


def test_the_survey_for_tests_is_the_same_every_time() -> None:
    """Every random number follows from the seed, the visit and the detector."""
    plan = survey_plan("hsc-tests")
    first, again = (simulate_visit_detector(plan, visit=1248, detector=2) for _ in range(2))
    other = simulate_visit_detector(survey_plan("hsc-tests", seed=1), visit=1248, detector=2)
    np.testing.assert_array_equal(first.image.array, again.image.array)
    np.testing.assert_array_equal(first.mask.array, again.mask.array)
    assert np.mean(first.image.array == other.image.array) < 0.01
