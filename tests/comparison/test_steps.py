"""The steps between pixels and footprints, each worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellcoadd.comparison.candidates import Candidates, noise_factor
from cellcoadd.comparison.epochs import are_artifacts
from cellcoadd.comparison.footprints import Footprints
from cellcoadd.comparison.gradient import outliers_of_gradient, steepest_step
from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.kernels.differences import HISTOGRAM_BINS, HISTOGRAM_WIDTH


@pytest.mark.parametrize(
    ("n_visits", "allowed"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (10, 2), (33, 2), (34, 3)]
)
def test_in_how_many_visits_an_artifact_may_be(n_visits: int, allowed: int) -> None:
    """The rule of the Rubin pipelines."""
    assert int(ComparisonSettings().max_epochs(n_visits)) == allowed


def test_fewer_than_three_visits_have_no_artifacts() -> None:
    """More if the settings allow less, and an error if they allow nothing."""
    assert ComparisonSettings().least_visits == 3
    assert ComparisonSettings(max_fraction_epochs_low=0.1).least_visits == 10
    with pytest.raises(ValueError, match="max_num_epochs"):
        _ = ComparisonSettings(max_num_epochs=0.0, max_fraction_epochs_high=0.0).least_visits


def test_more_than_half_of_a_footprint_must_be_rare() -> None:
    """Footprint 0 is seen by 3 visits in two of three pixels, 1 by one, 2 is within a source."""
    three = Footprints(
        pixels=np.array([0, 1, 2, 10, 11, 20]), labels=np.array([0, 0, 0, 1, 1, 2]), count=3
    )
    epochs = np.zeros(30, np.uint16)
    epochs[three.pixels] = [3, 3, 1, 1, 1, 1]
    protected = np.zeros(30, np.bool_)
    protected[[11, 20]] = True
    settings = ComparisonSettings()
    common: dict[str, Any] = {"epochs": epochs, "protected": protected, "settings": settings}
    found = are_artifacts(three, visits=np.full(30, 10, np.uint16), **common)
    assert found.tolist() == [False, True, False]
    # Of two visits nobody can say which is right.
    assert not are_artifacts(three, visits=np.full(30, 2, np.uint16), **common).any()


def test_noise_is_measured_by_quartiles() -> None:
    """A tenth of outliers changes it little; too few pixels say nothing; limits hold."""
    rng = np.random.default_rng(8)

    def histogram(values: np.ndarray) -> np.ndarray:
        bins = HISTOGRAM_WIDTH * (np.arange(HISTOGRAM_BINS + 1) - HISTOGRAM_BINS // 2)
        counts: np.ndarray = np.histogram(np.clip(values, bins[0], bins[-1]), bins)[0]
        return counts

    values = rng.normal(scale=1.5, size=100_000)
    assert noise_factor(histogram(values)) == pytest.approx(2.25, rel=0.02)
    values[:10_000] = 40.0
    assert noise_factor(histogram(values)) == pytest.approx(2.25, rel=0.35)
    assert noise_factor(histogram(values[:50])) == 1.0
    assert noise_factor(histogram(0.1 * values)) == 0.25
    assert noise_factor(histogram(100.0 * values)) == 10.0


def test_candidates_wait_for_the_noise() -> None:
    """What is above the threshold is known in the end; evidence is kept bit by bit."""
    candidates = Candidates(n_pixels=37, threshold=7.5)
    candidates.keep(np.array([30, 31]), np.array([-8.0, 5.0], np.float32))
    candidates.keep(np.array([3]), np.array([7.6], np.float32))
    assert candidates.detections().tolist() == [3, 30]
    candidates.histogram[HISTOGRAM_BINS // 2] = 1000  # differences of 0: the least noise
    assert candidates.detections().tolist() == [3, 30, 31]
    evidence = np.zeros((2, 13), np.bool_)
    evidence[0, 2] = evidence[1, 12] = True
    candidates.keep_evidence(11, evidence)
    good = candidates.evidence_at(np.arange(37))
    assert np.flatnonzero(good).tolist() == [13, 36]


def test_steps_of_a_plane_and_outliers_of_it() -> None:
    """A slope explains a difference; beside an outlier less is forgiven."""
    median = np.zeros((5, 7), np.float32)
    median[:, 4:] = 10.0
    step = steepest_step(median)
    np.testing.assert_array_equal(step[2], [0, 0, 0, 10, 10, 0, 0])
    image = median.copy()
    image[2, 1], image[2, 2], image[4, 6], image[2, 3] = 20.0, 4.5, 4.5, 14.0
    found = outliers_of_gradient(
        image, np.ones_like(image), median, step, snr=(5.0, 4.0), scale=(1.2, 0.7)
    )
    # (2, 3) is on the slope, and beside one that was found only because it is beside another.
    assert np.argwhere(found).tolist() == [[2, 1], [2, 2], [4, 6]]


def test_a_pixel_without_data_is_no_outlier() -> None:
    """Nor does it make a slope."""
    median = np.array([[0.0, np.nan, 3.0]], np.float32)
    np.testing.assert_array_equal(steepest_step(median), [[0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "guess"}, "method must be one of"),
        ({"model_psf_fwhm": 0.0}, "model_psf_fwhm must be positive"),
        ({"grow_sigma": -1.0}, "grow_sigma must not be negative"),
        ({"spatial_threshold": 1.5}, r"spatial_threshold must be in 0\.\.1"),
        ({"min_pixels": 0}, "min_pixels must be at least 1"),
        ({"gradient_snr": (5.0,)}, "gradient_snr must be two numbers"),
        ({"prefilter_planes": ("BADD",)}, "prefilter_planes names"),
    ],
)
def test_settings_check_themselves(wrong: dict[str, Any], message: str) -> None:
    """Before any work begins."""
    with pytest.raises(ValueError, match=message):
        ComparisonSettings(**wrong)
