"""Weights of inputs from a variance plane."""

from __future__ import annotations

import json
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, Image, Mask, MaskedImage, MaskPlane, MaskSchema

from cellcoadd.coaddition.weights import compute_weight
from cellcoadd.kernels.clipped_mean import clipped_mean
from cellcoadd.masks.planes import bits_of, mask_schema, plane_array
from cellcoadd.testing.images import make_coadd, make_warp, small_patch


def test_clipped_mean_is_that_of_the_reference(shared: Path) -> None:
    """Six variance planes with NaN, inf, negative and constant values: to 1e-13."""
    folder = shared / "reference" / "rubin" / "D_statistics"
    description = json.loads((folder / "D2_weights.json").read_text())
    planes = np.load(folder / "D2_weights.npz")
    for case in description["cases"]:
        name = f"c{case['case']}"
        good = planes[f"{name}_mask"] & description["and_mask"] == 0
        variance = planes[f"{name}_variance"][good]
        mean = clipped_mean(variance)
        assert mean == pytest.approx(case["meanclip"], rel=1e-13)
        assert 1.0 / mean == pytest.approx(case["weight"], rel=1e-13)


def test_weight_is_that_of_the_reference(shared: Path) -> None:
    """The same with the mask as a mask."""
    folder = shared / "reference" / "rubin" / "D_statistics"
    description = json.loads((folder / "D2_weights.json").read_text())
    planes = np.load(folder / "D2_weights.npz")
    schema = mask_schema()
    for case in description["cases"]:
        variance = planes[f"c{case['case']}_variance"]
        theirs = planes[f"c{case['case']}_mask"]
        bbox = Box.from_shape(variance.shape)
        mask = Mask(0, schema=schema, bbox=bbox)
        for plane in description["bad_mask_planes"]:
            flagged = theirs & (1 << description["mask_planes"][plane]) != 0
            plane_array(mask)[flagged] |= bits_of(schema, [plane])
        image = MaskedImage(
            Image(0.0, bbox=bbox, dtype=np.float32), mask=mask, variance=Image(variance, bbox=bbox)
        )
        weight = compute_weight(image, bad=description["bad_mask_planes"])
        assert weight == pytest.approx(case["weight"], rel=1e-13)


def test_outliers_are_clipped() -> None:
    """Worked out by hand: 99 values around 10 and one of 1000."""
    values = np.append(np.linspace(9.0, 11.0, 99), 1000.0)
    assert clipped_mean(values) == pytest.approx(10.0, abs=1e-12)
    # Quartiles 3 and 14.75: within 3 * 0.7413 * 11.75 = 26 of the median 3.
    assert clipped_mean([3.0, 3.0, 3.0, 50.0]) == 3.0
    assert clipped_mean(np.full(100, 7.0)) == 7.0
    assert clipped_mean([5.0]) == 5.0
    assert np.isnan(clipped_mean([]))
    assert np.isnan(clipped_mean([np.nan, np.inf]))


@settings(deadline=None, max_examples=40)
@given(scale=st.floats(1e-3, 1e6), seed=st.integers(0, 1000))
def test_weight_goes_with_the_inverse_of_the_variance(scale: float, seed: int) -> None:
    """Twice the variance, half the weight."""
    values = np.random.default_rng(seed).gamma(30.0, 1.0, 500)
    assert clipped_mean(scale * values) == pytest.approx(scale * clipped_mean(values), rel=1e-9)


def test_weight_ignores_bad_pixels() -> None:
    """They have no variance worth the name; an image of nothing else has no weight."""
    patch = small_patch()
    shape = tuple(patch.outer_bbox.shape)
    bad = np.zeros(shape, np.bool_)
    bad[:, :50] = True
    warp = make_warp(patch, variance=np.where(bad, 100.0, 4.0), flags={"SAT": bad})
    assert compute_weight(warp.masked_image) == 0.25
    assert compute_weight(warp.masked_image, bad=()) < 0.25
    assert (
        compute_weight(make_warp(patch, flags={"SAT": np.ones(shape, np.bool_)}).masked_image)
        == 0.0
    )


@pytest.mark.parametrize("saturated", ["SAT", "SATURATED"])
def test_weight_of_an_image_of_rubin(saturated: str) -> None:
    """Its mask has several bytes a pixel, and the planes the names of DP2 or those before."""
    bbox = Box.factory[10:30, 5:45]
    planes = [None] * 9 + [MaskPlane("NO_DATA", ""), MaskPlane(saturated, ""), MaskPlane("CR", "")]
    mask = Mask(0, schema=MaskSchema(planes, dtype=np.uint8), bbox=bbox)
    assert mask.array.shape[2] == 2
    bad = np.zeros((20, 40), np.bool_)
    bad[:, :15] = True
    mask.set(saturated, bad)
    mask.set("CR", ~bad)
    image = MaskedImage(
        Image(0.0, bbox=bbox, dtype=np.float32, unit=u.nJy),
        mask=mask,
        variance=Image(np.where(bad, 100.0, 4.0), bbox=bbox, unit=u.nJy**2),
    )
    assert compute_weight(image) == 0.25
    assert compute_weight(image, bad=[saturated, "COSMIC_RAY"]) == 0.0


def test_weight_of_a_stitched_coadd_is_that_of_its_cells() -> None:
    """The same pixels under other names: two warps of variance 4 make one of 2."""
    patch = small_patch()
    bad = np.zeros(tuple(patch.outer_bbox.shape), np.bool_)
    bad[:, 40:60] = True
    warps = [make_warp(patch, visit=n, variance=4.0, flags={"SAT": bad}) for n in (1, 2)]
    coadd = make_coadd(*warps)
    stitched = coadd.stitch()
    assert "SATURATED" in stitched.mask.schema
    assert compute_weight(stitched) == pytest.approx(0.5, rel=1e-6)
    inner = next(iter(coadd.cells.values())).inner
    assert compute_weight(inner) == pytest.approx(0.5, rel=1e-6)
