"""Empty HealSparse maps, and the resolutions that they can have."""

from __future__ import annotations

import numpy as np
import pytest

from cellcoadd.skymap.healsparse_maps import MAX_NSIDE, check_resolutions, empty_map


def test_an_empty_map_has_what_it_was_asked_for() -> None:
    """A fine index is meant here, so that healsparse's warning of it is no news: warnings fail."""
    made = empty_map(
        nside_sparse=8192, nside_coverage=256, dtype=np.float64, metadata={"UNIT": "mag"}
    )
    assert (made.nside_sparse, made.nside_coverage) == (8192, 256)
    assert made.dtype == np.float64
    assert made.n_valid == 0
    assert made.metadata == {"UNIT": "mag"}


@pytest.mark.parametrize("nside", [1, 2, 8192, MAX_NSIDE])
def test_powers_of_two_are_possible_to_the_end(nside: int) -> None:
    """The finest pixel has the number 12 * 4^29 - 1, which is less than 2^63."""
    check_resolutions(nside_sparse=nside, nside_coverage=nside)
    assert 12 * MAX_NSIDE**2 < 2**63 <= 12 * (2 * MAX_NSIDE) ** 2


@pytest.mark.parametrize(
    ("nside_sparse", "nside_coverage", "message"),
    [
        (8191, 256, r"nside_sparse must be a power of two in 1\.\.2\^29, got 8191"),
        (2 * MAX_NSIDE, 256, "nside_sparse must be a power of two"),
        (8192, 0, r"nside_coverage must be a power of two in 1\.\.2\^29, got 0"),
        (8192, -4, "nside_coverage must be a power of two"),
        (128, 256, "nside_sparse = 128 must not be less than nside_coverage = 256"),
    ],
)
def test_other_resolutions_are_refused(
    nside_sparse: int, nside_coverage: int, message: str
) -> None:
    """healsparse itself fails on them late and in its own words, or not at all."""
    with pytest.raises(ValueError, match=message):
        check_resolutions(nside_sparse=nside_sparse, nside_coverage=nside_coverage)
    with pytest.raises(ValueError, match=message):
        empty_map(nside_sparse=nside_sparse, nside_coverage=nside_coverage, dtype=np.float64)
