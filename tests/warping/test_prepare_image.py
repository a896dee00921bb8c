"""What happens to a detector before it is resampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Interval

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.detector_rows import BLOCK, block_counts
from cellcoadd.warping.prepare import PreparedImage, WantedPixels, prepare_image
from cellcoadd.warping.settings import InterpolationSettings, WarpSettings
from cellcoadd.warping.variances import DetectorVariances

PATCH = small_patch()
SHAPE = (40, 50)


def detector(**values: Any) -> CalibratedImage:
    return make_detector(PATCH, width=SHAPE[1], height=SHAPE[0], **values)


def prepared(image: CalibratedImage, *, interpolate: bool = True, **changes: Any) -> PreparedImage:
    return prepare_image(
        image, settings=WarpSettings(do_pre_warp_interpolation=interpolate, **changes)
    )


def plane(result: PreparedImage, name: str) -> npt.NDArray[np.bool_]:
    schema = result.schema
    flagged: npt.NDArray[np.bool_] = (result.mask & bits_of(schema, [name])) != 0
    return flagged


def somewhere(*places: tuple[slice | int, slice | int]) -> npt.NDArray[np.bool_]:
    where = np.zeros(SHAPE, np.bool_)
    for place in places:
        where[place] = True
    return where


def test_pixels_become_nanojansky() -> None:
    """The image with the flux of a count, variances with its square."""
    image = detector(pixels=3.0, variance=4.0, nanojansky_per_count=2.5)
    result = prepared(image, number_of_noise_realizations=1)
    np.testing.assert_array_equal(result.values[0], 7.5)
    np.testing.assert_array_equal(result.variances[0], 25.0)
    np.testing.assert_array_equal(result.variances[1], 25.0)
    assert result.values.dtype == result.variances.dtype == np.float32


def test_the_input_stays_as_it_is() -> None:
    """Another patch takes it next."""
    bad = somewhere((slice(10, 12), slice(20, 22)))
    image = detector(pixels=3.0, flags={"BAD": bad}, nanojansky_per_count=2.0)
    before = [image.masked_image.image.array.copy(), image.masked_image.mask.array.copy()]
    prepared(image)
    np.testing.assert_array_equal(image.masked_image.image.array, before[0])
    np.testing.assert_array_equal(image.masked_image.mask.array, before[1])
    np.testing.assert_array_equal(image.masked_image.variance.array, 4.0)


def test_interpolated_pixels_are_marked_and_keep_their_planes() -> None:
    """INTRP says that the value is made up, BAD why."""
    bad = somewhere((slice(10, 12), slice(20, 22)))
    result = prepared(detector(pixels=np.where(bad, 1e6, 3.0), flags={"BAD": bad}))
    np.testing.assert_array_equal(plane(result, "INTRP"), bad)
    np.testing.assert_array_equal(plane(result, "BAD"), bad)
    np.testing.assert_allclose(result.values[0], 3.0, rtol=1e-6)
    untouched = prepared(detector(flags={"BAD": bad}), interpolate=False)
    assert not plane(untouched, "INTRP").any()


def test_edge_defects_become_no_data_with_the_fill_value() -> None:
    """Others give them 0 and no flag."""
    bad = somewhere((slice(None), slice(0, 3)), (20, 30))
    result = prepared(
        detector(pixels=3.0, flags={"SAT": bad}),
        interpolation=InterpolationSettings(fill_value=-1.0),
    )
    edge = somewhere((slice(None), slice(0, 3)))
    np.testing.assert_array_equal(plane(result, "NO_DATA"), edge)
    np.testing.assert_array_equal(result.values[0][edge], -1.0)
    assert not plane(result, "INTRP")[edge].any()
    assert plane(result, "INTRP")[20, 30]


@pytest.mark.parametrize("where", ["pixels", "variance"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_not_finite_is_interpolated_like_any_bad_one(
    where: str, value: float
) -> None:
    """And neither spoils another defect nor stays silent: UNMASKEDNAN says what it was."""
    lone = somewhere((5, 5))
    bad = somewhere((slice(20, 23), slice(30, 33)))
    planes = {"pixels": np.full(SHAPE, 3.0), "variance": np.full(SHAPE, 4.0)}
    planes[where][lone] = value
    # In the middle of the box from which the other defect is interpolated.
    planes[where][24, 31] = value
    lone[24, 31] = True
    result = prepared(detector(flags={"BAD": bad}, **planes))
    np.testing.assert_allclose(result.values[0], 3.0, rtol=1e-6)
    np.testing.assert_array_equal(result.variances[0], 4.0)
    np.testing.assert_array_equal(plane(result, "UNMASKEDNAN"), lone)
    np.testing.assert_array_equal(plane(result, "INTRP"), lone | bad)


@pytest.mark.parametrize("value", [0.0, -4.0])
def test_a_variance_that_is_not_positive_makes_a_pixel_bad(value: float) -> None:
    """It would get an endless weight, or the noise of a root of a negative number."""
    variance = np.full(SHAPE, 4.0)
    variance[7, 8] = value
    result = prepared(detector(pixels=3.0, variance=variance))
    assert plane(result, "INTRP")[7, 8]
    assert result.variances[0][7, 8] == 4.0
    plain = prepared(detector(pixels=3.0, variance=variance), interpolate=False)
    assert np.isnan(plain.values[0][7, 8])


def test_pixels_without_data_stay_so() -> None:
    """They are no defect to be repaired, and do not lend their value to one."""
    missing = somewhere((slice(10, 16), slice(10, 16)))
    bad = somewhere((slice(10, 16), slice(16, 18)))
    result = prepared(
        detector(pixels=np.where(missing, 1e5, 3.0), flags={"NO_DATA": missing, "BAD": bad})
    )
    np.testing.assert_array_equal(plane(result, "NO_DATA"), missing)
    np.testing.assert_array_equal(plane(result, "INTRP"), bad)
    np.testing.assert_allclose(result.values[0][~missing], 3.0, rtol=1e-6)


def test_typical_variance_is_that_of_good_pixels() -> None:
    """The noise of a detector must not follow its saturated stars or its unread part."""
    half = somewhere((slice(0, 30), slice(None)))
    for name in ("SAT", "NO_DATA"):
        image = detector(variance=np.where(half, 100.0, 4.0), flags={name: half})
        result = prepared(image, number_of_noise_realizations=1)
        np.testing.assert_array_equal(result.variances[1], 4.0)
    everything = np.ones(SHAPE, np.bool_)
    image = detector(flags={"SAT": everything}, mean_variance=1.0)
    flagged = prepared(image, number_of_noise_realizations=1)
    np.testing.assert_array_equal(flagged.variances[1], 4.0)


def test_masked_fractions_say_which_pixels_were_bad_and_why() -> None:
    """All reasons together first, then each plane on its own."""
    bad, hit = somewhere((slice(None), 20)), somewhere((5, 5))
    variance = np.full(SHAPE, 4.0)
    variance[30, 30], variance[31, 30] = 0.0, np.nan
    image = detector(variance=variance, flags={"BAD": bad, "CR": hit, "EDGE": somewhere((0, 0))})
    result = prepared(image)
    assert result.n_fractions == 4
    anything = bad | hit | somewhere((slice(30, 32), 30))
    np.testing.assert_array_equal(result.bad, 1 * anything + 2 * bad + 8 * hit)


def test_without_interpolation_nothing_counts_as_masked() -> None:
    """The field's convention: the list of bad planes is empty then."""
    image = detector(flags={"BAD": somewhere((slice(None), 20))})
    result = prepared(image, interpolate=False)
    assert result.n_fractions == 1
    assert not result.bad.any()
    assert prepared(image, do_warp_masked_fraction=False).n_fractions == 0


@pytest.mark.parametrize(
    "planes",
    [{"variance": 0.0}, {"variance": np.nan}, {"pixels": np.nan}, {"variance": np.inf}],
)
def test_a_detector_without_a_usable_pixel_is_refused(planes: dict[str, float]) -> None:
    """With the reason, by name."""
    with pytest.raises(UnusableInputError, match=r"Cam visit 1 detector 0.*no pixel has a fin"):
        prepared(detector(**planes))


def test_an_area_that_nobody_flagged_counts_as_bad() -> None:
    """A block of weight 0 without a flag: the kernel gets values there, the coadd must not.

    What is interpolated over a wide area is no measurement, whatever the file forgot to say.
    """
    variance = np.full((40, 60), 4.0)
    variance[10:30, 20:40] = 0.0
    image = make_detector(small_patch(), width=60, height=40, variance=variance)
    prepared = prepare_image(image, settings=WarpSettings(do_pre_warp_interpolation=True))
    block = np.zeros((40, 60), np.bool_)
    block[10:30, 20:40] = True
    bad = bits_of(image.masked_image.mask.schema, ["BAD"])
    assert np.array_equal((prepared.mask & bad) != 0, block)
    assert np.array_equal(prepared.bad & 1 == 1, block)
    assert np.isfinite(prepared.values).all()
    assert (prepared.variances > 0).all()


def large_detector(**values: Any) -> CalibratedImage:
    """Of 3 x 2 blocks, with defects, noise and a variance that rises with the row."""
    rng = np.random.default_rng(3)
    shape = (700, 600)
    bad = rng.random(shape) < 0.002
    bad[:, 17:20] = bad[:, 508:514] = True
    pixels, variance = rng.normal(5.0, 1.0, shape), 1.0 + np.arange(700.0)[:, np.newaxis] / 700
    pixels[400, 10] = np.nan
    return make_detector(
        PATCH, width=600, height=700, pixels=pixels, variance=np.broadcast_to(variance, shape),
        flags={"CR": bad}, nanojansky_per_count=1.5, **values,
    )  # fmt: skip


def wanted_pixels(image: CalibratedImage, start: int, stop: int, *columns: int) -> WantedPixels:
    """Some rows of a detector, and the blocks that they lie in, of some columns of blocks."""
    blocks = np.zeros(block_counts(image.bbox.shape), np.bool_)
    blocks[start // BLOCK.y : (stop - 1) // BLOCK.y + 1, columns] = True
    first = image.bbox.y.start
    return WantedPixels(rows=Interval.factory[first + start : first + stop], blocks=blocks)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"number_of_noise_realizations": 1},
        {"number_of_noise_realizations": 2, "use_median_variance": False},
        {"do_pre_warp_interpolation": True},
        {"do_pre_warp_interpolation": True, "number_of_noise_realizations": 1},
        {
            "do_pre_warp_interpolation": True,
            "interpolation": InterpolationSettings(triangulation="detector"),
        },
    ],
)
@pytest.mark.parametrize(
    ("start", "stop", "columns"), [(0, 20, (0,)), (330, 470, (0, 1)), (255, 257, (1,))]
)
def test_pixels_are_the_same_whatever_is_wanted(
    changes: dict[str, Any], start: int, stop: int, columns: tuple[int, ...]
) -> None:
    """To the bit: overlapping patches, and strips of one, must agree."""
    image = large_detector()
    chosen = WarpSettings(**changes)
    whole = prepare_image(image, settings=chosen)
    part = prepare_image(image, settings=chosen, wanted=wanted_pixels(image, start, stop, *columns))
    first = part.first_row
    assert first <= start
    assert first + len(part.mask) >= stop
    across = slice(columns[0] * BLOCK.x, (columns[-1] + 1) * BLOCK.x)
    here, there = (slice(start, stop), across), (slice(start - first, stop - first), across)
    np.testing.assert_array_equal(part.values[:, *there], whole.values[:, *here])
    np.testing.assert_array_equal(part.variances[:, *there], whole.variances[:, *here])
    np.testing.assert_array_equal(part.mask[there], whole.mask[here])
    np.testing.assert_array_equal(part.bad[there], whole.bad[here])


def test_a_part_without_a_usable_pixel_is_no_reason_to_refuse_a_detector() -> None:
    """The rest of it may be good; it is refused for another patch or for none."""
    variance = np.full((300, 40), 4.0)
    variance[:200] = np.nan
    image = make_detector(PATCH, width=40, height=300, variance=variance)
    wanted = wanted_pixels(image, 0, 100, 0)
    part = prepare_image(image, settings=WarpSettings(), wanted=wanted)
    assert np.isnan(part.values).all()
    variance[:] = 0.0
    image = make_detector(PATCH, width=40, height=300, variance=variance)
    with pytest.raises(UnusableInputError, match="no pixel has a finite value"):
        prepare_image(image, settings=WarpSettings(), wanted=wanted)


def test_what_is_known_of_a_detector_is_not_measured_again() -> None:
    """Strips of a patch ask for it again and again."""
    chosen = WarpSettings(number_of_noise_realizations=1)
    measured = DetectorVariances(())
    image = large_detector()
    first = prepare_image(image, settings=chosen, measured=measured)
    image.masked_image.variance.array[:] = 100.0
    again = prepare_image(image, settings=chosen, measured=measured)
    np.testing.assert_array_equal(first.values[1], again.values[1])


@pytest.mark.parametrize("value", [1e18, -1e18, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("mean_variance", [None, 4.0])
def test_a_pixel_beyond_any_full_well_is_not_spread(
    value: float, mean_variance: float | None
) -> None:
    """Whoever made the image: resampled, one of them is in 36 pixels of two cells."""
    pixels = np.random.default_rng(4).normal(0.0, 2.0, SHAPE)
    pixels[20, 30] = value
    image = detector(pixels=pixels, variance=4.0, mean_variance=mean_variance)
    result = prepared(image)
    assert np.abs(result.values).max() < 100.0
    assert plane(result, "INTRP")[20, 30]
    assert plane(result, "BAD")[20, 30]
    assert np.count_nonzero(plane(result, "BAD")) == 1
    as_it_is = prepared(image, interpolate=False)
    left = np.where(plane(as_it_is, "BAD"), 0.0, as_it_is.values[0])
    assert np.nanmax(np.abs(left)) < 100.0


def test_a_variance_that_grows_with_the_pixel_does_not_hide_it() -> None:
    """Readers make variances of the photons in a pixel: that of 10^13 is 10^13."""
    pixels = np.random.default_rng(4).normal(0.0, 2.0, SHAPE)
    pixels[20, 30] = 1e13
    variance = np.maximum(pixels, 4.0)
    hidden = prepared(detector(pixels=pixels, variance=variance))
    assert not plane(hidden, "BAD").any()
    told = prepared(detector(pixels=pixels, variance=variance, mean_variance=4.0))
    assert plane(told, "BAD")[20, 30]
