"""Shapes and sizes of PSF stamps."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.moments import adaptive_moments, effective_area, second_moments


def _gaussian(xx: float, yy: float, xy: float, size: int = 41) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[:size, :size] - size // 2
    determinant = xx * yy - xy * xy
    stamp: npt.NDArray[np.float64] = np.exp(
        -0.5 * (yy * x**2 + xx * y**2 - 2 * xy * x * y) / determinant
    )
    return stamp / stamp.sum()


@given(xx=st.floats(1.5, 9), yy=st.floats(1.5, 9), correlation=st.floats(-0.6, 0.6))
@settings(deadline=None, max_examples=40)
def test_moments_of_a_gaussian_are_its_own(xx: float, yy: float, correlation: float) -> None:
    """Both kinds; the window of the adaptive ones, at 4 sigma of the weight, costs 1e-4."""
    xy = correlation * math.sqrt(xx * yy)
    stamp = _gaussian(xx, yy, xy, size=61)
    *adaptive, converged = adaptive_moments(stamp)
    assert converged
    np.testing.assert_allclose(adaptive, (xx, yy, xy), rtol=0, atol=5e-4 * max(xx, yy))
    np.testing.assert_allclose(second_moments(stamp), (xx, yy, xy), rtol=0, atol=1e-6)


def test_area_of_a_gaussian_is_four_pi_sigma_squared() -> None:
    """(sum P)^2 / sum P^2, for a well sampled profile; a box has its number of pixels."""
    np.testing.assert_allclose(effective_area(_gaussian(4.0, 4.0, 0.0)), 16 * math.pi, rtol=1e-9)
    assert effective_area(np.full((3, 4), 0.25)) == 12


def test_plain_moments_are_about_the_centroid() -> None:
    """Two equal pixels 2 apart in x: variance 1, wherever they are."""
    stamp = np.zeros((5, 9))
    stamp[1, 6] = stamp[1, 8] = 3.0
    assert second_moments(stamp) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "stamp", [np.zeros((15, 15)), -_gaussian(2, 2, 0), np.full((9, 9), np.nan)]
)
def test_no_shape_is_said_to_be_none(stamp: npt.NDArray[np.float64]) -> None:
    """Instead of a plausible number."""
    xx, yy, xy, converged = adaptive_moments(stamp)
    assert not converged
    assert math.isnan(xx)
    assert math.isnan(yy)
    assert math.isnan(xy)
