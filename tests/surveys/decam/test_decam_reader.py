"""Real DECam exposures, with all the files that belong to them."""

from __future__ import annotations

import dataclasses
import functools
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.time import Time
from astropy.wcs import WCS, FITSFixedWarning
from lsst.images import Image
from scipy.optimize import least_squares

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.psfs.stamp_shift import place_stamp
from cellcoadd.surveys import SurveyImage, is_companion, reader_for
from cellcoadd.surveys.decam import QUALITY_CODES, read_decam_image
from cellcoadd.surveys.decam.files import DecamFiles, find_decam_images, looks_like_decam

type Floats = npt.NDArray[np.float64]

HALF = 7  # of the stamp around a star


@pytest.fixture(scope="module")
def decam(shared: Path) -> Path:
    return shared / "data" / "decam_decals"


@pytest.fixture(scope="module")
def deep(decam: Path) -> list[SurveyImage]:
    """The nine exposures of a field of faint stars and galaxies."""
    return [read_decam_image(path) for path in find_decam_images(decam / "testcase4")]


@pytest.fixture(scope="module")
def bright(decam: Path) -> list[SurveyImage]:
    """The six exposures of a saturated star."""
    return [read_decam_image(path) for path in find_decam_images(decam / "testcase6")]


@pytest.fixture(scope="module")
def ccds(decam: Path) -> Table:
    """The tables of CCDs of both fields."""
    tables = [
        Table.read(decam / case / "survey-ccds-1.fits.gz") for case in ("testcase4", "testcase6")
    ]
    return vstack(tables, metadata_conflicts="silent")


def row_of(ccds: Table, image: SurveyImage) -> Any:
    return ccds[ccds["expnum"] == image.header.observation.visit][0]


def test_all_exposures_are_found_and_read(
    deep: list[SurveyImage], bright: list[SurveyImage], ccds: Table
) -> None:
    """Nine and six, of both layouts of the calibration files, each known by number, CCD, band."""
    assert (len(deep), len(bright)) == (9, 6)
    for image in (*deep, *bright):
        row = row_of(ccds, image)
        observation = image.header.observation
        assert observation.instrument == "DECam"
        assert observation.band == row["filter"]
        assert observation.physical_filter.startswith(f"{row['filter']} DECam SDSS c000")
        assert image.detector_name == row["ccdname"]
        assert f"CP{observation.day_obs}" in image.source.parts
        box = image.calibrated_image.bbox
        assert (box.x.size, box.y.size) == (row["width"], row["height"])
        assert image.details.exposure_time_s == row["exptime"]
        assert image.details.begin is not None
        assert image.details.begin.utc.mjd == pytest.approx(row["mjd_obs"], abs=1e-6)
        assert image.details.science_program == "2014B-0404"
        conditions, flux = (
            image.calibrated_image.conditions, image.calibrated_image.nanojansky_per_count
        )  # fmt: skip
        assert conditions.airmass == pytest.approx(row["airmass"])
        # The table has the sky of an image section, in counts a second.
        assert conditions.sky_background_njy == pytest.approx(
            flux * row["ccdskycounts"] * row["exptime"], rel=0.02
        )
        assert conditions.sky_noise_njy == pytest.approx(flux * row["skyrms"] * row["exptime"])
        assert conditions.parallactic_angle_deg is not None
    assert {image.header.observation.detector for image in deep} == {33, 34, 25}


def test_header_alone_says_the_same(deep: list[SurveyImage]) -> None:
    """What registers visits must agree with what is warped later."""
    path = deep[0].source
    header = reader_for(path).read_header(path)
    assert header.observation == deep[0].header.observation
    assert header.bbox == deep[0].calibrated_image.bbox
    assert header.sky_projection == deep[0].calibrated_image.sky_projection
    assert header.details.target == deep[0].details.target


def test_starlink_reads_the_distortion_as_astropy_does(
    deep: list[SurveyImage], bright: list[SurveyImage], ccds: Table
) -> None:
    """Two programs, one TPV header: they agree to 1e-6 arcsec, and so do there and back."""
    for image in (*deep, *bright):
        row = row_of(ccds, image)
        with fits.open(image.source) as hdus, warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(hdus[1].header)
        ra, dec = wcs.wcs.crval
        wcs.wcs.crval = [
            ra + row["ccdraoff"] / 3600 / np.cos(np.radians(dec)),
            dec + row["ccddecoff"] / 3600,
        ]
        box = image.header.bbox
        x, y = np.meshgrid(np.linspace(0, box.x.size, 9), np.linspace(0, box.y.size, 9))
        ours = image.header.sky_projection.pixel_to_sky(x=x, y=y)
        assert ours.separation(wcs.pixel_to_world(x, y)).to_value("arcsec").max() < 1e-6
        back = image.header.sky_projection.sky_to_pixel(ours)
        assert np.hypot(back.x - x, back.y - y).max() < 1e-6


def test_noise_is_what_the_variance_says(deep: list[SurveyImage], ccds: Table) -> None:
    """Most pixels are sky: their robust scatter in units of the stated error is 1 within 5 %.

    And the level of the noise in nJy is that of the survey's own table (sig1, in nanomaggies),
    which checks the zero point as well.
    """
    for image in deep:
        planes = image.calibrated_image.masked_image
        good = plane_array(planes.mask) == 0
        pull = planes.image.array[good] / np.sqrt(planes.variance.array[good])
        middle = np.median(pull)
        assert 1.4826 * np.median(np.abs(pull - middle)) == pytest.approx(1.0, abs=0.05)
        assert middle == pytest.approx(0.05, abs=0.06)
        mean_variance = image.calibrated_image.mean_variance
        assert mean_variance is not None
        sigma_njy = np.sqrt(mean_variance) * image.calibrated_image.nanojansky_per_count
        assert sigma_njy == pytest.approx(3631.0 * row_of(ccds, image)["sig1"], rel=0.02)


def test_codes_become_planes(deep: list[SurveyImage], bright: list[SurveyImage]) -> None:
    """Every flagged pixel has no weight and a plane that keeps it out of a coadd."""
    seen: set[int] = set()
    for image in (*deep, *bright):
        planes = image.calibrated_image.masked_image
        codes = fits.getdata(str(image.source).replace("_ooi_", "_ood_"), 1)
        bits = plane_array(planes.mask)
        for code in np.unique(codes):
            here = codes == code
            expected = 0 if code == 0 else bits_of(planes.mask.schema, QUALITY_CODES[int(code)])
            assert (bits[here] == expected).all()
            assert np.isfinite(planes.variance.array[here]).all() == (code == 0)
            seen.add(int(code))
    assert seen == {0, 1, 3, 4, 5}
    keeping_out = {"BAD", "SAT", "CR", "NO_DATA"}
    assert all(keeping_out & set(planes) for planes in QUALITY_CODES.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class StarFit:
    """A star measured in one exposure by the PSF; chi2 also for PSFs turned in three ways."""

    band: str
    magnitude: float
    offset_arcsec: tuple[float, float]
    chi2: float
    chi2_turned: tuple[float, float, float]


def fit_star(image: SurveyImage, star: Any) -> StarFit | None:
    """Fit flux, sky and position; None if the star is too near an edge or flagged."""
    calibrated = image.calibrated_image
    begin = image.details.begin
    assert begin is not None
    years = float(begin.jyear - star["ref_epoch"])
    at_epoch = SkyCoord(star["ra"] * u.deg, star["dec"] * u.deg).spherical_offsets_by(
        float(star["pmra"]) * years * u.mas, float(star["pmdec"]) * years * u.mas
    )
    start = calibrated.sky_projection.sky_to_pixel(at_epoch)
    x_middle, y_middle = round(float(start.x)), round(float(start.y))
    box = calibrated.bbox
    if not (HALF <= x_middle < box.x.size - HALF and HALF <= y_middle < box.y.size - HALF):
        return None
    stamp = np.s_[y_middle - HALF : y_middle + HALF + 1, x_middle - HALF : x_middle + HALF + 1]
    planes = calibrated.masked_image
    if plane_array(planes.mask)[stamp].any():
        return None
    weight = 1.0 / np.sqrt(planes.variance.array[stamp].astype(np.float64))
    target = (planes.image.array[stamp] * weight).ravel()

    def solve(drawn: Image) -> tuple[Floats, Floats]:
        y_first, x_first = y_middle - HALF - drawn.yx0.y, x_middle - HALF - drawn.yx0.x
        size = 2 * HALF + 1
        model = drawn.array[y_first : y_first + size, x_first : x_first + size]
        design = np.stack([(model * weight).ravel(), weight.ravel()], axis=1)
        solution = np.linalg.lstsq(design, target)[0]
        return solution, target - design @ solution

    def fit(draw: Callable[[float, float], Image]) -> tuple[Floats, float, Floats]:
        found = least_squares(
            lambda at: solve(draw(*at))[1], (float(start.x), float(start.y)), diff_step=1e-4
        )
        return found.x, float((found.fun**2).sum() / (found.fun.size - 4)), solve(draw(*found.x))[0]

    place, chi2, solution = fit(lambda x, y: calibrated.psf.compute_stellar_image(x=x, y=y))
    kernel = calibrated.psf.compute_kernel_image(x=float(start.x), y=float(start.y))
    turned = []
    for pixels in (kernel.array.T, kernel.array[::-1], kernel.array[:, ::-1]):
        other = Image(np.ascontiguousarray(pixels), bbox=kernel.bbox)
        turned.append(fit(functools.partial(draw_at, other))[1])
    sky = calibrated.sky_projection.pixel_to_sky(x=float(place[0]), y=float(place[1]))
    offset = at_epoch.spherical_offsets_to(sky)
    return StarFit(
        band=calibrated.observation.band,
        magnitude=float(31.4 - 2.5 * np.log10(solution[0] * calibrated.nanojansky_per_count)),
        offset_arcsec=(offset[0].to_value("arcsec"), offset[1].to_value("arcsec")),
        chi2=chi2,
        chi2_turned=(turned[0], turned[1], turned[2]),
    )


def draw_at(kernel: Image, x: float, y: float) -> Image:
    return place_stamp(kernel, x=x, y=y)


@pytest.fixture(scope="module")
def fits_of_stars(decam: Path, deep: list[SurveyImage]) -> dict[float, list[StarFit]]:
    """The three point sources between G = 17 and 20, in every exposure that has them."""
    tables = [Table.read(path) for path in sorted((decam / "testcase4" / "gaia").glob("*.fits"))]
    gaia = vstack(tables, metadata_conflicts="silent")
    gaia = gaia[np.isfinite(np.ma.filled(gaia["pmra"], np.nan))]
    result: dict[float, list[StarFit]] = {}
    for star in gaia[(gaia["phot_g_mean_mag"] > 17) & (gaia["phot_g_mean_mag"] < 20)]:
        found = [fit for image in deep if (fit := fit_star(image, star)) is not None]
        if found:
            result[round(float(star["phot_g_mean_mag"]), 2)] = found
    assert sorted(result) == [18.0, 18.69, 19.67]
    return result


def test_flux_of_a_star_repeats(fits_of_stars: dict[float, list[StarFit]]) -> None:
    """The zero points are good to 0.02 mag; the star's own photon noise adds 0.01."""
    star = fits_of_stars[19.67]
    assert len(star) == 9
    for band, count in (("g", 2), ("r", 3), ("z", 4)):
        magnitudes = [fit.magnitude for fit in star if fit.band == band]
        assert len(magnitudes) == count
        assert np.ptp(magnitudes) < 0.05


def test_psf_is_the_shape_of_the_stars(fits_of_stars: dict[float, list[StarFit]]) -> None:
    """Chi^2 a pixel is 1 where the model is right; a PSF turned by mistake fits worse."""
    every = [fit for star in fits_of_stars.values() for fit in star]
    assert np.median([fit.chi2 for fit in every]) == pytest.approx(1.06, abs=0.1)
    for way in range(3):
        assert np.median([fit.chi2_turned[way] for fit in every]) > 1.4
        better = sum(fit.chi2 < fit.chi2_turned[way] for fit in every)
        assert better >= len(every) - 3


def test_stars_are_where_gaia_saw_them(fits_of_stars: dict[float, list[StarFit]]) -> None:
    """Within 0.06 arcsec in all exposures, once moved to the exposure's date.

    Without the offsets that the table of CCDs states, some would be 0.08 arcsec off. (The third
    source, of G = 18.69, is a quasar: refraction shifts it by 0.09 arcsec in g at airmass 1.8.)
    """
    for magnitude in (18.0, 19.67):
        for fit in fits_of_stars[magnitude]:
            assert np.hypot(*fit.offset_arcsec) < 0.06


@pytest.fixture
def copied(decam: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies one field, whose files a test may then break; returns the first image."""

    def copy(case: str) -> Path:
        shutil.copytree(decam / case, tmp_path / case)
        return find_decam_images(tmp_path / case)[0]

    return copy


def files_of(image: Path, kind: str) -> Path:
    with fits.open(image) as hdus:
        files = DecamFiles.of(image, ccd_name=hdus[1].name)
    found = {
        "image": image,
        "weight": files.weight,
        "quality": files.quality,
        "psf": next(path for path in files.psf_candidates if path.is_file()),
        "sky": next(path for path in files.sky_candidates if path.is_file()),
        "table": files.root / "survey-ccds-1.fits.gz",
    }
    return found[kind]


@pytest.mark.parametrize("kind", ["weight", "quality", "psf", "sky", "table"])
def test_a_missing_file_is_named(copied: Callable[[str], Path], kind: str) -> None:
    """The user must learn which of six files is not there."""
    image = copied("testcase6")
    missing = files_of(image, kind)
    missing.unlink()
    with pytest.raises(UnusableInputError) as caught:
        read_decam_image(image)
    name = "survey-ccds" if kind == "table" else missing.name
    assert name in str(caught.value)


@pytest.mark.parametrize("kind", ["image", "weight", "quality", "psf", "sky", "table"])
def test_a_broken_file_is_named(copied: Callable[[str], Path], kind: str) -> None:
    """Cut short, and not FITS at all."""
    image = copied("testcase6")
    broken = files_of(image, kind)
    content = broken.read_bytes()
    for data in (content[: len(content) // 2], b"no FITS" * 1000):
        broken.write_bytes(data)
        with pytest.raises(UnusableInputError) as caught:
            read_decam_image(image)
        assert caught.value.source == str(broken)


def test_planes_of_other_size_are_refused(copied: Callable[[str], Path]) -> None:
    """A weight map of another CCD must not be laid over the image."""
    image = copied("testcase6")
    weight = files_of(image, "weight")
    with fits.open(weight, mode="update") as hdus:
        hdus[1].data = hdus[1].data[:-1]
    with pytest.raises(UnusableInputError, match="rows and") as caught:
        read_decam_image(image)
    assert caught.value.source == str(weight)


@pytest.mark.parametrize("key", ["EXPNUM", "CCDNUM", "FILTER", "DATE-OBS"])
def test_a_header_without_identity_is_refused(copied: Callable[[str], Path], key: str) -> None:
    """Without its number, night or filter an image cannot be told from another."""
    image = copied("testcase6")
    with fits.open(image, mode="update", output_verify="ignore") as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for hdu in hdus[:2]:
            hdu.header.remove(key, ignore_missing=True)
    with pytest.raises(UnusableInputError, match=f"header lacks {key}"):
        read_decam_image(image)


def test_the_row_of_the_ccd_is_taken_from_a_table_of_many(copied: Callable[[str], Path]) -> None:
    """PSF files of a whole exposure have a row for each CCD; the first is another one's."""
    image = copied("testcase6")
    path = files_of(image, "psf")
    expected = read_decam_image(image).calibrated_image.psf.compute_kernel_image(x=50, y=50)
    with fits.open(path) as hdus:
        table = hdus[1].copy()
        table.data = np.concatenate([table.data, table.data])
        table.data["ccdname"][0] = "N30"
        table.data["psf_mask"][0] = 1.0
        fits.HDUList([hdus[0].copy(), table]).writeto(path, overwrite=True)
    found = read_decam_image(image).calibrated_image.psf.compute_kernel_image(x=50, y=50)
    assert (found.array == expected.array).all()
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["ccdname"][1] = "N31"
    with pytest.raises(UnusableInputError, match="no row for exposure"):
        read_decam_image(image)


def test_names_tell_images_from_weights() -> None:
    """Only the images start a search; their companions follow from them."""
    assert looks_like_decam(Path("c4d_170522_005829_ooi_r_ls9.N2.fits"))
    assert looks_like_decam(Path("c4d_170522_005829_ooi_VR_v1.fits.fz"))
    for other in ("c4d_170522_005829_oow_r_ls9.N2.fits", "x_ooi_r.fits", "c4d_170522_005829_ooi_r"):
        assert not looks_like_decam(Path(other))
    for companion in (
        "c4d_170522_005829_oow_r_ls9.N2.fits",
        "c4d_170522_005829_ood_VR_v1.fits.fz",
        "c4d_170522_005829_ooi_r_ls9-N2-psfex.fits",
        "survey-ccds-decam-dr9.fits.gz",
    ):
        assert is_companion(Path(companion))
    assert not is_companion(Path("c4d_170522_005829_ooi_VR_v1.fits.fz"))
    with pytest.raises(UnusableInputError, match="folder `images`"):
        DecamFiles.of(Path("c4d_170522_005829_ooi_r_ls9.N2.fits"), ccd_name="N2")


def test_night_begins_at_noon_in_utc(deep: list[SurveyImage]) -> None:
    """170522_005829 was taken in the evening of May 21 in Chile."""
    image = next(image for image in deep if "170522_005829" in image.source.name)
    assert image.header.observation.day_obs == 20170521
    assert image.details.begin is not None
    assert image.details.begin > Time("2017-05-22T00:00:00", scale="utc")
