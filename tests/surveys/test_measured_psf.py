"""PSFs that are measured from stars of known truth: fluxes, sizes, centres, and which stars."""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box

from cellcoadd import read
from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.surveys.measured_psf import NEEDED_STARS, MeasuredPsf, PsfMeasurement, measure_psf
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.testing.star_fields import StarField, Truth, make_star_field


def measured(field: StarField, **settings: float) -> MeasuredPsf:
    return measure_psf(field.planes, source="field", settings=PsfMeasurement(**settings))  # type: ignore[arg-type]


def second_moments(stamp: npt.NDArray[np.float64], sigma: float) -> tuple[float, float, float]:
    """Centre in x and y, and sigma, under one round Gaussian weight: a witness of our own.

    For a Gaussian PSF, half of its variance is under a weight of its own size.
    """
    side = np.arange(stamp.shape[0]) - stamp.shape[0] // 2
    weighted = stamp * np.exp(-0.5 * (side[:, np.newaxis] ** 2 + side**2) / sigma**2)
    total = weighted.sum()
    x, y = float(weighted.sum(axis=0) @ side) / total, float(weighted.sum(axis=1) @ side) / total
    square = float((weighted * (side[:, np.newaxis] ** 2 + side**2)).sum()) / total
    half = 0.5 * (square - x**2 - y**2)
    return 2.0 * x, 2.0 * y, math.sqrt(half * sigma**2 / (sigma**2 - half))


def compare(field: StarField, made: MeasuredPsf, positions: int = 20) -> npt.NDArray[np.float64]:
    """Flux that a true star has by the PSF, ratio of sizes, offset in x and y; at random places."""
    rng = np.random.default_rng(99)
    box, rows = field.planes.bbox, []
    for _ in range(positions):
        x = box.x.start + float(rng.uniform(0.15, 0.85)) * box.x.size
        y = box.y.start + float(rng.uniform(0.15, 0.85)) * box.y.size
        star = made.psf.compute_stellar_image(x=x, y=y)
        light = field.star(x=x, y=y, box=star.bbox)
        light = light / light.sum()
        flux = float((light * star.array).sum() / (star.array**2).sum())
        column, row = round(x), round(y)
        kernel = made.psf.compute_kernel_image(x=column, y=row)
        moved = Box.factory[
            kernel.bbox.y.start + row : kernel.bbox.y.stop + row,
            kernel.bbox.x.start + column : kernel.bbox.x.stop + column,
        ]
        true = field.star(x=column, y=row, box=moved)
        sigma = field.truth.fwhm / FWHM_PER_SIGMA
        dx, dy, size = second_moments(kernel.array, sigma)
        rows.append((flux, size / second_moments(true, sigma)[2], dx, dy))
    return np.array(rows)


CASES = {
    "gaussian": Truth(fwhm=4.5),
    "moffat": Truth(fwhm=4.5, beta=3.0, stretch=1.1),
    "moffat with wings": Truth(fwhm=5.0, beta=2.5),
    "narrow": Truth(fwhm=2.6, beta=3.5),
}


@pytest.mark.parametrize("truth", CASES.values(), ids=list(CASES))
def test_stars_keep_their_flux_size_and_centre(truth: Truth) -> None:
    """36 stars of a signal of 50 to 500 times the noise: 0.5 % in flux, 1 % in size, 0.02 px.

    Together they have a signal of 1100 times the noise, so that flux and size are known to 0.1 %;
    the rest is what interpolation and the light of the wings, which is below the noise, leave.
    """
    field = make_star_field(truth, stars=36, spacing=64)
    made = measured(field)
    assert made.quality.stars == 36
    found = compare(field, made)
    assert found[:, 0].mean() == pytest.approx(1.0, abs=5e-3)
    assert found[:, 1].mean() == pytest.approx(1.0, abs=1e-2)
    assert np.abs(found[:, 1] - 1.0).max() < 0.02
    assert np.abs(found[:, 2:]).max() < 0.02


def test_fluxes_and_centres_of_the_stars_are_theirs() -> None:
    """The light of all together to 0.5 %, centres to their noise: FWHM / S/N, the mean of them to a
    sixth of that."""
    field = make_star_field(Truth(fwhm=4.5, beta=3.0), signal_to_noise=(100.0, 500.0))
    made = measured(field)
    distance = np.hypot(made.x[:, np.newaxis] - field.x, made.y[:, np.newaxis] - field.y)
    nearest = distance.argmin(axis=1)
    assert sorted(nearest) == list(range(36))
    assert made.flux.sum() / field.flux.sum() == pytest.approx(1.0, abs=5e-3)
    assert distance.min(axis=1).max() < 3.0 * 4.5 / 100.0 / math.sqrt(2.0)
    assert abs(float((made.x - field.x[nearest]).mean())) < 0.01
    assert abs(float((made.y - field.y[nearest]).mean())) < 0.01


def test_a_psf_that_changes_is_followed() -> None:
    """20 % wider on the right than on the left; held constant, it is 5 % off there on average."""
    field = make_star_field(Truth(fwhm=4.5, beta=3.0, slope=0.1), stars=49)
    sizes = {}
    for degree in (0, 1):
        made = measured(field, degree=degree)
        assert made.quality.degree == degree
        sizes[degree] = np.abs(compare(field, made, positions=40)[:, 1] - 1.0)
    assert sizes[1].max() < 0.025
    assert sizes[1].mean() < 0.01
    assert sizes[0].mean() > 0.025
    linear = measured(field).quality
    sigma = 4.5 / FWHM_PER_SIGMA
    assert linear.size_range == pytest.approx(0.2 * sigma, rel=0.25)
    assert measured(field, degree=0).quality.size_range < 0.001
    assert linear.size_scatter < 0.015  # one over the signal of most stars
    assert linear.chi_square == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize(
    ("stars", "highest", "degree"), [(8, 2, 0), (23, 2, 0), (24, 2, 1), (49, 1, 1), (49, 2, 2)]
)
def test_the_degree_follows_the_number_of_stars(stars: int, highest: int, degree: int) -> None:
    """Eight for each term of the polynomial."""
    field = make_star_field(Truth(fwhm=3.0), stars=stars, spacing=40)
    assert measured(field, degree=highest).quality.degree == degree


def test_stars_in_one_corner_say_nothing_of_the_others() -> None:
    """Thirty-six of them, on a ninth of the image: the PSF is constant."""
    field = make_star_field(Truth(fwhm=3.0), stars=36, spacing=40)
    side = field.planes.bbox.x.size
    whole = make_star_field(Truth(fwhm=3.0), stars=1, spacing=3 * side)
    whole.planes.image.array[:side, :side] = field.planes.image.array
    assert measured(field).quality.degree == 1
    assert measured(whole).quality.degree == 0


def add(field: StarField, light: Truth, *, x: float, y: float, flux: float) -> None:
    box = field.planes.bbox
    field.planes.image.array[...] += flux * light.drawn(x=x, y=y, box=box, columns=1 << 30)


def taken(made: MeasuredPsf, *, x: float, y: float) -> bool:
    return bool((np.hypot(made.x - x, made.y - y) < 2.0).any())


def test_what_is_no_single_whole_star_is_left_out() -> None:
    """A galaxy, a pair, a saturated star, one with a hit in its core, one at the edge.

    The PSF is as good as without them.
    """
    truth = Truth(fwhm=4.0)
    field = make_star_field(truth, stars=45, spacing=64)
    side = 7 * 64
    free = [(column, row) for row in range(7) for column in range(7)]
    used = {(int(x // 64), int(y // 64)) for x, y in zip(field.x, field.y, strict=True)}
    empty = [(64 * c + 32, 64 * r + 32) for c, r in free if (c, r) not in used]
    assert len(empty) == 4
    (gx, gy), (px, py), *_ = empty
    flux = float(np.median(field.flux))
    add(field, Truth(fwhm=7.0), x=gx, y=gy, flux=3 * flux)  # a galaxy
    for dx in (-3.0, 3.0):
        add(field, truth, x=px + dx, y=py, flux=flux)  # a pair
    add(field, truth, x=4.0, y=20.0, flux=5 * flux)  # at the edge
    saturated, hit = 3, 7
    bits = plane_array(field.planes.mask)
    for index, plane in ((saturated, "SAT"), (hit, "CR")):
        column, row = round(field.x[index]), round(field.y[index])
        bits[row, column + (2 if plane == "CR" else 0)] |= bits_of(
            field.planes.mask.schema, [plane]
        )
    made = measured(field)
    assert not taken(made, x=gx, y=gy)
    assert not taken(made, x=px - 3, y=py)
    assert not taken(made, x=px + 3, y=py)
    assert not taken(made, x=4.0, y=20.0)
    for index in range(45):
        expected = index not in (saturated, hit)
        assert taken(made, x=field.x[index], y=field.y[index]) == expected, index
    assert made.quality.stars == 43
    assert made.quality.sources >= 44
    found = compare(field, made)
    assert found[:, :2].mean(axis=0) == pytest.approx([1.0, 1.0], abs=5e-3)
    assert side == field.planes.bbox.x.size


def test_bad_pixels_and_faint_neighbours_around_stars_do_no_harm() -> None:
    """Masked columns through the wings, and a faint star ten pixels away from each star."""
    truth = Truth(fwhm=4.0, beta=3.0)
    field = make_star_field(truth, stars=36, spacing=64, signal_to_noise=(150.0, 600.0))
    image = field.planes.image.array
    noise = math.sqrt(float(field.planes.variance.array[0, 0]))
    for x, y in zip(field.x, field.y, strict=True):
        add(field, truth, x=x + 13.0, y=y + 6.0, flux=8.0 * noise * math.sqrt(50.0))
        part = np.s_[max(round(y) - 20, 0) : round(y) + 21, round(x) - 9]
        image[part] = 1e5
        plane_array(field.planes.mask)[part] |= bits_of(field.planes.mask.schema, ["BAD"])
    made = measured(field)
    assert made.quality.stars >= 30
    found = compare(field, made)
    assert found[:, :2].mean(axis=0) == pytest.approx([1.0, 1.0], abs=1e-2)


def test_the_signal_that_a_star_must_have_can_be_chosen() -> None:
    """Half of the stars are above 100 times the noise."""
    field = make_star_field(Truth(fwhm=4.0), stars=36, signal_to_noise=(25.0, 400.0))
    numbers = {least: measured(field, signal_to_noise=least).quality.stars for least in (20, 100)}
    assert numbers[20] == 36
    assert 14 <= numbers[100] <= 22


def test_a_sky_that_was_left_in_is_no_light_of_stars() -> None:
    """A slope of many times the noise leaves flux and size as they are."""
    field = make_star_field(Truth(fwhm=4.0), stars=49, spacing=60)
    slope = np.linspace(200.0, 260.0, field.planes.bbox.x.size)
    field.planes.image.array[...] += slope.astype(np.float32)
    found = compare(field, measured(field))
    assert found[:, :2].mean(axis=0) == pytest.approx([1.0, 1.0], abs=1e-2)


def test_the_same_pixels_have_the_same_psf_wherever_they_are() -> None:
    """To the bit, and in the coordinates of the image."""
    truth = Truth(fwhm=4.0, beta=3.0, slope=0.05)
    field = make_star_field(truth, stars=36)
    moved = make_star_field(truth, stars=36, corner=(1000, -300))
    first, second = measured(field), measured(moved)
    one = first.psf.compute_stellar_image(x=100.3, y=200.8)
    other = second.psf.compute_stellar_image(x=1100.3, y=-99.2)
    np.testing.assert_allclose(other.array, one.array, atol=1e-12)
    assert dataclasses.astuple(second.quality) == dataclasses.astuple(first.quality)
    np.testing.assert_allclose(second.x, first.x + 1000.0, atol=1e-9)
    again = measure_psf(field.planes, source="again")
    assert again is measure_psf(field.planes, source="and again"), "it is not measured twice"


def test_too_few_stars_are_refused_with_the_ways_out() -> None:
    """Counted, with what is needed, and what to write in the definition instead."""
    field = make_star_field(Truth(fwhm=4.0), stars=NEEDED_STARS - 1)
    with pytest.raises(UnusableInputError) as caught:
        measured(field)
    said = str(caught.value)
    assert said.startswith("field: its PSF cannot be measured: 7 of 7 sources with a signal of 40")
    assert "8 are needed" in said
    assert all(way in said for way in ("fwhm", "image", "psfex"))
    empty = make_star_field(Truth(fwhm=4.0), stars=9, signal_to_noise=(1.0, 2.0))
    with pytest.raises(UnusableInputError, match="0 of 0 sources"):
        measured(empty)
    plane_array(empty.planes.mask)[...] |= bits_of(empty.planes.mask.schema, ["BAD"])
    with pytest.raises(UnusableInputError, match="0 of 0 sources"):
        measured(empty)
    tiny = make_star_field(Truth(fwhm=4.0), stars=1, spacing=12)
    with pytest.raises(UnusableInputError, match="8 are needed"):
        measured(tiny)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"signal_to_noise": 5.0}, "signal_to_noise must be 10 or more, got 5.0"),
        ({"signal_to_noise": math.nan}, "got nan"),
        ({"degree": 3}, "degree must be in 0..2, got 3"),
        ({"degree": -1}, "got -1"),
    ],
)
def test_settings_are_checked(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PsfMeasurement(**settings)  # type: ignore[arg-type]


def test_quality_is_that_of_the_truth_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An ellipse whose axes are as 1.2 to 1 has (1.44 - 1) / (1.44 + 1)."""
    caplog.set_level(logging.INFO)
    field = make_star_field(Truth(fwhm=4.0, stretch=1.2), seed=4)
    quality = measured(field).quality
    assert quality.fwhm_px == pytest.approx(4.0, rel=0.01)
    assert quality.ellipticity == pytest.approx(0.44 / 2.44, abs=0.01)
    assert (
        "field: its PSF was measured from 36 stars of 36 sources, linear in x and y" in caplog.text
    )
    stated = quality.image_quality(0.2)
    assert (stated.n_psf_star, stated.pixel_scale_arcsec) == (36, 0.2)
    assert stated.psf_sigma == pytest.approx(4.0 / FWHM_PER_SIGMA, rel=0.01)
    assert stated.psf_trace_radius_delta == quality.size_range
    assert stated.psf_star_delta_e_median is None


def test_a_measured_psf_is_stored_with_its_image(tmp_path: Path) -> None:
    """As any PSFEx model is; what is read draws the same stars."""
    field = make_star_field(Truth(fwhm=4.0, beta=3.0, slope=0.05))
    psf = measured(field).psf
    dataclasses.replace(make_detector(small_patch()), psf=psf).write(tmp_path / "image.fits")
    found = read(tmp_path / "image.fits").psf
    one, other = (each.compute_stellar_image(x=77.4, y=130.2) for each in (psf, found))
    np.testing.assert_array_equal(other.array, one.array)
