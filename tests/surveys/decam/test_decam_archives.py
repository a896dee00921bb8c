"""DECam files as archives publish them: rounded, padded, of several versions and processings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.surveys import READERS, SurveyImage
from cellcoadd.surveys.bands import band_of_filter
from cellcoadd.surveys.decam import read_decam_image
from cellcoadd.surveys.decam.planes import QUALITY_BITS, QUALITY_CODES
from cellcoadd.testing.decam_exposure import COLUMNS, ROWS, SIGMA, SKY, DecamExposure
from cellcoadd.warping.select import select_images
from cellcoadd.warping.settings import SelectionSettings

KEEPS_OUT = {"BAD", "SAT", "CR", "NO_DATA"}


def read(tmp_path: Path, **parts: Any) -> SurveyImage:
    return read_decam_image(DecamExposure(**parts).write(tmp_path / "survey"))


def refusal(tmp_path: Path, **parts: Any) -> UnusableInputError:
    with pytest.raises(UnusableInputError) as caught:
        read(tmp_path, **parts)
    return caught.value


def planes_at(image: SurveyImage, y: int, x: int) -> set[str]:
    mask = image.calibrated_image.masked_image.mask
    bits = int(plane_array(mask)[y, x])
    return {name for name in mask.schema.names if bits & bits_of(mask.schema, [name])}


def noisy_weights() -> np.ndarray[Any, Any]:
    """Weights of 0.04 within two per cent, as maps have them, which rounding has to be fine for."""
    weights = np.random.default_rng(3).normal(0.04, 0.0008, (ROWS, COLUMNS))
    return weights.astype(np.float32)


def with_zeros(weights: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Take the weight of 300 scattered pixels; return it and which they are."""
    chosen = np.random.default_rng(4).choice(weights.size, 300, replace=False)
    none = np.zeros(weights.shape, bool)
    none.ravel()[chosen] = True
    return np.where(none, 0.0, weights).astype(np.float32), none


def test_a_made_exposure_is_read_to_its_values(tmp_path: Path) -> None:
    """What is broken in the other tests is right here."""
    image = read(tmp_path)
    planes = image.calibrated_image.masked_image
    assert planes.variance.array == pytest.approx(SIGMA**2, rel=1e-6)
    assert abs(float(np.mean(planes.image.array))) < 5 * SIGMA / np.sqrt(ROWS * COLUMNS)
    assert not plane_array(planes.mask).any()
    assert image.header.observation.band == "r"


def test_no_weight_stays_no_weight_through_lossy_compression(tmp_path: Path) -> None:
    """Dithering makes +-1e-6 of 0, which as a weight is a variance of a million."""
    weights, none = with_zeros(noisy_weights())
    path = DecamExposure(weights=weights, compress=True).write(tmp_path)
    weight_file = path.with_name(path.name.replace("_ooi_", "_oow_"))
    stored = fits.getdata(weight_file, 1)
    assert (stored[none] != 0).any(), "the file shows the fault"
    image = read_decam_image(path)
    variance = image.calibrated_image.masked_image.variance.array
    assert (np.isfinite(variance) == ~none).all()
    assert (plane_array(image.calibrated_image.masked_image.mask) != 0).tolist() == none.tolist()
    assert variance[~none] == pytest.approx(1.0 / stored[~none], rel=1e-6)


def test_zeros_that_were_moved_are_told_without_their_step(tmp_path: Path) -> None:
    """Whoever unpacks a file loses ZSCALE: less than a tenth of the median is then nothing."""
    weights, none = with_zeros(noisy_weights())
    moved = np.where(none, np.random.default_rng(5).normal(0.0, 1e-5, none.shape), weights)
    image = read(tmp_path, weights=moved)
    assert (np.isfinite(image.calibrated_image.masked_image.variance.array) == ~none).all()


def test_low_weights_of_bright_stars_are_kept_where_zeros_are_zeros(tmp_path: Path) -> None:
    """The light of a star is noise: its middle has a thirtieth of the sky's weight, and counts."""
    weights, none = with_zeros(noisy_weights())
    star = np.s_[40:44, 40:44]
    weights[star] = 0.04 / 30
    none[star] = False
    image = read(tmp_path, weights=weights)
    assert (np.isfinite(image.calibrated_image.masked_image.variance.array) == ~none).all()


@pytest.mark.parametrize("weight", [1628.0, 0.5, np.inf, np.nan])
def test_a_weight_far_above_the_skys_is_not_believed(tmp_path: Path, weight: float) -> None:
    """No source has less noise than the sky; a single such pixel would rule its cell."""
    weights = noisy_weights()
    weights[10, 20] = weight
    image = read(tmp_path, weights=weights)
    assert not np.isfinite(image.calibrated_image.masked_image.variance.array[10, 20])
    assert planes_at(image, 10, 20) == {"BAD"}
    assert np.isfinite(image.calibrated_image.masked_image.variance.array).sum() == weights.size - 1


def test_a_map_without_any_weight_is_refused(tmp_path: Path) -> None:
    """By the name of the weight map, since that is what is broken."""
    error = refusal(tmp_path, weights=np.zeros((ROWS, COLUMNS)))
    assert "_oow_" in error.source
    assert "no pixel has a weight" in error.reason


def padded(shape: tuple[int, ...], array: Any) -> np.ndarray[Any, Any]:
    result = np.zeros(shape)
    result[tuple(slice(0, size) for size in np.shape(array))] = array
    return result


def test_a_padded_psf_is_cut_to_its_size(tmp_path: Path) -> None:
    """Eight rows and columns of zeros would move the middle of the PSF by 4 pixels."""
    expected = read(tmp_path).calibrated_image.psf.compute_kernel_image(x=50, y=50)
    y, x = np.mgrid[-12:13, -12:13]
    basis = np.exp(-0.5 * (x**2 + y**2) / 4.0)[np.newaxis].astype(np.float32)
    for index, shape in enumerate([(1, 33, 33), (6, 25, 25), (6, 33, 31)]):
        psf = {"psf_mask": padded(shape, basis), "psfaxis3": shape[0]}
        found = read(tmp_path / str(index), psf=psf).calibrated_image.psf
        kernel = found.compute_kernel_image(x=50, y=50)
        assert kernel.bbox == expected.bbox
        assert kernel.array == pytest.approx(expected.array, abs=1e-9)


def test_a_psf_larger_than_stated_or_smaller_is_refused(tmp_path: Path) -> None:
    """Light where only padding may be: nobody knows which of the two sizes is right."""
    error = refusal(tmp_path, psf={"psfaxis1": 21})
    assert "psf_mask" in error.reason
    assert "padding" in error.reason
    error = refusal(tmp_path / "larger", psf={"psfaxis2": 27})
    assert "stated as (1, 27, 25), it is (1, 25, 25)" in error.reason


@pytest.mark.parametrize(
    "sky",
    [
        {
            "gridw": 2,
            "gridh": 2,
            "xgrid": padded((9,), [0, COLUMNS - 1]),
            "ygrid": padded((17,), [0, ROWS - 1]),
            "gridvals": padded((17, 9), np.full((2, 2), SKY)),
        },
        {"gridw": 1, "gridh": 1, "xgrid": 0, "ygrid": 0, "gridvals": SKY},
        {
            "gridw": 1,
            "gridh": 1,
            "xgrid": np.zeros(9),
            "ygrid": np.zeros(17),
            "gridvals": padded((17, 9), [[SKY]]),
        },
        {
            "gridw": 1,
            "gridh": 3,
            "xgrid": 0,
            "ygrid": np.array([0, 40, 95]),
            "gridvals": np.full((3, 1), SKY),
        },
        {
            "gridw": 4,
            "gridh": 1,
            "xgrid": np.array([0, 30, 60, 99]),
            "ygrid": 0,
            "gridvals": np.full((1, 4), SKY),
        },
    ],
    ids=["padded", "constant", "constant and padded", "column", "row"],
)
def test_padded_and_constant_skies_are_skies(tmp_path: Path, sky: dict[str, Any]) -> None:
    """They say the same as the unpadded sky of 150 counts, so the same pixels are left."""
    expected = read(tmp_path).calibrated_image.masked_image.image.array
    found = read(tmp_path / "other", sky=sky).calibrated_image.masked_image.image.array
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_sky_along_one_axis_is_interpolated(tmp_path: Path) -> None:
    """A straight line stays one, in the direction of the grid that varies."""
    line = {"gridh": 1, "gridw": 4, "xgrid": np.array([0, 30, 60, 99]), "ygrid": 0}
    flat = read(tmp_path).calibrated_image.masked_image.image.array
    sloped = read(
        tmp_path / "sloped",
        sky=line | {"gridvals": (SKY + 0.01 * np.array([0, 30, 60, 99]))[np.newaxis]},
    )
    difference = flat - sloped.calibrated_image.masked_image.image.array
    assert difference == pytest.approx(np.tile(0.01 * np.arange(COLUMNS), (ROWS, 1)), abs=1e-4)


def test_a_sky_of_other_size_than_stated_is_refused(tmp_path: Path) -> None:
    """Never the wrong part of a grid."""
    assert "gridvals" in refusal(tmp_path, sky={"gridw": 3}).reason
    assert "gridvals" in refusal(tmp_path / "s", sky={"gridh": 1}).reason


@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("g DECam SDSS c0001 4720.0 1520.0", "g"),
        ("Y DECam c0005 10095.0 1130.0", "Y"),
        ("N540 DECam c0012 5403.2 210.0", "N540"),
        ("N708 DECam c0013 7080.0 400.0", "N708"),
        ("VR DECam c0007 6300.0 2600.0", "VR"),
        ("M411 DECam c0014 4115.0 160.0", "M411"),
    ],
)
def test_only_broad_bands_have_a_single_letter(tmp_path: Path, name: str, band: str) -> None:
    """Images are added up by band: two narrow filters must not share one."""
    assert read(tmp_path, physical_filter=name).header.observation.band == band


def test_a_filter_without_a_name_has_no_band() -> None:
    """A wrong argument."""
    with pytest.raises(ValueError, match="must have a name"):
        band_of_filter(" ")


def test_a_table_of_another_filter_is_refused(tmp_path: Path) -> None:
    """Then its zero point is another one's as well."""
    assert "says 'z'" in refusal(tmp_path, ccd={"filter": "z"}).reason


@pytest.mark.parametrize("version", ["V3.4.9", "V2.2", "3.0.1"])
def test_quality_of_old_versions_is_bits(tmp_path: Path, version: str) -> None:
    """The code 4 of later versions is a bleed trail; 5 as bits is bad and interpolated."""
    quality = np.zeros((ROWS, COLUMNS), np.int32)
    quality[5, :8] = [1, 2, 4, 16, 64, 128, 5, 32]
    image = read(tmp_path, quality=quality, version=version)
    expected = [QUALITY_BITS[bit] for bit in (1, 2, 4, 16, 64, 128)]
    expected += [("BAD", "INTRP"), ("BAD",)]
    assert [planes_at(image, 5, x) for x in range(8)] == [set(planes) for planes in expected]
    assert all(KEEPS_OUT & planes_at(image, 5, x) for x in range(8))


@pytest.mark.parametrize("version", ["V3.5.0", "V3.9", "V4.8.2a", "V5.1"])
def test_quality_of_later_versions_is_codes(tmp_path: Path, version: str) -> None:
    """One a pixel; what is not listed is bad."""
    quality = np.zeros((ROWS, COLUMNS), np.int32)
    quality[5, :9] = np.arange(1, 10)
    image = read(tmp_path, quality=quality, version=version)
    for code in range(1, 10):
        assert planes_at(image, 5, code - 1) == set(QUALITY_CODES.get(code, ("BAD",)))
        assert KEEPS_OUT & planes_at(image, 5, code - 1)


@pytest.mark.parametrize("version", [None, "new"])
def test_quality_of_an_unknown_version_is_refused(tmp_path: Path, version: str | None) -> None:
    """It may be bits or codes."""
    error = refusal(tmp_path, version=version)
    assert "_ood_" in error.source
    assert "PLVER" in error.reason


@pytest.mark.parametrize(
    ("kind", "part"), [("weight", "_oow_"), ("quality", "_ood_"), ("psf", "psfex"), ("sky", "sky")]
)
@pytest.mark.parametrize("key", ["PLVER", "PLPROCID", "EXPNUM"])
def test_files_of_another_processing_are_refused(
    tmp_path: Path, kind: str, part: str, key: str
) -> None:
    """Both files are named, and what they say of themselves."""
    other = 610002 if key == "EXPNUM" else "V5.0.0"
    error = refusal(tmp_path, cards={kind: {key: other}})
    assert part in error.source
    assert "_ooi_" in error.reason
    assert f"{key} '{other}' instead of" in error.reason


def test_numbers_in_another_format_are_no_difference(tmp_path: Path) -> None:
    """Tables that were written anew have floating-point numbers of exposures, and padded texts."""
    cards = {"psf": {"EXPNUM": 610001.0, "PLVER": "V4.8.2   "}}
    assert read(tmp_path, cards=cards) is not None


def test_a_row_of_another_processing_is_refused(tmp_path: Path) -> None:
    """Its zero point was measured in other pixels."""
    error = refusal(tmp_path, ccd={"plprocid": "9600000"})
    assert "survey-ccds-decam" in error.source
    assert "PLPROCID '9600000' instead of '9500001'" in error.reason


def test_a_mask_of_another_ccd_is_refused(tmp_path: Path) -> None:
    """Files of one CCD are told apart by their numbers, not by their names."""
    assert (
        "CCDNUM '36' instead of '35'" in refusal(tmp_path, cards={"quality": {"CCDNUM": 36}}).reason
    )


CUTS = [
    ({"ccd": {"ccd_cuts": 64}}, "ccd_cuts is 64"),
    ({"cards": {"image": {"SCAMPFLG": 1, "WCSCAL": None}}}, "SCAMPFLG is 1"),
    ({"cards": {"image": {"SCAMPFLG": 1}}}, "SCAMPFLG is 1"),
    ({"cards": {"image": {"SCAMPFLG": None, "WCSCAL": "Failed"}}}, "WCSCAL is 'Failed'"),
]


@pytest.mark.parametrize(("parts", "reason"), CUTS)
def test_what_the_survey_has_cut_is_refused_unless_asked_for(
    tmp_path: Path, parts: dict[str, Any], reason: str
) -> None:
    """The message says how to take it nevertheless."""
    path = DecamExposure(**parts).write(tmp_path)
    with pytest.raises(UnusableInputError, match=reason) as caught:
        read_decam_image(path)
    assert "accept_cut=True" in caught.value.reason
    with pytest.raises(UnusableInputError, match=reason):
        READERS["decam"].read_header(path)
    assert read_decam_image(path, accept_cut=True).header.observation.visit == 610001
    assert READERS["decam-with-cuts"].read(path).header.observation.visit == 610001


def test_an_old_failure_that_was_mended_is_none(tmp_path: Path) -> None:
    """Eight of the fifteen real exposures have WCSCAL Failed beside SCAMPFLG 0, and are right."""
    assert read(tmp_path, cards={"image": {"WCSCAL": "Failed", "SCAMPFLG": 0}}) is not None


def test_tables_of_other_cameras_are_passed_over(tmp_path: Path) -> None:
    """A survey of three cameras has their tables in one folder, even with the same numbers."""
    path = DecamExposure().write(tmp_path)
    for name, columns in (
        (
            "survey-ccds-90prime.fits",
            {"camera": ["90prime"], "expnum": [610001], "ccdname": ["N4"]},
        ),
        ("survey-ccds-aaa.fits", {"image": ["x"]}),
    ):
        fits.BinTableHDU.from_columns(
            [
                fits.Column(name=key, format="K" if key == "expnum" else "8A", array=value)
                for key, value in columns.items()
            ]
        ).writeto(tmp_path / name)
    assert read_decam_image(path).header.observation.band == "r"


@pytest.mark.parametrize("width", [np.nan, 0.0])
def test_seeing_that_was_measured_in_vain_passes_no_cut(tmp_path: Path, width: float) -> None:
    """NaN in the survey's table; without a column there is nothing to cut on."""
    image = read(tmp_path, ccd={"fwhm": width}).calibrated_image
    accepted, (refusal,) = select_images([image], SelectionSettings())
    assert not accepted
    assert "PSF FWHM" in refusal.reason
    absent = read(tmp_path / "absent", ccd={"fwhm": None}).calibrated_image
    assert absent.quality.psf_sigma is None
    assert len(select_images([absent], SelectionSettings())[0]) == 1
