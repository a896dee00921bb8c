"""Rows of zeros are left alone, all others are copied."""

from __future__ import annotations

import numpy as np

from cellcoadd.kernels.sparse_rows import copy_rows, has_any


def test_any_value_but_zero_counts() -> None:
    """At any place, with either sign, and NaN too, which says that nothing is known."""
    for value, expected in ((0.0, False), (-0.0, False), (1e-30, True), (-2.0, True)):
        for place in (0, 6):
            row = np.zeros(7, np.float32)
            row[place] = value
            assert has_any(row) is expected
    assert has_any(np.array([0.0, np.nan], np.float32))
    assert not has_any(np.zeros(0, np.float32))


def test_rows_of_zeros_are_not_written() -> None:
    """Where the source is 0 the target keeps what it had: nobody touches its memory."""
    source = np.zeros((2, 3, 4), np.float32)
    source[0, 1, 3] = 5.0
    source[1, 2] = np.nan
    target = np.full_like(source, -1.0)
    copy_rows(source, target)
    expected = np.full_like(source, -1.0)
    expected[0, 1] = source[0, 1]
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(target, expected)
