"""Frames of SDSS of which every number is known: pixels, variance, calibration, PSF, identity."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box

from cellcoadd.surveys import SurveyImage, reader_for
from cellcoadd.surveys.fits_files import read_pixels
from cellcoadd.surveys.sdss import UNIQUE_ROWS, read_sdss_image
from cellcoadd.testing.sdss_frames import MadeFrame, write_sdss_frame

FRAME = MadeFrame()


@pytest.fixture
def ramp() -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Different values in all pixels, some below the softbias and one where nothing was written."""
    pixels = np.arange(FRAME.rows * FRAME.columns, dtype=np.uint16) + 900
    pixels[77] = 0
    return pixels.reshape(FRAME.rows, FRAME.columns)


def noise() -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Whole numbers that scatter like a faint sky: an image without any scatter is refused."""
    drawn = np.random.default_rng(20).normal(0.0, 5.0, (FRAME.rows, FRAME.columns))
    return np.rint(drawn).astype(np.int64)


def test_pixels_are_dn_less_softbias_and_sky(
    tmp_path: Path, ramp: np.ndarray[tuple[int, int], np.dtype[np.uint16]]
) -> None:
    """And the variance that of the photons, sky included, and of the detector: never 0 or less."""
    image = read_sdss_image(write_sdss_frame(tmp_path, FRAME, pixels=ramp)).calibrated_image
    planes = image.masked_image[...]
    light = ramp.astype(float) - 1000.0
    np.testing.assert_allclose(planes.image.array, light - FRAME.sky, rtol=1e-6)
    expected = np.maximum(light, 0.0) / FRAME.gain + FRAME.dark_variance
    expected[0, 77] = np.inf
    np.testing.assert_allclose(planes.variance.array, expected, rtol=1e-6)
    assert np.argwhere(planes.mask.get("NO_DATA")).tolist() == [[0, 77]]
    assert image.mean_variance == FRAME.sky / FRAME.gain + FRAME.dark_variance


def test_a_pixel_without_any_noise_has_no_weight(tmp_path: Path) -> None:
    """Dark variance 0 is allowed, a variance of 0 is not: it would be an infinite weight."""
    frame = dataclasses.replace(FRAME, dark_variance=0.0)
    pixels = noise() + 1100
    pixels[3, 4] = 950
    image = read_sdss_image(write_sdss_frame(tmp_path, frame, pixels=pixels)).calibrated_image
    variance = image.masked_image.variance.array
    assert variance[3, 4] == np.inf
    assert np.isfinite(np.delete(variance.ravel(), 3 * frame.columns + 4)).all()


def test_softbias_is_that_of_the_header(tmp_path: Path) -> None:
    """The survey used 1000; a file that says otherwise is believed."""
    path = write_sdss_frame(tmp_path, FRAME, pixels=noise() + 1500, ending=".fit")
    fits.setval(path, "SOFTBIAS", value=1200)
    planes = read_sdss_image(path).calibrated_image.masked_image
    np.testing.assert_allclose(planes.image.array, noise() + 300 - FRAME.sky, rtol=0, atol=1e-4)


def test_flux_of_a_count_is_that_of_the_photometric_calibration(tmp_path: Path) -> None:
    """A star of 500 DN has the AB magnitude -(aa + kk X) - 2.5 log10(500 / t)."""
    image = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).calibrated_image
    magnitude = 24.0 - 0.1 * 1.2 - 2.5 * np.log10(500.0 / 53.907456)
    flux = 500.0 * image.nanojansky_per_count
    assert 31.4 - 2.5 * np.log10(flux) == pytest.approx(magnitude, abs=1e-9)


def direct_psf(
    frame: MadeFrame, *, x: float, y: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The survey's formula, term by term; its positions are half a pixel larger than ours."""
    row, column = 0.001 * (y + 0.5), 0.001 * (x + 0.5)
    total = np.zeros(frame.eigenimages.shape[1:])
    for image, table in zip(frame.eigenimages, frame.coefficients, strict=True):
        weight = sum(table[i, j] * row**i * column**j for i in range(3) for j in range(3))
        total += weight * image
    return total / total.sum()


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (139.0, 119.0), (70.3, 11.9), (2047.0, 1488.0)])
def test_psf_is_the_survey_s_formula(tmp_path: Path, x: float, y: float) -> None:
    """Exactly: products of powers of row and column are terms of the polynomial that we have."""
    psf = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).calibrated_image.psf
    drawn = psf.compute_kernel_image(x=x, y=y)
    np.testing.assert_allclose(drawn.array, direct_psf(FRAME, x=x, y=y), atol=1e-15)
    assert drawn.bbox == Box.factory[-12:13, -12:13]


def test_identity_is_run_field_band_and_ccd(tmp_path: Path) -> None:
    """A visit has one filter, and columns of the camera are its detectors."""
    seen = {}
    for band, row in (("r", 1), ("i", 2), ("u", 3), ("z", 4), ("g", 5)):
        for camcol in (1, 6):
            frame = MadeFrame(run=94, camcol=camcol, field=12, band=band)
            path = write_sdss_frame(tmp_path, frame)
            header = reader_for(path).read_header(path)
            observation = header.observation
            assert observation.instrument == "SDSS"
            assert (observation.visit, observation.detector) == (9_400_120 + row, 10 * row + camcol)
            assert header.detector_name == f"{band}{camcol}"
            assert (observation.band, observation.physical_filter) == (band, band)
            seen[observation.visit, observation.detector] = path
    assert len(seen) == 10


def test_times_are_those_of_the_middle_row(tmp_path: Path) -> None:
    """Each row is exposed for 53.9 s before it is read, 0.0263 s after the row before it."""
    details = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).details
    assert details.begin is not None
    assert details.end is not None
    expected = FRAME.start + 0.5 * (FRAME.rows - 1) * FRAME.step_s
    assert details.end.tai.mjd * 86400.0 == pytest.approx(expected, abs=1e-3)
    assert (details.end - details.begin).to_value("s") == pytest.approx(53.907456, abs=1e-6)
    assert details.exposure_time_s == 53.907456
    assert details.identifiers.day_obs == 20031018, "an evening in New Mexico"


def test_details_say_where_the_telescope_pointed(tmp_path: Path) -> None:
    """The survey's azimuth is 0 in the south: field and time of the frame give 182 degrees."""
    details = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).details
    assert (details.ra_deg, details.dec_deg, details.rotation_deg) == (351.08, 0.0, 90.0)
    assert (details.airmass, details.zenith_angle_deg) == (FRAME.airmass, 33.0)
    assert (details.azimuth_deg, details.latitude_deg) == (182.0, 32.780361)
    assert (details.target, details.observation_type) == ("82 S", "science")
    assert (details.name, details.sequence_number) == ("004192-0300-r", 300)


def test_conditions_have_the_sky_of_the_frame(tmp_path: Path) -> None:
    """Level and noise of the photons and the detector, in nJy; just west of the meridian."""
    image = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).calibrated_image
    found, flux = image.conditions, image.nanojansky_per_count
    assert image.mean_variance is not None
    assert found.sky_background_njy == pytest.approx(flux * FRAME.sky, rel=1e-6)
    assert found.sky_noise_njy == pytest.approx(flux * math.sqrt(image.mean_variance))
    assert found.zenith_angle_deg == 33.0
    assert found.parallactic_angle_deg is not None
    assert 0.0 < found.parallactic_angle_deg < 5.0


def test_middle_of_the_wcs_is_where_the_header_says(tmp_path: Path) -> None:
    """Its pixels are those of the FITS standard: 1 is the first one's centre, which is our 0."""
    projection = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).calibrated_image.sky_projection
    sky = projection.pixel_to_sky(x=FRAME.columns / 2 - 0.5, y=FRAME.rows / 2 - 1.0)
    assert sky.ra.deg == pytest.approx(FRAME.ra_deg, abs=1e-10)
    assert sky.dec.deg == pytest.approx(FRAME.dec_deg, abs=1e-10)
    later = projection.pixel_to_sky(x=FRAME.columns / 2 - 0.5, y=FRAME.rows / 2)
    assert (later.ra - sky.ra).to_value("arcsec") == pytest.approx(0.396, abs=1e-4)


def test_quality_is_what_the_survey_states_of_its_psf(tmp_path: Path) -> None:
    """The width is a full width at half maximum in arcsec; what is not stated is not cut on."""
    quality = read_sdss_image(write_sdss_frame(tmp_path, FRAME)).calibrated_image.quality
    assert quality.psf_sigma == pytest.approx(1.2 / 2.354820 / 0.396, rel=1e-4)
    assert quality.n_psf_star == 40
    unknown = dataclasses.replace(FRAME, psf_width_arcsec=-9999.0, psf_nstar=-9999)
    quality = read_sdss_image(write_sdss_frame(tmp_path, unknown)).calibrated_image.quality
    assert (quality.psf_sigma, quality.n_psf_star) == (None, None)


def test_header_alone_says_the_same(tmp_path: Path) -> None:
    """What registers visits must agree with what is warped later."""
    path = write_sdss_frame(tmp_path, FRAME)
    reader = reader_for(path)
    assert reader.name == "sdss"
    header, image = reader.read_header(path), reader.read(path)
    assert header.observation == image.header.observation
    assert header.bbox == header.detector_bbox == image.calibrated_image.bbox
    assert header.sky_projection == image.calibrated_image.sky_projection


@pytest.mark.parametrize("ending", [".fit", ".fit.gz", ".fits", ".fits.gz"])
def test_a_frame_is_the_same_compressed_or_not(tmp_path: Path, ending: str) -> None:
    """Archives hand out both."""
    expected = read_sdss_image(write_sdss_frame(tmp_path / "other", FRAME))
    image = read_sdss_image(write_sdss_frame(tmp_path, FRAME, ending=ending))
    assert_same_pixels(image, expected)


def assert_same_pixels(image: SurveyImage, expected: SurveyImage) -> None:
    ours, theirs = (one.calibrated_image.masked_image for one in (image, expected))
    np.testing.assert_array_equal(ours.image.array, theirs.image.array)
    np.testing.assert_array_equal(ours.variance.array, theirs.variance.array)
    np.testing.assert_array_equal(ours.mask.array, theirs.mask.array)


def test_parts_are_those_of_the_whole_and_their_owner_s(tmp_path: Path) -> None:
    """Whoever asks for a part may change it; others do not see that."""
    path = write_sdss_frame(tmp_path, FRAME, spans={"SATUR": [(20, 30, 31)]})
    planes = read_sdss_image(path).calibrated_image.masked_image
    whole, box = planes[...], Box.factory[15:40, 25:90]
    first = planes[box]
    for name in ("image", "mask", "variance"):
        np.testing.assert_array_equal(
            getattr(first, name).array, getattr(whole[box], name).array, err_msg=name
        )
    mine = read_sdss_image(path).calibrated_image.masked_image[box]
    mine.image.array[...], mine.mask.array[...], mine.variance.array[...] = -1.0, 0, 7.0
    again = read_sdss_image(path).calibrated_image.masked_image[box]
    np.testing.assert_array_equal(again.image.array, first.image.array)
    np.testing.assert_array_equal(again.mask.array, first.mask.array)


def test_a_compressed_frame_is_unpacked_once_for_all_of_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a stream of gzip costs as much as all of it. A file that is new is read anew."""
    path = write_sdss_frame(tmp_path, FRAME)
    reads: list[Path] = []

    def counted(hdus: Any, extension: int, path: Path, **options: Any) -> Any:
        reads.append(path)
        return read_pixels(hdus, extension, path, **options)

    monkeypatch.setattr("cellcoadd.surveys.sdss.reader.read_pixels", counted)
    planes = read_sdss_image(path).calibrated_image.masked_image
    for start in range(0, 100, 20):
        planes[Box.factory[start : start + 20, 10:50]]
    assert reads == [path]
    brighter = dataclasses.replace(FRAME, columns=FRAME.columns + 1)
    assert read_sdss_image(write_sdss_frame(tmp_path, brighter)).header.bbox.x.size == 141
    assert reads == [path, path]


def test_unique_rows_of_a_run_leave_no_gap_and_overlap_nowhere() -> None:
    """A field begins 1361 rows after the one before it, and has 1489."""
    assert UNIQUE_ROWS.stop - UNIQUE_ROWS.start == 1361
    assert UNIQUE_ROWS.start + 1489 - UNIQUE_ROWS.stop == 128
