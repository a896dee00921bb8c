"""Interpolation of bad pixels before warping."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.warping.interpolate import interpolate_bad_pixels
from cellcoadd.warping.settings import InterpolationSettings

SHAPE = (30, 40)


def interpolate(
    planes: npt.NDArray[np.floating], bad: npt.NDArray[np.bool_], *, fill_value: float = 0.0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    values = planes.astype(np.float32)
    values[:, bad] = np.nan
    filled = interpolate_bad_pixels(values, bad, interp_length=4, fill_value=fill_value)
    return values, filled


def somewhere(*places: tuple[slice | int, slice | int]) -> npt.NDArray[np.bool_]:
    bad = np.zeros(SHAPE, np.bool_)
    for place in places:
        bad[place] = True
    return bad


@settings(deadline=None, max_examples=25)
@given(a=st.floats(-100, 100), b=st.floats(-5, 5), c=st.floats(-5, 5), seed=st.integers(0, 10**6))
def test_a_plane_is_interpolated_exactly(a: float, b: float, c: float, seed: int) -> None:
    """Cubic triangles through a linear function are that function."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sky = a + b * x + c * y
    bad = np.zeros(SHAPE, np.bool_)
    bad[3:-3, 3:-3] = np.random.default_rng(seed).random((24, 34)) < 0.1
    values, filled = interpolate(sky[np.newaxis], bad)
    assert not filled.any()
    np.testing.assert_allclose(values[0], sky, atol=1e-4 * (abs(a) + 40 * (abs(b) + abs(c)) + 1))


def test_good_pixels_stay_and_all_planes_get_the_same_weights() -> None:
    """The noise must feel what the image feels: three times the image becomes three times it."""
    rng = np.random.default_rng(5)
    image = rng.normal(size=SHAPE)
    bad = somewhere((slice(5, 9), slice(10, 13)), (20, 20))
    values, _ = interpolate(np.stack([image, 3 * image, rng.normal(size=SHAPE)]), bad)
    np.testing.assert_array_equal(values[0][~bad], image.astype(np.float32)[~bad])
    np.testing.assert_allclose(values[1], 3 * values[0], rtol=1e-5, atol=1e-6)
    assert np.isfinite(values).all()


def test_a_star_under_a_bad_column_comes_back() -> None:
    """A Gaussian of sigma 3 px under one column: to 2 % of its peak.

    The linear guess between the neighbours would be 5 % low, (1 px)^2 / (2 sigma^2); the cubic
    knows the curvature from the slopes.
    """
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    star = 100 * np.exp(-((x - 20.3) ** 2 + (y - 15) ** 2) / 18)
    values, _ = interpolate(star[np.newaxis], somewhere((slice(None), 20)))
    assert np.abs(values[0] - star).max() < 2.0


@pytest.mark.parametrize("fill_value", [0.0, -7.5])
def test_a_defect_that_good_pixels_do_not_surround_gets_the_fill_value(fill_value: float) -> None:
    """Extrapolation is guesswork: such pixels are told apart from interpolated ones."""
    bad = somewhere((slice(None), slice(0, 3)), (slice(10, 12), slice(20, 22)))
    values, filled = interpolate(np.full((1, *SHAPE), 5.0), bad, fill_value=fill_value)
    np.testing.assert_array_equal(filled, somewhere((slice(None), slice(0, 3))))
    np.testing.assert_array_equal(values[0][filled], fill_value)
    np.testing.assert_allclose(values[0][~filled], 5.0, rtol=1e-6)


def test_nothing_bad_is_no_failure() -> None:
    """A known fault of others."""
    image = np.ones((1, *SHAPE))
    values, filled = interpolate(image, np.zeros(SHAPE, np.bool_))
    np.testing.assert_array_equal(values, image)
    assert not filled.any()


@pytest.mark.parametrize("n_good", [0, 2, 20])
def test_too_few_good_pixels_or_all_on_a_line_give_the_fill_value(n_good: int) -> None:
    """There is no triangle to interpolate in."""
    bad = np.ones(SHAPE, np.bool_)
    bad[15, :n_good] = False
    values, filled = interpolate(np.full((1, *SHAPE), 5.0), bad, fill_value=1.0)
    np.testing.assert_array_equal(filled, bad)
    np.testing.assert_array_equal(values[0][bad], 1.0)


def test_only_pixels_nearby_count() -> None:
    """A star five pixels off does not shine into a defect."""
    image = np.ones((1, *SHAPE))
    image[0, :, 26:] = 1e6
    values, _ = interpolate(image, somewhere((slice(10, 14), slice(18, 22))))
    np.testing.assert_allclose(values[0, 10:14, 18:22], 1.0, rtol=1e-6)


def test_defects_do_not_depend_on_one_another() -> None:
    """Far apart, each comes out as if it were alone, whatever their order in the search.

    But for the choice between equal triangles, which a smooth image does not feel.
    """
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = (np.sin(x / 6) + np.cos(y / 7))[np.newaxis]
    first, second = (slice(4, 7), slice(5, 8)), (slice(20, 24), slice(30, 33))
    both, _ = interpolate(image, somewhere(first, second))
    for place in (first, second):
        alone, _ = interpolate(image, somewhere(place))
        np.testing.assert_allclose(both[0][place], alone[0][place], atol=0.01)


def test_senseless_settings_are_refused() -> None:
    """The message names the setting and the value."""
    with pytest.raises(ValueError, match="interp_length must be at least 1, got 0"):
        InterpolationSettings(interp_length=0)
    with pytest.raises(ValueError, match="fill_value must be finite, got nan"):
        InterpolationSettings(fill_value=np.nan)
