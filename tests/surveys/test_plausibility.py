"""Images whose pixels are not what their variance says are refused, and no good one is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, Image, Mask, MaskedImage
from lsst.images.serialization import write_archive
from scipy.ndimage import gaussian_filter

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.impossible import flag_impossible
from cellcoadd.masks.planes import bits_of, mask_schema, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.psfs.models import ImagePointSpreadFunction
from cellcoadd.simulate import simulate_visit_detector, survey_plan
from cellcoadd.surveys.checks import check_plausible
from cellcoadd.surveys.decam import read_decam_image
from cellcoadd.surveys.plausibility import noise_ratio
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image, read_visit_image
from cellcoadd.testing.decam_exposure import DecamExposure

type Make = Callable[..., Any]
type Floats = npt.NDArray[np.float64]

SHAPE = (60, 70)  # of the visit images of these tests, whose noise has a variance of 4


def plausible(visit_image: Any) -> CalibratedImage:
    image = calibrated_image_from_visit_image(visit_image)
    check_plausible(image, "f1")
    return image


def noise(shape: tuple[int, int] = SHAPE, sigma: float = 2.0) -> Floats:
    return np.random.default_rng(8).normal(0.0, sigma, shape)


def planes(image: npt.ArrayLike, variance: float) -> MaskedImage:
    pixels = np.asarray(image, np.float32)
    box = Box.from_shape(pixels.shape)
    return MaskedImage(
        Image(pixels, bbox=box),
        mask=Mask(0, schema=mask_schema(), bbox=box),
        variance=Image(np.full(pixels.shape, variance, np.float32), bbox=box),
    )


@pytest.mark.parametrize("factor", [0.06, 0.01, 16.0, 100.0])
def test_a_variance_that_is_another_ones_is_refused(visit_image: Make, factor: float) -> None:
    """Weights 100 times too large would rule a coadd; their unit is wrong."""
    source = visit_image(image=noise(), variance=np.full(SHAPE, 4.0 * factor))
    with pytest.raises(UnusableInputError, match="variance of its sky is"):
        plausible(source)


def test_files_are_held_to_it_and_images_in_memory_are_not(
    visit_image: Make, tmp_path: Path
) -> None:
    """A picture without noise may be warped by who made it; from a file it is a dead detector."""
    blank = visit_image(image=np.zeros(SHAPE))
    assert calibrated_image_from_visit_image(blank) is not None
    write_archive(blank, tmp_path / "blank.fits")
    exposure = DecamExposure(weights=np.full((96, 100), 100.0))
    for read, path, reason in (
        (read_visit_image, tmp_path / "blank.fits", "all the same"),
        (read_decam_image, exposure.write(tmp_path / "decam"), "times what its variance plane"),
    ):
        with pytest.raises(UnusableInputError, match=reason) as caught:
            read(path)
        assert caught.value.source == str(path)


@pytest.mark.parametrize("factor", [0.35, 3.0])
def test_an_unusual_variance_is_a_warning(
    visit_image: Make, caplog: pytest.LogCaptureFixture, factor: float
) -> None:
    """It may be right: the user should look."""
    source = visit_image(image=noise(), variance=np.full(SHAPE, 4.0 * factor))
    assert plausible(source) is not None
    assert "f1: the variance of its sky is" in caplog.text


@pytest.mark.parametrize("value", [0.0, 7.5])
def test_an_image_of_one_value_is_refused(visit_image: Make, value: float) -> None:
    """A dead detector, or one that was never read."""
    image = np.full(SHAPE, value)
    image[30, 30] += 1.0
    with pytest.raises(UnusableInputError, match="its pixels are all the same"):
        plausible(visit_image(image=image))


def test_a_blank_band_in_a_good_image_is_no_reason(visit_image: Make) -> None:
    """A few rows are looked at first; what is refused was looked at as a whole."""
    image = noise((600, 70))
    image[290:310] = 0.0
    ratio = noise_ratio(planes(image, 4.0))
    assert ratio is not None
    assert ratio.least == pytest.approx(1.0, abs=0.2)
    blank = noise()
    blank[20:40] = 0.0
    assert plausible(visit_image(image=blank)) is not None


@pytest.mark.parametrize("fraction", [0.02, 0.2, 0.5])
def test_crowded_fields_are_sky_enough(fraction: float) -> None:
    """Stars spread over half of the pixels: of four, the quietest one is still noise."""
    rng = np.random.default_rng(9)
    image = rng.normal(0.0, 5.0, (400, 400))
    stars = np.zeros_like(image)
    count = round(fraction * image.size / 60)
    flux = 500.0 / rng.uniform(0.01, 1.0, count)
    stars[rng.integers(0, 400, count), rng.integers(0, 400, count)] = flux
    ratio = noise_ratio(planes(image + gaussian_filter(stars, 1.8), 25.0))
    assert ratio is not None
    assert ratio.least < 2.0
    assert ratio.most > 0.5


@pytest.mark.parametrize("width", [0.5, 0.8, 1.5])
def test_correlated_noise_of_the_right_variance_passes(width: float) -> None:
    """Resampled pixels are like their neighbours, but as a whole they scatter as they should."""
    smooth = gaussian_filter(noise((300, 300)), width)
    smooth *= 2.0 / smooth.std()
    ratio = noise_ratio(planes(smooth, 4.0))
    assert ratio is not None
    assert ratio.least < 2.0
    assert 0.5 < ratio.most < 2.0


def test_a_slope_of_the_sky_is_no_noise() -> None:
    """Ten thousand counts from left to right, over a noise of two."""
    ratio = noise_ratio(planes(noise() + np.linspace(0.0, 1e4, SHAPE[1]), 4.0))
    assert ratio is not None
    assert ratio.least == pytest.approx(1.0, abs=0.2)


def test_whole_counts_are_no_constant() -> None:
    """Digitized in steps of twice the noise, most pixels are the same; the others say how much."""
    counts = np.round(noise(sigma=0.5))
    ratio = noise_ratio(planes(counts, 0.25))
    assert ratio is not None
    assert 0.5 < ratio.most < 2.0


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(1e-6, 1e9), factor=st.floats(0.02, 50.0))
def test_the_ratio_is_that_of_the_variances(scale: float, factor: float) -> None:
    """In whatever unit the pixels are."""
    ratio = noise_ratio(planes(scale * noise((40, 200)), factor * (2.0 * scale) ** 2))
    assert ratio is not None
    assert ratio.least * factor == pytest.approx(1.0, rel=0.15)
    assert ratio.most * factor == pytest.approx(1.0, rel=0.2)


def test_flagged_pixels_say_nothing() -> None:
    """Only unflagged ones are sky; of too few nothing is said."""
    image = planes(noise(), 4.0)
    plane_array(image.mask)[:, :40] = bits_of(image.mask.schema, ["SAT"])
    image.image.array[:, :40] = 6e4
    ratio = noise_ratio(image)
    assert ratio is not None
    assert ratio.most == pytest.approx(1.0, abs=0.25)
    plane_array(image.mask)[:, 2:] = bits_of(image.mask.schema, ["BAD"])
    assert noise_ratio(image) is None


@pytest.mark.parametrize("name", ["tests", "hsc-tests"])
def test_simulated_surveys_pass_without_a_word(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Subtracted sky in nJy with sources, defects and amplifiers."""
    plan = survey_plan(name)
    with caplog.at_level(logging.WARNING):
        image = simulate_visit_detector(plan, visit=plan.visits[0].visit, detector=0)
        assert plausible(image) is not None
    assert "variance of its sky" not in caplog.text


@pytest.mark.parametrize("offset", [2, 4])
def test_a_psf_off_its_middle_is_refused(visit_image: Make, offset: int) -> None:
    """Every star of a coadd would be drawn beside itself."""
    y, x = np.mgrid[-12:13, -12:13]
    source = visit_image()
    for shift in (0.9, offset):
        kernel = np.exp(-0.5 * ((x - shift) ** 2 + y**2) / 4.0)
        source.psf = ImagePointSpreadFunction(kernel, bounds=source.bbox)
        if shift < 1:
            assert calibrated_image_from_visit_image(source) is not None
        else:
            with pytest.raises(UnusableInputError, match=f"{offset}.00 pixels from where"):
                calibrated_image_from_visit_image(source)


@pytest.mark.parametrize("value", [1e18, -1e18, 3e8])
def test_pixels_beyond_any_full_well_are_bad(
    visit_image: Make, tmp_path: Path, value: float
) -> None:
    """One of them would be a star of its own in every cell that it is in."""
    image = noise()
    image[10, 12] = value
    source = visit_image(image=image)
    before = source.mask.array.copy()
    mask = calibrated_image_from_visit_image(source).masked_image.mask
    clean = calibrated_image_from_visit_image(visit_image(image=noise())).masked_image.mask
    changed = np.argwhere(plane_array(mask) != plane_array(clean))
    assert changed.tolist() == [[10, 12]]
    assert plane_array(mask)[10, 12] & bits_of(mask.schema, ["BAD"])
    assert (source.mask.array == before).all(), "the image's own mask is left alone"
    exposure = DecamExposure()
    exposure.image[10, 12] = value
    decam = read_decam_image(exposure.write(tmp_path)).calibrated_image.masked_image.mask
    assert np.argwhere(plane_array(decam)).tolist() == [[10, 12]]


@given(value=st.floats(1.0, 9.9e6), sigma=st.floats(1e-6, 1e6))
def test_pixels_that_a_detector_can_hold_are_not_flagged(value: float, sigma: float) -> None:
    """Up to ten million sigmas, whatever the unit; infinite and missing values are others' work."""
    image = np.array([[value * sigma, np.nan, np.inf, 0.0]])
    mask = Mask(0, schema=mask_schema(), bbox=Box.factory[0:1, 0:4])
    variance = np.array([[sigma**2, 0.0, sigma**2, np.inf]])
    assert flag_impossible(image, variance, mask) is mask
