"""Backgrounds put back into images and taken out of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from lsst.images import Background, BackgroundMap, Box, Polygon
from lsst.images.fields import ChebyshevField, Field, SplineField

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.backgrounds import exchange_background
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.prepare import prepare_image
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
SHAPE = (40, 50)
BOX = Box.from_shape(SHAPE, start=(7, 3))
X, Y = np.meshgrid(BOX.x.arange, BOX.y.arange)
TILT = 10.0 + 2.0 * (X - 27.5) / 25 - (Y - 26.5) / 20
REVERT = WarpSettings(do_revert_old_background=True)
APPLY = WarpSettings(do_apply_new_background=True, new_background="new")
BOTH = dataclasses.replace(APPLY, do_revert_old_background=True)


def tilted() -> ChebyshevField:
    """`TILT` by its coefficients."""
    return ChebyshevField(BOX, np.array([[10.0, 2.0], [-1.0, 0.0]]))


def flat(level: float, bounds: Any = BOX, unit: u.UnitBase | None = None) -> ChebyshevField:
    return ChebyshevField(bounds, np.array([[level]]), unit=unit)


def detector(
    models: dict[str, Field] | None = None, subtracted: str | None = None, **values: Any
) -> CalibratedImage:
    backgrounds = [Background(name, field) for name, field in (models or {}).items()]
    return make_detector(
        PATCH, width=SHAPE[1], height=SHAPE[0], first_pixel=(BOX.x.start, BOX.y.start),
        backgrounds=BackgroundMap(backgrounds, subtracted=subtracted), **values,
    )  # fmt: skip


def pixels(image: CalibratedImage) -> Any:
    return image.masked_image.image.array


def refused(image: CalibratedImage, settings: WarpSettings) -> str:
    with pytest.raises(UnusableInputError) as caught:
        exchange_background(image, settings=settings)
    assert caught.value.source == str(image.observation)
    return caught.value.reason


def test_by_default_an_image_stays_what_it_is() -> None:
    """Whatever it carries."""
    image = detector({"old": tilted(), "new": flat(3.0)}, subtracted="old")
    assert exchange_background(image, settings=WarpSettings()) is image


def test_reverting_adds_what_was_subtracted() -> None:
    """Pixel by pixel, and the image says that nothing is subtracted any more."""
    image = detector({"old": tilted(), "new": flat(3.0)}, subtracted="old", pixels=1.0)
    result = exchange_background(image, settings=REVERT)
    np.testing.assert_allclose(pixels(result), 1.0 + TILT, rtol=1e-7)
    assert pixels(result).dtype == np.float32
    assert result.backgrounds.subtracted is None
    assert set(result.backgrounds) == {"old", "new"}
    np.testing.assert_array_equal(pixels(image), 1.0)


def test_applying_subtracts_the_named_model() -> None:
    """From an image that has its sky still."""
    image = detector({"other": flat(1e6), "new": tilted()}, pixels=30.0)
    result = exchange_background(image, settings=APPLY)
    np.testing.assert_allclose(pixels(result), 30.0 - TILT, rtol=1e-7)
    subtracted = result.backgrounds.subtracted
    assert subtracted is not None
    assert subtracted.name == "new"


def test_both_exchange_one_for_the_other() -> None:
    """What comes out is as if the new model had been subtracted in the first place."""
    sky = 500.0 + np.random.default_rng(1).normal(0.0, 2.0, SHAPE)
    image = detector({"old": tilted(), "new": flat(498.0)}, subtracted="old", pixels=sky - TILT)
    result = exchange_background(image, settings=BOTH)
    # float32 of 500: 3e-5.
    np.testing.assert_allclose(pixels(result), sky - 498.0, atol=6e-5)
    subtracted = result.backgrounds.subtracted
    assert subtracted is not None
    assert subtracted.name == "new"


def test_exchanging_a_model_for_itself_changes_no_bit() -> None:
    """Adding and subtracting would round."""
    image = detector({"new": tilted()}, subtracted="new", pixels=np.pi)
    assert exchange_background(image, settings=BOTH) is image


def test_mask_variance_and_the_rest_stay() -> None:
    """The sky's photons are noise whether it is subtracted or not."""
    image = detector({"old": flat(9.0)}, subtracted="old", mean_variance=3.0)
    result = exchange_background(image, settings=REVERT)
    for plane in ("variance", "mask"):
        ours, theirs = (getattr(each.masked_image, plane).array for each in (result, image))
        assert np.shares_memory(ours, theirs)
    assert result.sky_projection is image.sky_projection
    assert (result.mean_variance, result.psf) == (3.0, image.psf)


def test_pixels_that_are_not_known_stay_so() -> None:
    """NaN plus a model is NaN, here as in arithmetic."""
    values = np.ones(SHAPE)
    values[3, 4] = np.nan
    image = detector({"old": flat(9.0)}, subtracted="old", pixels=values)
    result = pixels(exchange_background(image, settings=REVERT))
    np.testing.assert_array_equal(np.isnan(result), np.isnan(values))


@pytest.mark.parametrize(
    "bounds",
    [
        Box.factory[0:200, 0:40],
        Polygon(x_vertices=[0.0, 39.5, 39.5, 0.0], y_vertices=[0.0, 0.0, 199.0, 199.0]),
    ],
)
def test_where_a_model_is_not_defined_a_pixel_is_not_known(bounds: Any) -> None:
    """A value that nobody has vouched for is none; what is interpolated there is flagged BAD."""
    image = detector({"old": flat(9.0, bounds)}, subtracted="old")
    result = exchange_background(image, settings=REVERT)
    np.testing.assert_array_equal(np.isnan(pixels(result)), X >= 40)
    prepared = prepare_image(
        image, settings=dataclasses.replace(REVERT, do_pre_warp_interpolation=True)
    )
    bad = bits_of(result.masked_image.mask.schema, ["BAD"])
    np.testing.assert_array_equal((prepared.mask & bad) != 0, X >= 40)


def test_a_unit_without_dimension_is_a_number() -> None:
    """Counts per count."""
    image = detector({"old": flat(900.0, unit=u.percent)}, subtracted="old")
    np.testing.assert_allclose(pixels(exchange_background(image, settings=REVERT)), 9.0)


def test_nothing_to_revert_is_refused() -> None:
    """Some detectors with their sky and some without would make steps in the coadd."""
    assert "it carries no background model" in refused(detector(), REVERT)
    reason = refused(detector({"new": flat(1.0)}), BOTH)
    assert reason.startswith("do_revert_old_background asks to add")
    assert reason.endswith("its background models are ['new']")


def test_a_model_that_is_not_there_is_refused() -> None:
    """By its name, with the names that there are."""
    assert "background 'new'; it carries no background model" in refused(detector(), APPLY)
    image = detector({"old": flat(1.0), "newer": flat(1.0)}, subtracted="old")
    assert "'new'; its background models are ['newer', 'old']" in refused(image, BOTH)


@pytest.mark.parametrize("present", ["old", "new"])
def test_no_second_model_is_subtracted(present: str) -> None:
    """Each model is a whole sky; the reason says which switch brings the first one back."""
    image = detector({"old": flat(1.0), "new": flat(2.0)}, subtracted=present)
    reason = refused(image, APPLY)
    assert f"{present!r} is subtracted already" in reason
    assert "do_revert_old_background" in reason


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (flat(1.0, unit=u.m), "'old' is in m"),
        (flat(np.nan), "no value on any"),
        (flat(1.0, Box.factory[500:600, 500:600]), "no value on any"),
        (
            SplineField(BOX, np.full((2, 2), np.nan), x=np.array([3.0, 9.0]), y=np.array([7.0, 9])),
            "cannot be evaluated",
        ),
    ],
)
def test_a_model_that_is_no_use_is_refused(field: Field, message: str) -> None:
    """Only when it is asked for: an image can do without."""
    image = detector({"old": field}, subtracted="old")
    assert message in refused(image, REVERT)
    assert exchange_background(image, settings=WarpSettings()) is image


def test_it_happens_before_everything_else() -> None:
    """Bad pixels are filled in the image with its new background, then it becomes nJy."""
    bad = np.zeros(SHAPE, np.bool_)
    bad[10:13, 20:23] = True
    image = detector(
        {"old": tilted()}, subtracted="old", pixels=np.where(bad, 1e5, -TILT),
        flags={"BAD": bad}, nanojansky_per_count=2.0,
    )  # fmt: skip
    settings = dataclasses.replace(
        REVERT, do_pre_warp_interpolation=True, number_of_noise_realizations=1
    )
    prepared = prepare_image(image, settings=settings)
    # Zero everywhere, to float32 of 10 counts.
    np.testing.assert_allclose(prepared.values[0], 0.0, atol=4e-6)
    # Noise is drawn with the variance and has no background.
    plain = prepare_image(
        image, settings=dataclasses.replace(settings, do_revert_old_background=False)
    )
    np.testing.assert_array_equal(prepared.values[1], plain.values[1])
    np.testing.assert_array_equal(prepared.variances, plain.variances)


def test_an_image_that_lacks_it_is_left_out_and_the_others_go_on() -> None:
    """The warp is made of the detector that can be reverted; the refusal names the other."""
    good = make_detector(PATCH, detector=1)
    good = dataclasses.replace(
        good,
        backgrounds=BackgroundMap([Background("sky", flat(4.0, good.bbox))], subtracted="sky"),
    )
    made = make_direct_warp([make_detector(PATCH, detector=0), good], PATCH, settings=REVERT)
    assert made is not None
    assert [entry.observation.detector for entry in made.warp.inputs] == [1]
    (refusal,) = made.refused
    assert refusal.observation.detector == 0
    assert "do_revert_old_background" in refusal.reason
    values = made.warp.image.array
    np.testing.assert_allclose(values[np.isfinite(values)], 4.0, rtol=1e-5)
