"""Warps beside those of the Rubin pipelines' own code, and what differs on purpose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lsst.images import MaskedImage

from cellcoadd.masks.planes import bits_of, mask_schema, plane_array
from cellcoadd.validation.agreement.reference_cases import (
    WarpCase,
    read_arrays,
    read_projection,
    read_warp_case,
)
from cellcoadd.validation.agreement.warps import compare_warp, find_footprint
from cellcoadd.warping.direct import make_direct_warp

type Find = Callable[[str], Path]

CASES = (
    "B1_tan_rotated",
    "B2_prewarp_interpolation",
    "B3_tan_sip_scale",
    "B4_two_detectors",
    "B5_noise",
    "B6_partial_coverage",
    "B7_decam_r_170522_005829",
    "B7_decam_r_180128_083845",
    "B7_decam_r_180314_055922",
)
WITH_ODD_PIXELS = ("B1_tan_rotated", "B2_prewarp_interpolation", "B3_tan_sip_scale", "B5_noise")
COMPARED = {
    "image",
    "variance",
    "mask, without INTRP",
    "NO_DATA",
    "masked fraction, areas removed",
    "number of good pixels",
    "positions (px)",
    "PSF of a warp, drawn at their positions (of the peak)",
    "PSF of a warp: area (relative)",
    "PSF of a warp: moments (of their mean)",
    "PSF moved by a fraction of a pixel, from the same image (of the peak)",
}


def read(find: Find, name: str) -> WarpCase:
    return read_warp_case(find(name) / name)


@pytest.mark.parametrize("name", CASES)
def test_warp_is_that_of_the_rubin_pipelines(reference_folder: Find, name: str) -> None:
    """The same kernel, positions, areas and masks, to the rounding of single precision."""
    agreements = compare_warp(read(reference_folder, name)).agreements
    assert {one.quantity for one in agreements} >= COMPARED
    assert [one for one in agreements if not one.holds] == []


@pytest.mark.parametrize("plane", ["image", "variance", "mask", "masked_fraction"])
def test_a_plane_that_is_slightly_off_is_noticed(reference_folder: Find, plane: str) -> None:
    """A comparison that nothing fails would be worth nothing: one pixel in 160 000 is enough."""
    case = read(reference_folder, "B6_partial_coverage")
    changed = case.expected[plane].copy()
    good = np.argwhere((case.expected["mask"] == 0) & (case.expected["image"] > 100.0))
    row, column = good[len(good) // 2]
    changed[row, column] += {"mask": 1, "masked_fraction": 1e-4}.get(plane, changed.max() * 1e-4)
    spoilt = dataclasses.replace(case, expected=case.expected | {plane: changed})
    failed = [one.quantity for one in compare_warp(spoilt).agreements if not one.holds]
    assert len(failed) == 1
    assert plane.split("_")[0] in failed[0]


def test_positions_that_are_off_are_noticed(reference_folder: Find) -> None:
    """A hundredth of a pixel moves stars by less than the eye sees, but not past this."""
    case = read(reference_folder, "B6_partial_coverage")
    (image,) = case.images
    entry = dict(case.description["inputs"][0])
    entry["wcs_header_cards"] = [
        f"CRPIX1  = {float(card[10:].split('/')[0]) + 0.01:20.12f}".ljust(80)
        if card.startswith("CRPIX1")
        else card
        for card in entry["wcs_header_cards"]
    ]
    _, projection = read_projection(entry, visit=entry["visit"], detector=entry["detector"])
    planes = image.masked_image
    moved = MaskedImage(
        planes.image, mask=planes.mask, variance=planes.variance, sky_projection=projection
    )
    images = (dataclasses.replace(image, masked_image=moved),)
    agreements = compare_warp(dataclasses.replace(case, images=images)).agreements
    failed = {one.quantity for one in agreements if not one.holds}
    assert {"image", "positions (px)"} <= failed


@pytest.mark.parametrize("name", WITH_ODD_PIXELS)
def test_no_pixel_is_spoilt_in_silence(reference_folder: Find, name: str) -> None:
    """Theirs has holes of 6 x 6 px without a flag; ours says NO_DATA, or fills and says so."""
    case = read(reference_folder, name)
    result = make_direct_warp(case.images, case.patch, settings=case.settings)
    assert result is not None
    (image,) = case.images
    footprint = find_footprint(case, image)
    schema = mask_schema()
    no_data, both = bits_of(schema, ["NO_DATA"]), bits_of(schema, ["INTRP", "UNMASKEDNAN"])
    theirs = case.expected
    covered = (theirs["mask"] & no_data) == 0
    silent = covered & ~(np.isfinite(theirs["image"]) & np.isfinite(theirs["variance"]))
    assert silent.sum() > 200
    assert not np.any(silent & ~footprint.odd)

    warp = result.warp[case.patch.outer_bbox]
    mask = plane_array(warp.mask)
    finite = np.isfinite(warp.image.array) & np.isfinite(warp.variance.array)
    np.testing.assert_array_equal(finite, (mask & no_data) == 0)
    if case.settings.do_pre_warp_interpolation:
        np.testing.assert_array_equal(finite, covered)
        beside = footprint.odd_fraction & covered
        assert beside.any()
        assert np.all((mask[beside] & both) == both)
    else:
        np.testing.assert_array_equal(~finite[covered], footprint.odd[covered])


def test_noise_of_the_reference_is_drawn_from_its_seeds(shared: Path) -> None:
    """What is fed to our warping is theirs bit for bit, though only the seeds are kept here."""
    folder = shared / "reference" / "rubin" / "B5_noise"
    drawn = read_arrays(folder / "noise_inputs.npz")
    case = read_warp_case(folder)
    np.testing.assert_array_equal(case.noise[0], [drawn["d12_noise0"], drawn["d12_noise1"]])
    stated = case.description["noise_inputs"]["d12_noise0"]["median_variance"]
    assert case.noise_variance == (stated,)
