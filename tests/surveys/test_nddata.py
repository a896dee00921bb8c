"""Images of astropy's NDData, their numbers by hand, and each thing that can be wrong with them."""

from __future__ import annotations

import dataclasses
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    Cutout2D,
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import WCS

import cellcoadd
from cellcoadd import UnusableInputError, calibrated_image_from_nddata
from cellcoadd.conventions import FWHM_PER_SIGMA, nanojansky_per_count
from cellcoadd.psfs.models import ImagePointSpreadFunction
from cellcoadd.skymap.fields import field_sky_map
from cellcoadd.testing.star_fields import Truth, make_star_field

SHAPE = (60, 80)
NAMES: dict[str, Any] = {"instrument": "Mine", "visit": 7, "band": "r"}


def wcs(**cards: Any) -> WCS:
    header = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0,
        "CRPIX1": 41.0, "CRPIX2": 31.0, "CD1_1": -0.2 / 3600, "CD1_2": 0.0, "CD2_1": 0.0,
        "CD2_2": 0.2 / 3600,
    }  # fmt: skip
    return WCS(fits.Header(header | cards))


def data(**changes: Any) -> NDData:
    pixels = np.random.default_rng(3).normal(0.0, 2.0, SHAPE)
    values = {
        "data": pixels, "uncertainty": StdDevUncertainty(np.full(SHAPE, 2.0)), "wcs": wcs(),
        "unit": u.nJy,
    } | changes  # fmt: skip
    return NDData(**values)


def make(given: NDData | None = None, **changes: Any) -> cellcoadd.CalibratedImage:
    image = data() if given is None else given
    return calibrated_image_from_nddata(image, **{**NAMES, "psf": 0.8, **changes})


def planes_at(image: cellcoadd.CalibratedImage, *, x: int, y: int) -> set[str]:
    mask = image.masked_image.mask
    return {name for name in mask.schema.names if mask.get(name)[y, x]}


def test_pixels_names_and_positions_are_those_that_are_given() -> None:
    """Pixel (0, 0) of the array is pixel (0, 0); the sky is that of the WCS."""
    given = data()
    image = make(given, detector=3, physical_filter="r.01", day_obs=20261201)
    np.testing.assert_array_equal(image.masked_image.image.array, given.data.astype(np.float32))
    known = image.observation
    assert (known.instrument, known.visit, known.detector) == ("Mine", 7, 3)
    assert (known.physical_filter, known.band, known.day_obs) == ("r.01", "r", 20261201)
    assert make().observation.physical_filter == "r"
    for x, y in ((0.0, 0.0), (79.0, 59.0), (12.3, 40.1)):
        expected = given.wcs.pixel_to_world(x, y)
        assert image.sky_projection.pixel_to_sky(x=x, y=y).separation(expected).mas < 0.1
    assert image.quality.pixel_scale_arcsec == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize(
    "uncertainty",
    [
        StdDevUncertainty(np.full(SHAPE, 3.0)),
        VarianceUncertainty(np.full(SHAPE, 9.0)),
        InverseVariance(np.full(SHAPE, 1.0 / 9.0)),
        StdDevUncertainty(np.full(SHAPE, 3e-3), unit=u.uJy),
        VarianceUncertainty(np.full(SHAPE, 9e-6), unit=u.uJy**2),
        InverseVariance(np.full(SHAPE, 1e6 / 9.0), unit=u.uJy**-2),
        StdDevUncertainty(3.0),
    ],
)
def test_each_uncertainty_is_a_variance_in_the_unit_of_the_data(uncertainty: Any) -> None:
    """The square of 3 nJy, or of 0.003 uJy, is 9 nJy^2."""
    variance = make(data(uncertainty=uncertainty)).masked_image.variance.array
    np.testing.assert_allclose(variance, 9.0, rtol=1e-6)


@pytest.mark.parametrize("kind", [StdDevUncertainty, VarianceUncertainty, InverseVariance])
def test_pixels_without_noise_or_value_are_no_data(kind: Any) -> None:
    """Zero, negative or not finite; of whatever plane."""
    pixels, plane = np.ones(SHAPE), np.full(SHAPE, 4.0)
    pixels[1, 1], pixels[1, 2] = np.nan, np.inf
    plane[2, 1:5] = [0.0, -1.0, np.nan, np.inf]
    image = make(data(data=pixels, uncertainty=kind(plane)))
    missing = image.masked_image.mask.get("NO_DATA")
    assert sorted(zip(*np.nonzero(missing), strict=True)) == [
        (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4),
    ]  # fmt: skip
    assert np.isinf(image.masked_image.variance.array[missing]).all()


@pytest.mark.parametrize(
    ("unit", "zero_point", "expected"),
    [
        (u.nJy, None, 1.0),
        (u.uJy, None, 1e3),
        (u.Jy, None, 1e9),
        (u.erg / u.s / u.cm**2 / u.Hz, None, 1e32),
        (u.MJy / u.sr, None, 940.1774),  # of a square of 0.2 arcsec
        (u.adu, 27.0, nanojansky_per_count(27.0)),
        (u.electron / u.s, 31.4, 1.0),
        (None, 25.0, nanojansky_per_count(25.0)),
    ],
)
def test_units_and_zero_points(unit: Any, zero_point: float | None, expected: float) -> None:
    found = make(data(unit=unit), zero_point=zero_point).nanojansky_per_count
    assert found == pytest.approx(expected, rel=1e-6)


def test_masks_of_booleans_and_of_bits() -> None:
    """True is BAD; a bit is what it is said to be, and BAD if nothing is said."""
    flags = np.zeros(SHAPE, np.bool_)
    flags[5, 6] = True
    image = make(data(mask=flags))
    assert planes_at(image, x=6, y=5) == {"BAD"}
    assert np.count_nonzero(image.masked_image.mask.get("BAD")) == 1
    bits = np.zeros(SHAPE, np.uint8)
    bits[5, 1:6] = [1, 2, 4, 8, 3]
    image = make(data(mask=bits), mask_planes={1: "CR", 2: ["SATURATED", "SUSPECT"], 4: []})
    found = [planes_at(image, x=x, y=5) for x in range(7)]
    sat = {"SAT", "SUSPECT"}
    assert found == [set(), {"CR"}, sat, set(), {"BAD"}, {"CR"} | sat, set()]


def test_flags_of_ccddata_are_bits() -> None:
    """Its mask is made one of booleans, whatever was given; both count."""
    flags = np.zeros(SHAPE, np.int16)
    flags[5, 1:3] = [2, 8]
    mask = np.zeros(SHAPE, np.bool_)
    mask[6, 6] = True
    given = CCDData(
        data().data, unit=u.nJy, uncertainty=StdDevUncertainty(np.full(SHAPE, 2.0)), wcs=wcs(),
        mask=mask, flags=flags,
    )  # fmt: skip
    image = make(given, mask_planes={2: "CR"})
    assert [planes_at(image, x=x, y=5) for x in (0, 1, 2)] == [set(), {"CR"}, {"BAD"}]
    assert planes_at(image, x=6, y=6) == {"BAD"}
    assert planes_at(make(given), x=1, y=5) == set()


def test_psfs_of_all_kinds() -> None:
    """A width in arcsec, an angle, an image, a PSF; 0.8 arcsec are 4 pixels."""
    for psf in (0.8, 0.8 * u.arcsec, 800 * u.mas):
        image = make(psf=psf)
        assert image.quality.psf_sigma == pytest.approx(4.0 / FWHM_PER_SIGMA, rel=1e-6)
        kernel = image.psf.compute_kernel_image(x=10.0, y=10.0)
        assert kernel.array.sum() == pytest.approx(1.0)
        row = kernel.array[kernel.array.shape[0] // 2]
        assert row[row.size // 2 + 2] / row.max() == pytest.approx(0.5)
    stamp = np.zeros((5, 7))
    stamp[2, 2:5] = [1.0, 2.0, 1.0]
    drawn = make(psf=stamp).psf.compute_kernel_image(x=1.0, y=1.0).array
    np.testing.assert_allclose(drawn, stamp / 4.0)
    own = ImagePointSpreadFunction(stamp, bounds=make().bbox)
    assert make(psf=own).psf is own


def test_a_psf_can_be_measured() -> None:
    """From the stars of the image itself: its width, and how many they were."""
    field = make_star_field(Truth(fwhm=4.0))
    side = field.planes.bbox.x.size
    image = make(
        NDData(field.planes.image.array, uncertainty=StdDevUncertainty(3.0), unit=u.nJy, wcs=wcs()),
        psf="measured",
    )
    assert image.bbox.x.size == side
    assert image.quality.n_psf_star == 36
    assert image.quality.psf_sigma == pytest.approx(4.0 / FWHM_PER_SIGMA, rel=0.01)


def test_ccddata_and_parts_of_it_are_where_they_are_on_the_sky() -> None:
    """A slice and a cut-out of it, in Galactic coordinates, too."""
    galactic = wcs(CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN", CRVAL1=236.0, CRVAL2=42.0)
    for world in (wcs(), wcs(RADESYS="FK5", EQUINOX=1975.0), galactic):
        whole = CCDData(data().data, unit=u.adu, uncertainty=StdDevUncertainty(np.full(SHAPE, 2.0)),
                        wcs=world)  # fmt: skip
        expected = world.pixel_to_world(20.0, 10.0).icrs
        for part in (whole, whole[5:50, 8:60]):
            image = make(part, zero_point=27.0)
            dx, dy = (0, 0) if part is whole else (8, 5)
            found = image.sky_projection.pixel_to_sky(x=20.0 - dx, y=10.0 - dy)
            assert found.separation(expected).mas < 0.1
            assert image.masked_image.image.array[0, 0] == np.float32(whole.data[dy, dx])
        cut = Cutout2D(whole.data, (30, 30), (20, 20), wcs=world)
        image = make(data(data=cut.data, wcs=cut.wcs, uncertainty=StdDevUncertainty(2.0)))
        x, y = cut.to_cutout_position((25.0, 27.0))
        found = image.sky_projection.pixel_to_sky(x=float(x), y=float(y))
        assert found.separation(world.pixel_to_world(25.0, 27.0)).mas < 0.1


def test_a_coadd_of_two_has_the_light_of_both() -> None:
    """In nJy, whatever their units: the mean by weight."""
    size = (240, 240)
    rng = np.random.default_rng(8)
    images = []
    for visit, unit, level in ((1, u.nJy, 100.0), (2, u.uJy, 0.102)):
        scale = float((1 * unit).to_value(u.nJy))
        image = NDData(
            level + rng.normal(0.0, 4.0, size) / scale,
            uncertainty=StdDevUncertainty(4.0 / scale),
            unit=unit,
            wcs=wcs(CRPIX1=121.0, CRPIX2=121.0),
        )
        images.append(make(image, visit=visit))
    sky_map = field_sky_map(
        ra=np.array([150.0]), dec=np.array([2.0]), pixel_scale_arcsec=0.2, cell_inner_size=30,
        cell_border=10,
    )  # fmt: skip
    patch = sky_map[0].find_patch(ra=150.0, dec=2.0)
    coadd = cellcoadd.coadd_images(images, patch)
    assert coadd is not None
    cell = next(iter(coadd.cells.values()))
    assert cell.visit_count == 2
    assert cell.inner.image.array.mean() == pytest.approx(101.0, abs=0.5)
    assert np.median(cell.inner.variance.array) == pytest.approx(8.0, rel=0.05)


class _Strange:
    """A WCS that no header can say."""

    low_level_wcs = object()


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"uncertainty": None}, {}, "its uncertainty must be a StdDevUncertainty, a Variance"),
    ({"uncertainty": UnknownUncertainty(np.ones(SHAPE))}, {}, "it is of type 'unknown'"),
    ({"uncertainty": StdDevUncertainty(np.ones(4))}, {}, "its data, (60, 80), it is (4,)"),
    ({"unit": None}, {}, "it has no unit, whose flux nobody knows: give zero_point"),
    ({"unit": u.adu}, {}, "it has the unit adu, whose flux nobody knows"),
    ({}, {"zero_point": 25.0}, "and zero_point = 25.0: leave that out, or the unit"),
    ({"unit": u.adu}, {"zero_point": 99.0}, "zero_point, is 99.0, which stands for none"),
    ({"unit": u.adu}, {"zero_point": np.nan}, "zero_point, is nan, it must be 5 to 45"),
    ({"wcs": None}, {}, "it has no WCS: set wcs"),
    ({"wcs": WCS(naxis=2)}, {}, "its header has no WCS"),
    ({"data": np.ones((3, 4, 5)), "uncertainty": StdDevUncertainty(1.0)}, {}, "one detector at a"),
    ({"data": np.ones(SHAPE, complex)}, {}, "they are complex128"),
    ({"data": np.full(SHAPE, np.nan)}, {}, "no pixel has a variance that is positive and finite"),
    ({"mask": np.ones(SHAPE, np.int16)}, {}, "say what their bits mean, as with mask_planes"),
    ({"mask": np.ones(SHAPE)}, {"mask_planes": {1: "BAD"}}, "it is of float64"),
    ({"mask": np.full(SHAPE, -1)}, {"mask_planes": {1: "BAD"}}, "not negative; it is of int64"),
    ({"mask": np.ones((2, 2), bool)}, {}, "(60, 80), it is (2, 2)"),
    ({"mask": np.ones(SHAPE, bool)}, {"mask_planes": {1: "BAD"}}, "this one is of booleans"),
    ({}, {"mask_planes": {1: "BAD"}}, "there is no mask"),
    (
        {"mask": np.ones(SHAPE, int)},
        {"mask_planes": {3: "BAD"}},
        "single bits (1, 2, 4, ...), got 3",
    ),
    ({"mask": np.ones(SHAPE, int)}, {"mask_planes": {1: "WORSE"}}, "got 'WORSE' for 1"),
    ({}, {"psf": np.ones((4, 4))}, "needs odd numbers of rows and columns"),
    ({}, {"psf": np.eye(5) * np.eye(5)[0]}, "the light of its PSF must be centred"),
    ({}, {"psf": 0.01}, "0.01 arcsec are 0.05 pixels"),
    ({}, {"psf": 30.0}, "30 arcsec are 150 pixels"),
    ({}, {"psf": 1.0 * u.Jy}, "must be an angle, it is in Jy"),
    ({}, {"psf": "airy"}, "a width in arcsec or 'measured', got 'airy'"),
    ({}, {"psf": "measured"}, "its PSF cannot be measured: 0 of 0 sources"),
    ({}, {"visit": -1}, "visit must be a whole number that is not negative, got -1"),
    ({}, {"detector": 1.5}, "detector must be a whole number"),
    ({}, {"day_obs": 20261301}, "day_obs must be a night as YYYYMMDD"),
]


@pytest.mark.parametrize(("changes", "names", "said"), REFUSED)
def test_what_is_wrong_is_told(changes: dict[str, Any], names: dict[str, Any], said: str) -> None:
    """With the exposure, the value and the rule."""
    with pytest.raises(UnusableInputError) as caught:
        make(data(**changes), **names)
    assert str(caught.value).startswith("Mine visit ")
    assert said in str(caught.value)


def test_what_is_no_nddata_is_told() -> None:
    """And uncertainties that have nothing to do with the data, which NDData lets pass."""
    with pytest.raises(UnusableInputError, match="an astropy NDData or CCDData, got ndarray"):
        make(np.ones(SHAPE))
    image = data()
    image.uncertainty._unit = u.s
    with pytest.raises(UnusableInputError, match="in s, which does not go with data in nJy"):
        make(image)
    image = data()
    image._wcs = _Strange()
    with pytest.raises(UnusableInputError, match=r"must be an astropy.wcs.WCS.*got object"):
        make(image)
    assert dataclasses.is_dataclass(make())
