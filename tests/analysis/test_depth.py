"""Depth, and what number and weights of inputs say about it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellcoadd.analysis.depth import (
    depth,
    legacy_depth,
    line_of_depth,
    line_of_variance,
    variance_of_weights,
)
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

AREA = 42.581625950774836
WEIGHT_OF_PIXELS = 388.0925415679518
"""Of cell (21, 21) in patch 50 of tract 9813, as the notebooks of SITCOMTN-137 found them."""

positive = st.floats(1e-3, 1e6)


def test_a_star_of_five_errors_by_hand() -> None:
    """Area 4 and variance 25: an error of 10, five of which are 50."""
    assert depth(4.0, 25.0) == pytest.approx(31.4 - 2.5 * math.log10(50.0), abs=1e-13)
    assert depth(4.0, 25.0, zero_point=27.0) == pytest.approx(27.0 - 2.5 * math.log10(50.0))


def test_the_notebooks_depth_is_reproduced() -> None:
    """To all the digits that they print; 388.09 is the weight times the 62,500 pixels."""
    found = legacy_depth(AREA, WEIGHT_OF_PIXELS / 62_500)
    assert found == pytest.approx(26.452216308921326, abs=1e-12)
    assert legacy_depth(AREA, WEIGHT_OF_PIXELS / 100, n_pixels=100) == pytest.approx(found)


@given(area=positive, weight=st.floats(1e-6, 1e3))
def test_the_notebooks_are_1_5949_mag_too_deep(area: float, weight: float) -> None:
    """2.5 log10 sqrt(62500) for the pixels, less the 4.4 between the zero points."""
    found = legacy_depth(area, weight) - depth(area, 1.0 / weight)
    assert found == pytest.approx(2.5 * math.log10(250.0) - 4.4, abs=1e-10)
    assert round(float(found), 4) == 1.5949


@given(area=positive, variance=positive, factor=st.floats(1.01, 100.0))
def test_depth_falls_with_area_and_variance_alike(
    area: float, variance: float, factor: float
) -> None:
    """Only their product counts: twice of either costs 1.25 log10(2) mag."""
    reference = depth(area, variance)
    loss = 1.25 * math.log10(factor)
    assert depth(area * factor, variance) == pytest.approx(reference - loss, abs=1e-9)
    assert depth(area, variance * factor) == pytest.approx(reference - loss, abs=1e-9)


def test_areas_and_variances_may_be_arrays() -> None:
    """A map of cells, or one area for all of them."""
    found = depth(np.array([[4.0], [16.0]]), np.array([25.0, 100.0, 9.0]))
    assert found.shape == (2, 3)
    assert found[1, 2] == depth(16.0, 9.0)


@pytest.mark.parametrize("unknown", [0.0, -1.0, math.nan, math.inf])
def test_without_a_variance_or_an_area_there_is_no_depth(unknown: float) -> None:
    """A cell without data must not be the deepest of all."""
    assert math.isnan(depth(4.0, unknown))
    assert math.isnan(depth(unknown, 4.0))
    assert math.isnan(legacy_depth(4.0, unknown))


def test_a_star_is_found_at_the_depth_with_five_sigma() -> None:
    """The formula is the error of the flux that fits noisy pixels best.

    20,000 realizations of noise around a star of that magnitude: mean and scatter of the fitted
    flux are known to 1/sqrt(20000) and 1/sqrt(40000) of the error; four of these are allowed.
    """
    y, x = np.indices((15, 15)) - 7.0
    psf = np.exp(-(x * x + y * y) / 8.0)
    psf /= psf.sum()
    area, variance = psf.sum() ** 2 / (psf**2).sum(), 7.0
    flux = 10.0 ** (0.4 * (31.4 - depth(area, variance)))
    noise = np.random.default_rng(5).normal(scale=math.sqrt(variance), size=(20_000, 15, 15))
    fitted = ((flux * psf + noise) * psf).sum(axis=(1, 2)) / (psf**2).sum()
    error = fitted.std()
    assert fitted.mean() / error == pytest.approx(5.0, abs=4 * (1 / 141 + 5 / 200))
    assert error == pytest.approx(flux / 5.0, rel=4 / 200)


def test_lines_of_equal_inputs() -> None:
    """Four inputs have a quarter of the variance, and are 1.25 log10 4 = 0.7526 mag deeper."""
    counts = np.array([1, 2, 4])
    np.testing.assert_allclose(line_of_variance(counts, of_one=600.0), [600, 300, 150])
    np.testing.assert_allclose(
        line_of_depth(counts, of_one=25.0), [25.0, 25.376287, 25.752575], atol=1e-6
    )
    # One line follows from the other.
    np.testing.assert_allclose(
        line_of_depth(counts, of_one=float(depth(30.0, 600.0))),
        depth(30.0, line_of_variance(counts, of_one=600.0)),
        rtol=1e-14,
    )


@pytest.mark.parametrize("line", [line_of_variance, line_of_depth])
def test_there_is_no_line_without_inputs(line: object) -> None:
    """A cell of no input has no variance; a plot must leave it out."""
    with pytest.raises(ValueError, match="at least one input, got 0"):
        line(np.array([3, 0]), of_one=1.0)  # type: ignore[operator]


@pytest.mark.parametrize("resampling", [1.0, 0.8])
def test_the_sum_of_weights_gives_the_variance_of_a_coadd(resampling: float) -> None:
    """Inputs of any variances s^2, weights 1 / s^2, C(0) s^2 in the warps; float32 planes."""
    stated = [4.0, 7.5, 30.0]
    warps = [
        make_warp(small_patch(), visit=visit, variance=resampling * value, mean_variances=[value])
        for visit, value in enumerate(stated)
    ]
    coadd = make_coadd(*warps)
    total = sum(1.0 / value for value in stated)
    expected = float(variance_of_weights(total, resampling=resampling))
    assert expected == pytest.approx(resampling / total)
    np.testing.assert_allclose(coadd.stack.variance, expected, rtol=1e-6)


def test_without_weights_there_is_no_variance() -> None:
    """Not an infinite one, which no plot shows."""
    assert np.isnan(variance_of_weights([0.0, math.nan])).all()
