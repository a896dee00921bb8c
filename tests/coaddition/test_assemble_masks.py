"""What masks, defects and gaps of the inputs do to the cells of a coadd."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box, Mask

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.masks.planes import ALL_PLANES, bits_of, mask_schema, plane_array
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

PATCH = small_patch()
SHAPE = tuple(PATCH.outer_bbox.shape)
MIDDLE = Index2D(x=2, y=2)
SCHEMA = mask_schema()
_Bools = npt.NDArray[np.bool_]


def at(*places: tuple[slice | int, slice | int]) -> _Bools:
    """Pixels of the patch."""
    where = np.zeros(SHAPE, np.bool_)
    for place in places:
        where[place] = True
    return where


def middle(coadd: MultipleCellCoadd) -> Any:
    return coadd.cells[MIDDLE].outer


def test_bad_pixels_are_left_out_and_leave_their_marks() -> None:
    """By plane: what the coadd's mask says where one of three inputs was left out.

    SAT is above its threshold of a tenth of the weight; BAD has none, so only REJECTED tells.
    """
    expected = {
        "BAD": {"REJECTED", "INEXACT_PSF"},
        "SAT": {"SAT", "REJECTED", "INEXACT_PSF"},
        "NO_DATA": {"INEXACT_PSF"},
        "CLIPPED": {"CLIPPED", "INEXACT_PSF"},
        "CR": {"CR"},
        "EDGE": set(),
        "NOT_DEBLENDED": set(),
        "INTRP": {"INTRP"},
        "STREAK": {"STREAK"},
    }
    spot = at((55, 55))
    for plane, marks in expected.items():
        warps = [
            make_warp(
                PATCH, visit=n, pixels=np.where(spot & (n == 1), 100.0, 1.0),
                flags={plane: spot} if n == 1 else {},
            )
            for n in range(3)
        ]  # fmt: skip
        here = middle(make_coadd(*warps))[Box.factory[154 + 55 : 154 + 56, 154 + 55 : 154 + 56]]
        found = {p.name for p in here.mask.schema if p is not None and here.mask.get(p.name)[0, 0]}
        assert found == marks, plane
        left_out = "INEXACT_PSF" in marks
        assert here.image.array[0, 0] == pytest.approx(1.0 if left_out else 34.0)
        assert here.variance.array[0, 0] == pytest.approx(1 / 2 if left_out else 1 / 3)


def test_saturation_is_propagated_by_its_part_of_the_weight() -> None:
    """One of 9 equal inputs is above a tenth, one of 11 below, and with a threshold of 1 never."""
    spot = at((55, 55))
    for n_inputs, threshold, expected in ((9, 0.1, True), (11, 0.1, False), (1, 1.0, False)):
        warps = [
            make_warp(PATCH, visit=n, flags={"SAT": spot} if n == 0 else {})
            for n in range(n_inputs)
        ]
        coadd = make_coadd(*warps, mask_propagation_thresholds={"SAT": threshold})
        sat = middle(coadd).mask.get("SAT")
        assert sat.any() == expected
        assert middle(coadd).mask.get("REJECTED").sum() == 1


def test_masked_fraction_counts_what_was_left_out() -> None:
    """In all planes together, and in the plane that is the cause; with half the weight: 1/2."""
    spot, gone = at((55, 55)), at((57, 57))
    names = {ALL_PLANES: 0.0, "BAD": 0.0, "SAT": 0.0}
    coadd = make_coadd(
        make_warp(PATCH, visit=1, flags={"BAD": spot, "NO_DATA": gone}, mask_fractions=names),
        make_warp(PATCH, visit=2, mask_fractions=names),
    )
    start = PATCH.grid.outer_bbox_of(MIDDLE).start
    spot_at, gone_at = ((154 + row - start.y, 154 + row - start.x) for row in (55, 57))
    fractions = {name: plane.array for name, plane in middle(coadd).mask_fractions.items()}
    assert {name: plane[spot_at] for name, plane in fractions.items()} == {
        ALL_PLANES: 0.5, "BAD": 0.5, "SAT": 0.0,
    }  # fmt: skip
    assert {name: plane[gone_at] for name, plane in fractions.items()} == {
        ALL_PLANES: 0.5, "BAD": 0.0, "SAT": 0.0,
    }  # fmt: skip
    assert sum(plane.sum() for plane in fractions.values()) == 1.5


def heavily_masked(visit: int, level: float) -> Any:
    return make_warp(
        PATCH, visit=visit, pixels=level, flags={"BAD": at((slice(48, 66), slice(46, 60)))}
    )


@pytest.mark.parametrize("order", list(itertools.permutations((1.0, 2.0, 3.0))))
def test_heavily_masked_inputs_count_only_if_there_are_no_others(order: tuple[float, ...]) -> None:
    """Whatever visit comes first. Of 20 x 20 pixels 18 x 14 are bad, 63 %."""
    good = {3.0}
    warps = [
        make_warp(PATCH, visit=n, pixels=level) if level in good else heavily_masked(n, level)
        for n, level in enumerate(order)
    ]
    coadd = make_coadd(*warps)
    np.testing.assert_allclose(middle(coadd).image.array, 3.0)
    assert coadd.cells[MIDDLE].visit_count == 1
    reasons = coadd.cells[MIDDLE].contributions["reason"]
    assert [RefusalReason(r) for r in reasons] == [
        RefusalReason.ACCEPTED if level in good else RefusalReason.MASKED for level in order
    ]
    # Its left neighbour has the defect in its border only, so all three are used.
    assert coadd.cells[Index2D(x=0, y=2)].visit_count == 3


def test_heavily_masked_inputs_are_better_than_none() -> None:
    """They are used, and on record as accepted."""
    coadd = make_coadd(heavily_masked(1, 1.0), heavily_masked(2, 3.0))
    good = ~middle(coadd).mask.get("NO_DATA")
    np.testing.assert_allclose(middle(coadd).image.array[good], 2.0)
    assert np.sum(~good) == 18 * 14
    assert [entry.visit for entry in coadd.cells[MIDDLE].inputs] == [1, 2]
    again = make_coadd(
        heavily_masked(1, 1.0), make_warp(PATCH, visit=2, pixels=5.0), max_maskfrac=0.7
    )
    assert again.cells[MIDDLE].visit_count == 2


def test_a_good_input_beside_the_centre_does_not_end_the_fallback() -> None:
    """It is not used, so that without the fallback the cell would be empty; others do just that.

    Of the middle cell's inner columns, 46 to 65, detector 0 has 17, the centre at 56 included, and
    detector 1 three.
    """
    owner = np.zeros(SHAPE, int)
    owner[:, 63:] = 1
    bad = at((slice(None), slice(46, 60)))
    two = make_warp(
        PATCH, pixels=np.where(owner == 0, 1.0, 5.0), owner=owner, flags={"BAD": bad},
        mean_variances=(1.0, 1.0),
    )  # fmt: skip
    cell = make_coadd(two, min_overlap_fraction=0.0).cells[MIDDLE]
    assert [(entry.visit, entry.detector) for entry in cell.inputs] == [(1, 0)]
    reasons = [RefusalReason(reason) for reason in cell.contributions["reason"]]
    assert reasons == [RefusalReason.ACCEPTED, RefusalReason.CENTER]
    fractions = cell.contributions["unmasked_fraction"].tolist()
    assert fractions == [3 / 17, 1.0]
    assert np.isfinite(cell.outer.variance.array[:, 20:23]).all()


def clipped_at(spot: _Bools, bbox: Box = PATCH.outer_bbox) -> Mask:
    mask = Mask(0, schema=SCHEMA, bbox=bbox)
    plane_array(mask)[spot] = bits_of(SCHEMA, ["CLIPPED"])
    return mask


def test_artifact_masks_clip_where_the_settings_say_so() -> None:
    """A satellite over one of two visits."""
    trail = at((55, slice(None)))
    pixels = np.where(trail, 1000.0, 1.0)
    visits = [
        VisitOnPatch(
            warp=make_warp(PATCH, visit=1, pixels=pixels), artifact_mask=clipped_at(trail)
        ),
        VisitOnPatch(warp=make_warp(PATCH, visit=2), artifact_mask=clipped_at(at())),
    ]
    clean = middle(make_coadd(*visits, do_use_artifact_mask=True))
    np.testing.assert_allclose(clean.image.array, 1.0)
    for plane in ("CLIPPED", "INEXACT_PSF"):
        assert clean.mask.get(plane).sum() == 32
    assert not clean.mask.get("REJECTED").any()
    dirty = middle(make_coadd(*visits))
    assert dirty.image.array.max() == 500.5
    assert not dirty.mask.array.any()


def test_artifact_masks_clip_the_noise_as_well() -> None:
    """A noise realization tells of the image's noise only if the same inputs are in it."""
    trail = at((55, slice(None)))
    visits = []
    for number, level in ((1, 8.0), (2, 2.0)):
        warp = make_warp(PATCH, visit=number, pixels=level)
        clipped = clipped_at(trail if number == 1 else at())
        visits.append(VisitOnPatch(warp=warp, noise=[warp.masked_image], artifact_mask=clipped))
    settings = {"do_use_artifact_mask": True, "num_noise_realizations": 1}
    cell = middle(make_coadd(*visits, **settings))
    expected = np.full((32, 32), 5.0)
    expected[55 - 40] = 2.0
    np.testing.assert_array_equal(cell.noise_realizations[0].array, expected)
    np.testing.assert_array_equal(cell.image.array, expected)


def test_artifact_masks_may_cover_a_part() -> None:
    """Elsewhere nothing is clipped."""
    part = Box.factory[200:210, 100:300]
    mask = clipped_at(np.ones((10, 200), np.bool_), part)
    coadd = make_coadd(
        VisitOnPatch(warp=make_warp(PATCH, visit=1), artifact_mask=mask),
        make_warp(PATCH, visit=2),
        do_use_artifact_mask=True,
    )
    assert middle(coadd).mask.get("CLIPPED").sum() == 10 * 32


def test_a_visit_without_a_required_artifact_mask_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Named in the log; without any visit there is no coadd."""
    bare, full = (
        VisitOnPatch(warp=make_warp(PATCH, visit=1)),
        VisitOnPatch(warp=make_warp(PATCH, visit=2), artifact_mask=clipped_at(at())),
    )
    settings = {"do_use_artifact_mask": True, "require_artifact_mask": True}
    coadd = make_coadd(bare, full, **settings)
    assert [entry.observation.visit for entry in coadd.inputs] == [2]
    assert "visit 1 has no artifact mask" in caplog.text
    assert assemble_cell_coadd([bare], PATCH, settings=CoaddSettings(**settings)) is None  # type: ignore[arg-type]
    assert len(make_coadd(bare, full, do_use_artifact_mask=True).inputs) == 2


def test_pixels_of_another_detector_are_left_out_of_a_cell() -> None:
    """With a least overlap of half, the rest of the region is its neighbour's, with another PSF."""
    owner = np.zeros(SHAPE, int)
    owner[:, 60:] = 1
    pixels = np.where(owner == 0, 1.0, 5.0)
    coadd = make_coadd(
        make_warp(PATCH, owner=owner, pixels=pixels, mean_variances=(1.0, 1.0)),
        min_overlap_fraction=0.5, do_interpolate_coadd=False,
    )  # fmt: skip
    cell = middle(coadd)
    np.testing.assert_array_equal(cell.image.array[:, :20], 1.0)
    assert np.isnan(cell.image.array[:, 20:]).all()
    assert cell.mask.get("NO_DATA")[:, 20:].all()
    assert cell.mask.get("INEXACT_PSF")[:, 20:].all()


def test_a_warp_smaller_than_a_cell_pads_it() -> None:
    """Beyond the warp's box there are no data."""
    bbox = Box.factory[154:266, 154 : 154 + 62]
    coadd = make_coadd(
        make_warp(PATCH, bbox=bbox, pixels=1.0), min_overlap_fraction=0.5,
        do_interpolate_coadd=False,
    )  # fmt: skip
    cell = middle(coadd)
    np.testing.assert_array_equal(cell.image.array[:, :22], 1.0)
    assert np.isnan(cell.image.array[:, 22:]).all()


def test_filling_marks_and_uses_the_neighbours() -> None:
    """A constant sky is filled with itself; the mask says that it is made up."""
    hole = at((slice(None), slice(55, 58)))
    cell = middle(make_coadd(make_warp(PATCH, pixels=7.0, flags={"NO_DATA": hole})))
    np.testing.assert_allclose(cell.image.array, 7.0, rtol=1e-6)
    for plane in ("NO_DATA", "INTRP", "INEXACT_PSF"):
        assert cell.mask.get(plane).sum() == 3 * 32
    assert np.isinf(cell.variance.array).sum() == 3 * 32


def test_a_cell_without_a_single_good_pixel_is_empty_of_values() -> None:
    """Image 0, no data, no claim of precision."""
    everything = np.ones(SHAPE, np.bool_)
    cell = middle(make_coadd(make_warp(PATCH, pixels=7.0, flags={"BAD": everything})))
    np.testing.assert_array_equal(cell.image.array, 0.0)
    assert np.isinf(cell.variance.array).all()
    assert cell.mask.get("NO_DATA").all()


def test_planes_of_a_survey_can_be_left_out() -> None:
    """One of two visits has a dip of its detector's kind at a pixel, under the survey's own name.

    The other visit does not know the plane, and its bits mean something else; the coadd knows it
    because the settings speak of it.
    """
    spot = at((55, 55))
    dipped = make_warp(
        PATCH, visit=1, pixels=np.where(spot, 100.0, 1.0), flags={"ITL_DIP": spot, "AAA": ~spot}
    )
    clean = make_warp(PATCH, visit=2, flags={"ZZZ": ~spot})
    outer = middle(make_coadd(dipped, clean, bad_mask_planes=("BAD", "NO_DATA", "SAT", "ITL_DIP")))
    assert np.all(outer.image.array == 1.0)
    place = spot[outer.bbox.slice_within(PATCH.outer_bbox).y, :]
    place = place[:, outer.bbox.slice_within(PATCH.outer_bbox).x]
    assert np.array_equal(outer.mask.get("REJECTED"), place)
    assert np.array_equal(outer.mask.get("INEXACT_PSF"), place)
    assert "ZZZ" not in outer.mask.schema


def test_names_of_dp2_mean_ours() -> None:
    """SATURATED in the settings is SAT in the masks."""
    spot = at((55, 55))
    warps = [make_warp(PATCH, visit=n, flags={"SAT": spot & (n == 1)}) for n in (1, 2)]
    settings = {"bad_mask_planes": ("BAD", "NO_DATA", "SATURATED")}
    thresholds = {"mask_propagation_thresholds": {"SATURATED": 0.1}}
    ours = middle(make_coadd(*warps, bad_mask_planes=("BAD", "NO_DATA", "SAT")))
    theirs = middle(make_coadd(*warps, **settings, **thresholds))
    assert np.array_equal(ours.mask.array, theirs.mask.array)
    assert ours.mask.get("SAT").sum() == 1


def test_a_plane_that_no_warp_has_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt plane leaves nothing out; whoever meant another one must be told."""
    make_coadd(make_warp(PATCH), bad_mask_planes=("BAD", "NO_DATA", "SAT", "BED"))
    assert "No pixel is left out for ['BED']" in caplog.text


def test_every_plane_that_is_left_out_for_a_defect_marks_rejected() -> None:
    """With CR among the bad planes a hit of a cosmic ray is REJECTED like a bad pixel."""
    spot = at((55, 55))
    warps = [make_warp(PATCH, visit=n, flags={"CR": spot & (n == 1)}) for n in (1, 2)]
    outer = middle(make_coadd(*warps, bad_mask_planes=("BAD", "NO_DATA", "SAT", "CLIPPED", "CR")))
    assert outer.mask.get("REJECTED").sum() == 1
    assert np.array_equal(outer.mask.get("REJECTED"), outer.mask.get("INEXACT_PSF"))
