"""Sums and counts pixel by pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.analysis.pixel_means import PixelMeans


def test_a_pixel_has_the_mean_of_what_it_was_given() -> None:
    """By hand: pixels come several times, in one portion and in two, and in any order."""
    means = PixelMeans(2)
    means.add(np.array([9, 2, 9]), np.array([[1.0, 5.0, 2.0], [10.0, np.nan, np.inf]]))
    means.add(np.array([4, 9]), np.array([[8.0, 6.0], [np.nan, 30.0]]))
    pixels, values = means.mean(0)
    np.testing.assert_array_equal(pixels, [2, 4, 9])
    np.testing.assert_array_equal(values, [5.0, 8.0, 3.0])
    # What is not finite is neither a zero nor part of the count.
    pixels, values = means.mean(1)
    np.testing.assert_array_equal(pixels, [9])
    np.testing.assert_array_equal(values, [20.0])


def test_nothing_has_no_mean() -> None:
    """Portions of nothing, too."""
    means = PixelMeans(1)
    means.add(np.zeros(0, np.int64), np.zeros((1, 0)))
    pixels, values = means.mean(0)
    assert len(pixels) == len(values) == 0


pairs = st.lists(st.tuples(st.integers(0, 12), st.integers(-1000, 1000)), max_size=40)


@settings(deadline=None)
@given(portions=st.lists(pairs, max_size=5))
def test_portions_do_not_matter(portions: list[list[tuple[int, int]]]) -> None:
    """Sums of small whole numbers are exact, so the means are the same to the bit."""
    means = PixelMeans(1)
    by_pixel: dict[int, list[int]] = {}
    for portion in portions:
        means.add(
            np.array([pixel for pixel, _ in portion], np.int64),
            np.array([[value for _, value in portion]], np.float64),
        )
        for pixel, value in portion:
            by_pixel.setdefault(pixel, []).append(value)
    pixels, values = means.mean(0)
    assert dict(zip(pixels.tolist(), values.tolist(), strict=True)) == {
        pixel: sum(listed) / len(listed) for pixel, listed in by_pixel.items()
    }
