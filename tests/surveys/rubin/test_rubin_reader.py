"""Rubin visit images become calibrated images, or are refused by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation
from astropy.io import fits
from astropy.time import Time
from lsst.images import Image, ObservationSummaryStats, Polygon, VisitImage
from lsst.images.fields import ChebyshevField
from lsst.images.psfs import GaussianPointSpreadFunction
from lsst.images.serialization import ArchiveReadError, read_archive, write_archive

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage, ImageQuality
from cellcoadd.products.identifiers import ObservationIdentifiers
from cellcoadd.surveys import READERS, reader_for
from cellcoadd.surveys.rubin import (
    calibrated_image_from_visit_image,
    details_from_obs_info,
    read_visit_image,
)
from cellcoadd.warping.select import select_images
from cellcoadd.warping.settings import SelectionSettings

type Make = Callable[..., VisitImage]

IDENTIFIERS = ObservationIdentifiers(
    instrument="TestCam",
    visit=42,
    detector=1,
    physical_filter="r_03",
    band="r",
    day_obs=20250102,
)


GOOD_STATISTICS: dict[str, float] = {
    "psfSigma": 1.8,
    "psfArea": 40.0,
    "psfStarDeltaE1Median": 0.003,
    "psfStarDeltaE2Median": -0.004,
    "psfStarScaledDeltaSizeScatter": 0.01,
    "psfTraceRadiusDelta": 0.1,
    "psfApFluxDelta": 0.2,
    "nPsfStar": 77,
    "starEMedian": 0.06,
}


def chebyshev(image: VisitImage, coefficients: list[list[float]], unit: u.UnitBase) -> Any:
    return ChebyshevField(image.bbox, np.array(coefficients), unit=unit)


def scaled(image: VisitImage, coefficients: list[list[float]], unit: u.UnitBase) -> VisitImage:
    image.photometric_scaling = chebyshev(image, coefficients, unit)
    return image


def test_pixels_in_njy_are_taken_as_they_are(visit_image: Make) -> None:
    """No copy, no scaling: a count is a nJy."""
    source = visit_image()
    image = calibrated_image_from_visit_image(source)
    assert image.nanojansky_per_count == 1.0
    assert np.shares_memory(image.masked_image.image.array, source.image.array)
    assert np.shares_memory(image.masked_image.variance.array, source.variance.array)
    assert image.observation == IDENTIFIERS
    assert image.bbox == source.bbox
    assert image.sky_projection == source.sky_projection


def test_other_units_of_flux_are_a_scale(visit_image: Make) -> None:
    """1 uJy = 1000 nJy; the pixels stay what they are."""
    source = visit_image(unit=u.uJy)
    image = calibrated_image_from_visit_image(source)
    assert image.nanojansky_per_count == pytest.approx(1000.0)
    assert (image.masked_image.image.array == source.image.array).all()


def test_counts_with_a_constant_scaling_keep_their_pixels(visit_image: Make) -> None:
    """The scale is the field's value, in whatever unit of flux it is given."""
    source = scaled(visit_image(unit=u.electron), [[2.5]], u.uJy / u.electron)
    image = calibrated_image_from_visit_image(source)
    assert image.nanojansky_per_count == pytest.approx(2500.0)
    assert (image.masked_image.image.array == source.image.array).all()


def test_counts_with_a_varying_scaling_are_multiplied_pixel_by_pixel(visit_image: Make) -> None:
    """Lsst.images' own conversion says what the pixels in nJy are; the variance gets the square."""
    source = scaled(visit_image(unit=u.adu), [[2.0, 0.1], [0.2, 0.0]], u.nJy / u.adu)
    image = calibrated_image_from_visit_image(source)
    expected = source.convert_unit(u.nJy)
    assert image.nanojansky_per_count == 1.0
    assert image.masked_image.image.array == pytest.approx(expected.image.array, rel=1e-6)
    assert image.masked_image.variance.array == pytest.approx(expected.variance.array, rel=1e-6)
    assert image.masked_image.variance.array.std() > 0.1


def test_without_a_way_to_njy_an_image_is_refused(visit_image: Make) -> None:
    """The message names the unit."""
    with pytest.raises(UnusableInputError, match=r"f1: its pixels are in electron"):
        calibrated_image_from_visit_image(visit_image(unit=u.electron), source="f1")
    source = scaled(visit_image(unit=u.electron), [[2.5]], u.nJy / u.adu)
    with pytest.raises(UnusableInputError, match="no flux"):
        calibrated_image_from_visit_image(source)
    source = scaled(visit_image(unit=u.adu), [[-1.0]], u.nJy / u.adu)
    with pytest.raises(UnusableInputError, match="must be positive"):
        calibrated_image_from_visit_image(source)
    source = scaled(visit_image(unit=u.adu), [[0.1, 1.0]], u.nJy / u.adu)
    with pytest.raises(UnusableInputError, match="not positive everywhere"):
        calibrated_image_from_visit_image(source)


def test_mask_planes_get_our_names_and_strangers_are_kept(visit_image: Make) -> None:
    """DP2 calls SAT SATURATED; a plane nobody knows may still matter to its owner."""
    mask = calibrated_image_from_visit_image(visit_image()).masked_image.mask
    bits = plane_array(mask)
    for column, plane in ((20, "SAT"), (21, "CR"), (22, "BAD"), (23, "MOON")):
        assert bits[10, column] == bits_of(mask.schema, [plane])
    assert np.count_nonzero(bits) == 4


def test_pixels_outside_of_the_valid_region_are_no_data(visit_image: Make) -> None:
    """Vignetted corners are cut off by a polygon, not by a mask plane."""
    polygon = Polygon(x_vertices=[3.0, 40.0, 40.0, 3.0], y_vertices=[5.0, 5.0, 64.0, 64.0])
    mask = calibrated_image_from_visit_image(visit_image(bounds=polygon)).masked_image.mask
    outside = (plane_array(mask) & bits_of(mask.schema, ["NO_DATA"])) != 0
    assert outside[:, 41 - 3 :].all()
    assert not outside[1:-1, 1 : 40 - 3].any()


@pytest.mark.parametrize(
    ("stated", "expected"), [(1.1, 4.4), (4.4, 4.4), (100.0, None), (np.nan, None), (-1.0, None)]
)
def test_mean_variance_is_taken_in_the_units_that_fit_the_pixels(
    visit_image: Make, stated: float, expected: float | None
) -> None:
    """Variance 4 nJy^2, 2 nJy a count: 1.1 is in counts^2, 4.4 in nJy^2, 100 in neither."""
    source = scaled(visit_image(), [[2.0]], u.nJy / u.adu)
    source.summary_stats.meanVar = stated
    assert calibrated_image_from_visit_image(source).mean_variance == pytest.approx(expected)


def test_mean_variance_of_counts_is_in_counts(visit_image: Make) -> None:
    """Variance 4 counts^2 and 3 nJy a count: 36 is in nJy^2, 4.1 in counts^2."""
    for stated, expected in ((4.1, 4.1), (36.0, 4.0)):
        source = scaled(visit_image(unit=u.adu), [[3.0]], u.nJy / u.adu)
        source.summary_stats.meanVar = stated
        image = calibrated_image_from_visit_image(source)
        assert image.mean_variance == pytest.approx(expected)


def test_summary_statistics_become_the_quality(visit_image: Make) -> None:
    """Names and units are those of the cuts; the ellipticity residual is a length of a vector."""
    stats = ObservationSummaryStats(
        psfSigma=1.8,
        psfStarDeltaE1Median=0.003,
        psfStarDeltaE2Median=-0.004,
        psfStarScaledDeltaSizeScatter=0.01,
        psfTraceRadiusDelta=0.1,
        psfApFluxDelta=0.2,
        psfApCorrSigmaScaledDelta=0.05,
        nPsfStar=77,
        starEMedian=0.06,
        pixelScale=0.21,
    )
    assert calibrated_image_from_visit_image(
        visit_image(summary_stats=stats)
    ).quality == ImageQuality(
        psf_sigma=1.8,
        psf_star_delta_e_median=0.005,
        psf_star_scaled_delta_size_scatter=0.01,
        psf_trace_radius_delta=0.1,
        psf_ap_flux_delta=0.2,
        psf_ap_corr_sigma_scaled_delta=0.05,
        n_psf_star=77,
        star_e_median=0.06,
        pixel_scale_arcsec=0.21,
    )


def test_statistics_that_were_not_measured_are_none(visit_image: Make) -> None:
    """NaN and 0 stars are lsst.images' defaults; the pixel scale is then the WCS's, 0.2 arcsec."""
    quality = calibrated_image_from_visit_image(visit_image()).quality
    for field in dataclasses.fields(quality):
        if field.name != "pixel_scale_arcsec":
            assert getattr(quality, field.name) is None
    assert quality.pixel_scale_arcsec == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize(
    "failed",
    ["psfSigma", "psfStarDeltaE1Median", "psfStarScaledDeltaSizeScatter", "psfTraceRadiusDelta",
     "psfApFluxDelta", "starEMedian"],
)  # fmt: skip
def test_a_statistic_that_failed_is_nan_and_passes_no_cut(
    visit_image: Make, tmp_path: Path, failed: str
) -> None:
    """The Rubin pipelines refuse it too; that it is NaN is not lost on the way through files."""
    stats = ObservationSummaryStats(**(GOOD_STATISTICS | {failed: np.nan}))
    write_archive(visit_image(summary_stats=stats), tmp_path / "image.fits")
    image = read_visit_image(tmp_path / "image.fits").calibrated_image
    write_archive(image, tmp_path / "calibrated.fits")
    stored = read_archive(tmp_path / "calibrated.fits", CalibratedImage)
    for made in (image, stored):
        accepted, (refusal,) = select_images([made], SelectionSettings())
        assert not accepted
        assert "NaN" in refusal.reason


def test_a_psf_of_no_star_passes_no_cut(visit_image: Make) -> None:
    """If its area is stated, its stars were counted: there was none."""
    stats = ObservationSummaryStats(**(GOOD_STATISTICS | {"nPsfStar": 0}))
    image = calibrated_image_from_visit_image(visit_image(summary_stats=stats))
    assert image.quality.n_psf_star == 0
    accepted, (refusal,) = select_images([image], SelectionSettings())
    assert not accepted
    assert "from 0 stars" in refusal.reason


def test_conditions_are_those_of_metadata_and_statistics(
    visit_image: Make, obs_info: Callable[..., Any]
) -> None:
    """The sky is stated in counts, of which the zero point says what they are."""
    site = EarthLocation.from_geodetic(lon=0.0, lat=0.0)
    west = AltAz(
        az=270.0 * u.deg, alt=30.0 * u.deg, location=site, obstime=Time(60000.0, format="mjd")
    )
    stats = ObservationSummaryStats(skyBg=900.0, skyNoise=30.0, zeroPoint=28.9, zenithDistance=50.0)
    info = obs_info(location=site, altaz_begin=west)
    made = calibrated_image_from_visit_image(visit_image(obs_info=info, summary_stats=stats))
    conditions = made.conditions
    assert (conditions.sky_background_njy, conditions.sky_noise_njy) == pytest.approx((9e3, 3e2))
    assert (conditions.exposure_time_s, conditions.airmass) == (30.0, 1.2)
    angles = conditions.zenith_angle_deg, conditions.parallactic_angle_deg
    assert angles == pytest.approx((60.0, 90.0))
    stats = ObservationSummaryStats(skyBg=900.0, zenithDistance=50.0)
    conditions = calibrated_image_from_visit_image(visit_image(summary_stats=stats)).conditions
    assert conditions.sky_background_njy is None
    assert (conditions.zenith_angle_deg, conditions.parallactic_angle_deg) == (50.0, None)


def test_a_statistic_of_corrections_that_are_not_there_is_not_cut_on(visit_image: Make) -> None:
    """Images without aperture corrections have none of their spread; those with them do."""
    stats = ObservationSummaryStats(**GOOD_STATISTICS)
    without = visit_image(summary_stats=stats)
    image = calibrated_image_from_visit_image(without)
    assert image.quality.psf_ap_corr_sigma_scaled_delta is None
    assert len(select_images([image], SelectionSettings())[0]) == 1
    field = chebyshev(without, [[1.0]], u.dimensionless_unscaled)
    stated = visit_image(summary_stats=stats, aperture_corrections={"base_PsfFlux_instFlux": field})
    delta = calibrated_image_from_visit_image(stated).quality.psf_ap_corr_sigma_scaled_delta
    assert delta is not None
    assert np.isnan(delta)


def test_image_whose_psf_could_not_be_read_is_refused(visit_image: Make) -> None:
    """lsst.images defers that error until somebody asks for the PSF."""
    source = visit_image(psf=ArchiveReadError("no such module"))
    with pytest.raises(UnusableInputError, match=r"PSF cannot be read \(no such module"):
        calibrated_image_from_visit_image(source)


def test_night_is_worked_out_when_it_is_not_stated(
    visit_image: Make, obs_info: Callable[..., Any]
) -> None:
    """4 h on January 3 is in the night of January 2; without a time there is no night."""
    info = obs_info(observing_day=None)
    assert calibrated_image_from_visit_image(visit_image(obs_info=info)).observation == IDENTIFIERS
    info = obs_info(observing_day=None, datetime_begin=None, datetime_end=None)
    with pytest.raises(UnusableInputError, match="no date"):
        calibrated_image_from_visit_image(visit_image(obs_info=info))


def test_details_say_what_the_metadata_say(obs_info: Callable[..., Any]) -> None:
    """A repository records these; nothing is made up."""
    details = details_from_obs_info(obs_info(), IDENTIFIERS)
    assert details.name == "TC_O_20250102_000042"
    assert details.begin is not None
    assert details.end is not None
    assert details.begin.scale == "tai"
    assert (details.end - details.begin).to_value("s") == pytest.approx(30.0)
    assert (details.ra_deg, details.dec_deg) == pytest.approx((150.1, 2.1))
    assert (details.exposure_time_s, details.airmass, details.rotation_deg) == (30.0, 1.2, 33.0)
    assert (details.target, details.science_program) == ("COSMOS", "P1")
    assert (details.sequence_number, details.observation_type) == (42, "science")
    assert details.zenith_angle_deg is None
    assert details.latitude_deg is None
    bare = details_from_obs_info(
        obs_info(boresight_rotation_coord="mount", tracking_radec=None, exposure_time=None),
        IDENTIFIERS,
    )
    assert (bare.rotation_deg, bare.ra_deg, bare.exposure_time_s) == (None, None, None)


def test_file_gives_the_same_image_as_memory(visit_image: Make, tmp_path: Path) -> None:
    """Reading adds nothing but the header, and the header needs no pixels."""
    path = tmp_path / "visit.fits"
    source = visit_image()
    write_archive(source, path)
    survey_image = read_visit_image(path)
    image = survey_image.calibrated_image
    assert isinstance(image, CalibratedImage)
    assert (image.masked_image.image.array == source.image.array).all()
    assert isinstance(image.psf, GaussianPointSpreadFunction)
    header = reader_for(path).read_header(path)
    for each in (header, survey_image.header):
        assert each.source == path
        assert each.observation == image.observation == IDENTIFIERS
        assert each.detector_name == source.detector.name
        assert each.detector_bbox == source.detector.bbox
        assert each.bbox == source.bbox
        assert each.sky_projection == source.sky_projection
        assert each.details.target == "COSMOS"


def test_broken_files_are_refused_by_name(visit_image: Make, tmp_path: Path) -> None:
    """Absent, empty, text, cut short, garbled, of another type: each names the file."""
    good = tmp_path / "good.fits"
    write_archive(visit_image(), good)
    content = good.read_bytes()
    broken = {
        "absent": None,
        "empty": b"",
        "text": b"This is not FITS.\n" * 500,
        "half": content[: len(content) // 2],
        "cut": content[:-3000],
        "garbled": content[:6000] + b"\xff" * 20000 + content[26000:],
    }
    for name, data in broken.items():
        path = tmp_path / f"{name}.fits"
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(UnusableInputError, match=name):
            read_visit_image(path)
    other = tmp_path / "other.fits"
    write_archive(Image(np.zeros((3, 4), dtype=np.float32)), other)
    plain = tmp_path / "plain.fits"
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(plain)
    for path in (other, plain):
        with pytest.raises(UnusableInputError, match="VisitImage"):
            read_visit_image(path)


@pytest.mark.parametrize("size", [-9000, 2880 + 1000, 0.3, 0.6])
def test_a_file_that_ends_too_early_is_said_to_be_cut_off(
    visit_image: Make, tmp_path: Path, size: float
) -> None:
    """What numpy says of an empty buffer helps nobody."""
    path = tmp_path / "cut.fits"
    write_archive(visit_image(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(size * len(content)) if 0 < size < 1 else int(size)])
    for read in (read_visit_image, READERS["rubin"].read_header):
        with pytest.raises(UnusableInputError) as caught:
            read(path)
        assert caught.value.reason == "the file is cut off or damaged."


def test_reader_recognizes_visit_images_only(visit_image: Make, tmp_path: Path) -> None:
    """Other files are for other readers, and a file of nobody is refused by name."""
    path, plain = tmp_path / "visit.fits", tmp_path / "plain.fits"
    write_archive(visit_image(), path)
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(plain)
    text = tmp_path / "text.txt"
    text.write_text("no")
    reader = READERS["rubin"]
    assert reader_for(path) is reader
    for other in (plain, text, tmp_path / "absent.fits"):
        assert not reader.recognizes(other)
    with pytest.raises(UnusableInputError, match=r"text\.txt: none of the readers"):
        reader_for(text)
    with pytest.raises(UnusableInputError, match=r"absent\.fits: there is no such file"):
        reader_for(tmp_path / "absent.fits")
