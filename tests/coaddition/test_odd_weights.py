"""An input that takes a coadd for itself is told by name."""

from __future__ import annotations

import logging

import pytest

from cellcoadd.coaddition.odd_weights import find_odd_weights
from cellcoadd.testing.images import make_coadd, make_warp, small_patch


def test_a_weight_that_rules_a_patch_is_told_by_name(caplog: pytest.LogCaptureFixture) -> None:
    """Pixels and variances that are small by one wrong factor agree with each other."""
    variances = {1: 4.0, 2: 5.0, 3: 4.0e-4, 4: 6.0}
    warps = [
        make_warp(small_patch(), visit=visit, mean_variances=(variance,))
        for visit, variance in variances.items()
    ]
    with caplog.at_level(logging.WARNING, logger="cellcoadd.coaddition.odd_weights"):
        coadd = make_coadd(*warps)
    (odd,) = find_odd_weights(coadd.inputs, coadd.contributions)
    assert odd.observation.visit == 3
    assert odd.weight == pytest.approx(2500.0)
    assert odd.median_of_others == pytest.approx(0.2)
    (line,) = (record.getMessage() for record in caplog.records)
    assert "visit 3 detector" in line
    assert "2.5e+03, 1.25e+04 times the median of the other inputs, 0.2" in line


def test_depths_that_surveys_have_are_not_told() -> None:
    """Exposures of some seconds and of some minutes; and one alone has nobody beside it."""
    patch = small_patch()
    deep, shallow = (
        make_warp(patch, visit=visit, mean_variances=(variance,))
        for visit, variance in enumerate((1.0, 99.0))
    )
    for warps in ((deep, shallow), (deep,)):
        coadd = make_coadd(*warps)
        assert not find_odd_weights(coadd.inputs, coadd.contributions)
