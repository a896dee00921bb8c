"""Masked fractions of cells: the names of their columns, and weighted means."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cellcoadd.analysis.mask_fractions import fraction_column, planes_of, weighted_means
from cellcoadd.products.cell_coadd.inputs import contribution_dtype


def test_columns_are_those_of_the_contributions() -> None:
    """One who asks for a plane and a region finds what coaddition recorded."""
    names = contribution_dtype(["BAD", "GLOW"]).names or ()
    for plane in ("all", "BAD", "GLOW"):
        assert fraction_column(plane) in names
        assert fraction_column(plane, "inner") in names
    assert fraction_column() == "masked_fraction"
    assert fraction_column("SAT", "inner") == "masked_fraction_SAT_inner"
    with pytest.raises(ValueError, match="'outer' or 'inner', got 'all'"):
        fraction_column("SAT", "all")  # type: ignore[arg-type]


@pytest.mark.parametrize("planes", [[], ["BAD"], ["SAT", "BAD", "CR"], ["OF_inner"]])
def test_planes_are_found_in_the_names_of_the_columns(planes: list[str]) -> None:
    """In their order, whatever they are called; all planes together are none of them."""
    assert planes_of(contribution_dtype(planes).names or ()) == tuple(planes)


def test_weighted_means_by_hand() -> None:
    """(1 * 0.2 + 3 * 0.4) / 4 = 0.35; one member; an unknown one; none."""
    found = weighted_means(
        np.array([0.7, 0.2, 0.4, 0.1, math.nan]),
        weights=np.array([5.0, 1.0, 3.0, 1.0, 1.0]),
        groups=np.array([1, 0, 0, 2, 2]),
        count=4,
    )
    np.testing.assert_allclose(found, [0.35, 0.7, math.nan, math.nan], rtol=1e-15)


def test_weights_that_are_scaled_change_nothing() -> None:
    """Only their ratios count: a power of two, to the last bit."""
    rng = np.random.default_rng(1)
    values, weights, groups = rng.random(50), rng.random(50), rng.integers(0, 5, 50)
    one, other = (
        weighted_means(values, weights=factor * weights, groups=groups, count=5)
        for factor in (1.0, 2.0**-30)
    )
    np.testing.assert_array_equal(one, other)
