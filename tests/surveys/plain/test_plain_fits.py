"""Plain FITS of any camera: each choice of a definition on a small file, numbers by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box

from cellcoadd.conventions import nanojansky_per_count
from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys import PlainFitsReader, camera_reader, reader_for
from cellcoadd.surveys.plain.header import read_wcs
from cellcoadd.surveys.plain.psf import profile_image
from cellcoadd.surveys.plain.values import Headers
from cellcoadd.testing.plain_files import write_camera, write_plain_image, write_planes

SHAPE = (60, 60)


def reader(tmp_path: Path, **changes: Any) -> PlainFitsReader:
    """The reader of the good definition with some keys replaced, or left out where None."""
    return camera_reader(write_camera(tmp_path / "camera.yaml", **changes))


def read(path: Path, **changes: Any) -> CalibratedImage:
    return reader(path.parent, **changes).read(path).calibrated_image


def planes_at(image: CalibratedImage, *, x: int, y: int) -> set[str]:
    mask = image.masked_image.mask
    return {name for name in mask.schema.names if mask.get(name)[y, x]}


def image_of(tmp_path: Path, pixels: dict[tuple[int, int], float], **cards: Any) -> Path:
    """An image of tens, with other values by (x, y)."""
    array: npt.NDArray[np.float32] = np.full(SHAPE, 10.0, np.float32)
    for (x, y), value in pixels.items():
        array[y, x] = value
    path = write_plain_image(tmp_path / "image.fits", weight_suffix=None)
    return write_planes(path, array, **{**dict(fits.getheader(path)), **cards})


def test_conditions_are_those_that_the_definition_finds(tmp_path: Path) -> None:
    """Hour angles as texts are hours; a sky that is subtracted is the sky, if nothing else is."""
    keys: dict[str, Any] = {
        "airmass": {"keyword": "AIRMASS"},
        "hour_angle": {"keyword": "HA"},
        "latitude": {"keyword": "SITELAT"},
        "sky_background": {"keyword": "SKYMEAN"},
        "sky_noise": {"keyword": "SKYNOISE"},
    }
    cards = {"AIRMASS": 1.1, "HA": "02:00:00", "SITELAT": "02:00:00", "SKYMEAN": 50.0}
    flux = nanojansky_per_count(27.0)
    found = read(path := image_of(tmp_path, {}, **cards), **keys).conditions
    assert (found.exposure_time_s, found.airmass) == (30.0, 1.1)
    # The image's middle is at the latitude, 2 degrees: cos z = 1 - cos(2 deg)^2 (1 - cos 30 deg).
    square = math.cos(math.radians(2.0)) ** 2
    assert found.zenith_angle_deg == pytest.approx(
        math.degrees(math.acos(1.0 - square * (1.0 - math.cos(math.radians(30.0))))), abs=0.002
    )
    assert found.sky_background_njy == pytest.approx(50.0 * flux)
    assert found.sky_noise_njy is None
    assert found.epoch_mjd is not None
    subtracted = read(path, sky=3.0).conditions
    assert subtracted.sky_background_njy == pytest.approx(3.0 * flux)
    assert subtracted.parallactic_angle_deg is None
    degrees = read(path, **{**keys, "hour_angle": 30.0, "latitude": 2.0}).conditions
    assert degrees == found
    wrong = image_of(tmp_path, {}, **(cards | {"HA": "2:x"}))
    with pytest.raises(UnusableInputError, match="'2:x', for hour_angle, must be an angle"):
        read(wrong, **keys)


def test_who_and_when(tmp_path: Path) -> None:
    """By keyword, by value, by the name of the file; without a visit, the time makes one."""
    path = write_plain_image(tmp_path / "cam_0042_07.fits")
    header = reader(tmp_path, band={"r.01": "r"}).read_header(path)
    observation = header.observation
    assert (observation.instrument, observation.physical_filter) == ("TestCam", "r.01")
    assert (observation.band, observation.day_obs, observation.detector) == ("r", 20200203, 0)
    assert observation.visit == 20200203040506
    assert header.details.exposure_time_s == 30.0
    assert reader(tmp_path).read_header(path).observation.band == "r.01"
    named = reader(
        tmp_path,
        visit={"file_name": "_(?P<a>[0-9]+)_(?P<b>[0-9]+)"},
        detector=3,
        time={"mjd": 58882.25},
        exposure_time=12,
    ).read_header(path)
    assert (named.observation.visit, named.observation.detector) == (4207, 3)
    assert named.details.begin is not None
    assert named.details.begin.utc.isot == "2020-02-03T06:00:00.000"
    part = reader(tmp_path, visit={"keyword": "DATE-OBS", "pattern": "T(?P<h>..):(?P<m>..)"})
    assert part.read_header(path).observation.visit == 405


def test_keywords_of_the_whole_file_count(tmp_path: Path) -> None:
    """What the extension does not say is in the first header; its own word comes first."""
    path = write_plain_image(tmp_path / "image.fits")
    with fits.open(path) as hdus:
        pixels, header = hdus[0].data.copy(), hdus[0].header.copy()
    first = fits.PrimaryHDU(header=fits.Header({"EXPNUM": 11, "OBSNUM": 12}))
    fits.HDUList([first, fits.ImageHDU(pixels, header, name="CCD5")]).writeto(path, overwrite=True)
    found = reader(tmp_path, visit={"keyword": "OBSNUM"}).read_header(path)
    assert (found.observation.visit, found.detector_name) == (12, "CCD5")
    assert reader(tmp_path, visit={"keyword": "EXPNUM"}).read_header(path).observation.visit == 7


@pytest.mark.parametrize(
    ("unit", "per", "expected"),
    [
        ("count", "exposure", nanojansky_per_count(27.0)),
        ("count", "second", nanojansky_per_count(27.0) / 30.0),
        ("count/s", "second", nanojansky_per_count(27.0)),
        ("count/s", "exposure", nanojansky_per_count(27.0) * 30.0),
    ],
)
def test_zero_points(tmp_path: Path, unit: str, per: str, expected: float) -> None:
    """30 counts in 30 seconds are one count a second: of all four, the same star has one flux."""
    path = write_plain_image(tmp_path / "image.fits")
    zero = {"magnitude": {"keyword": "MAGZERO"}, "system": "AB", "per": per}
    assert read(path, unit=unit, zero_point=zero).nanojansky_per_count == pytest.approx(expected)
    vega = {**zero, "system": "Vega", "offset": {"r.01": 0.25}}
    factor = 10 ** (-0.4 * 0.25)
    found = read(path, unit=unit, zero_point=vega).nanojansky_per_count
    assert found == pytest.approx(expected * factor)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unit": "nJy"}, 1.0),
        ({"unit": "uJy"}, 1e3),
        ({"unit": "Jy"}, 1e9),
        # 1 MJy/sr is 1e15 nJy/sr; a square of 0.2 arcsec has 9.4018e-13 sr.
        ({"unit": "MJy/sr"}, 940.1774),
        ({"unit": "MJy/sr", "pixel_area": 9e-13}, 900.0),
    ],
)
def test_units(tmp_path: Path, changes: dict[str, Any], expected: float) -> None:
    """Fluxes need no zero point; a surface brightness needs the area of a pixel."""
    path = write_plain_image(tmp_path / "image.fits")
    found = read(path, zero_point=None, **changes).nanojansky_per_count
    assert found == pytest.approx(expected, rel=1e-6)


def test_counts_without_a_zero_point_are_said_to_be_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are coadded as they are, and nobody shall take them for nJy unawares."""
    path = write_plain_image(tmp_path / "image.fits")
    image = reader(tmp_path, zero_point=None).read(path)
    assert image.calibrated_image.nanojansky_per_count == 1.0
    assert not image.header.is_flux_known
    assert "image.fits: its pixels stay in counts" in caplog.text
    assert reader(tmp_path).read(path).header.is_flux_known


NOISES = [
    ("variance", {}, {4.0: 4.0, 0.0: np.inf, -1.0: np.inf, np.nan: np.inf, np.inf: np.inf}),
    ("rms", {}, {4.0: 16.0, 0.0: np.inf, -1.0: np.inf, np.nan: np.inf}),
    ("inverse_variance", {}, {4.0: 0.25, 0.0: np.inf, 1e-6: np.inf, -1.0: np.inf, np.nan: np.inf}),
    ("weight", {"scale": 8.0}, {4.0: 2.0, 0.0: np.inf, np.nan: np.inf}),
]


@pytest.mark.parametrize(("kind", "more", "values"), NOISES)
def test_planes_of_noise(
    tmp_path: Path, kind: str, more: dict[str, float], values: dict[float, float]
) -> None:
    """Zeros, also those that compression made small numbers of, are no data."""
    path = write_plain_image(tmp_path / "image.fits")
    plane = np.full(SHAPE, 4.0)
    plane[5, : len(values)] = list(values)
    write_planes(tmp_path / "image.noise.fits", plane)
    image = read(path, noise={kind: {"file": {"suffix": ".noise.fits"}, **more}})
    found = image.masked_image.variance.array
    assert found[5, : len(values)].tolist() == pytest.approx(list(values.values()))
    for x, expected in enumerate(values.values()):
        assert planes_at(image, x=x, y=5) == (set() if expected < np.inf else {"NO_DATA"})
    assert found[6, 6] == next(iter(values.values()))


def test_noise_of_photons(tmp_path: Path) -> None:
    """Var = (counts + sky)/gain + (read noise/gain)^2, of counts; a rate has it over t^2."""
    path = image_of(tmp_path, {(3, 3): -50.0})
    noise = {"from_gain": {"gain": 2.0, "sky": 20.0, "read_noise": 6.0}}
    variance = read(path, noise=noise).masked_image.variance.array
    assert (variance[9, 9], variance[3, 3]) == (30.0 / 2 + 9.0, 9.0)
    rate = read(path, noise=noise, unit="count/s").masked_image.variance.array
    assert rate[9, 9] == pytest.approx((30.0 * 30.0 / 2 + 9.0) / 900.0)
    assert read(path).masked_image.variance.array[9, 9] == 4.0


@given(
    st.sampled_from(["variance", "inverse_variance", "rms"]),
    st.floats(1e-3, 1e3),
    st.floats(0.1, 1e4),
)
@settings(deadline=None, max_examples=15)
def test_noise_follows_the_image(
    tmp_path_factory: pytest.TempPathFactory, kind: str, level: float, scale: float
) -> None:
    """The same file in another unit: sigma in nJy is the same, whatever plane states it."""
    folder = Path(tmp_path_factory.mktemp("scaled"))
    sigmas = []
    for factor in (1.0, scale):
        power = {"variance": 2, "inverse_variance": -2, "rms": 1}[kind]
        path = write_planes(
            folder / "image.fits",
            np.full(SHAPE, 10.0 * factor),
            np.full(SHAPE, level * factor**power),
            **dict(fits.getheader(write_plain_image(folder / "made.fits"))),
        )
        zero = {"magnitude": 27.0 + 2.5 * math.log10(factor), "system": "AB", "per": "exposure"}
        image = read(path, image={"hdu": 0}, noise={kind: {"hdu": 1}}, zero_point=zero)
        variance = image.masked_image.variance.array[4, 4]
        sigmas.append(math.sqrt(float(variance)) * image.nanojansky_per_count)
    assert sigmas[0] == pytest.approx(sigmas[1], rel=1e-5)


def test_masks_of_bits_and_of_codes(tmp_path: Path) -> None:
    """Bits add up, codes do not; what the definition does not know is BAD unless it is harmless."""
    path = image_of(tmp_path, {(8, 2): math.nan})
    mask = np.zeros(SHAPE, np.int32)
    mask[2, 1:7] = [1, 2, 3, 4, 8, 9]
    write_planes(tmp_path / "image.dq.fits", mask)
    where = {"file": {"suffix": ".dq.fits"}}
    bits = read(
        path, mask={**where, "bits": {1: "CR", 2: ["SATURATED", "STREAK"]}, "harmless": [8]}
    )
    found = [planes_at(bits, x=x, y=2) for x in range(9)]
    sat = {"SAT", "STREAK"}
    assert found == [set(), {"CR"}, sat, {"CR"} | sat, {"BAD"}, set(), {"CR"}, set(), {"NO_DATA"}]
    codes = read(path, mask={**where, "codes": {1: "CR", 3: "SAT"}, "harmless": [8]})
    found = [planes_at(codes, x=x, y=2) for x in range(7)]
    assert found == [set(), {"CR"}, {"BAD"}, {"SAT"}, {"BAD"}, set(), {"BAD"}]


@given(st.integers(0, (1 << 30) - 1), st.sets(st.integers(0, 29)))
@settings(deadline=None, max_examples=20)
def test_no_bit_is_lost(
    tmp_path_factory: pytest.TempPathFactory, value: int, harmless: set[int]
) -> None:
    """A pixel with any bit that is not harmless has a plane that keeps it out."""
    folder = Path(tmp_path_factory.mktemp("bits"))
    path = image_of(folder, {})
    mask = np.zeros(SHAPE, np.int32)
    mask[7, 7] = value
    write_planes(folder / "image.dq.fits", mask)
    bits = {1 << 30: "CR"}
    image = read(
        path,
        mask={
            "file": {"suffix": ".dq.fits"},
            "bits": bits,
            "harmless": [1 << i for i in sorted(harmless)],
        },
    )
    rest = value & ~sum(1 << i for i in harmless)
    assert planes_at(image, x=7, y=7) == ({"BAD"} if rest else set())
    bad = plane_array(image.masked_image.mask) & bits_of(image.masked_image.mask.schema, ["BAD"])
    assert np.count_nonzero(bad) == bool(rest)


@pytest.mark.parametrize(
    ("unit", "level"), [("image", 100.0), ("count/s", 100.0), ("count", 3000.0)]
)
def test_saturation(tmp_path: Path, unit: str, level: float) -> None:
    """Of the pixel as it is in the file, here a rate: before the sky is subtracted."""
    path = image_of(tmp_path, {(4, 4): 100.5, (5, 5): 99.5})
    image = read(path, unit="count/s", saturation={"level": level, "unit": unit}, sky=50.0)
    assert planes_at(image, x=4, y=4) == {"SAT"}
    assert planes_at(image, x=5, y=5) == set()
    assert image.masked_image.image.array[4, 4] == 50.5


def test_psf_profiles_have_their_width() -> None:
    """Half of the maximum at half of the width, by definition, and a centre in the middle."""
    for beta in (None, 2.5, 4.0):
        image = profile_image(fwhm=6.0, beta=beta)
        half = image.shape[0] // 2
        assert image[half, half] == image.max()
        assert image[half, half + 3] / image.max() == pytest.approx(0.5)


def test_psfs(tmp_path: Path) -> None:
    """By width in arcsec or pixels, or an image, which is brought to unit sum."""
    path = write_plain_image(tmp_path / "image.fits")
    image = read(path)
    assert image.quality.psf_sigma == pytest.approx(4.0 / 2.35482, rel=1e-5)  # 0.8" of 0.2" pixels
    pixels = read(path, psf={"moffat": {"fwhm": 4.0, "unit": "pixel", "beta": 3.0}})
    assert pixels.quality.psf_sigma == pytest.approx(4.0 / 2.35482, rel=1e-5)
    stamp = np.zeros((15, 17))
    stamp[7, 8], stamp[7, 9] = 3.0, 1.0
    write_planes(tmp_path / "image.psf.fits", stamp)
    choice = {"image": {"file": {"suffix": ".psf.fits"}}}
    kernel = read(path, psf=choice).psf.compute_kernel_image(x=9.0, y=9.0).array
    assert kernel.sum() == pytest.approx(1.0)
    assert kernel[7, 8] == 0.75
    for bad, said in (
        (np.roll(stamp, 2, axis=1), "must be centred within 1.0 pixel of the middle"),
        (stamp[:14], "odd numbers of rows and columns"),
        (np.where(stamp > 2, np.nan, stamp), "finite"),
    ):
        write_planes(tmp_path / "image.psf.fits", bad)
        with pytest.raises(UnusableInputError, match=f"image.psf.fits: .*{said}"):
            read(path, psf=choice)


@pytest.mark.parametrize("frame", [{}, {"RADESYS": "FK5"}, {"RADESYS": "FK5", "EQUINOX": 1975.0}])
@pytest.mark.parametrize("projection", ["TAN", "TPV", "ZPN", "SIN"])
def test_positions_are_those_of_astropy(frame: dict[str, Any], projection: str) -> None:
    """The frame that the header says is honoured: within 0.1 mas over two degrees."""
    header = fits.Header(
        {
            "NAXIS": 2, "NAXIS1": 2000, "NAXIS2": 2000,
            "CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}",
            "CRVAL1": 83.9, "CRVAL2": 61.8, "CRPIX1": 900.0, "CRPIX2": 1100.0,
            "CD1_1": -7e-4, "CD1_2": 7e-4, "CD2_1": 7e-4, "CD2_2": 7e-4, **frame,
        }
    )  # fmt: skip
    if projection == "ZPN":
        header.update({"PV2_1": 1.0, "PV2_3": -60.0})
    if projection == "TPV":
        header.update({"PV1_1": 1.0, "PV1_4": 1e-3, "PV2_1": 1.0})
    x, y = np.meshgrid(np.linspace(0, 1999, 5), np.linspace(0, 1999, 5))
    expected = WCS(header).pixel_to_world(x, y).icrs
    wcs = read_wcs(
        Headers(path=Path("image.fits"), headers=[header]), bbox=Box.factory[0:2000, 0:2000]
    )
    found = wcs.pixel_to_world(x, y)
    assert found.separation(expected).arcsec.max() < 1e-4


def test_headers_of_old_cameras(tmp_path: Path) -> None:
    """PC001002 turns the image, BLANK on floats means nothing, the frame is in the first header."""
    path = write_plain_image(tmp_path / "image.fits")
    turned = {"PC001001": 0.8, "PC001002": 0.6, "PC002001": -0.6, "PC002002": 0.8}
    with fits.open(path) as hdus:
        pixels, header = hdus[0].data.copy(), hdus[0].header.copy()
    for keyword in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"):
        del header[keyword]
    header.update({**turned, "CDELT1": -0.2 / 3600.0, "CDELT2": 0.2 / 3600.0, "BLANK": 32767})
    fits.HDUList([fits.PrimaryHDU(pixels, header)]).writeto(path, output_verify="ignore",
                                                            overwrite=True)  # fmt: skip
    sky = reader(tmp_path).read(path).header.sky_projection
    there = sky.pixel_to_sky(x=30.0 + 100.0, y=30.0)  # 80 pixels to the west, 60 to the south
    assert (there.dec.deg - 2.0) * 3600.0 == pytest.approx(-12.0, abs=1e-3)
    frame = fits.Header({"RADECSYS": "FK5", "EQUINOX": 1975.0})
    box = Box.factory[0:50, 0:50]
    found = read_wcs(Headers(path=path, headers=[header, frame]), bbox=box).wcs
    assert abs(found.crval[0] - 150.0) > 0.1  # 25 years of precession


def test_companions_are_known_by_their_names(tmp_path: Path) -> None:
    """By ending or by a part that is replaced, also where one part holds the other."""
    suffix = reader(tmp_path, noise={"inverse_variance": {"file": {"suffix": ".weight.fits"}}})
    assert suffix.is_companion(tmp_path / "a.weight.fits")
    assert suffix.recognizes(tmp_path / "a.fits.fz")
    assert not suffix.recognizes(tmp_path / "a.txt")
    part = reader(tmp_path, noise={"rms": {"file": {"replace": ["_ooi_", "_oow_"]}}})
    assert part.is_companion(tmp_path / "c_oow_r.fits")
    assert part.recognizes(tmp_path / "c_ooi_r.fits")
    longer = reader(tmp_path, noise={"rms": {"file": {"replace": [".fits", ".w.fits"]}}})
    write_plain_image(tmp_path / "b.fits", weight_suffix=".w.fits")
    assert longer.is_companion(tmp_path / "b.w.fits")
    assert not longer.is_companion(tmp_path / "b.fits")


def test_without_a_definition_the_way_out_is_named(tmp_path: Path) -> None:
    """Who gives plain FITS to the command learns of the option."""
    path = write_plain_image(tmp_path / "image.fits")
    with pytest.raises(UnusableInputError, match=r"--camera: see docs/how-to/any-camera.md"):
        reader_for(path)
    camera = reader(tmp_path)
    assert reader_for(path, camera=camera).reader is camera


def test_psfex_files_are_read(tmp_path: Path) -> None:
    """By the ready definition of SWarp's layout: a constant model of one pixel's sampling."""
    path = write_plain_image(tmp_path / "image.fits", cards={"SATURATE": 5e4})
    model = np.zeros((1, 1, 5, 5), np.float32)
    model[0, 0, 2, 2], model[0, 0, 2, 3] = 4.0, 1.0
    column = fits.Column("PSF_MASK", "25E", dim="(5,5,1)", array=model)
    table = fits.BinTableHDU.from_columns([column], header=fits.Header({"PSF_SAMP": 1.0}))
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "image.psf")
    swarp = camera_reader("swarp")
    image = swarp.read(path).calibrated_image
    assert image.psf.compute_kernel_image(x=9.0, y=9.0).array[2, 2] == pytest.approx(0.8)
    assert image.masked_image.variance.array[4, 4] == 1.0
    assert swarp.is_companion(tmp_path / "image.weight.fits")


def test_nircam_files_of_the_archive_are_read(tmp_path: Path) -> None:
    """SCI and ERR are found by name among other images; the filter is in the first header."""
    name = "jw01324-o001_t001_nircam_clear-f200w_i2d"
    made = write_plain_image(tmp_path / "made.fits", weight_suffix=None)
    header = fits.getheader(made)
    del header["FILTER"]
    header.update({"DATE-BEG": "2022-06-29T08:45:07", "XPOSURE": 44579.0, "BUNIT": "MJy/sr"})
    ones = np.ones(SHAPE, np.float32)
    fits.HDUList(
        [
            fits.PrimaryHDU(header=fits.Header({"FILTER": "F200W"})),
            fits.ImageHDU(fits.getdata(made), header, name="SCI"),
            fits.ImageHDU(3.0 * ones, name="ERR"),
            fits.ImageHDU(ones, name="CON"),
        ]
    ).writeto(tmp_path / f"{name}.fits")
    stamp = np.zeros((5, 5))
    stamp[2, 2] = 1.0
    write_planes(tmp_path / f"{name}.psf.fits", stamp)
    image = camera_reader("nircam-i2d").read(tmp_path / f"{name}.fits").calibrated_image
    assert (image.observation.visit, image.observation.band) == (1324, "F200W")
    assert image.masked_image.variance.array[4, 4] == 9.0
    assert image.nanojansky_per_count == pytest.approx(940.1774, rel=1e-6)


def test_compressed_files_are_read(tmp_path: Path) -> None:
    """As they come from archives, image and weight by RICE: zeros stay without data."""
    made = write_plain_image(tmp_path / "made.fits", weight_suffix=None)
    header = fits.getheader(made)
    weight = np.random.default_rng(3).normal(1.0, 0.05, SHAPE).astype(np.float32)
    weight[:4] = 0.0
    for name, pixels in (("c_ooi_r.fits.fz", fits.getdata(made)), ("c_oow_r.fits.fz", weight)):
        packed = fits.CompImageHDU(pixels, header, quantize_method=1)  # dithered
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / name)
    noise = {"inverse_variance": {"file": {"replace": ["_ooi_", "_oow_"]}}}
    image = read(tmp_path / "c_ooi_r.fits.fz", noise=noise)
    missing = image.masked_image.mask.get("NO_DATA")
    assert missing[:4].all()
    assert not missing[4:].any()
    assert np.isinf(image.masked_image.variance.array[:4]).all()
