"""What is the matter with each pixel, and what the mask says of it when it is filled."""

from __future__ import annotations

import numpy as np

from cellcoadd.kernels.pixel_flags import find_holes, flag_pixels, mark_holes

SAT, CR, NO_DATA, INTRP, UNEXPLAINED = 2, 8, 256, 16, 1 + 64


def test_each_kind_of_pixel_by_hand() -> None:
    """Good, flagged, invalid, both, without data, and flagged with a plane that harms nothing."""
    image = np.array([[1.0, 1.0, np.nan, np.inf, np.nan, 1.0, 1.0]], np.float32)
    variance = np.array([[1.0, 1.0, 1.0, 1.0, np.inf, 1.0, 0.0]], np.float32)
    mask = np.array([[0, SAT, 0, CR, NO_DATA, 4, 0]], np.int32)
    invalid, bad = np.empty(mask.shape, np.bool_), np.empty(mask.shape, np.uint16)
    planes = np.array([SAT, CR], np.int32)
    count = flag_pixels(image, variance, mask, planes, True, invalid, bad)
    assert count == 4
    assert invalid.tolist() == [[False, False, True, True, True, False, True]]
    assert bad.tolist() == [[0, 1 + 2, 1, 1 + 4, 1, 0, 1]]

    holes = np.empty(mask.shape, np.bool_)
    find_holes(mask, invalid, bad, NO_DATA, holes)
    assert holes.tolist() == [[False, True, True, True, True, False, True]]

    out = np.empty_like(mask)
    none, all_outside = np.zeros(mask.shape, np.bool_), holes.copy()
    mark_holes(mask, holes, invalid, bad, none, NO_DATA, INTRP, UNEXPLAINED, out)
    unexplained = INTRP | UNEXPLAINED
    assert out.tolist() == [[0, SAT | INTRP, unexplained, CR | INTRP, NO_DATA, 4, unexplained]]
    mark_holes(mask, holes, invalid, bad, all_outside, NO_DATA, INTRP, UNEXPLAINED, out)
    unexplained = NO_DATA | UNEXPLAINED
    assert out.tolist() == [[0, SAT | NO_DATA, unexplained, CR | NO_DATA, NO_DATA, 4, unexplained]]


def test_without_interpolation_nothing_counts_as_masked_for_being_invalid() -> None:
    """Bit 0 stays 0; planes keep their bits."""
    image = np.array([[np.nan, 1.0]], np.float32)
    mask = np.array([[0, SAT]], np.int32)
    invalid, bad = np.empty(mask.shape, np.bool_), np.empty(mask.shape, np.uint16)
    flag_pixels(image, np.ones_like(image), mask, np.array([SAT], np.int32), False, invalid, bad)
    assert invalid.tolist() == [[True, False]]
    assert bad.tolist() == [[0, 2]]
