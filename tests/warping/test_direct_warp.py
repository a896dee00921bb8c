"""One visit resampled onto a patch."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import starlink.Ast
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, MaskedImage, SkyProjection
from lsst.images._transforms import _ast

from cellcoadd.cell_grid import Index2D
from cellcoadd.masks.planes import ALL_PLANES, bits_of, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.warp import NO_OWNER, Warp
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.settings import InterpolationSettings, ResamplingSettings, WarpSettings

PATCH = small_patch()
SHAPE = (150, 150)
INTERPOLATING = WarpSettings(do_pre_warp_interpolation=True)
angles = st.floats(0, 360)


def warped(
    *images: CalibratedImage, settings: WarpSettings | None = None, patch: Any = PATCH
) -> DirectWarp:
    made = make_direct_warp(images, patch, settings=settings or WarpSettings())
    assert made is not None
    return made


def somewhere(*places: tuple[slice | int, slice | int]) -> npt.NDArray[np.bool_]:
    where = np.zeros(SHAPE, np.bool_)
    for place in places:
        where[place] = True
    return where


def no_data(warp: Warp) -> npt.NDArray[np.bool_]:
    flagged: npt.NDArray[np.bool_] = warp.mask.get("NO_DATA")
    return flagged


def assert_no_silent_hole(made: DirectWarp) -> None:
    """NaN in the image, +inf in the variance and NO_DATA in the mask are always together."""
    for planes in (made.warp.masked_image, *made.noise):
        lost = planes.mask.get("NO_DATA")
        np.testing.assert_array_equal(np.isnan(planes.image.array), lost)
        np.testing.assert_array_equal(np.isinf(planes.variance.array), lost)
        assert np.all(planes.variance.array > 0)
        np.testing.assert_array_equal(
            plane_array(planes.mask)[lost], bits_of(planes.mask.schema, ["NO_DATA"])
        )


@settings(deadline=None, max_examples=15)
@given(rotation=angles, scale=st.floats(0.16, 0.27), level=st.floats(-1e4, 1e4))
def test_flat_stays_flat(rotation: float, scale: float, level: float) -> None:
    """A surface brightness does not change, so a pixel gets the ratio of the areas times as much.

    Single precision sums of 36 numbers: 1e-6 of the level.
    """
    made = warped(make_detector(PATCH, pixels=level, rotation=rotation, pixel_scale=scale))
    image = made.warp.image.array[~no_data(made.warp)]
    assert image.size > 10000 * min(1.0, (scale / 0.2) ** 2)
    expected = level * (0.2 / scale) ** 2
    np.testing.assert_allclose(image, expected, rtol=2e-6, atol=1e-30)
    # The variance of a pixel is that of the sum: between 0.3 and 1 of the area ratio squared.
    variance = made.warp.variance.array[~no_data(made.warp)]
    assert np.all(variance <= 4.0 * (0.2 / scale) ** 4 * 1.001)
    assert np.all(variance >= 4.0 * (0.2 / scale) ** 4 * 0.3)


def test_a_shift_by_whole_pixels_copies() -> None:
    """The tangent points are 1.7" apart, which turns the axes by 3e-7 and moves pixels by 1e-5."""
    rng = np.random.default_rng(3)
    pixels = rng.normal(size=SHAPE).astype(np.float32)
    made = warped(make_detector(PATCH, x=209.5 - 5, y=209.5 + 7, pixels=pixels))
    # The detector's middle, pixel 74.5, lies on tract pixel (204.5, 216.5).
    warp = made.warp
    box = Box.factory[150:280, 140:270]
    place = box.slice_within(warp.bbox)
    expected = pixels[
        box.y.start - (216 - 74) : box.y.stop - (216 - 74),
        box.x.start - (204 - 74) : box.x.stop - (204 - 74),
    ]
    np.testing.assert_allclose(warp.image.array[place.y, place.x], expected, atol=2e-4)


def test_non_finite_pixels_never_stay_silent() -> None:
    """Holes of NaN without a flag are a known fault of others."""
    rng = np.random.default_rng(4)
    pixels, variance = rng.normal(size=SHAPE), rng.uniform(1, 2, SHAPE)
    for plane, value in itertools.product((pixels, variance), (np.nan, np.inf, -np.inf)):
        plane[tuple(rng.integers(20, 130, (2, 6)))] = value
    variance[60, 60:64], variance[80, 80] = 0.0, -3.0
    image = make_detector(
        PATCH, pixels=pixels, variance=variance, rotation=20.0,
        flags={"NO_DATA": somewhere((slice(90, 95), slice(30, 35)))},
    )  # fmt: skip
    for interpolate in (False, True):
        made = warped(
            image,
            settings=WarpSettings(
                number_of_noise_realizations=1, do_pre_warp_interpolation=interpolate
            ),
        )
        assert_no_silent_hole(made)
        inside = made.warp.owner != NO_OWNER
        holes = no_data(made.warp) & inside
        # Interpolated, only the block of 25 pixels without data is a hole, of 6 x 6 or so.
        assert (holes.sum() < 60) == interpolate
        assert holes.sum() > 10


def test_the_image_is_that_of_the_last_detector_that_has_data() -> None:
    """Where two overlap, the higher number counts; where it has none, the other one does."""
    hole = somewhere((slice(60, 70), slice(20, 40)))
    left = make_detector(PATCH, x=180, pixels=1.0, detector=3)
    right = make_detector(PATCH, x=240, pixels=2.0, detector=7, flags={"NO_DATA": hole})
    forward, backward = warped(left, right), warped(right, left)
    warp = forward.warp
    assert [entry.observation.detector for entry in warp.inputs] == [3, 7]
    np.testing.assert_array_equal(warp.image.array, backward.warp.image.array)
    np.testing.assert_array_equal(warp.owner, backward.warp.owner)
    for number, level in ((0, 1.0), (1, 2.0)):
        mine = (warp.owner == number) & ~no_data(warp)
        np.testing.assert_allclose(warp.image.array[mine], level, rtol=1e-5)
    both = Box.factory[200:205, 215:225]  # over the hole: the right one's pixels 50..60 + 65
    place = both.slice_within(warp.bbox)
    assert np.all(warp.owner[place.y, place.x] == 1)
    over_hole = warp[Box.factory[199:203, 190:200]]
    np.testing.assert_allclose(over_hole.image.array, 1.0, rtol=1e-5)
    assert_no_silent_hole(forward)


def test_a_gap_between_detectors_belongs_to_none() -> None:
    """24 pixels of gap, and the kernel's three on either side."""
    left = make_detector(PATCH, x=209.5 - 87, detector=0)
    right = make_detector(PATCH, x=209.5 + 87, detector=1)
    warp = warped(left, right).warp
    row = warp.owner[warp.owner.shape[0] // 2]
    gap = np.nonzero(row == NO_OWNER)[0] + warp.bbox.x.start
    inside = gap[(gap > 150) & (gap < 270)]
    # Pixel columns 197.5..221.5 are the gap; 2 and 3 more at each side lack kernel pixels.
    assert 24 + 4 <= inside.size <= 24 + 6
    assert inside[0] in (195, 196)
    cells = warp.cell_inputs
    middle = cells[(cells["cell_x"] == 2) & (cells["cell_y"] == 2)]
    outer = PATCH.grid.outer_bbox_of(Index2D(x=2, y=2))
    # The outer region reaches 3 px over the gap on either side.
    for row_of_cell in middle:
        number = row_of_cell["input"]
        place = outer.slice_within(warp.bbox)
        assert row_of_cell["n_outer"] == np.sum(warp.owner[place.y, place.x] == number)
        assert not row_of_cell["overlaps_center"]
        assert row_of_cell["stamp"] == -1


def test_table_of_cells_counts_the_pixels() -> None:
    """Against counting them one by one."""
    images = [
        make_detector(PATCH, x=180, y=200, width=70, height=90, rotation=30, detector=1),
        make_detector(PATCH, x=245, y=215, width=50, height=80, rotation=-20, detector=2),
    ]
    warp = warped(*images).warp
    found = {
        (int(row["cell_x"]), int(row["cell_y"]), int(row["input"])): row for row in warp.cell_inputs
    }
    assert len(found) == len(warp.cell_inputs)
    for index in PATCH.grid:
        outer, inner = PATCH.grid.outer_bbox_of(index), PATCH.grid.inner_bbox_of(index)
        centre = PATCH.grid.centre_of(index)
        for number in range(2):
            y, x = np.nonzero(warp.owner == number)
            y, x = y + warp.bbox.y.start, x + warp.bbox.x.start
            counts = {
                name: int(np.sum(box.contains(x=x, y=y)))
                for name, box in (("outer", outer), ("inner", inner))
            }
            row = found.pop((index.x, index.y, number), None)
            if row is None:
                assert counts == {"outer": 0, "inner": 0}
                continue
            assert (row["n_outer"], row["n_inner"]) == (counts["outer"], counts["inner"])
            at_centre = warp.bbox.contains(x=centre.x, y=centre.y) and (
                warp.owner[centre.y - warp.bbox.y.start, centre.x - warp.bbox.x.start] == number
            )
            assert row["overlaps_center"] == at_centre == (row["stamp"] >= 0)
    assert not found


def test_without_interpolation_the_masked_fraction_is_nought_or_nan() -> None:
    """The field's convention, which its readers count on."""
    bad = somewhere((slice(None), slice(70, 74)))
    made = warped(make_detector(PATCH, flags={"BAD": bad, "CR": bad}, rotation=5))
    assert list(made.warp.mask_fractions) == [ALL_PLANES]
    assert made.masked_fraction is not None
    fraction = made.masked_fraction.array
    assert set(np.unique(fraction[np.isfinite(fraction)])) == {0.0}
    assert np.isnan(fraction).any()
    # Its kernel is smaller than the image's.
    assert not np.isnan(fraction[~no_data(made.warp)]).any()


@pytest.mark.parametrize("scale", [0.168, 0.2, 0.263])
def test_masked_fraction_is_a_fraction_by_plane(scale: float) -> None:
    """A column of 4 px is wholly bad in its middle, whatever the ratio of the pixel areas."""
    column, spot = somewhere((slice(None), slice(70, 75))), somewhere((40, slice(20, 60)))
    image = make_detector(
        PATCH, flags={"BAD": column, "CR": spot}, pixel_scale=scale, rotation=12.0
    )
    made = warped(image, settings=INTERPOLATING)
    planes = {name: plane.array for name, plane in made.warp.mask_fractions.items()}
    assert list(planes) == [ALL_PLANES, "BAD", "SAT", "CR"]
    known = np.isfinite(planes[ALL_PLANES])
    for plane in planes.values():
        np.testing.assert_array_equal(np.isfinite(plane), known)
        assert plane[known].min() >= 0.0
        assert plane[known].max() <= 1.0
    assert planes["BAD"][known].max() == 1.0
    assert 0.0 < planes["CR"][known].max() <= 1.0
    assert planes["SAT"][known].max() == 0.0
    apart = (planes["BAD"][known] == 0) | (planes["CR"][known] == 0)
    np.testing.assert_allclose(
        planes[ALL_PLANES][known][apart], (planes["BAD"] + planes["CR"])[known][apart], atol=1e-6
    )
    # The area of the column: 5 of 150 pixels, where the detector covers the tract's pixels.
    if scale == 0.263:
        assert planes["BAD"][known].mean() == pytest.approx(5 / 150, rel=0.1)


def test_masked_fraction_is_of_the_detector_whose_image_it_is() -> None:
    """The fraction's smaller kernel must not reach into a neighbour's pixels.

    The left image ends with column 206, the right one begins with 208, its fraction with 206.
    """
    edge = np.zeros((150, 74), np.bool_)
    edge[:, :6] = True
    left = make_detector(PATCH, x=209.5 - 37, width=74, detector=0)
    right = make_detector(PATCH, x=242.0, width=74, detector=1, flags={"CR": edge})
    made = warped(left, right, settings=INTERPOLATING)
    warp = made.warp
    fraction = warp.mask_fractions[ALL_PLANES].array
    lefts = (warp.owner == 0) & ~no_data(warp)
    assert lefts.sum() > 5000
    np.testing.assert_array_equal(fraction[lefts], 0.0)
    assert (fraction[warp.owner == 1] == 1.0).sum() > 100


def test_mask_planes_of_a_survey_travel_with_the_warp() -> None:
    """Two detectors, each with a plane of its own: bits are translated."""
    spot = somewhere((slice(70, 80), slice(70, 80)))
    made = warped(
        make_detector(PATCH, x=160, detector=0, flags={"ZEBRA": spot, "BAD": spot}),
        make_detector(PATCH, x=270, detector=1, flags={"APE": spot}),
    )
    mask = made.warp.mask
    counts = {name: int(mask.get(name).sum()) for name in ("ZEBRA", "APE", "BAD")}
    assert counts["ZEBRA"] == counts["BAD"]
    # 10 pixels touch 11 by the 2 x 2 rule; 12 where a turn moves some past a whole pixel.
    assert 121 <= counts["ZEBRA"] <= 144
    assert 121 <= counts["APE"] <= 144
    assert not (mask.get("ZEBRA") & (made.warp.owner == 1)).any()


def test_edge_spreads_over_the_whole_kernel() -> None:
    """A flag on one pixel reaches 2 x 2 target pixels; EDGE reaches 6 x 6."""
    spot = somewhere((75, 75))
    made = warped(make_detector(PATCH, x=209.2, y=209.3, flags={"EDGE": spot, "BAD": spot}))
    assert made.warp.mask.get("BAD").sum() == 4
    assert made.warp.mask.get("EDGE").sum() == 36
    other = WarpSettings(resampling=ResamplingSettings(grow_full_mask=("BAD",)))
    made = warped(make_detector(PATCH, x=209.2, y=209.3, flags={"BAD": spot}), settings=other)
    assert made.warp.mask.get("BAD").sum() == 36


def test_interpolated_positions_are_good_enough_and_exact_ones_can_be_had() -> None:
    """Bilinear over 10 px the tangent plane is off by 1e-7 px; a noisy image feels 1e-6 of it."""
    pixels = np.random.default_rng(2).normal(size=SHAPE)
    image = make_detector(PATCH, pixels=pixels, rotation=33.0, pixel_scale=0.17)
    coarse = warped(image).warp.image.array
    exact = warped(
        image, settings=WarpSettings(resampling=ResamplingSettings(interp_length=0))
    ).warp.image.array
    np.testing.assert_allclose(coarse, exact, atol=2e-6)


def test_nothing_lands_nothing_is_made(caplog: pytest.LogCaptureFixture) -> None:
    """Beside the patch; on its surroundings only; no image at all: nor is a plane missed."""
    far = make_detector(PATCH, x=9000)
    beside = make_detector(PATCH, x=PATCH.outer_bbox.x.stop + 90)
    for images in ([far], [beside], []):
        assert make_direct_warp(images, PATCH, settings=INTERPOLATING) is None
    assert not caplog.records
    antipode = make_detector(PATCH)
    sky = antipode.sky_projection.as_fits_wcs(antipode.bbox)
    assert sky is not None
    sky.wcs.crval = [330.0, -2.0]
    turned = SkyProjection.from_fits_wcs(sky, antipode.sky_projection.pixel_frame)
    assert make_direct_warp([_with(antipode, turned)], PATCH, settings=WarpSettings()) is None


@pytest.mark.parametrize(
    ("forward", "inverse"),
    [
        (("u=sqrt(-1-x*x)", "v=y"), ("x=u", "y=v")),
        (("u=2.6179938-x*1e-6", "v=0.0349+y*1e-6"), ("x=sqrt(-1-u*u)", "y=v")),
    ],
)
def test_a_detector_with_a_failing_wcs_is_refused(
    forward: tuple[str, str], inverse: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """AST marks positions that do not exist with numbers that are finite."""
    good = make_detector(PATCH, detector=1)
    bad = make_detector(PATCH, detector=2)
    frames = starlink.Ast.FrameSet(starlink.Ast.Frame(2, "Domain=PIXEL"))
    frames.addframe(
        1,
        starlink.Ast.MathMap(2, 2, list(forward), list(inverse)),
        starlink.Ast.SkyFrame("System=ICRS"),
    )
    broken = SkyProjection.from_ast_frame_set(
        _ast.FrameSet._wrap(frames), bad.sky_projection.pixel_frame
    )
    made = warped(good, _with(bad, broken))
    assert [entry.observation.detector for entry in made.warp.inputs] == [1]
    assert "way back from the sky" in made.refused[0].reason
    assert "detector 2" in caplog.text


def test_a_detector_without_a_usable_pixel_is_refused() -> None:
    """The others of the visit go on."""
    made = warped(make_detector(PATCH, variance=0.0, detector=8), make_detector(PATCH, detector=9))
    assert [entry.observation.detector for entry in made.warp.inputs] == [9]
    assert "no pixel has a finite value" in made.refused[0].reason


def test_detectors_of_two_visits_or_twice_the_same_are_no_warp() -> None:
    """What came out would depend on the order."""
    one = make_detector(PATCH)
    with pytest.raises(ValueError, match=r"one visit.*'Cam', 1.*'Cam', 2"):
        warped(one, make_detector(PATCH, visit=2, detector=1))
    with pytest.raises(ValueError, match=r"detector 0.*twice"):
        warped(one, one)


def test_masked_fractions_are_optional() -> None:
    """What is not asked for is not made."""
    made = warped(make_detector(PATCH), settings=WarpSettings(do_warp_masked_fraction=False))
    assert made.masked_fraction is None
    assert made.warp.mask_fractions == {}


def test_a_pixel_number_other_than_nought_may_come_first() -> None:
    """Detectors whose boxes lack (0, 0) are a known difficulty of others."""
    rng = np.random.default_rng(6)
    pixels = rng.normal(size=SHAPE)
    plain = warped(make_detector(PATCH, pixels=pixels, rotation=7)).warp
    moved = warped(make_detector(PATCH, pixels=pixels, rotation=7, first_pixel=(1000, -300))).warp
    np.testing.assert_allclose(plain.image.array, moved.image.array, atol=1e-6)
    for index in plain.psf.cells:
        np.testing.assert_allclose(plain.psf[index].array, moved.psf[index].array, atol=1e-6)


def test_fill_value_is_in_counts() -> None:
    """An edge defect is no data in the warp, with interpolation as without."""
    edge = somewhere((slice(None), slice(0, 30)))
    setting = dataclasses.replace(
        INTERPOLATING, interpolation=InterpolationSettings(fill_value=9.0)
    )
    made = warped(make_detector(PATCH, flags={"BAD": edge}), settings=setting)
    assert_no_silent_hole(made)
    x = 209.5 - 75 + 15
    column = int(x) - made.warp.bbox.x.start
    assert no_data(made.warp)[60:100, column].all()


def _with(image: CalibratedImage, projection: SkyProjection[Any]) -> CalibratedImage:
    planes = image.masked_image
    return dataclasses.replace(
        image,
        masked_image=MaskedImage(
            planes.image, mask=planes.mask, variance=planes.variance, sky_projection=projection
        ),
    )
