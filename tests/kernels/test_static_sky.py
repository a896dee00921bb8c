"""What visits agree on, held against numpy pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from cellcoadd.kernels.differences import HISTOGRAM_BINS, measure_differences
from cellcoadd.kernels.static_sky import clipped_sky, median_sky


def clipped_twin(
    values: np.ndarray, variances: np.ndarray, weights: np.ndarray, clip: float, iterations: int
) -> tuple[float, float]:
    good = np.isfinite(values)
    values, variances, weights = values[good].astype(float), variances[good], weights[good]
    first, centre, third = np.percentile(values, [25.0, 50.0, 75.0])
    width = 0.741301109252802 * (third - first)
    kept = np.abs(values - centre) <= clip * width
    for _ in range(iterations - 1):
        if kept.sum() < 2:
            break
        kept = np.abs(values - values[kept].mean()) <= clip * values[kept].std(ddof=1)
    total = weights[kept].sum()
    mean = (weights * values)[kept].sum() / total
    return mean, (weights**2 * variances)[kept].sum() / total**2


@pytest.mark.parametrize("n_visits", [1, 2, 3, 4, 7, 12])
def test_the_clipped_mean_is_that_of_numpy(n_visits: int) -> None:
    """With outliers, with visits that lack pixels, and where all of them do."""
    rng = np.random.default_rng(n_visits)
    shape = (n_visits, 6, 9)
    images = rng.normal(size=shape).astype(np.float32)
    images[rng.random(shape) < 0.1] += 50.0
    images[rng.random(shape) < 0.1] = np.nan
    images[:, 2, 3] = np.nan
    variances = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    weights = rng.uniform(0.5, 2.0, n_visits)
    sky, variance = np.empty(shape[1:], np.float32), np.empty(shape[1:], np.float32)
    counts = np.empty(shape[1:], np.uint16)
    clipped_sky(images, variances, weights, 2.5, 3, sky, variance, counts)
    np.testing.assert_array_equal(counts, np.isfinite(images).sum(axis=0))
    for row, column in np.ndindex(shape[1:]):
        here = images[:, row, column]
        if not np.isfinite(here).any():
            assert np.isnan(sky[row, column])
            assert np.isnan(variance[row, column])
            continue
        expected = clipped_twin(here, variances[:, row, column], weights, 2.5, 3)
        assert (sky[row, column], variance[row, column]) == pytest.approx(expected, rel=1e-5)


def test_one_visit_of_three_is_an_outlier() -> None:
    """However far it is off: the interquartile range of three grows with it, but not enough."""
    for outlier in (10.0, 1e4):
        images = np.array([0.1, outlier, -0.1], np.float32).reshape(3, 1, 1)
        sky, variance = np.empty((1, 1), np.float32), np.empty((1, 1), np.float32)
        counts = np.empty((1, 1), np.uint16)
        clipped_sky(images, np.ones_like(images), np.ones(3), 2.5, 3, sky, variance, counts)
        assert sky[0, 0] == pytest.approx(0.0, abs=1e-6)
        assert variance[0, 0] == pytest.approx(0.5)


def test_the_median_is_that_of_numpy() -> None:
    """Of the visits with data."""
    rng = np.random.default_rng(5)
    images = rng.normal(size=(6, 4, 5)).astype(np.float32)
    images[rng.random(images.shape) < 0.2] = np.nan
    images[:, 0, 0] = np.nan
    images[0, 1, 1] = 1.0
    sky, counts = np.empty((4, 5), np.float32), np.empty((4, 5), np.uint16)
    median_sky(images, sky, counts)
    assert np.isnan(sky[0, 0])
    assert counts[0, 0] == 0
    sky[0, 0] = images[0, 0, 0] = 0.0
    np.testing.assert_allclose(sky, np.nanmedian(images, axis=0), rtol=1e-6)


def test_differences_are_collected_and_counted() -> None:
    """Large ones by their place; of empty pixels all, the farthest in the outermost bins."""
    image = np.array([[0.0, 8.0, -9.0, 1e6, np.nan, 100.0]], np.float32)
    sky = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 100.0]], np.float32)
    histogram = np.zeros(HISTOGRAM_BINS, np.int64)
    pixels, ratios = np.empty(6, np.int64), np.empty(6, np.float32)
    one = np.ones_like(image)
    count = measure_differences(image, 3.0 * one, sky, one, 5.0, 3.9, histogram, pixels, ratios)
    assert count == 3
    assert pixels[:3].tolist() == [1, 2, 3]
    assert ratios[:3].tolist() == [4.0, -4.5, 5e5]
    assert histogram.sum() == 4
    assert histogram[-1] == 1
    assert histogram[HISTOGRAM_BINS // 2] == 1
