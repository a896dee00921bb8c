"""Groups of pixels, held against scipy's on whole planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st
from scipy import ndimage

from cellcoadd.comparison.footprints import Footprints, find_footprints, grown, touching

SQUARE = np.ones((3, 3), np.bool_)
planes = numpy_st.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@settings(deadline=None)
@given(plane=planes, grow=st.integers(0, 2))
def test_footprints_are_those_of_whole_planes(plane: np.ndarray, grow: int) -> None:
    """Small groups go, the others grow to all sides, and those that touch then are one."""
    labels, count = ndimage.label(plane, SQUARE)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = (sizes >= 3)[labels] & plane
    wider = ndimage.binary_dilation(large, SQUARE, iterations=grow) if grow else large
    expected, number = ndimage.label(wider, SQUARE)
    shape = (plane.shape[0], plane.shape[1])
    made = find_footprints(np.flatnonzero(plane), shape=shape, least=3, grow=grow)
    assert made.count == number
    again = np.zeros(plane.size, np.int64)
    again[made.pixels] = made.labels + 1
    np.testing.assert_array_equal(again.reshape(shape), expected)


@settings(deadline=None)
@given(plane=planes, by=st.integers(0, 3))
def test_growth_ends_at_the_edges(plane: np.ndarray, by: int) -> None:
    """Nothing comes in again on the other side of the plane."""
    shape = (plane.shape[0], plane.shape[1])
    expected = ndimage.maximum_filter(plane, 2 * by + 1, mode="constant")
    np.testing.assert_array_equal(
        grown(np.flatnonzero(plane), shape=shape, by=by), np.flatnonzero(expected)
    )


def test_ends_of_rows_do_not_touch() -> None:
    """The last pixel of a row and the first of the next one are neighbours in memory only."""
    labels, count = touching(np.array([4, 5]), shape=(3, 5))
    assert count == 2
    np.testing.assert_array_equal(labels, [0, 1])


def test_some_of_the_footprints() -> None:
    """Their pixels keep their order, their numbers close up."""
    three = Footprints(pixels=np.array([0, 3, 4, 8, 9]), labels=np.array([0, 1, 1, 2, 1]), count=3)
    chosen = three.those(np.array([False, True, True]))
    assert chosen.count == 2
    np.testing.assert_array_equal(chosen.pixels, [3, 4, 8, 9])
    np.testing.assert_array_equal(chosen.labels, [0, 0, 1, 0])
    assert three.means(np.array([1, 1, 0, 1, 1])) == pytest.approx([1.0, 2.0 / 3.0, 1.0])
