"""Warps added up to cells."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box, Image, Mask, MaskedImage

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.masks.planes import ALL_PLANES, bits_of, mask_schema, plane_array
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.products.warp import NO_OWNER
from cellcoadd.testing.images import make_coadd, make_detector, make_warp, small_patch
from cellcoadd.testing.slow_assembly import assemble_slowly
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

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


def same_pixels(a: MultipleCellCoadd, b: MultipleCellCoadd) -> bool:
    planes = [
        (getattr(a.stack, name), getattr(b.stack, name))
        for name in ("image", "variance", "mask", "noise", "psf")
    ]
    planes += [
        (a.stack.mask_fractions[k], b.stack.mask_fractions[k]) for k in a.stack.mask_fractions
    ]
    return a.stack.indices == b.stack.indices and all(x.tobytes() == y.tobytes() for x, y in planes)


@pytest.fixture(scope="module")
def visits() -> list[VisitOnPatch]:
    """Five visits with everything: noise, defects, NaN, a gap, a visit that is mostly bad."""
    result = []
    for visit in range(1, 6):
        rng = np.random.default_rng(visit)
        images = []
        for number, shift in enumerate((-48, 48) if visit == 3 else (0,)):
            shape = (190, 95 if visit == 3 else 190)
            draw = rng.random(shape)
            pixels = rng.normal(10.0 + visit, 2.0, shape)
            pixels[draw < 0.002] = np.nan
            bad = np.zeros(shape, np.bool_)
            if visit == 5:
                bad[:, :120] = True
            images.append(
                make_detector(
                    PATCH, x=209.5 + shift, width=shape[1], height=shape[0], rotation=15.0 * visit,
                    pixels=pixels, variance=rng.uniform(3, 5, shape) * visit, visit=visit,
                    detector=number, nanojansky_per_count=1.0 + 0.1 * visit,
                    flags={
                        "SAT": draw > 0.99, "CR": (draw > 0.5) & (draw < 0.51),
                        "EDGE": draw > 0.9, "ZEBRA": draw < 0.5,
                        "BAD": bad | ((draw > 0.6) & (draw < 0.604)),
                    },
                )
            )  # fmt: skip
        made = make_direct_warp(
            images,
            PATCH,
            settings=WarpSettings(number_of_noise_realizations=2, do_pre_warp_interpolation=True),
        )
        assert made is not None
        result.append(VisitOnPatch(warp=made.warp, noise=made.noise))
    return result


@pytest.mark.parametrize("from_variance", [True, False])
def test_cells_are_those_of_the_slow_twin(visits: list[VisitOnPatch], from_variance: bool) -> None:
    """Sums in single steps beside whole arrays, both in double precision: to float32 rounding."""
    coadd = make_coadd(
        *visits, do_interpolate_coadd=False, num_noise_realizations=2,
        calc_error_from_input_variance=from_variance,
    )  # fmt: skip
    compared = 0
    for index in PATCH.grid:
        slow = assemble_slowly(visits, PATCH, index, error_from_scatter=not from_variance)
        if slow is None:
            assert index not in coadd.cells
            continue
        cell = coadd.cells[index]
        assert [(entry.visit, entry.detector) for entry in cell.inputs] == slow.inputs
        outer = cell.outer
        np.testing.assert_allclose(outer.image.array, slow.image, rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(outer.variance.array, slow.variance, rtol=2e-6)
        np.testing.assert_array_equal(plane_array(outer.mask), slow.mask)
        for ours, theirs in zip(outer.noise_realizations, slow.noise, strict=True):
            np.testing.assert_allclose(ours.array, theirs, rtol=2e-6, atol=2e-6)
        assert list(outer.mask_fractions) == list(slow.fractions)
        for name, plane in slow.fractions.items():
            np.testing.assert_allclose(outer.mask_fractions[name].array, plane, atol=2e-7)
        np.testing.assert_allclose(cell.psf_image.array, slow.psf, atol=2e-7 * slow.psf.max())
        compared += len(slow.inputs)
    assert compared > 70
    assert len({len(cell.inputs) for cell in coadd.cells.values()}) > 1


def test_wherever_there_are_no_data_the_planes_say_so(visits: list[VisitOnPatch]) -> None:
    """Filled or not: NO_DATA and an infinite variance; never a NaN but in what is not filled."""
    one = [visits[0]]
    for fill in (True, False):
        stack = make_coadd(*one, do_interpolate_coadd=fill, num_noise_realizations=2).stack
        lost = stack.mask & bits_of(SCHEMA, ["NO_DATA"]) != 0
        assert lost.any()
        np.testing.assert_array_equal(np.isinf(stack.variance), lost)
        np.testing.assert_array_equal(np.isnan(stack.image), lost & (not fill))
        for noise in stack.noise:
            np.testing.assert_array_equal(np.isnan(noise), lost & (not fill))
        if fill:
            assert np.all(stack.mask[lost] & bits_of(SCHEMA, ["INTRP"]))
        assert np.all(stack.mask[lost] & bits_of(SCHEMA, ["INEXACT_PSF"]))


def test_sums_worked_out_by_hand() -> None:
    """Weights 1/2 and 1/4: (1/2 * 3 + 1/4 * 9) / (3/4) = 5 and (1/4 * 2 + 1/16 * 4) / (9/16)."""
    coadd = make_coadd(
        make_warp(PATCH, visit=1, pixels=3.0, variance=2.0, mean_variances=(2.0,),
                  mask_fractions={ALL_PLANES: 0.5}),
        make_warp(PATCH, visit=2, pixels=9.0, variance=4.0, mean_variances=(4.0,),
                  mask_fractions={ALL_PLANES: 0.2}, psf_sigma=2.0),
    )  # fmt: skip
    assert len(coadd.cells) == 25
    for cell in coadd.cells.values():
        outer = cell.outer
        np.testing.assert_allclose(outer.image.array, 5.0, rtol=1e-6)
        np.testing.assert_allclose(outer.variance.array, 4.0 / 3.0, rtol=1e-6)
        np.testing.assert_allclose(outer.mask_fractions[ALL_PLANES].array, 0.4, rtol=1e-6)
        assert not outer.mask.array.any()
        assert cell.visit_count == 2
        peak = cell.psf_image.array[17, 17]
        peaks = [1 / (2 * np.pi * sigma**2) for sigma in (1.5, 2.0)]
        assert peak == pytest.approx((2 * peaks[0] + peaks[1]) / 3, rel=1e-3)
        weights = cell.contributions["weight"]
        assert weights.tolist() == [0.5, 0.25]


def test_error_from_scatter_is_that_of_a_mean() -> None:
    """Equal weights: the sample variance over n. Of 1, 2, 6 that is 7 / 3."""
    levels = (1.0, 2.0, 6.0)
    warps = [make_warp(PATCH, visit=n, pixels=level) for n, level in enumerate(levels)]
    cell = middle(make_coadd(*warps, calc_error_from_input_variance=False))
    np.testing.assert_allclose(cell.variance.array, np.var(levels, ddof=1) / 3, rtol=1e-6)
    alone = middle(make_coadd(warps[0], calc_error_from_input_variance=False))
    np.testing.assert_array_equal(alone.variance.array, np.inf)


def test_scatter_of_a_bright_level_keeps_its_digits() -> None:
    """Sums of squares would have lost them: 1e6 +- 1 in double precision leaves 1e-4."""
    warps = [make_warp(PATCH, visit=n, pixels=1e6 + (-1) ** n) for n in range(4)]
    cell = middle(make_coadd(*warps, calc_error_from_input_variance=False))
    np.testing.assert_allclose(cell.variance.array, (4 / 3) / 4, rtol=1e-6)


def test_weights_from_the_warps_are_those_of_their_variance() -> None:
    """Whatever the detectors' stated mean variance."""
    warps = [
        make_warp(PATCH, visit=n, pixels=level, variance=variance, mean_variances=(77.0,))
        for n, (level, variance) in enumerate(((3.0, 2.0), (9.0, 4.0)))
    ]
    coadd = make_coadd(*warps, do_calculate_weight_from_warp=True)
    np.testing.assert_allclose(middle(coadd).image.array, 5.0, rtol=1e-6)
    assert coadd.cells[MIDDLE].contributions["weight"].tolist() == [0.5, 0.25]


def test_psf_is_cut_or_padded_to_the_size_asked_for() -> None:
    """About its middle pixel."""
    warp = make_warp(PATCH)
    own = warp.psf[MIDDLE].array
    for size in (1, 9, 15, 41):
        psf = make_coadd(warp, psf_dimensions=size).psf[MIDDLE].array
        assert psf.shape == (size, size)
        half = min(size, 15) // 2
        inside = psf[size // 2 - half :, size // 2 - half :][: 2 * half + 1, : 2 * half + 1]
        np.testing.assert_allclose(inside, own[7 - half : 8 + half, 7 - half : 8 + half], rtol=1e-6)
        assert psf.sum() == pytest.approx(inside.sum())


def test_a_psf_that_does_not_sum_to_one_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Wings were cut off: the message says what to change."""
    stack = "cellcoadd.coaddition.stack"
    with caplog.at_level(logging.WARNING, logger=stack):
        make_coadd(make_warp(PATCH, psf_sigma=2.0), psf_dimensions=7)
        (message,) = (record.getMessage() for record in caplog.records if record.name == stack)
        assert "psf_dimensions (now 7)" in message
        assert "-c assembleCellCoadd:psf_dimensions=35, or --psf-size 35" in message
        assert "25 of 25 cells" in message
        caplog.clear()
        make_coadd(make_warp(PATCH))
    assert [record for record in caplog.records if record.name == stack] == []


def test_every_input_that_touches_is_on_record() -> None:
    """With the reason and the shape of its PSF; sorted by cell, then input."""
    owner = np.full(SHAPE, NO_OWNER)
    owner[:, :60], owner[:, 60:80] = 0, 1
    coadd = make_coadd(
        make_warp(PATCH, visit=1, owner=owner, mean_variances=(2.0, 4.0)),
        make_warp(PATCH, visit=2, mean_variances=(1.0,), psf_sigma=2.0),
    )
    rows = coadd.contributions
    keys = list(zip(rows["cell_y"], rows["cell_x"], rows["input"], strict=True))
    assert keys == sorted(set(keys))
    assert [entry.observation.visit for entry in coadd.inputs] == [1, 1, 2]
    here = coadd.cells[MIDDLE].contributions
    assert [RefusalReason(row["reason"]) for row in here] == [
        RefusalReason.OVERLAP, RefusalReason.OVERLAP, RefusalReason.ACCEPTED,
    ]  # fmt: skip
    assert here["overlap_fraction"].tolist() == [20 / 32, 12 / 32, 1.0]
    assert here["overlaps_center"].tolist() == [True, False, True]
    assert here["weight"].tolist() == [0.5, 0.25, 1.0]
    assert here["psf_shape_flag"].tolist() == [False, True, False]
    np.testing.assert_allclose(here["psf_shape_xx"], [2.25, np.nan, 4.0], rtol=2e-3)
    np.testing.assert_allclose(here["psf_shape_xy"], [0.0, np.nan, 0.0], atol=1e-6)


def test_mean_masked_fractions_are_of_the_detector_own_pixels() -> None:
    """Over the outer region 8 of 32 columns, over the inner 4 of 20."""
    fraction = np.zeros(SHAPE)
    fraction[:, 62:70] = 1.0
    coadd = make_coadd(make_warp(PATCH, mask_fractions={ALL_PLANES: fraction, "BAD": fraction / 2}))
    (row,) = coadd.cells[MIDDLE].contributions
    assert row["masked_fraction"] == pytest.approx(8 / 32)
    assert row["masked_fraction_inner"] == pytest.approx(4 / 20)
    assert row["masked_fraction_BAD"] == pytest.approx(4 / 32)
    assert row["masked_fraction_BAD_inner"] == pytest.approx(2 / 20)


def test_no_cell_no_coadd() -> None:
    """No warp, and none that covers a cell."""
    settings = CoaddSettings()
    owner = np.full(SHAPE, NO_OWNER)
    owner[:, :20] = 0
    assert assemble_cell_coadd([], PATCH, settings=settings) is None
    visit = VisitOnPatch(warp=make_warp(PATCH, owner=owner))
    assert assemble_cell_coadd([visit], PATCH, settings=settings) is None


def test_only_the_cells_that_are_asked_for_are_built() -> None:
    """Also one that no input covers, which is empty, and none at all, which is no coadd."""
    owner = np.full(SHAPE, NO_OWNER)
    owner[:, :60] = 0
    visit = VisitOnPatch(warp=make_warp(PATCH, owner=owner))
    settings = CoaddSettings()
    filled, empty = Index2D(x=0, y=3), Index2D(x=4, y=0)
    coadd = assemble_cell_coadd([visit], PATCH, settings=settings, cells=[filled, empty])
    assert coadd is not None
    assert list(coadd.cells) == [filled]
    rows = coadd.contributions
    assert list(zip(rows["cell_x"], rows["cell_y"], strict=True)) == [(0, 3)]
    for cells in ([empty], []):
        assert assemble_cell_coadd([visit], PATCH, settings=settings, cells=cells) is None


def test_a_cell_outside_of_the_patch_cannot_be_asked_for() -> None:
    """Before any warp is read, with its index; it would come out empty otherwise."""

    def warps() -> Iterator[VisitOnPatch]:
        raise AssertionError("not to be read")
        yield

    for index in (Index2D(x=5, y=0), Index2D(x=2, y=-1)):
        with pytest.raises(ValueError, match=re.escape(f"5 x 5 cells, and {index} is none")):
            assemble_cell_coadd(
                warps(), PATCH, settings=CoaddSettings(), cells=[Index2D(x=0, y=0), index]
            )


def _noise(bbox: Box) -> MaskedImage:
    return MaskedImage(
        Image(0.0, bbox=bbox, dtype=np.float32),
        mask=Mask(0, schema=SCHEMA, bbox=bbox),
        variance=Image(1.0, bbox=bbox, dtype=np.float32),
    )


def test_visits_that_do_not_belong_together_are_refused() -> None:
    """Each message says which visit and what is wrong with it."""
    one, two = make_warp(PATCH, visit=1), make_warp(PATCH, visit=2)
    elsewhere = small_patch(25)
    fraction = make_warp(PATCH, visit=2, mask_fractions={ALL_PLANES: 0.0})
    small = _noise(Box.factory[154:160, 154:160])
    cases: list[tuple[Sequence[Any], dict[str, Any], str]] = [
        ((two, one), {}, r"sorted and different.*'Cam', 1.*'Cam', 2"),
        ((one, one), {}, "sorted and different"),
        ((one, make_warp(PATCH, visit=2, band="r")), {}, "visit 2 is r, not i"),
        ((one, make_warp(elsewhere, visit=2)), {}, r"Visit 2 is on small tract 0 patch 25.*24"),
        ((one, fraction), {}, r"Visit 2 carries the masked fractions \['rejected'\], the others"),
        ((one,), {"num_noise_realizations": 1}, "with 0 noise realizations.*is 1"),
        ((VisitOnPatch(warp=one, noise=[_noise(one.bbox)]),), {}, "with 1 noise realizations"),
        (
            (VisitOnPatch(warp=one, noise=[small]),),
            {"num_noise_realizations": 1},
            "noise covers",
        ),
    ]
    for warps, settings, message in cases:
        with pytest.raises(ValueError, match=message):
            make_coadd(*warps, **settings)


def test_the_sum_does_not_keep_the_warps() -> None:
    """Visits are read one at a time, so that their number does not matter to the memory."""
    warps = [make_warp(PATCH, visit=n, pixels=float(n)) for n in range(3)]
    lazily = assemble_cell_coadd(
        (VisitOnPatch(warp=warp) for warp in warps), PATCH, settings=CoaddSettings()
    )
    assert lazily is not None
    assert same_pixels(lazily, make_coadd(*warps))
