"""Correlated noise of images: measured on the sky, said by cameras, and noticed where it is not."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from lsst.images import Box, Image, Mask, MaskedImage
from scipy import ndimage
from scipy.signal import correlate2d

from cellcoadd import CalibratedImage, UnusableInputError, coadd_files, tabulate_cells
from cellcoadd.masks.planes import mask_schema
from cellcoadd.simulate import simulate_survey, survey_plan
from cellcoadd.skymap import load_sky_map
from cellcoadd.surveys import camera_reader
from cellcoadd.surveys.checks import check_plausible
from cellcoadd.surveys.noise_correlation import measure_noise_correlation
from cellcoadd.surveys.plausibility import block_factor
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.testing.plain_files import write_camera, write_plain_image, write_planes

type Floats = npt.NDArray[np.float64]

BILINEAR = np.outer([0.5, 0.5], [0.5, 0.5]) / 0.5
"""Interpolation half-way between pixels."""


def gaussian(sigma: float) -> Floats:
    along = np.exp(-0.5 * (np.arange(-6, 7) / sigma) ** 2)
    kernel: Floats = np.outer(along, along)
    kernel /= np.sqrt((kernel**2).sum())
    return kernel


WHITE = np.ones((1, 1))
KERNELS = {"white": WHITE, "bilinear": BILINEAR, "narrow": gaussian(0.7), "wide": gaussian(1.2)}


def noise_of(kernel: Floats, *, side: int, seed: int = 1) -> Floats:
    """Noise of variance 1 that has the autocorrelation of the kernel."""
    white = np.random.default_rng(seed).standard_normal((side + 12, side + 12))
    return np.asarray(ndimage.convolve(white, kernel / np.sqrt((kernel**2).sum()))[6:-6, 6:-6])


def block_factor_of(kernel: Floats) -> float:
    """Sum of the correlations of all pairs of pixels of a block of 4 x 4, over 16."""
    correlation = correlate2d(kernel, kernel) / (kernel**2).sum()
    half = correlation.shape[0] // 2
    return sum(
        float(correlation[half + dy, half + dx]) * (4 - abs(dy)) * (4 - abs(dx)) / 16.0
        for dy in range(-min(half, 3), min(half, 3) + 1)
        for dx in range(-min(half, 3), min(half, 3) + 1)
    )


def planes_of(pixels: Floats, *, variance: float = 1.0) -> MaskedImage:
    box = Box.factory[0 : pixels.shape[0], 0 : pixels.shape[1]]
    return MaskedImage(
        Image(pixels.astype(np.float32), bbox=box),
        mask=Mask(0, schema=mask_schema(), bbox=box),
        variance=Image(np.full(pixels.shape, variance, np.float32), bbox=box),
    )


def with_sources(pixels: Floats, *, number: int, seed: int = 5) -> Floats:
    """Stars of 4 pixels FWHM, half of them too faint to be found, on a sky that slopes."""
    rng, side = np.random.default_rng(seed), pixels.shape[0]
    rows, columns = np.mgrid[:side, :side]
    sky: Floats = pixels + 0.01 * columns + 0.005 * rows
    spots = np.zeros_like(pixels)
    y, x = rng.integers(0, side, (2, number))
    spots[y, x] = 10.0 ** rng.uniform(0.5, 4.0, number)
    sky += ndimage.gaussian_filter(spots, 1.7)
    return sky


@pytest.mark.parametrize("name", KERNELS)
def test_the_measured_correlation_is_the_true_one(name: str) -> None:
    """On a million pixels: each offset to 0.01, the factor of 4 x 4 pixels to 2 per cent."""
    kernel = KERNELS[name]
    measured = measure_noise_correlation(planes_of(2.0 * noise_of(kernel, side=1024), variance=4.0))
    assert measured is not None
    assert measured.block_factor == pytest.approx(block_factor_of(kernel), rel=0.02)
    assert measured.block_factor_error < 0.01 * measured.block_factor
    true = correlate2d(kernel, kernel) / (kernel**2).sum()
    half, reach = measured.correlation.shape[0] // 2, true.shape[0] // 2
    common = min(half, reach)
    np.testing.assert_allclose(
        measured.correlation[half - common : half + common + 1, half - common : half + common + 1],
        true[reach - common : reach + common + 1, reach - common : reach + common + 1],
        atol=0.01,
    )
    assert measured.is_white == (name == "white")
    true[reach - common : reach + common + 1, reach - common : reach + common + 1] = 0.0
    assert true.sum() < 0.05 / (kernel**2).sum() * kernel.sum() ** 2


def test_white_noise_stays_white() -> None:
    """In twenty images of 300 pixels no correlation is found; the error that is said is true."""
    factors = []
    for seed in range(20):
        measured = measure_noise_correlation(planes_of(noise_of(WHITE, side=300, seed=seed)))
        assert measured is not None
        assert measured.is_white
        factors.append(measured.block_factor)
        error = measured.block_factor_error
    # 20 draws tell a standard deviation to 16 %, their mean to a fifth of it.
    assert 0.5 * error < np.std(factors) < 1.5 * error
    assert abs(float(np.mean(factors)) - 1.0) < error


@pytest.mark.parametrize("name", ["white", "narrow"])
def test_sources_and_slopes_add_little(name: str) -> None:
    """400 stars on 512 pixels, many of them below the noise: 6 per cent at most."""
    pixels = with_sources(noise_of(KERNELS[name], side=512), number=400)
    measured = measure_noise_correlation(planes_of(pixels))
    assert measured is not None
    assert measured.block_factor == pytest.approx(block_factor_of(KERNELS[name]), rel=0.06)


def test_bad_pixels_and_small_images() -> None:
    """Bad pixels do not count; where too few are left, nothing is measured."""
    planes = planes_of(noise_of(BILINEAR, side=300))
    bad = np.zeros((300, 300), np.bool_)
    bad[::7] = True
    planes.image.array[bad] = 1e5
    planes.mask.set("BAD", bad)
    measured = measure_noise_correlation(planes)
    assert measured is not None
    assert measured.block_factor == pytest.approx(block_factor_of(BILINEAR), rel=0.06)
    planes.mask.set("BAD", np.ones((300, 300), np.bool_))
    assert measure_noise_correlation(planes) is None
    assert measure_noise_correlation(planes_of(noise_of(WHITE, side=40))) is None


@pytest.mark.parametrize("name", KERNELS)
def test_blocks_scatter_as_the_correlation_says(name: str) -> None:
    """The quick measure for the check, with stars left in: to a tenth."""
    pixels = with_sources(noise_of(KERNELS[name], side=600), number=150)
    found = block_factor(planes_of(pixels))
    assert found == pytest.approx(block_factor_of(KERNELS[name]), rel=0.1)
    assert block_factor(planes_of(pixels[:60, :60])) is None
    assert block_factor(planes_of(np.zeros((300, 300)))) is None


def image_of(pixels: Floats, **changes: object) -> CalibratedImage:
    return make_detector(
        small_patch(), width=pixels.shape[1], height=pixels.shape[0], pixels=pixels, variance=1.0,
        **changes,  # type: ignore[arg-type]
    )  # fmt: skip


def test_unstated_correlation_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """With file, factor and the way out; not where it is stated, nor of white noise."""
    caplog.set_level(logging.WARNING)
    pixels = noise_of(KERNELS["narrow"], side=300)
    check_plausible(image_of(pixels), "vista.fits")
    assert len(caplog.records) == 1
    text = caplog.records[0].getMessage()
    assert text.startswith("vista.fits: means of 4 x 4 pixels of its sky have ")
    assert "`noise_correlation: measure`" in text
    factor = float(text.partition("have ")[2].partition(" times")[0])
    assert factor == pytest.approx(block_factor_of(KERNELS["narrow"]), rel=0.1)
    caplog.clear()
    known = np.outer([0.2, 1.0, 0.2], [0.2, 1.0, 0.2])
    check_plausible(image_of(pixels, noise_correlation=known), "vista.fits")
    for seed in range(10):
        check_plausible(image_of(noise_of(WHITE, side=300, seed=seed)), "white.fits")
    assert not caplog.records


def test_simulated_images_are_white() -> None:
    """With stars, galaxies and hits: none comes near the limit of 1.5."""
    for number, visit_image in enumerate(simulate_survey(survey_plan("tests"))):
        image = calibrated_image_from_visit_image(visit_image)
        factor = block_factor(image.masked_image[...])
        assert factor is not None
        assert 0.8 < factor < 1.25
        if number == 5:
            break


def plain_image(folder: Path, kernel: Floats) -> Path:
    path = write_plain_image(folder / "image.fits", weight_suffix=None)
    return write_planes(path, 2.0 * noise_of(kernel, side=400), **dict(fits.getheader(path)))


def test_cameras_say_or_have_it_measured(tmp_path: Path) -> None:
    """Off by default; white noise that is measured stays white."""
    path = plain_image(tmp_path, KERNELS["narrow"])

    def read(**changes: object) -> CalibratedImage:
        camera = write_camera(tmp_path / "camera.yaml", **changes)
        return camera_reader(camera).read(path).calibrated_image

    assert read().noise_correlation is None
    measured = read(noise_correlation="measure").noise_correlation
    assert measured is not None
    true = correlate2d(KERNELS["narrow"], KERNELS["narrow"])
    half = measured.shape[0] // 2
    assert measured[half, half + 1] == pytest.approx(float(true[12, 13]), abs=0.02)
    given = [[0.1, 0.3, 0.1], [0.4, 1.0, 0.4], [0.1, 0.3, 0.1]]
    stated = read(noise_correlation=given).noise_correlation
    np.testing.assert_array_equal(stated, given)
    plain_image(tmp_path, WHITE)
    assert read(noise_correlation="measure").noise_correlation is None


@pytest.mark.parametrize(
    "given", ["yes", 3, [[1.0, 0.2]], [[0.5]], [["a"]], [[1.0, 0.0, 0.0]] * 3, {"radius": 3}]
)
def test_what_is_no_correlation_is_refused(tmp_path: Path, given: object) -> None:
    """With the key and the rule."""
    camera = write_camera(tmp_path / "camera.yaml", noise_correlation=given)
    with pytest.raises(UnusableInputError, match="noise_correlation must be measure, or rows of"):
        camera_reader(camera)


def test_info_shows_it(tmp_path: Path) -> None:
    """What blocks of pixels do, and what the image says of it."""
    path = plain_image(tmp_path, KERNELS["narrow"])
    for key, said in ((None, "taken as independent"), ("measure", "taken as correlated, by 7 x 7")):
        camera = write_camera(tmp_path / "camera.yaml", noise_correlation=key)
        output = run_command("cellcoadd", "info", "--camera", camera, path).output
        (line,) = (line for line in output.splitlines() if "noise of neighbours" in line)
        assert said in line
        assert float(line.partition("have ")[2].partition(" times")[0]) > 3.0


def test_measured_noise_goes_into_the_coadd(tmp_path: Path) -> None:
    """Three images turned into one coadd: its factor with a measured correlation, and the true one.

    They agree within 5 per cent, twice the error of a single image of 400 x 400 pixels; a coadd
    that takes the noise as white says less than half of it.
    """
    kernel = KERNELS["narrow"]
    true = (correlate2d(kernel, kernel)[8:17, 8:17]).tolist()
    paths = []
    for number in range(3):
        path = write_plain_image(tmp_path / f"img{number}.fits", weight_suffix=None)
        cards = {**dict(fits.getheader(path)), "EXPNUM": number, "CRPIX1": 200.3 + 0.3 * number}
        pixels = 2.0 * noise_of(kernel, side=400, seed=number)
        paths.append(write_planes(path, pixels, **{**cards, "CRPIX2": 200.0 + 0.4 * number}))
    sky_map = tmp_path / "field.yaml"
    sky_map.write_text(
        "{name: field, kind: discrete, pixel_scale_arcsec: 0.2, cell_inner_size: 60, "
        "cell_border: 10, tracts: [{ra: 150.0, dec: 2.0, radius: 0.004}]}"
    )
    patch = load_sky_map(sky_map)[0].patch(0)
    factors = {}
    for name, key in (("measured", "measure"), ("true", true), ("white", None)):
        camera = write_camera(
            tmp_path / f"{name}.yaml", noise_correlation=key, visit={"keyword": "EXPNUM"}
        )
        coadd = coadd_files(paths, patch, camera=camera).coadd
        assert coadd is not None
        factors[name] = float(np.mean(tabulate_cells(coadd)["noise_factor"]))
    assert factors["measured"] == pytest.approx(factors["true"], rel=0.05)
    assert factors["white"] < 0.5 * factors["true"]
