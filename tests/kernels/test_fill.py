"""Filling of pixels without data."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.fill import fill_no_data, prediction_weights


def _fill(row: list[float], missing: range) -> list[float]:
    planes = np.array([[row]], np.float32)
    no_data = np.zeros((1, len(row)), np.bool_)
    no_data[0, missing.start : missing.stop] = True
    fill_no_data(planes, no_data)
    filled: list[float] = planes[0, 0].tolist()
    return filled


def test_one_missing_pixel_by_hand() -> None:
    """The kriging weights of -2, -1, 1, 2 for exp(-d^2/4), from a solver of numpy's."""
    at = np.array([-2.0, -1.0, 1.0, 2.0])
    system = np.ones((5, 5))
    system[:4, :4] = np.exp(-0.25 * (at[:, None] - at) ** 2)
    system[4, 4] = 0.0
    expected = np.linalg.solve(system, [*np.exp(-0.25 * at**2), 1.0])[:4]
    weights = np.empty(4)
    prediction_weights(at, weights)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    filled = _fill([1, 2, np.nan, 4, 8, 5], range(2, 3))
    np.testing.assert_allclose(filled[2], expected @ [1, 2, 4, 8], rtol=1e-6)


@given(level=st.floats(1e-6, 1e6), start=st.integers(0, 30), width=st.integers(1, 30))
@settings(deadline=None, max_examples=50)
def test_constant_row_is_continued(level: float, start: int, width: int) -> None:
    """Weights sum to 1, and the fallback of a flat positive image is its level."""
    filled = _fill([level] * 30, range(start, min(start + width, 29)))
    np.testing.assert_allclose(filled, level, rtol=1e-6)


@given(width=st.integers(1, 20), start=st.integers(0, 19))
@settings(deadline=None, max_examples=30)
def test_mirrored_row_is_filled_mirrored(width: int, start: int) -> None:
    """Left and right are alike, at the edges too."""
    row = np.random.default_rng(5).normal(10, 3, 24).astype(np.float32)
    no_data = np.zeros((1, 24), np.bool_)
    no_data[0, start : start + width] = True
    one, two = row[None, None].copy(), row[None, None, ::-1].copy()
    fill_no_data(one, no_data)
    fill_no_data(two, np.ascontiguousarray(no_data[:, ::-1]))
    np.testing.assert_allclose(one[0, 0], two[0, 0, ::-1], rtol=1e-6)


def test_edge_run_of_seven_is_like_the_wider_ones() -> None:
    """Where the Rubin pipelines have coefficients up to 3.6; the outermost pixel is the median."""
    row = [np.nan] * 7 + [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]
    seven = _fill(row, range(7))
    assert seven[0] == 3.5
    wider = _fill([np.nan, np.nan, *row], range(9))
    np.testing.assert_array_equal(wider[2:], seven)


def test_fallback_is_the_median_but_not_negative() -> None:
    """A row without a good pixel takes it; without any good pixel there is only 0 to give."""
    for level, expected in ((7.0, 7.0), (-7.0, 0.0)):
        planes = np.full((1, 3, 5), level, np.float32)
        planes[0, 1] = np.nan
        fill_no_data(planes, np.isnan(planes[0]))
        assert planes[0, 1].tolist() == [expected] * 5
    planes = np.full((2, 3, 5), np.nan, np.float32)
    fill_no_data(planes, np.ones((3, 5), np.bool_))
    assert np.all(planes == 0)


def test_all_planes_are_filled_with_the_same_weights() -> None:
    """Noise realizations keep the statistics of what happens to the image."""
    rng = np.random.default_rng(2)
    image = rng.normal(50, 5, (6, 40)).astype(np.float32)
    no_data = rng.random((6, 40)) < 0.4
    no_data[:, 0] = no_data[:, -1] = False
    planes = np.stack([image, 2 * image, image[::-1]])
    fill_no_data(planes, no_data)
    alone = image[None].copy()
    fill_no_data(alone, no_data)
    np.testing.assert_array_equal(planes[0], alone[0])
    np.testing.assert_allclose(planes[1], 2 * planes[0], rtol=1e-6)
